from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from experiments.records import Answer
from reports.judging import statistics
from reports.judging.optimism import optimism_of_best
from reports.judging.statistics import (
    Difference,
    answer,
    bootstrap_interval,
    difference,
    holm,
    over_seeds,
    probability_best,
    resampled,
    rmse_by_seed,
    sums_by_user,
)
from tests.reports.simulated_verdicts import TRUE_RMSE, draw_study, simulate


def found(low: float, high: float) -> Difference:
    return Difference((low + high) / 2, low, high, 4.0, 0.01)


def test_errors_3_and_4_give_the_root_of_12_and_a_half_whoever_made_them() -> None:
    actual = np.array([1.0, 5.0])
    sums, counts = sums_by_user(np.array([[4.0, 1.0], [1.0, 5.0]]), actual, np.array([7, 3]))
    assert sums.tolist() == [[16.0, 9.0], [0.0, 0.0]]
    assert counts.tolist() == [1, 1]
    assert rmse_by_seed(sums, counts).tolist() == [pytest.approx(12.5**0.5), 0.0]


def test_an_interval_over_five_seeds_is_students() -> None:
    # Mean 3, standard deviation sqrt(2.5), t(4, .975) = 2.776.
    interval = over_seeds([1.0, 2.0, 3.0, 4.0, 5.0])
    assert interval.estimate == 3.0
    assert interval.high - 3.0 == pytest.approx(2.776445 * (2.5 / 5) ** 0.5)
    # Two are enough: mean 2, standard deviation sqrt(2), t(1, .975) = 12.706.
    assert over_seeds([1.0, 3.0]).low == pytest.approx(2 - 12.7062, abs=1e-4)
    assert np.isnan([over_seeds([1.0]).low, over_seeds([1.0]).high]).all()


def by_the_book(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> tuple[float, ...]:
    """Estimate, low, high, degrees of freedom and p as `docs/statistics.md` has them, and the
    mean squares before the interaction is held below the others."""
    n_seeds, n_users = first.shape
    n_rows = counts.sum()
    d, z = np.zeros(n_seeds), np.zeros((n_seeds, n_users))
    for s in range(n_seeds):
        for sums, sign in ((first, 1), (second, -1)):
            r = (sums[s].sum() / n_rows) ** 0.5
            d[s] += sign * r
            for u, n in enumerate(counts):
                left = max(1 - n / n_rows, 0.5)
                z[s, u] += sign * n_users * (sums[s, u] - n * r**2) / (2 * r * n_rows * left)
    a = n_users * np.var(d, ddof=1)
    b = n_seeds * sum(z[:, u].mean() ** 2 for u in range(n_users)) / (n_users - 1)
    rest = sum((z[s, u] - z[:, u].mean()) ** 2 for s in range(n_seeds) for u in range(n_users))
    rest /= (n_seeds - 1) * (n_users - 1)
    c = min(a, b, rest)
    f = max(1, (counts**2).sum() ** 2 / (counts**4).sum() - 1)
    free = a**2 / (n_seeds - 1) + b**2 / f + c**2 / ((n_seeds - 1) * f)
    degrees = (a + b - c) ** 2 / free
    error = ((a + b - c) / (n_seeds * n_users)) ** 0.5
    half = stats.t.ppf(0.975, degrees) * error
    p = 2 * stats.t.sf(abs(d.mean()) / error, degrees)
    return d.mean(), d.mean() - half, d.mean() + half, degrees, p, a, b, rest


@pytest.mark.parametrize("counts", [[5, 1, 9, 3], [90, 1, 2, 3, 4], [7, 2], [1, 1]])
@pytest.mark.parametrize("n_seeds", [2, 4])
def test_a_difference_is_what_the_page_on_statistics_says(counts: list[int], n_seeds: int) -> None:
    dice, rows = np.random.default_rng(0), np.array(counts)
    smallest = set()
    for seeds, users, both in ((1, 0.1, 0.1), (0.1, 1, 0.1), (0.02, 0.02, 1), (1, 1, 0.1)):
        first, second = (
            rows * np.exp(
                seeds * dice.normal(size=(n_seeds, 1))
                + users * dice.normal(size=len(rows))
                + both * dice.normal(size=(n_seeds, len(rows)))
            )
            for _ in range(2)
        )  # fmt: skip
        found = difference(first, second, rows)
        *expected, a, b, rest = by_the_book(first, second, rows)
        shown = found.estimate, found.low, found.high, found.degrees_of_freedom, found.p
        assert shown == pytest.approx(expected, rel=1e-9)
        smallest.add(int(np.argmin((a, b, rest))))
    assert len(smallest) > 1 or len(rows) != 4


def test_seeds_alone_make_a_students_test_of_a_difference() -> None:
    """Every user alike, so the users add nothing and 4 degrees of freedom are left."""
    rmse = np.array([1.00, 1.02, 0.99, 1.01, 1.03])
    counts = np.full(50, 10)
    first = np.outer(rmse**2, counts)
    second = np.ones((5, 50)) * counts
    result = difference(first, second, counts)
    expected = over_seeds(list(rmse - 1.0))
    assert result.estimate == pytest.approx(expected.estimate)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))
    assert result.degrees_of_freedom == pytest.approx(4.0)
    # So it is for the bootstrap, whose draws of 5 seeds would spread by a fifth too little.
    draws = resampled(np.stack([first, second]), counts)
    assert np.var(draws[0] - draws[1]) == pytest.approx(np.var(rmse, ddof=1) / 5, rel=0.08)
    one = resampled(first[None, :1], counts, n_draws=3)
    assert one.tolist() == [pytest.approx([1.0] * 3)]


