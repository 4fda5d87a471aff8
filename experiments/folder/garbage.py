"""What a study's folder keeps and nothing needs: no report, no command that is still to come.

Kept are the weights of the best trials and of the best of each arm, those of the finalists, those
of a verdict's trainings until the test split was scored with them, and every checkpoint from which
a trial can go on. A trial that the ledger does not know, or that has not ended, is never touched.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import DiskError, StateError
from experiments.ledger.lock import StudyLock
from experiments.records import Purpose, StudyRecord, read_study
from experiments.running.keeping import finalists_of, trials_kept
from experiments.running.resume import bring_up_to_date


@dataclass(frozen=True, slots=True)
class Garbage:
    """A folder or file that can go."""

    path: Path
    n_bytes: int
    why: str
    """A plural: `checkpoints of trials that have ended`."""


def garbage_of(study: StudyRecord) -> list[Garbage]:
    """What can go of a study; StateError where somebody runs it."""
    if study.state == "running":
        raise StateError(f"{study.name} is running: left alone")
    found = [Garbage(path, _size(path), why) for path, why in _candidates(study)]
    return sorted(found, key=lambda garbage: garbage.path)


def collect(folder: Path) -> list[Garbage]:
    """Delete what can go, while no driver can start; gives what went.

    Raises:
        StateError: somebody runs the study.
    """
    with StudyLock(folder):
        with contextlib.suppress(DiskError):  # what the ledger lacks is no garbage yet
            bring_up_to_date(folder)
        study = read_study(folder)
        found = [Garbage(path, _size(path), why) for path, why in _candidates(study)]
        for garbage in found:
            if garbage.path.is_dir():
                shutil.rmtree(garbage.path, ignore_errors=True)
            else:
                garbage.path.unlink(missing_ok=True)
        return [garbage for garbage in found if not garbage.path.exists()]


def garbage_lines(name: str, found: Sequence[Garbage]) -> list[str]:
    """`quickstart: checkpoints of trials that have ended (3), 1.2 MB`, a line a kind."""
    by_kind: dict[str, list[int]] = {}
    for garbage in found:
        by_kind.setdefault(garbage.why, []).append(garbage.n_bytes)
    return [
        f"{name}: {why} ({len(sizes)}), {bytes_text(sum(sizes))}" for why, sizes in by_kind.items()
    ]


def bytes_text(n_bytes: int) -> str:
    """`1.2 MB`."""
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit != "bytes" else f"{n_bytes} bytes"
        size /= 1000
    return f"{size:,.1f} GB"


def _candidates(study: StudyRecord) -> Iterator[tuple[Path, str]]:
    trials, predictions = study.folder / "trials", study.folder / "predictions" / "validation"
    kept = _names_kept(study)
    is_scored = study.test is not None
    for trial in study.trials:
        if not trial.state.is_finished:
            continue
        # One that failed may be tried again, but from its start.
        yield from _there(trials / trial.name / "last", "checkpoints of trials that have ended")
        if trial.name in kept:
            continue
        best = trials / trial.name / "best"
        if trial.purpose is Purpose.SEARCH:
            yield from _there(best, "weights of trials that are not among the best")
            yield from _there(
                predictions / trial.name, "predictions of trials that are not among the best"
            )
        elif trial.purpose is Purpose.VERDICT and is_scored:
            yield from _there(best, "weights of a verdict's trainings, scored on the test split")
    for folder in (trials, study.folder / "predictions"):
        for path in folder.rglob(".*"):
            # What a whole model saved is the researcher's, whatever it is called.
            if not any(part.startswith("model-") for part in path.relative_to(folder).parts):
                yield path, "files that a killed process left half written"


def _names_kept(study: StudyRecord) -> set[str]:
    """The search's trials whose weights stay."""
    finalists = finalists_of(study.verdict)  # among them may be a trial that is not ranked
    return {
        trial.name for trial in trials_kept(study.ranked, study.default_points, finalists)
    } | finalists


def _there(path: Path, why: str) -> Iterator[tuple[Path, str]]:
    if path.is_dir():
        yield path, why


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())
