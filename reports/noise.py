"""How far apart equal models usually lie: by the seed, and by the users who judge them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.records import StudyRecord, TrialState
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


def margin(study: StudyRecord) -> float:
    """The difference of RMSE that matters in practice: MARGIN, scaled to the spread of ratings."""
    return MARGIN * _scale(study)


def usual(study: StudyRecord, baseline: str = "") -> Noise:
    """What 95 % of the differences between two equal models of one seed each lie under.

    A gap above it is more than is usual and decides nothing either: the best of many trials is
    chosen on the rows that it is judged on.

    Args:
        baseline: the second is this baseline, which has no seed.
    """
    if study.noise is None:
        return _simulated(study)
    of_users = study.noise.of_baselines.get(baseline, study.noise.of_trials)
    measured = measured_over_seeds(study)
    if measured is not None:
        of_seeds, where = measured
        where = f"measured here, the latter over {where}"
    else:
        of_seeds = SEEDS * _scale(study)
        where = "measured here and on MovieLens 100K"
        where += ", scaled to the spread of these ratings" if _scale(study) != 1 else ""
    rmse = Z_95 * math.hypot(of_users, of_seeds * (1 if baseline else math.sqrt(2)))
    source = (
        f"two equal models of one seed each differ by less than {numbers.two_digits(rmse)} in "
        "95 of 100 cases: "
        f"other users would move the difference of two of the best {study.noise.n_trials} models "
        f"by {numbers.two_digits(of_users)}, another seed an RMSE by "
        f"{numbers.two_digits(of_seeds)} (standard deviations, {where})"
    )
    return Noise(rmse, source)


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
        if trial.best_rmse is not None:
            runs.setdefault(trial.point, {})[trial.seed] = trial.best_rmse
    return [[*run.values()] for run in runs.values()]


def of_users_alone(study: StudyRecord) -> float | None:
    """What is left of the noise when there are seeds enough: the users whose ratings judge a
    verdict; None where it was not measured."""
    if study.noise is None:
        return None
    data = described(study)
    n_judging = data.confirm.n_users if data.confirm else None
    fewer = (data.validation.n_users or 1) / n_judging if n_judging else 1.0
    return Z_95 * study.noise.of_trials * math.sqrt(fewer)


def _simulated(study: StudyRecord) -> Noise:
    """NOISE, scaled to the spread of ratings and to fewer users."""
    scale, n_users = _scale(study), described(study).validation.n_users or NOISE_USERS
    of_users = math.sqrt(max(1.0, NOISE_USERS / n_users))
    source = (
        f"two equal models of one seed each differ by less than {NOISE:g} in 95 of 100 simulated "
        f"studies (spreads of MovieLens 100K, {NOISE_USERS} validation users)"
    )
    here = [numbers.plural(n_users, "user")] * (of_users > 1)
    here += ["the spread of these ratings"] * (scale != 1)
    rmse = NOISE * scale * of_users
    if here:
        scaled = numbers.two_digits(rmse)
        source += f"; {scaled} is that scaled to {' and '.join(here)}, not measured here"
    return Noise(rmse, source)


def beside(study: StudyRecord, apart: float) -> str:
    """`less than the 0.01 that one seed and these users usually make`, or `more than`."""
    here = usual(study).rmse
    side = "less" if apart <= here else "more"
    return f"{side} than the {numbers.two_digits(here)} that one seed and these users usually make"


def _scale(study: StudyRecord) -> float:
    """The spread of the ratings beside that of MovieLens, as the train mean's RMSE has it: the
    range of plays, 0 to a million, says nothing of most of them."""
    data, mean = described(study), study.baseline("train_mean")
    if data.name is None or is_movielens(study):
        return 1.0
    if mean is not None and math.isfinite(mean.val_rmse):
        return mean.val_rmse / SPREAD
    return (data.rating_range[1] - data.rating_range[0]) / 4 if data.rating_range else 1.0
