"""Verdicts on made-up models whose true RMSE is known, users and seeds drawn anew each time.

    python -m tests.reports.simulated_verdicts

prints the table of `docs/statistics.md` (about two minutes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from reports.statistics import Array, Counts, difference, holm

TRUE_RMSE = 1.03
MARGIN = 0.003


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of the squared error's parts; the defaults were measured on ML-100K."""

    between_users: float = 0.55
    """Of a user's mean squared error, which all models share."""
    model_and_user: float = 0.030
    """Of what a model does for one user more or less than for the others."""
    model_and_seed: float = 0.0035
    """Of a model's mean squared error between seeds."""
    model_seed_user: float = 0.050
    """Of what is left."""
    rows: float = 1.0
    """Of the logarithm of a user's number of rows."""


def draw_study(
    dice: np.random.Generator,
    true_rmse: Sequence[float],
    n_seeds: int = 5,
    n_users: int = 200,
    spread: Spread = Spread(),  # frozen
) -> tuple[Array, Counts]:
    """Squared errors summed by user, (n_models, n_seeds, n_users), and rows of each user."""
    n_models = len(true_rmse)
    counts = 1 + np.floor(dice.lognormal(np.log(50), spread.rows, n_users)).astype(int)
    mean_squared = np.asarray(true_rmse)[:, None, None] ** 2
    level = 1.0 / spread.between_users**2
    user = dice.gamma(level, 1 / level, n_users)
    parts = (
        spread.model_and_user * dice.normal(size=(n_models, 1, n_users))
        + spread.model_and_seed * dice.normal(size=(n_models, n_seeds, 1))
        + spread.model_seed_user * dice.normal(size=(n_models, n_seeds, n_users))
    )
    return np.maximum(mean_squared * user + parts, 0.01) * counts, counts


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of studies."""

    n_studies: int
    coverage: float
    """Of all pairs' 95 % intervals, those that hold the true difference."""
    family_wise_error: float
    """Studies with at least one Holm p below 0.05 among models that are truly equal."""
    power: float
    """Of the pairs that truly differ, those with a Holm p below 0.05."""
    power_alone: float
    """The same without the correction, as for a single comparison."""

    @property
    def upper_family_wise_error(self) -> float:
        """Upper 95 % limit (Clopper and Pearson, one-sided)."""
        wrong = round(self.family_wise_error * self.n_studies)
        return float(stats.beta.ppf(0.95, wrong + 1, self.n_studies - wrong))


def simulate(
    n_studies: int, true_rmse: Sequence[float], *, seed: int, n_seeds: int = 5, n_users: int = 200
) -> Rates:
    dice = np.random.default_rng(seed)
    covered, n_wrong, found, found_alone = [], 0, [], []
    pairs = list(combinations(range(len(true_rmse)), 2))
    truth = [true_rmse[i] - true_rmse[j] for i, j in pairs]
    for _ in range(n_studies):
        sums, counts = draw_study(dice, true_rmse, n_seeds, n_users)
        results = [difference(sums[i], sums[j], counts) for i, j in pairs]
        adjusted = holm([result.p for result in results])
        covered += [r.low <= t <= r.high for r, t in zip(results, truth, strict=True)]
        n_wrong += any(p < 0.05 and t == 0 for p, t in zip(adjusted, truth, strict=True))
        found += [p < 0.05 for p, t in zip(adjusted, truth, strict=True) if t]
        found_alone += [r.p < 0.05 for r, t in zip(results, truth, strict=True) if t]
    share = lambda hits: float(np.mean(hits)) if hits else float("nan")  # noqa: E731
    return Rates(n_studies, share(covered), n_wrong / n_studies, share(found), share(found_alone))


def main(n_studies: int = 2_000) -> None:
    for what, true in (
        ("6 equal models", [TRUE_RMSE] * 6),
        ("one of 6 better by .003", [TRUE_RMSE - 0.003, *[TRUE_RMSE] * 5]),
        ("one of 6 better by .01", [TRUE_RMSE - 0.01, *[TRUE_RMSE] * 5]),
        ("2 models, .003 apart", [TRUE_RMSE - 0.003, TRUE_RMSE]),
        ("2 models, .01 apart", [TRUE_RMSE - 0.01, TRUE_RMSE]),
    ):
        rates = simulate(n_studies, true, seed=7)
        print(
            f"{what:26} coverage {100 * rates.coverage:.1f} %   family-wise error "
            f"{100 * rates.family_wise_error:.1f} % (upper limit "
            f"{100 * rates.upper_family_wise_error:.1f} %)   power {100 * rates.power:.1f} %   "
            f"one comparison {100 * rates.power_alone:.1f} %"
        )


if __name__ == "__main__":
    main()
