"""Which trial of a study is meant."""

from __future__ import annotations

from experiments.errors import RequestError
from experiments.records import StudyRecord, TrialRecord
from experiments.typed import typed


def chosen_trial(study: StudyRecord, number: int | None) -> TrialRecord:
    """The trial of that number; without one the winner: the leader of the verdict, and before a
    verdict the best COMPLETE trial.

    Raises:
        RequestError: there is no such trial, or none is complete.
    """
    if number is not None:
        return trial_of(study, number)
    if study.leader is not None:
        return study.leader
    if not study.ranked:
        raise RequestError(
            f"{study.name} has no complete trial; see them all: recsweep show {typed(study.folder)}"
        )
    return study.ranked[0]


def trial_of(study: StudyRecord, which: int | str) -> TrialRecord:
    """The trial of a number, or of a name such as `0007-v1`; RequestError where there is none."""
    trial = next((t for t in study.trials if which in (t.number, t.name)), None)
    if trial is None:
        raise RequestError(
            f"{study.name} has no trial {which!r}; it has {len(study.search_trials)}, by number "
            "from 0" + (" or by name from '0000'" if isinstance(which, str) else "")
        )
    return trial
