"""Who stands where: trials and baselines by validation RMSE, and what noise cannot tell apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.records import (
    BaselineRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    VerdictResults,
)
from reports import labels, noise, numbers


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the leaderboard: a COMPLETE trial or a baseline."""

    rank: int | None
    """From 1; None for a baseline."""
    trial: TrialRecord | None
    baseline: BaselineRecord | None
    rmse: float
    to_bias: float | None
    """RMSE minus the bias baseline's: below 0 is better than it."""
    to_first: float | None
    """RMSE minus the best trial's; None where no trial is COMPLETE."""
    is_within_noise: bool
    """Noise cannot tell it from the best trial."""
    alike: tuple[float, ...] = ()
    """RMSE of the trials, this one first, that have its values: one model, trained again. Empty for
    the others of them, and for a baseline."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One choice of the compared dimension and how its trials fared."""

    arm: str
    trials: tuple[TrialRecord, ...]
    ranked: tuple[TrialRecord, ...]

    @property
    def best(self) -> TrialRecord | None:
        return self.ranked[0] if self.ranked else None

    @property
    def median_rmse(self) -> float | None:
        """Over COMPLETE trials."""
        return statistics.median(map(objective, self.ranked)) if self.ranked else None


@dataclass(frozen=True, slots=True)
class Counts:
    """Search trials by how they stand; diverged ones, PRUNED for the sampler, apart."""

    complete: int
    pruned: int
    diverged: int
    failed: int
    running: int
    waiting: int

    @property
    def finished(self) -> int:
        return self.complete + self.pruned + self.diverged + self.failed

    @property
    def total(self) -> int:
        return self.finished + self.running + self.waiting


def objective(trial: TrialRecord) -> float:
    """`best_rmse` of a trial that has one."""
    assert trial.best_rmse is not None, trial.name
    return trial.best_rmse


def default_trial(study: StudyRecord) -> TrialRecord | None:
    """The best with a default configuration's values (each arm has its own); the first where none
    is COMPLETE."""
    trials = (*study.ranked, *study.search_trials)
    return next(filter(study.is_default, trials), None)


def bias_rmse(study: StudyRecord) -> float | None:
    bias = study.baseline("bias")
    return bias.val_rmse if bias else None


def judged_baseline(study: StudyRecord, results: VerdictResults, name: str) -> float | None:
    """A baseline's RMSE on the rows that judged the finalists."""
    if name in results.baselines:
        return results.baselines[name]
    baseline = study.baseline(name)
    return baseline.val_rmse if baseline else None


def standings(study: StudyRecord) -> tuple[Standing, ...]:
    """COMPLETE trials and baselines together, best first; a baseline before an equal trial."""
    ranked = study.ranked
    first = objective(ranked[0]) if ranked else None
    bias = bias_rmse(study)
    usual = noise.usual(study).rmse

    alike: dict[object, list[float]] = {}
    for trial in ranked:
        alike.setdefault(trial.point, []).append(objective(trial))

    def standing(rmse: float, trial: TrialRecord | None, rank: int | None,
                 baseline: BaselineRecord | None) -> Standing:  # fmt: skip
        to_first = None if first is None else rmse - first
        return Standing(
            rank=rank,
            trial=trial,
            baseline=baseline,
            rmse=rmse,
            to_bias=None if bias is None else rmse - bias,
            to_first=to_first,
            is_within_noise=to_first is not None and to_first <= usual,
            alike=tuple(alike.pop(trial.point, ())) if trial else (),
        )

    rows = [
        standing(baseline.val_rmse, None, None, baseline)
        for baseline in study.baselines
        if math.isfinite(baseline.val_rmse)
    ]
    rows += [
        standing(objective(trial), trial, rank, None) for rank, trial in enumerate(ranked, start=1)
    ]
    return tuple(sorted(rows, key=lambda row: (row.rmse, row.rank or 0)))


def models(study: StudyRecord) -> list[tuple[TrialRecord, Standing]]:
    """COMPLETE trials, best first; of those that are one model trained again only the first."""
    return [(row.trial, row) for row in standings(study) if row.trial and row.alike]


def trials_within_noise(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """The best trial and those that noise cannot tell from it, best first; alike ones once."""
    return tuple(trial for trial, row in models(study) if row.is_within_noise)


def line_of_noise(study: StudyRecord, ranked: Sequence[TrialRecord]) -> tuple[int, str] | None:
    """After which rank a table draws its dotted line, and what the line says; None with one.

    Args:
        study: which the trials are of, or which has the same rows.
        ranked: best first.
    """
    if len(ranked) < 2:
        return None
    usual = noise.usual(study).rmse
    n_within = sum(objective(trial) - objective(ranked[0]) <= usual for trial in ranked)
    within = f"{numbers.two_digits(usual)} RMSE"
    if n_within == 1:
        return 1, f"from here on more than {within} behind the first"
    return n_within, f"noise cannot tell the trials above this line apart (within {within})"


def arms(study: StudyRecord) -> tuple[ArmSummary, ...]:
    """Every arm of the compared dimension, in the order of its first trial; empty without one."""
    if study.compared_dimension is None:
        return ()
    ranked = study.ranked
    names = dict.fromkeys(trial.arm for trial in study.search_trials if trial.arm is not None)
    return tuple(
        ArmSummary(
            arm,
            tuple(trial for trial in study.search_trials if trial.arm == arm),
            tuple(trial for trial in ranked if trial.arm == arm),
        )
        for arm in names
    )


def counts(trials: tuple[TrialRecord, ...]) -> Counts:
    def n(state: TrialState) -> int:
        return sum(trial.state is state for trial in trials)

    diverged = sum(trial.is_diverged for trial in trials)
    return Counts(
        complete=n(TrialState.COMPLETE),
        pruned=n(TrialState.PRUNED) - diverged,
        diverged=diverged,
        failed=n(TrialState.FAIL),
        running=n(TrialState.RUNNING),
        waiting=n(TrialState.WAITING),
    )


def model_label(study: StudyRecord, row: Standing) -> str:
    """A trial's label, with those that it stands for: `#3 dcn, 12 more of the same values, mean
    0.9771`."""
    assert row.trial is not None
    who, n_more = labels.label(study, row.trial), len(row.alike) - 1
    if n_more < 1:
        return who
    pruned = [t for t in study.search_trials if t.state is TrialState.PRUNED]
    n_pruned = sum(trial.point == row.trial.point for trial in pruned)
    # Those that were not pruned are the better ones: their mean would say too much.
    mean = f"mean {numbers.rmse(statistics.fmean(row.alike))}"
    told = f"{n_pruned:,} pruned" if n_pruned else mean
    return f"{who}, {n_more:,} more of the same values, {told}"


def evenly(trials: Sequence[TrialRecord], at_most: int) -> Sequence[TrialRecord]:
    """So many at most, evenly by place; the first is among them."""
    every = max(1, -(-len(trials) // at_most))
    return trials[::every]
