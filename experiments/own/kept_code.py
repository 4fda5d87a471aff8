"""The researcher's own code in a study: copied to `code/`, where workers import it, and held to it.

A study goes on only with the code that its trials were trained with.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.errors import StateError
from experiments.sweep import SweepConfig
from recommender.own import OwnDefinition
from recommender.own_files import SAVED, digest_of

CODE = Path("code")
SAVED_ROOT = "recsweep-objects-"
ONLY_PYTHON = (
    "a study's code/ has only the Python files that own code imports; name every other file by its "
    "whole path"
)
Origin = tuple[str, Path, Sequence[str]]
"""The name of a piece of own code, the folder it came from, and its files there."""


def as_kept(folder: Path, sweep: SweepConfig) -> SweepConfig:
    """The sweep with the researcher's own code as it lies in the study in `folder`."""

    def kept(own: OwnDefinition | None) -> OwnDefinition | None:
        return own and replace(own, root=folder / CODE)

    search = sweep.search
    return replace(
        sweep,
        dataset=replace(sweep.dataset, own=kept(sweep.dataset.own)),
        split=replace(sweep.split, own=kept(sweep.split.own)),
        search=search
        and replace(
            search, sampler_own=kept(search.sampler_own), pruner_own=kept(search.pruner_own)
        ),
        architectures={
            name: replace(own, root=folder / CODE) for name, own in sweep.architectures.items()
        },
        metrics={name: kept(own) for name, own in sweep.metrics.items()},
    )


def own_code(sweep: SweepConfig) -> dict[str, OwnDefinition]:
    """All that a sweep has of the researcher's own: `gated`, `metric auc_at_4`, `the split`."""
    metrics = {f"metric {name}": own for name, own in sweep.metrics.items()}
    search = sweep.search
    others: dict[str, OwnDefinition | None] = {
        "dataset": sweep.dataset.own,
        "split": sweep.split.own,
        "sampler": search.sampler_own if search else None,
        "pruner": search.pruner_own if search else None,
    }
    found = {**sweep.architectures, **metrics, **{f"the {n}": own for n, own in others.items()}}
    return {name: own for name, own in found.items() if own is not None}


def colliding_files(sweep: SweepConfig) -> str | None:
    """What keeps the researcher's files from lying in one folder; None where they can."""
    places: dict[str, Path] = {}
    for own in own_code(sweep).values():
        for file in own.files:
            first, here = places.setdefault(file, own.root / file), own.root / file
            if first != here and first.read_bytes() != here.read_bytes():
                return f"{here} and {first} would be one file in the study's code/; rename one"
    return None


def keep_code(folder: Path, sweep: SweepConfig) -> None:
    """Copies the files that the researcher's own code needs to the study's `code/`."""
    for own in own_code(sweep).values():
        for file in own.files:
            target = folder / CODE / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(own.root / file, target)


def is_saved(root: Path, file: str) -> bool:
    """Whether it is the saved source of a notebook or script, in a folder of this process."""
    return file.startswith(SAVED) and root.parent.name.startswith(SAVED_ROOT)


def code_record(sweep: SweepConfig) -> dict[str, Any]:
    """For the provenance: where each piece of own code came from, and its hash."""
    return {
        name: {
            "source": f"{CODE}/{own.file}"
            if is_saved(own.root, own.file)
            else str(own.root / own.file),
            "function": own.function,
            "root": str(own.root),
            "files": list(own.files),
            "sha256": own.digest,
        }
        for name, own in own_code(sweep).items()
    }


def refuse_damaged_code(folder: Path, provenance: Mapping[str, Any]) -> None:
    """What lies in a study's `code/` must be what its trials were trained with.

    Raises:
        StateError: names the files.
    """
    for name, record in provenance.get("code", {}).items():
        try:
            digest = digest_of(folder / CODE, record["files"])
        except OSError:
            digest = None
        if digest != record["sha256"]:
            raise StateError(
                f"{folder / CODE} changed since {folder.name} began: {', '.join(record['files'])} "
                f"there is not what its trials of {name} were trained with; put it back, or begin "
                "another study"
            )


def origins(provenance: Mapping[str, Any]) -> Iterator[Origin]:
    """Where a study's own code came from."""
    for name, record in provenance.get("code", {}).items():
        yield name, Path(record["root"]), record["files"]


def refuse_changed_code(folder: Path, now: Iterable[Origin]) -> None:
    """The researcher's own files must be those that the study began with, before it goes on.

    Files that are gone from where they came from do not matter: the study has its own.

    Raises:
        StateError: shows the difference, and how to begin another study.
    """
    for name, root, files in now:
        for file in files:
            kept, found = folder / CODE / file, root / file
            if found.is_file() and _bytes(found) != _bytes(kept):
                raise StateError(
                    f"{found} changed since {folder.name} began ({name}); its trials could not be "
                    f"compared with new ones:\n{_difference(kept, found)}\n"
                    "Take the change back to go on, or run the sweep again as another study: add "
                    f"--set name={folder.name}-changed"
                )


def _bytes(path: Path) -> bytes:
    """Nothing where there is no file: a new one that the code imports."""
    return path.read_bytes() if path.is_file() else b""


def _difference(before: Path, now: Path) -> str:
    old, new = (_bytes(path).decode("utf-8", "replace").splitlines() for path in (before, now))
    lines = list(difflib.unified_diff(old, new, str(before), str(now), lineterm="", n=1))
    shown = [f"  {line}" for line in lines[:60]]
    return "\n".join(shown + (["  ..."] if len(lines) > 60 else []))
