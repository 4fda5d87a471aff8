"""Two models on splits of made-up ratings, drawn anew each time: how often an interval is right.

    python -m tests.reports.simulated_splits

prints the table of `docs/statistics.md` (about five minutes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reports.judging.statistics import Array, over_splits

N_USERS, N_ITEMS, N_RATINGS = 300, 400, 20_000


@dataclass(frozen=True, slots=True)
class Ratings:
    user: npt.NDArray[np.integer[Any]]
    item: npt.NDArray[np.integer[Any]]
    rating: Array


def draw_ratings(dice: np.random.Generator) -> Ratings:
    """Biases, five factors and noise; few users and items have most of the ratings."""
    user, item = (
        dice.choice(n, N_RATINGS, p=(weights := dice.lognormal(0, 1, n)) / weights.sum())
        for n in (N_USERS, N_ITEMS)
    )
    of_user, of_item = dice.normal(0, 0.45, N_USERS), dice.normal(0, 0.5, N_ITEMS)
    factors = dice.normal(0, 1, (N_USERS, 5)), dice.normal(0, 0.3 / 5**0.5, (N_ITEMS, 5))
    crossed = (factors[0][user] * factors[1][item]).sum(axis=1)
    noise = dice.normal(0, 0.85, N_RATINGS)
    return Ratings(user, item, 3.5 + of_user[user] + of_item[item] + crossed + noise)


def bias_rmse(
    ratings: Ratings, train: Array, judged: Array, penalty: float, n_rounds: int = 4
) -> float:
    """RMSE on the rows `judged` of a user and an item bias fitted to the rows `train`."""
    user, item, rating = ratings.user[train], ratings.item[train], ratings.rating[train]
    mean, of_user, of_item = rating.mean(), np.zeros(N_USERS), np.zeros(N_ITEMS)
    weight_of_user = np.bincount(user, minlength=N_USERS) + penalty
    weight_of_item = np.bincount(item, minlength=N_ITEMS) + penalty
    for _ in range(n_rounds):
        rest = rating - mean - of_user[user]
        of_item = np.bincount(item, rest, minlength=N_ITEMS) / weight_of_item
        rest = rating - mean - of_item[item]
        of_user = np.bincount(user, rest, minlength=N_USERS) / weight_of_user
    predicted = mean + of_user[ratings.user[judged]] + of_item[ratings.item[judged]]
    return float(np.sqrt(np.mean((ratings.rating[judged] - predicted) ** 2)))


def differences_of_splits(
    dice: np.random.Generator,
    penalties: tuple[float, float],
    n_splits: int,
    *,
    is_random: bool,
    spread_of_seeds: float,
) -> list[float]:
    """RMSE under the first penalty minus that under the second on each split.

    As `split.method` cuts them: `folds`, of which one is left out and one judges, or `random` with
    60 % to train and 20 % to judge.
    """
    ratings = draw_ratings(dice)
    order = dice.permutation(N_RATINGS)
    fold = np.empty(N_RATINGS, int)
    fold[order] = np.arange(N_RATINGS) % n_splits
    found = []
    for split in range(n_splits):
        if is_random:
            judged, _, train = np.split(
                dice.permutation(N_RATINGS), [N_RATINGS // 5, 2 * N_RATINGS // 5]
            )
        else:
            judged = np.flatnonzero(fold == (split + 1) % n_splits)
            train = np.flatnonzero((fold != split) & (fold != (split + 1) % n_splits))
        first, second = (bias_rmse(ratings, train, judged, penalty) for penalty in penalties)
        found.append(first - second + dice.normal(0, spread_of_seeds))
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of sets of ratings whose interval holds the mean difference over all of them."""

    mean: float
    corrected: float
    uncorrected: float
    """Were splits independent."""
    half_width: float
    """Of the corrected intervals, on average."""


def simulate(
    n_sets: int,
    penalties: tuple[float, float],
    n_splits: int,
    *,
    seed: int,
    is_random: bool = False,
    spread_of_seeds: float = 0.0,
) -> Coverage:
    dice = np.random.default_rng(seed)
    drawn = [
        differences_of_splits(
            dice, penalties, n_splits, is_random=is_random, spread_of_seeds=spread_of_seeds
        )
        for _ in range(n_sets)
    ]
    truth = float(np.mean(drawn))
    ratio = 0.2 / 0.6 if is_random else 1 / (n_splits - 2)
    corrected, plain = ([over_splits(found, r) for found in drawn] for r in (ratio, 0.0))
    return Coverage(
        truth,
        *(float(np.mean([i.low <= truth <= i.high for i in each])) for each in (corrected, plain)),
        half_width=float(np.mean([(i.high - i.low) / 2 for i in corrected])),
    )


def main(n_sets: int = 400) -> None:
    for penalties in ((2.0, 6.0), (1.0, 12.0), (3.0, 25.0)):
        for n_splits, is_random in ((3, False), (5, False), (10, False), (5, True)):
            for spread in (0.0, 0.002):
                found = simulate(
                    n_sets, penalties, n_splits, seed=1, is_random=is_random, spread_of_seeds=spread
                )
                print(
                    f"{n_splits} {'random' if is_random else 'folds '} | {found.mean:.4f} | "
                    f"{spread:g} | {100 * found.corrected:.1f} % | {100 * found.uncorrected:.1f} % "
                    f"| {found.half_width:.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
