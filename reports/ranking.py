"""Who stands where: trials and baselines by validation RMSE, and what noise cannot tell apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.records import BaselineRecord, StudyRecord, TrialRecord, TrialState
from reports import numbers
from reports.described import described, is_movielens

MARGIN = 0.003
"""What matters in practice on MovieLens."""

SPREAD = 1.137
"""The RMSE of the train mean on MovieLens 100K."""

NOISE = 0.010
"""Two equal models, one seed each, differ by less in 95 % of simulated studies.

With the spreads of MovieLens 100K and NOISE_USERS validation users; of 100 users it is .014, of 50
.019. `python -m tests.reports.simulated_verdicts` has the model. For studies whose own errors by
user are not on record.
"""
NOISE_USERS = 229

Z_95 = 1.96

SEEDS = 0.0017
"""The standard deviation of an RMSE over seeds, as seven finalists on MovieLens 100K have it; for
studies that do not say it themselves."""

LEAST_FREE = 6
"""Degrees of freedom that a study's seeds must have to say it: three models under three."""


@dataclass(frozen=True, slots=True)
class Noise:
    """By how much one seed and the validation users usually set equal models apart."""

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


def margin(study: StudyRecord) -> float:
    """The difference of RMSE that matters in practice: MARGIN, scaled to the spread of ratings."""
    return MARGIN * _scale(study)


def noise(study: StudyRecord, baseline: str = "") -> Noise:
    """What 95 % of the differences between two equal models of one seed each lie under.

    A gap above it is more than is usual and decides nothing either: the best of many trials is
    chosen on the rows that it is judged on.

    Args:
        baseline: the second is this baseline, which has no seed.
    """
    if study.noise is None:
        return _simulated_noise(study)
    of_users = study.noise.of_baselines.get(baseline, study.noise.of_trials)
    measured = measured_over_seeds(study)
    if measured is not None:
        of_seeds, where = measured
        where = f"measured here, the latter over {where}"
    else:
        of_seeds = SEEDS * _scale(study)
        where = "measured here and on MovieLens 100K"
        where += ", scaled to the spread of these ratings" if _scale(study) != 1 else ""
    usual = Z_95 * math.hypot(of_users, of_seeds * (1 if baseline else math.sqrt(2)))
    source = (
        f"two equal models of one seed each differ by less than {numbers.two_digits(usual)} in "
        "95 of 100 cases: "
        f"other users would move the difference of two of the best {study.noise.n_trials} models "
        f"by {numbers.two_digits(of_users)}, another seed an RMSE by "
        f"{numbers.two_digits(of_seeds)} (standard deviations, {where})"
    )
    return Noise(usual, source)


def measured_over_seeds(study: StudyRecord) -> tuple[float, str] | None:
    """The standard deviation of an RMSE over seeds, on the rows of the search, and over which,
    pooled over the best models that a seed changes; None where there are too few.

    A verdict's where it has the same rows, else those of trials with the same values.
    """
    for runs_of, which in (
        (_runs_of_verdict, "the seeds of the verdict"),
        (_runs_of_search, "the seeds of the best trials with the same values"),
    ):
        runs = _best_that_suffice(runs_of(study))
        if (n_free := _n_free(runs)) >= LEAST_FREE:
            squares = sum((len(run) - 1) * statistics.variance(run) for run in runs)
            return math.sqrt(squares / n_free), which
    return None


def _n_free(runs: Sequence[Sequence[float]]) -> int:
    """Degrees of freedom of their pooled variance."""
    return sum(len(run) - 1 for run in runs)


def _best_that_suffice(runs: Iterable[Sequence[float]]) -> list[Sequence[float]]:
    """Of models that a seed changes: to one that hardly trains it may do a hundred times as much.
    By their mean: the lowest single numbers are of those whose seeds lie apart."""
    found: list[Sequence[float]] = []
    for run in sorted(runs, key=statistics.fmean):
        if len(set(run)) > 1 and _n_free(found) < LEAST_FREE:
            found.append(run)
    return found


def _runs_of_verdict(study: StudyRecord) -> list[list[float]]:
    results = study.verdict_results
    if results is None or described(study).confirm is not None:
        return []
    return [
        [rmse for rmse in finalist.rmse_by_seed if rmse is not None]
        for finalist in results.finalists
        if finalist.mean is not None and finalist.is_random
    ]


def _runs_of_search(study: StudyRecord) -> list[list[float]]:
    """Of trials with the same values, one a seed; none where any was pruned: the models of which
    none was are those whose seeds were all good."""
    if any(trial.state is TrialState.PRUNED for trial in study.search_trials):
        return []
    runs: dict[object, dict[int | None, float]] = {}
    for trial in study.ranked:
        runs.setdefault(trial.point, {})[trial.seed] = objective(trial)
    return [[*run.values()] for run in runs.values()]


