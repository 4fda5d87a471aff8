"""Who a verdict would judge, and what that would cost: told before anything is frozen.

Standard library only; `experiments.records` hands the cost on to the reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.durations import format_duration
from experiments.records.values import plural

if TYPE_CHECKING:
    from experiments.ledger.trial_records import TrialRecord, Value
    from experiments.records.study_records import StudyRecord
    from experiments.records.verdict_records import VerdictRecord

TOP = 5
N_SEEDS = 5
_START_S = 30.0
"""Ray, and TensorFlow in the first worker."""


@dataclass(frozen=True, slots=True)
class VerdictCost:
    """What `recsweep verdict` has still to do."""

    n_finalists: int
    """Those that are trained; a baseline is not."""
    n_seeds: int
    n_left: int
    """Trainings; fewer than finalists times seeds in a verdict that was stopped."""
    seconds: float
    """A guess, from what the same values took in the search, on as many workers."""

    @property
    def text(self) -> str:
        """`7 models × 5 seeds, about 2 min`, `12 of 35 trainings left, about 50 s`."""
        time = f"about {format_duration(self.seconds)}"
        n_all = self.n_finalists * self.n_seeds
        if self.n_left < n_all:
            return f"{self.n_left} of {n_all} trainings left, {time}"
        return f"{plural(self.n_finalists, 'model')} × {self.n_seeds} seeds, {time}"


def chosen_trials(study: StudyRecord, top: int) -> list[tuple[TrialRecord, tuple[str, ...]]]:
    """The best `top`, the best of each arm and the best default, by rank, with reasons.

    Of trials with the same values the first stands for all: they are one model.
    """
    equals: dict[frozenset[tuple[str, Value]], list[TrialRecord]] = {}
    place_of: dict[int, int] = {}
    for place, trial in enumerate(study.ranked, start=1):
        place_of[trial.number] = place
        equals.setdefault(trial.point, []).append(trial)
    default = next(filter(study.is_default, study.ranked), None)
    arms: set[str] = set()
    chosen = []
    for n_better, (first, *others) in enumerate(equals.values()):
        reasons = []
        if n_better < top:
            reasons.append(f"place {place_of[first.number]}")
        if first.arm is not None and first.arm not in arms:
            arms.add(first.arm)
            reasons.append(f"best {first.arm}")
        if default in (first, *others):
            reasons.append("default")
        if reasons:
            chosen.append((first, (*reasons, *_same_as(others))))
    return chosen


def _same_as(others: list[TrialRecord]) -> tuple[str, ...]:
    """`same as #3`, `same as #3 and 2 more`; nothing where there are none."""
    if not others:
        return ()
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (f"same as #{others[0].number}{more}",)


def controlled_trial(study: StudyRecord) -> TrialRecord | None:
    """The best DCN, where it is compared with plain and has dense layers that can be widened."""
    arms = {trial.arm for trial in study.search_trials}
    if study.compared_dimension != "architecture" or not {"plain", "dcn"} <= arms:
        return None
    best = next((trial for trial in study.ranked if trial.arm == "dcn"), None)
    fixed = study.sweep.get("model") or {}
    if best is None or best.values.get("n_layers", fixed.get("n_layers")) == 0:
        return None
    return best


def verdict_cost(study: StudyRecord) -> VerdictCost | None:
    """Of the study's verdict, begun or not; None where it is done or cannot be asked for."""
    if study.verdict is not None:
        if study.verdict.results is not None:
            return None
        n_finalists = sum(not finalist.is_baseline for finalist in study.verdict.finalists)
        n_seeds = len(study.verdict.seeds)
        left = left_to_train(study, study.verdict)
    else:
        if not study.is_searched or not study.ranked or judging_users(study) == 1:
            return None
        control = controlled_trial(study)
        trials = [trial for trial, _ in chosen_trials(study, TOP)]
        trials += [] if control is None else [control]
        n_finalists, n_seeds = len(trials), N_SEEDS
        left = [trial for trial in trials for _ in range(N_SEEDS)]
    n_workers = study.provenance.get("n_workers") or 1
    return VerdictCost(n_finalists, n_seeds, len(left), training_s(left, n_workers))


def judging_users(study: StudyRecord) -> int | None:
    """The users whose ratings judge the finalists; None where the record does not say."""
    data = study.dataset
    part = data.get("confirm") or data.get("validation") or {}
    n_users: int | None = part.get("n_users")
    return n_users


def lost_to_the_machine(study: StudyRecord) -> list[TrialRecord]:
    """A verdict's trainings that failed of the machine and can be tried again."""
    return [
        trial
        for trial in study.trials
        if trial.purpose == "verdict" and trial.stop_reason and trial.stop_reason.is_of_the_machine
    ]


def left_to_train(
    study: StudyRecord, frozen: VerdictRecord, *, retry_failed: bool = False
) -> list[TrialRecord | None]:
    """For each training that a verdict has still to do, the trial whose values it takes."""
    done = {t.name for t in study.trials if t.purpose == "verdict" and t.state.is_finished}
    done -= {t.name for t in lost_to_the_machine(study) if retry_failed}
    return [
        study.trial(finalist.number)
        for finalist in frozen.finalists
        for index in range(len(frozen.seeds))
        if finalist.number is not None and finalist.replicate(index) not in done
    ]


def training_s(trials: Iterable[TrialRecord | None], n_workers: int) -> float:
    """Wall seconds to train these once more, as long as each took before."""
    seconds = [trial.seconds for trial in trials if trial is not None]
    return _START_S + sum(seconds) / n_workers if seconds else 0.0
