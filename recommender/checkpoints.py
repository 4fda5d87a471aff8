"""Named arrays and what is said about them, written whole or not at all; no pickle.

A folder holds `metadata.json` and the array file it names. The array file's name carries its hash
and is written first, so that replacing `metadata.json` is the one moment at which a checkpoint
becomes the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FORMAT = 1
_METADATA = "metadata.json"


class CheckpointError(Exception):
    """A checkpoint is missing, damaged or of another model; the message says which and where."""


def write_checkpoint(
    folder: Path, arrays: Mapping[str, Array], metadata: Mapping[str, Any]
) -> None:
    """Replaces the checkpoint in `folder`; `metadata` must be JSON.

    Raises:
        OSError: nothing was replaced, the old checkpoint stands.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # NumPy's own keyword is no array's name
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    name = f"arrays-{digest[:16]}.npz"
    _write(folder / name, content)
    described = {"format": _FORMAT, "arrays": {"file": name, "sha256": digest}, **metadata}
    _write(folder / _METADATA, json.dumps(described, indent=1, allow_nan=False).encode())
    for old in folder.glob("arrays-*.npz"):
        if old.name != name:
            old.unlink(missing_ok=True)


def numbered(prefix: str, arrays: Sequence[Array]) -> dict[str, Array]:
    """Names that keep the order: `weight_000`, `weight_001`, ..."""
    return {f"{prefix}_{i:03}": array for i, array in enumerate(arrays)}


def numbered_arrays(prefix: str, arrays: Mapping[str, Array]) -> list[Array]:
    """What `numbered` named so, in its order."""
    names = [name for name in arrays if name.startswith(f"{prefix}_")]
    return [arrays[f"{prefix}_{i:03}"] for i in range(len(names))]


def has_checkpoint(folder: Path) -> bool:
    return (folder / _METADATA).exists()


def read_metadata(folder: Path) -> dict[str, Any]:
    """What was said about the arrays.

    Raises:
        CheckpointError: there is no checkpoint, or it cannot be read.
    """
    path = folder / _METADATA
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: there is no checkpoint here") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON ({error})") from error
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of format {_FORMAT}")
    return metadata


def read_checkpoint(folder: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and what was said about them.

    Raises:
        CheckpointError: there is no checkpoint, or a file of it is damaged.
    """
    metadata = read_metadata(folder)
    path = folder / Path(metadata["arrays"]["file"]).name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: named in {_METADATA}, but missing") from None
    if hashlib.sha256(content).hexdigest() != metadata["arrays"]["sha256"]:
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the one in {_METADATA}")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}, metadata
    except (ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not an array file ({error})") from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