def noise_of_users(study: StudyRecord) -> float | None:
    """What is left of the noise when there are seeds enough: the users whose ratings judge a
    verdict; None where it was not measured."""
    if study.noise is None:
        return None
    data = described(study)
    n_judging = data.confirm.n_users if data.confirm else None
    fewer = (data.validation.n_users or 1) / n_judging if n_judging else 1.0
    return Z_95 * study.noise.of_trials * math.sqrt(fewer)


def _simulated_noise(study: StudyRecord) -> Noise:
    """NOISE, scaled to the spread of ratings and to fewer users."""
    scale, n_users = _scale(study), described(study).validation.n_users or NOISE_USERS
    of_users = math.sqrt(max(1.0, NOISE_USERS / n_users))
    source = (
        f"two equal models of one seed each differ by less than {NOISE:g} in 95 of 100 simulated "
        f"studies (spreads of MovieLens 100K, {NOISE_USERS} validation users)"
    )
    here = [numbers.plural(n_users, "user")] * (of_users > 1)
    here += ["the spread of these ratings"] * (scale != 1)
    usual = NOISE * scale * of_users
    if here:
        scaled = numbers.two_digits(usual)
        source += f"; {scaled} is that scaled to {' and '.join(here)}, not measured here"
    return Noise(usual, source)


def beside_noise(study: StudyRecord, apart: float) -> str:
    """`less than the 0.01 that one seed and these users usually make`, or `more than`."""
    usual = noise(study).rmse
    side = "less" if apart <= usual else "more"
    return f"{side} than the {numbers.two_digits(usual)} that one seed and these users usually make"


def standings(study: StudyRecord) -> tuple[Standing, ...]:
    """COMPLETE trials and baselines together, best first; a baseline before an equal trial."""
    ranked = study.ranked
    first = objective(ranked[0]) if ranked else None
    bias = bias_rmse(study)
    usual = noise(study).rmse

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
    usual = noise(study).rmse
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


def arm_text(study: StudyRecord, arm: str) -> str:
    """`dcn`, `embedding_size 16`: a number or a truth value says nothing by itself."""
    compared = next((c for c in study.columns if c.name == study.compared_dimension), None)
    is_word = compared is None or any(isinstance(choice, str) for choice in compared.choices)
    return arm if is_word else f"{study.compared_dimension} {arm}"


def architecture_of(study: StudyRecord, trial: TrialRecord) -> str:
    """`dcn`, also where the sweep fixes it, so that no trial has it among its values."""
    fixed = (study.sweep.get("model") or {}).get("architecture", "plain")
    return str(trial.values.get("architecture", fixed)).rpartition(":")[2]


def label(study: StudyRecord, trial: TrialRecord) -> str:
    """How a trial is named in tables and pictures: `#19 dcn`, `#0 embedding_size 16, default`."""
    arm = f" {arm_text(study, trial.arm)}" if trial.arm is not None else ""
    is_default = study.is_default(trial)
    origin = "default" if is_default else "enqueued" if trial.is_enqueued else ""
    return f"#{trial.number}{arm}" + (f"{',' if arm else ''} {origin}" if origin else "")


def model_label(study: StudyRecord, row: Standing) -> str:
    """A trial's label, with those that it stands for: `#3 dcn, 12 more of the same values, mean
    0.9771`."""
    assert row.trial is not None
    who, n_more = label(study, row.trial), len(row.alike) - 1
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


def what_is_averaged(study: StudyRecord) -> str:
    """What every RMSE of a search is: over which rows, of which epoch, clipped or not."""
    data = described(study)
    n = data.validation.n_rows
    rows = f"{numbers.count(n)} validation rows" if n is not None else "all validation rows"
    if data.confirm is not None:
        rows += f" of the {numbers.count(data.validation.n_users)} users whom the search sees"
    return rmse_over(study, rows)


def rmse_over(study: StudyRecord, rows: str) -> str:
    unit = described(study).unit
    return f"RMSE in {unit} over {rows}, predictions unclipped, at each trial's best epoch"


def _scale(study: StudyRecord) -> float:
    """The spread of the ratings beside that of MovieLens, as the train mean's RMSE has it: the
    range of plays, 0 to a million, says nothing of most of them."""
    data, mean = described(study), study.baseline("train_mean")
    if data.name is None or is_movielens(study):
        return 1.0
    if mean is not None and math.isfinite(mean.val_rmse):
        return mean.val_rmse / SPREAD
    return (data.rating_range[1] - data.rating_range[0]) / 4 if data.rating_range else 1.0
