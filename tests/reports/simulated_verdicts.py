"""Verdicts on made-up models whose true RMSE is known, users and seeds drawn anew each time.

    python -m tests.reports.simulated_verdicts

prints the tables of `docs/statistics.md` (about three minutes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from experiments.running.errors_by_user import moved_by_users
from reports.judging.optimism import optimism_of_best
from reports.judging.statistics import Array, Counts, difference, holm, rmse_by_seed
from reports.noise import SEEDS, Z_95

TRUE_RMSE = 1.03


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of the parts of a mean squared error, as measured on ML-100K.

    Seven finalists of `dcn-vs-plain` under five seeds, time-range split, validation. A part that
    belongs to a user has a share that stays and one that shrinks with the user's rows:
    sqrt(stays^2 + of_one_row^2 / rows).
    """

    user: tuple[float, float] = (0.46, 1.5)
    """What a user adds for all models alike."""
    model_and_user: tuple[float, float] = (0.043, 0.16)
    """What one model does for one user more or less than for the others."""
    model_and_seed: float = 0.0034
    """What one model under one seed does for all users."""
    model_seed_user: tuple[float, float] = (0.031, 0.15)
    """What is left."""
    median_rows: float = 33.0
    log_rows: float = 1.46
    """Of the logarithm of a user's rows, which are cut at 600."""


def draw_study(
    dice: np.random.Generator,
    true_rmse: Sequence[float],
    n_seeds: int = 5,
    n_users: int = 200,
    spread: Spread = Spread(),
) -> tuple[Array, Counts]:
    """Squared errors summed by user, (n_models, n_seeds, n_users), and rows of each user."""
    n_models = len(true_rmse)
    rows = spread.median_rows * dice.lognormal(0, spread.log_rows, n_users)
    counts = np.clip(np.ceil(rows), 1, 600).astype(int)

    def of_users(parts: tuple[float, float]) -> Array:
        return np.sqrt(parts[0] ** 2 + parts[1] ** 2 / counts)

    # Skewed as squared errors are, with mean 1 whatever the user's number of rows.
    shape = 1 / of_users(spread.user) ** 2
    shared = dice.gamma(shape, 1 / shape)
    parts = (
        of_users(spread.model_and_user) * dice.normal(size=(n_models, 1, n_users))
        + spread.model_and_seed * dice.normal(size=(n_models, n_seeds, 1))
        + of_users(spread.model_seed_user) * dice.normal(size=(n_models, n_seeds, n_users))
    )
    mean_squared = np.asarray(true_rmse)[:, None, None] ** 2
    return (mean_squared * shared + parts) * counts, counts


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


def simulate_gap(n_studies: int, *, seed: int, n_users: int = 229) -> float:
    """What 95 % of the gaps between two equal models of one seed each lie under."""
    dice = np.random.default_rng(seed)
    gaps = []
    for _ in range(n_studies):
        sums, counts = draw_study(dice, [TRUE_RMSE] * 2, 1, n_users)
        first, second = rmse_by_seed(sums, counts)[:, 0]
        gaps.append(abs(first - second))
    return float(np.quantile(gaps, 0.95))


def simulate_noise(n_studies: int, n_users: int, *, seed: int) -> float:
    """The share of gaps between equal models of one seed each that lie under the noise which their
    own errors by user tell."""
    dice = np.random.default_rng(seed)
    is_under = []
    for _ in range(n_studies):
        sums, counts = draw_study(dice, [TRUE_RMSE] * 10, 1, n_users)
        pairs = list(combinations(range(10), 2))
        moved = [moved_by_users(sums[i, 0], sums[j, 0], counts) for i, j in pairs]
        usual = Z_95 * np.hypot(np.median(moved), SEEDS * 2**0.5)
        rmse = rmse_by_seed(sums, counts)[:, 0]
        is_under += [abs(rmse[i] - rmse[j]) < usual for i, j in pairs]
    return float(np.mean(is_under))


