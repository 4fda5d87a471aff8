"""Reads the hyperparameters of a HyperModel by building it; runs in a process of its own.

KerasTuner imports TensorFlow, and the researcher's code is run: neither belongs in a driver. What
was read is kept in the user's cache, by the hash of the code.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments.errors import DiskError
from experiments.files import atomic_write
from experiments.translate.keras_tuner import read_hyperparameters
from recommender.errors import ModelError
from recommender.own import OwnDefinition, Parameter
from search_spaces import Dimension, SpaceError, is_name

TIMEOUT_S = 300.0
_RULES = "2"
"""Of what is read; what was kept under others is read anew."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from experiments.translate.hypermodel_reader import main; main(*sys.argv[2:])"
)


def with_hyperparameters(own: OwnDefinition) -> tuple[OwnDefinition, tuple[Dimension, ...]]:
    """The HyperModel with its hyperparameters for parameters, and the dimensions they make.

    Raises:
        ModelError: it cannot be built, or has something that our spaces cannot say.
    """
    try:
        dimensions, defaults = read_hyperparameters(_listed(own))
    except SpaceError as error:
        told = "; ".join(f"{p.key}: {p.message}" if p.key else p.message for p in error.problems)
        raise ModelError(f"{own.where}: {told}") from error
    if strange := [name for name in defaults if not is_name(name)]:
        raise ModelError(
            f"{own.where}: a hyperparameter cannot be called {' or '.join(map(repr, strange))}: "
            "letters, digits and _ only, no digit first; hp.name_scope puts a / in front"
        )
    parameters = tuple(
        Parameter(name, value, is_required=False) for name, value in defaults.items()
    )
    return replace(own, parameters=parameters), dimensions


def _listed(own: OwnDefinition) -> Sequence[Mapping[str, Any]]:
    try:
        kept = _cache(own)
    except RuntimeError:  # a user without a home folder
        return _read_in_child(own)
    with contextlib.suppress(OSError, ValueError):
        return list(json.loads(kept.read_text(encoding="utf-8")))
    listed = _read_in_child(own)
    with contextlib.suppress(OSError, DiskError):
        atomic_write(kept, json.dumps(listed))
    return listed


def _cache(own: OwnDefinition) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = importlib.metadata.version("keras-tuner")
    name = hashlib.sha256("\0".join([_RULES, own.digest, own.where, version]).encode()).hexdigest()
    return folder / "recsweep" / f"hyperparameters-{name[:32]}.json"


def _read_in_child(own: OwnDefinition) -> Sequence[Mapping[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="recsweep-hypermodel-") as folder:
        asked, answered = Path(folder) / "asked.json", Path(folder) / "answered.json"
        asked.write_text(json.dumps(asdict(own), default=str), encoding="utf-8")
        command = [
            sys.executable,
            "-P",
            "-c",
            _START,
            json.dumps(sys.path),
            str(asked),
            str(answered),
        ]
        environment = os.environ | {
            "TF_USE_LEGACY_KERAS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        try:
            done = subprocess.run(  # noqa: S603  # our own interpreter
                command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"{own.where}: to build it, once for each of its choices, takes "
                f"more than {TIMEOUT_S:.0f} s"
            ) from None
        if not answered.is_file():
            last = [*done.stderr.strip().splitlines(), f"exit code {done.returncode}"][-1]
            raise ModelError(f"{own.where}: its hyperparameters cannot be read: {last}")
        answer = json.loads(answered.read_text(encoding="utf-8"))
    if "error" in answer:
        raise ModelError(f"{own.where}: its hyperparameters cannot be read: {answer['error']}")
    listed: Sequence[Mapping[str, Any]] = answer["space"]
    return listed


def main(asked: str, answered: str) -> None:
    """The child: reads what to build from one file and writes what it found to another."""
    from recommender.errors import OwnCodeError

    plain = json.loads(Path(asked).read_text(encoding="utf-8"))
    plain |= {"root": Path(plain["root"]), "parameters": (), "files": tuple(plain["files"])}
    own = OwnDefinition(**plain)
    try:
        answer: dict[str, Any] = {"space": explored(own)}
    except OwnCodeError as error:
        answer = {"error": str(error)}
    Path(answered).write_text(json.dumps(answer), encoding="utf-8")


def explored(own: OwnDefinition) -> list[dict[str, Any]]:
    """All hyperparameters, those of scopes that are inactive at first too, as KerasTuner does it.

    Built on a stand-in for the data: two users, two items, one word a feature.
    """
    from recommender.architectures.hypermodel import explore
    from recommender.model_data import StandIn

    return list(explore(own, StandIn()))