def test_users_alone_widen_a_difference_of_models_without_seeds() -> None:
    """Users' shares of the difference are 0 and .2 by halves: standard error .1 / sqrt(n - 1)."""
    counts = np.ones(50, int)
    second = np.ones((5, 50))
    first = np.where(np.arange(50) % 2 == 0, 1.0, 1.4) * second
    result = difference(first, second, counts)
    assert result.estimate == pytest.approx(1.2**0.5 - 1.0)
    assert result.degrees_of_freedom == pytest.approx(49.0)
    # Half the interval: .2 / (2 sqrt 1.2), the user left out of the mean it pulls, over sqrt(49).
    error = 0.1 / 1.2**0.5 / (1 - 1 / 50) / 7
    assert result.high - result.estimate == pytest.approx(2.009575 * error)
    draws = resampled(np.stack([first, second]), counts)
    assert bootstrap_interval(*draws) == pytest.approx((result.low, result.high), abs=0.01)
    assert probability_best(draws)[1] == 1.0


def test_a_model_against_itself_is_a_tie() -> None:
    sums = np.random.default_rng(0).random((5, 20))
    result = difference(sums, sums, np.ones(20, int))
    assert (result.estimate, result.p) == (0.0, 1.0)
    assert answer(result, 1.0, 0.003) is Answer.TIE


def test_one_seed_decides_nothing() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        difference(np.ones((1, 9)), np.ones((1, 9)), np.ones(9, int))
    with pytest.raises(ValueError, match="two users, got 2 and 1"):
        difference(np.ones((2, 1)), np.ones((2, 1)), np.ones(1, int))


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.0029, 0.0029, 1.0, Answer.TIE),
        (-0.0025, -0.0005, 0.001, Answer.TIE),  # there, and too small to matter
        (-0.009, -0.005, 0.001, Answer.BETTER),
        (0.005, 0.009, 0.001, Answer.WORSE),
        (-0.009, -0.005, 0.06, Answer.OPEN),  # Holm objects
        (-0.004, -0.0005, 0.001, Answer.OPEN),
        (-0.004, -0.002, 0.001, Answer.BETTER),  # by the margin itself
        (-0.003, 0.001, 0.4, Answer.OPEN),  # as far as the margin: not within it
        (-0.02, 0.01, 1.0, Answer.OPEN),
    ],
)
def test_an_answer_needs_both_a_small_p_and_a_difference_that_matters(
    low: float, high: float, p: float, expected: Answer
) -> None:
    assert answer(found(low, high), p, 0.003) is expected


def test_the_probabilities_of_being_best_are_shared_by_equal_models() -> None:
    sums, counts = draw_study(np.random.default_rng(1), [0.9, 1.2, 1.2])
    probabilities = probability_best(resampled(sums, counts))
    assert sum(probabilities) == pytest.approx(1.0)
    assert probabilities[0] > 0.99
    assert probability_best(resampled(sums, counts)) == probabilities
    twice = resampled(sums[[0, 0, 0, 1]], counts)
    assert probability_best(twice)[:3] == pytest.approx([1 / 3] * 3, abs=0.01)


def test_the_best_is_too_good_by_what_luck_with_the_users_makes_of_it() -> None:
    counts = np.arange(1, 13)
    same_for_all = np.outer([1.21, 1.0, 1.44], counts)
    assert optimism_of_best(same_for_all[:, None], counts) == pytest.approx(0, abs=1e-12)
    # Each is good for other users and none is better: what chose it says nothing of the others.
    parity = np.arange(12) % 2
    of_taste = np.where([parity, 1 - parity], 2.0, 1.0) * counts
    lucky = optimism_of_best(of_taste[:, None], counts)
    assert lucky is not None and 0.05 < lucky < 0.5
    assert optimism_of_best(of_taste[:1, None], counts) is None
    assert optimism_of_best(of_taste[:, None, :9], counts[:9]) is None
    assert optimism_of_best(of_taste[:, None, :10], counts[:10]) is not None


def test_draws_of_very_many_users_never_stand_in_memory_together() -> None:
    """300 draws of 50,000 users would be 120 MB, and as much again as floats."""
    counts = np.full(50_000, 3)
    sums = np.random.default_rng(2).random((3, 2, 50_000))
    tracemalloc.start()
    try:
        draws = resampled(sums, counts, n_draws=300)
        assert optimism_of_best(sums, counts, n_draws=300) is not None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert draws.shape == (3, 300)
    assert peak < 150e6


def test_draws_are_the_same_however_many_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, counts = draw_study(np.random.default_rng(1), [0.9, 1.0, 1.0])
    draws, luck = resampled(sums, counts), optimism_of_best(sums, counts)
    monkeypatch.setattr(statistics, "N_DRAWN_AT_ONCE", 7 * len(counts))
    assert resampled(sums, counts) == pytest.approx(draws, rel=1e-12)
    assert optimism_of_best(sums, counts) == pytest.approx(luck, rel=1e-9)


def test_intervals_and_corrected_tests_keep_their_word_where_the_truth_is_known() -> None:
    """A small edition of `docs/statistics.md`: 300 studies, so the bounds are wider."""
    equal = simulate(300, [TRUE_RMSE] * 4, seed=1)
    assert 0.93 <= equal.coverage <= 0.98
    assert equal.family_wise_error <= 0.07
    apart = simulate(100, [TRUE_RMSE, TRUE_RMSE - 0.03], seed=2)
    assert apart.power > 0.9