@dataclass(frozen=True, slots=True)
class Luck:
    """The RMSE of the trial that looked best minus its true one, beside the mean of all trials."""

    on_those_who_chose: float
    on_others: float
    error_on_others: float
    """Standard error of the mean over studies."""
    estimated: float
    """By `reports.judging.optimism`, turned round: what a verdict says is too good."""


def simulate_choice(
    n_studies: int,
    spread_of_truth: float,
    *,
    seed: int,
    n_trials: int = 30,
    share_kept: float = 0.25,
) -> Luck:
    """The best of some trials on the users that search, and on those kept for the verdict.

    229 users, as on ML-100K. Beside the mean of all trials, since what users bring for every model
    alike is no luck of the best.
    """
    dice = np.random.default_rng(seed)
    n_kept = round(share_kept * 229)
    chose, others, estimated = [], [], []
    for _ in range(n_studies):
        true = TRUE_RMSE + spread_of_truth * dice.normal(size=n_trials)
        sums, counts = draw_study(dice, true, 1, 229, Spread(model_and_seed=0.0))
        kept, searched = np.split(sums[:, 0], [n_kept], axis=1)
        counts_kept, counts_searched = np.split(counts, [n_kept])
        on_searched = rmse_by_seed(searched, counts_searched)
        best = on_searched.argmin()
        for off, told in (
            (on_searched - true, chose),
            (rmse_by_seed(kept, counts_kept) - true, others),
        ):
            told.append(off[best] - off.mean())
        estimated.append(
            -(optimism_of_best(searched[:, None], counts_searched, n_draws=100) or 0.0)
        )
    return Luck(
        float(np.mean(chose)),
        float(np.mean(others)),
        float(np.std(others)) / n_studies**0.5,
        float(np.mean(estimated)),
    )


def simulate_leader(
    n_studies: int, spread_of_truth: float, *, seed: int, n_finalists: int = 7, n_users: int = 57
) -> tuple[float, float]:
    """The lowest mean over five seeds on the kept users, who alone say which finalist leads: what
    it is off by, as in `Luck`, and what a verdict would have said."""
    dice = np.random.default_rng(seed)
    off, estimated = [], []
    for _ in range(n_studies):
        true = TRUE_RMSE + spread_of_truth * dice.normal(size=n_finalists)
        sums, counts = draw_study(dice, true, n_users=n_users)
        means = rmse_by_seed(sums, counts).mean(axis=1)
        leads = means.argmin()
        off.append((means - true)[leads] - (means - true).mean())
        estimated.append(-(optimism_of_best(sums, counts, n_draws=100) or 0.0))
    return float(np.mean(off)), float(np.mean(estimated))


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
            f"{what:24} | {100 * rates.coverage:.1f} % | {100 * rates.family_wise_error:.1f} % | "
            f"{100 * rates.upper_family_wise_error:.1f} % | {100 * rates.power:.1f} % | "
            f"{100 * rates.power_alone:.1f} %"
        )
    for n_users in (50, 100, 229, 1_000):
        gap = simulate_gap(n_studies, seed=7, n_users=n_users)
        share = simulate_noise(n_studies // 5, n_users, seed=7)
        print(
            f"2 equal models, one seed, {n_users} users | 95 % of gaps under {gap:.4f} | "
            f"{100 * share:.1f} % under the noise that is measured"
        )
    for n_trials in (30, 60):
        for spread in (0.0, 0.003, 0.01):
            luck = simulate_choice(n_studies // 4, spread, seed=7, n_trials=n_trials)
            print(
                f"best of {n_trials}, {spread:g} apart | {luck.on_those_who_chose:.4f} | "
                f"{luck.on_others:.4f} ({luck.error_on_others:.4f}) | {luck.estimated:.4f}"
            )

    for n_finalists in (3, 7):
        for spread in (0.0, 0.003, 0.01):
            off, said = simulate_leader(n_studies // 4, spread, seed=7, n_finalists=n_finalists)
            print(f"leader of {n_finalists}, {spread:g} apart | {off:.4f} | {said:.4f}")


if __name__ == "__main__":
    main()
