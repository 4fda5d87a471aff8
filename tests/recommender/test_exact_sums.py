"""Sums that do not depend on the order of what is added up."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.exact_sums import exact_sums
from recommender.runtime import tf

N_ROWS, N_PLACES = 1000, 40


def _rows() -> tuple[np.ndarray, np.ndarray]:
    """Values over seven powers of ten, places some of which stay empty."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-6, 1, (N_ROWS, 3))
    values = (rng.normal(size=(N_ROWS, 3)) * sizes).astype(np.float32)
    return values, rng.integers(0, N_PLACES - 5, N_ROWS)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_each_sum_is_the_exact_one_rounded_once_in_any_order(is_compiled: bool) -> None:
    values, places = _rows()
    exact = np.zeros((N_PLACES, 3))
    np.add.at(exact, places, values.astype(np.float64))
    summed = tf.function(exact_sums, jit_compile=is_compiled)
    order = np.random.default_rng(1).permutation(N_ROWS)
    for chosen in (np.arange(N_ROWS), order):
        sums = summed(tf.constant(values[chosen]), tf.constant(places[chosen]), N_PLACES)
        np.testing.assert_array_equal(sums.numpy(), exact.astype(np.float32))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_value_that_is_not_finite_is_not_lost(odd: float, is_compiled: bool) -> None:
    values, places = _rows()
    values[7, 1] = odd
    summed = tf.function(exact_sums, jit_compile=is_compiled)
    sums = summed(tf.constant(values), tf.constant(places), N_PLACES)
    assert not np.isfinite(sums.numpy()).any()


@pytest.mark.parametrize("value", [0.0, -2.5, 3e38, 1e-37, 1e-42])
def test_values_of_any_size_are_summed(value: float) -> None:
    values = tf.constant([[value], [0.0], [value]], tf.float32)
    sums = exact_sums(values, tf.constant([0, 0, 2]), 3).numpy()
    np.testing.assert_allclose(sums[:, 0], [value, 0.0, value], rtol=1e-6, atol=2.0**-126)


def test_one_row_is_its_own_sum() -> None:
    assert exact_sums(tf.constant([[0.1]]), tf.constant([0]), 1).numpy() == np.float32(0.1)
