"""What a handful of seeds and a few hundred users allow to be said about differences of RMSE.

Pure functions over errors that are summed by user. Formulas, limits and how they were checked
against a simulation stand in `docs/statistics.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.records import CONFIDENCE, Answer

Array = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]

N_DRAWS = 4_000
N_DRAWN_AT_ONCE = 4_000_000
"""Of users, over all draws: 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where its true value lies, with `CONFIDENCE`."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """RMSE of a first model minus that of a second one: below 0 the first is better."""

    estimate: float
    low: float
    high: float
    degrees_of_freedom: float
    """Of Student's t."""
    p: float
    """Two-sided, that there is no difference; not corrected."""


def sums_by_user(
    predicted: Array, actual: Array, users: npt.NDArray[np.integer[Any]]
) -> tuple[Array, Counts]:
    """Squared errors summed over each user's rows, shape (n_seeds, n_users), and the row counts.

    Args:
        predicted: shape (n_seeds, n_rows).
        actual: shape (n_rows,).
        users: shape (n_rows,); any whole numbers, one a user.
    """
    _, codes = np.unique(users, return_inverse=True)
    squared = (np.asarray(predicted, np.float64) - np.asarray(actual, np.float64)) ** 2
    sums: Array = np.stack([np.bincount(codes, row) for row in squared])
    return np.asarray(sums), np.bincount(codes)


