"""Which trials of a search keep their weights and predictions; those of all others are deleted."""

from __future__ import annotations

import shutil
from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from experiments.records import TrialRecord, VerdictRecord, first_runs
from experiments.records.verdict_records import read_verdict
from experiments.running.orders import predictions_folder

KEPT_BEST = 10
"""So many of the best models keep theirs, of runs with the same values the best one; the best of
each arm and the defaults do, too: whoever a verdict may find to lead."""


def trials_kept(
    ranked: Sequence[TrialRecord], defaults: Collection[object], finalists: Collection[str] = ()
) -> list[TrialRecord]:
    """Those of the complete trials that keep theirs; the best comes first, here and in `ranked`.

    Args:
        defaults: the points of the default configurations.
        finalists: names that a verdict has frozen.
    """
    models = first_runs(ranked)
    of_defaults = [trial for trial in models if trial.point in defaults]
    kept = {trial.number for trial in (*leaders(models, KEPT_BEST), *of_defaults)}
    return [t for t in ranked if t.number in kept or t.name in finalists]


def finalists_of(verdict: VerdictRecord | None) -> frozenset[str]:
    """The names that a verdict has frozen, which keep theirs whatever better trials come."""
    return frozenset(f.name for f in verdict.finalists) if verdict is not None else frozenset()


def leaders(ranked: Sequence[TrialRecord], n_best: int) -> list[TrialRecord]:
    """The first of the ranking, and the first of each arm; by rank."""
    arms: set[str | None] = set()
    first = []
    for place, trial in enumerate(ranked):
        if place < n_best or trial.arm not in arms:
            first.append(trial)
        arms.add(trial.arm)
    return first


class Keeper:
    """Deletes what better trials have made superfluous, as trials end.

    Args:
        folder: the study's.
        past: the trials that ended before.
    """

    def __init__(self, folder: Path, past: Iterable[TrialRecord]) -> None:
        self._folder = folder
        past = [*past]
        ranked = (t for t in past if t.is_ranked and t.best_rmse is not None)
        self._kept = sorted(ranked, key=_place)
        self._defaults = {t.point for t in past if t.is_default}
        self._finalists = finalists_of(read_verdict(folder))

    def ended(self, trial: TrialRecord) -> None:
        """One more trial has ended, in whatever way."""
        if trial.is_default:
            self._defaults.add(trial.point)
        if not trial.is_ranked:
            return
        insort(self._kept, trial, key=_place)
        kept = trials_kept(self._kept, self._defaults, self._finalists)
        for other in self._kept:
            if other not in kept:
                shutil.rmtree(self._folder / "trials" / other.name / "best", ignore_errors=True)
                shutil.rmtree(predictions_folder(self._folder, other), ignore_errors=True)
        self._kept = kept


def _place(trial: TrialRecord) -> tuple[float, int]:
    """Where a complete trial stands among the others."""
    assert trial.best_rmse is not None
    return trial.best_rmse, trial.number
