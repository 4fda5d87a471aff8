"""Who stands where: trials and baselines by validation RMSE, and what noise cannot tell apart."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from experiments.records import BaselineRecord, StudyRecord, TrialRecord, TrialState
from reports import numbers
from reports.described import described

MOVIELENS_MARGIN = 0.003
"""Between the same rows under two seeds or two resamplings of users, measured on MovieLens."""


@dataclass(frozen=True, slots=True)
class Margin:
    """Two models of one seed each that differ by less are not told apart."""

    rmse: float
    source: str


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
    is_tied: bool
    """Within the margin of the best trial."""


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


def ranked_trials(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """COMPLETE search trials with a finite objective, best first, ties by number."""
    return tuple(trial for trial in study.ranked if math.isfinite(objective(trial)))


def default_trial(study: StudyRecord) -> TrialRecord | None:
    """The default configuration: trial 0, or the first of the search that is one."""
    return next((trial for trial in study.search_trials if trial.is_default), None)


def bias_rmse(study: StudyRecord) -> float | None:
    bias = study.baseline("bias")
    return bias.val_rmse if bias else None


def margin(study: StudyRecord) -> Margin:
    """The RMSE within which one seed each decides nothing, and where the number comes from."""
    data = described(study)
    if data.name is None or data.name == "movielens-small" or data.name.startswith("ml-"):
        return Margin(
            MOVIELENS_MARGIN,
            f"gaps under {MOVIELENS_MARGIN:g} are not findings on this data: other seeds and "
            "other users move a difference by as much (bootstrap over users, MovieLens)",
        )
    span = (data.rating_range[1] - data.rating_range[0]) if data.rating_range else 4.0
    scaled = MOVIELENS_MARGIN * span / 4
    return Margin(
        scaled,
        f"{scaled:.2g} is the {MOVIELENS_MARGIN:g} measured on MovieLens (4 stars between worst "
        "and best) scaled to this rating range; it was not measured on this data",
    )


def standings(study: StudyRecord) -> tuple[Standing, ...]:
    """COMPLETE trials and baselines together, best first; a baseline before an equal trial."""
    ranked = ranked_trials(study)
    first = objective(ranked[0]) if ranked else None
    bias = bias_rmse(study)
    tied_within = margin(study).rmse

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
            is_tied=to_first is not None and to_first <= tied_within,
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


def tied_trials(study: StudyRecord) -> tuple[TrialRecord, ...]:
    """The best trial and those that noise cannot tell from it, best first."""
    return tuple(row.trial for row in standings(study) if row.trial and row.is_tied)


def line_under_tied(study: StudyRecord) -> tuple[int, str] | None:
    """After which rank a table draws its dotted line, and what the line says; None with one."""
    n_ranked, n_tied = len(ranked_trials(study)), len(tied_trials(study))
    within = f"{margin(study).rmse:.2g} RMSE"
    if n_ranked < 2:
        return None
    if n_tied == 1:
        return 1, f"from here on more than {within} behind the first"
    return n_tied, f"noise cannot tell the trials above this line apart (within {within})"


def arms(study: StudyRecord) -> tuple[ArmSummary, ...]:
    """Every arm of the compared dimension, in the order of its first trial; empty without one."""
    if study.compared_dimension is None:
        return ()
    ranked = ranked_trials(study)
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


def label(trial: TrialRecord) -> str:
    """How a trial is named in tables and pictures: `#19 dcn`, `#0 plain, default`."""
    arm = f" {trial.arm}" if trial.arm is not None else ""
    origin = "default" if trial.is_default else "enqueued" if trial.is_enqueued else ""
    return f"#{trial.number}{arm}" + (f"{',' if arm else ''} {origin}" if origin else "")


def what_is_averaged(study: StudyRecord) -> str:
    """What every RMSE of a report is: over which rows, of which epoch, clipped or not."""
    data = described(study)
    n = data.validation.n_rows
    rows = f"{numbers.count(n)} validation rows" if n is not None else "all validation rows"
    if data.confirm is not None:
        rows += f" of the {numbers.count(data.validation.n_users)} users whom the search sees"
    return f"RMSE in stars over {rows}, predictions unclipped, at each trial's best epoch"
