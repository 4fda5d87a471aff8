"""Which trials of a search keep their weights and predictions; those of all others are deleted."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.records import TrialRecord

KEPT_BEST = 10
"""So many of the best trials keep theirs; the best of each arm and the defaults do, too: whoever a
verdict may find to lead."""


def trials_kept(ranked: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Those of the complete trials that keep theirs; the best comes first, here and in `ranked`."""
    kept = []
    arms: set[str | None] = set()
    for place, trial in enumerate(ranked):
        if place < KEPT_BEST or trial.arm not in arms or trial.is_default:
            kept.append(trial)
        arms.add(trial.arm)
    return kept