def rmse_by_seed(sums: Array, counts: Counts) -> Array:
    """RMSE over all rows under each seed; the last axis of `sums` are the users."""
    return np.asarray(np.sqrt(sums.sum(axis=-1) / counts.sum()))


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean over seeds, on these rows alone: by t with one degree of freedom less than seeds."""
    mean = float(np.mean(values))
    n = len(values)
    if n < 2:
        return Interval(mean, float("nan"), float("nan"))
    error = float(np.std(values, ddof=1)) / n**0.5
    half = _reach(n - 1) * error
    return Interval(mean, mean - half, mean + half)


def difference(first: Array, second: Array, counts: Counts) -> Difference:
    """Mean over seeds of the difference of RMSE, for other seeds and other users.

    Seeds and users are crossed random factors. The variance of the mean over both is estimated
    from mean squares, (seeds + users - interaction) / (n_seeds n_users), with Satterthwaite's
    degrees of freedom. A user's share in an RMSE is its linear influence.

    Args:
        first: squared errors summed by user, shape (n_seeds, n_users), the seeds being shared. A
            model without a seed has the same row for every seed.
        second: the same of the other model.
        counts: rows of each user.

    Raises:
        ValueError: fewer than two seeds or two users.
    """
    n_seeds, n_users = first.shape
    if n_seeds < 2 or n_users < 2:
        raise ValueError(f"needs two seeds and two users, got {n_seeds} and {n_users}")
    by_seed = rmse_by_seed(first, counts) - rmse_by_seed(second, counts)
    mean = float(by_seed.mean())
    moved = _influence(first, counts) - _influence(second, counts)
    by_user = moved.mean(axis=0)
    of_seeds = n_users * float(np.var(by_seed, ddof=1))
    of_users = n_seeds * float((by_user**2).sum()) / (n_users - 1)
    of_rest = float(((moved - by_user) ** 2).sum()) / ((n_seeds - 1) * (n_users - 1))
    # Below the interaction no mean square can lie but by chance.
    of_rest = min(of_rest, of_seeds, of_users)
    total = of_seeds + of_users - of_rest
    if total <= 0:
        return Difference(mean, mean, mean, float("inf"), float(mean == 0))
    seeds_free, users_free = n_seeds - 1, _free_users(counts)
    degrees = total**2 / (
        of_seeds**2 / seeds_free + of_users**2 / users_free + of_rest**2 / (seeds_free * users_free)
    )
    error = (total / (n_seeds * n_users)) ** 0.5
    half = _reach(degrees) * error
    p = _two_sided_p(mean / error, degrees)
    return Difference(mean, mean - half, mean + half, degrees, p)


def p_of(apart: Difference) -> float:
    """The p value that its estimate, interval and degrees of freedom allow."""
    half = (apart.high - apart.low) / 2
    if half <= 0 or apart.degrees_of_freedom <= 0:
        return float(apart.estimate == 0)
    error = half / _reach(apart.degrees_of_freedom)
    return _two_sided_p(apart.estimate / error, apart.degrees_of_freedom)


def over_splits(differences: Sequence[float], judged_per_train_row: float) -> Difference:
    """Mean over splits of one set of ratings of the difference of RMSE, for other such splits.

    Splits share most of their train rows, so that their differences vary together and their own
    spread tells too little: the variance of the mean is (1 / n + judged / train rows) times theirs
    (Nadeau and Bengio 2003, section 3), by Student's t with n - 1 degrees of freedom.

    Args:
        differences: of one model's RMSE and another's on the same rows, one a split.
        judged_per_train_row: rows that judge for each row that trains.

    Raises:
        ValueError: fewer than two splits.
    """
    n = len(differences)
    if n < 2:
        raise ValueError(f"needs two splits, got {n}")
    mean = float(np.mean(differences))
    error = float(np.std(differences, ddof=1)) * (1 / n + judged_per_train_row) ** 0.5
    if error == 0:
        return Difference(mean, mean, mean, n - 1, float(mean == 0))
    half = _reach(n - 1) * error
    p = _two_sided_p(mean / error, n - 1)
    return Difference(mean, mean - half, mean + half, n - 1, p)


def _influence(sums: Array, counts: Counts) -> Array:
    """What each user moves the RMSE by, times the users, shape (n_seeds, n_users).

    sqrt(sum of sums / sum of counts), expanded to first order in each user's sum and count, and
    divided by the share of the rows that are others', as leaving the user out would have it:
    a user with many rows pulls the mean towards itself.
    """
    mean_squared = sums.sum(axis=1, keepdims=True) / counts.sum()
    root = np.sqrt(mean_squared)
    safe = np.where(root > 0, root, 1.0)
    others = 1 - counts / counts.sum()
    return np.asarray(
        (sums - counts * mean_squared) / counts.mean() / (2 * safe) / np.maximum(others, 0.5)
    )


def _free_users(counts: Counts) -> float:
    """Degrees of freedom of a variance to which users add by the square of their rows.

    n - 1 for users with the same number of rows, less the more their numbers differ.
    """
    squares = counts.astype(float) ** 2
    return max(1.0, float(squares.sum() ** 2 / (squares**2).sum()) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the first below 0.05 at most once in 20 families."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def answer(found: Difference, holm_p: float, margin: float) -> Answer:
    """What a difference comes to, where less than `margin` does not matter in practice."""
    if -margin < found.low and found.high < margin:
        return Answer.TIE
    if holm_p < 1 - CONFIDENCE and abs(found.estimate) >= margin:
        return Answer.BETTER if found.estimate < 0 else Answer.WORSE
    return Answer.OPEN


def resampled(sums: Array, counts: Counts, *, n_draws: int = N_DRAWS, seed: int = 0) -> Array:
    """Mean RMSE over seeds of each model under other users and other seeds, (n_models, n_draws).

    Users and seeds are drawn with replacement, the same ones for all models (Owen 2007). Seeds'
    deviations are widened by sqrt(n / (n - 1)), which matters with few.

    Args:
        sums: shape (n_models, n_seeds, n_users).
    """
    n_models, n_seeds, n_users = sums.shape
    dice = np.random.default_rng(seed)
    flat = sums.reshape(n_models * n_seeds, n_users)
    squares = [
        flat @ times.T / (times @ counts)
        for times in (drawn.astype(float) for drawn in users_drawn(n_users, n_draws, dice))
    ]
    rmse = np.sqrt(np.hstack(squares)).reshape(n_models, n_seeds, n_draws)
    centre = rmse.mean(axis=1, keepdims=True)
    if n_seeds > 1:
        rmse = centre + (rmse - centre) * (n_seeds / (n_seeds - 1)) ** 0.5
    shares = dice.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_draws) / n_seeds
    return np.asarray(np.einsum("msd,ds->md", rmse, shares))


def users_drawn(n_users: int, n_draws: int, dice: np.random.Generator) -> Iterator[Counts]:
    """How often each user is drawn with replacement, shape (some of the draws, n_users).

    All draws of 100,000 users would be gigabytes; so they come in turn, the same however many at
    once.
    """
    at_once = max(1, N_DRAWN_AT_ONCE // n_users)
    for first in range(0, n_draws, at_once):
        size = min(at_once, n_draws - first)
        drawn = dice.integers(n_users, size=(size, n_users))
        drawn += n_users * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)


def bootstrap_interval(first: Array, second: Array) -> tuple[float, float]:
    """Percentiles of the difference of two models' draws from `resampled`: the cross-check."""
    low, high = np.quantile(first - second, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def probability_best(draws: Array) -> list[float]:
    """For each model the share of draws in which its RMSE is the lowest; they sum to 1.

    Models whose RMSE is the same in a draw share it.
    """
    # The same numbers, added in another order, differ in their last digits.
    is_lowest = draws <= draws.min(axis=0) * (1 + 1e-12)
    return [float(share) for share in (is_lowest / is_lowest.sum(axis=0)).mean(axis=1)]


def _reach(degrees: float) -> float:
    """How many standard errors lie between a mean and an end of its interval, by Student's t."""
    from scipy.special import stdtrit  # .2 s, which a report without a verdict needs not wait for

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))


def _two_sided_p(t: float, degrees: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(degrees, -abs(t)))
