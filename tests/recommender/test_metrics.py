from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.metrics import mae, rmse

STARS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def test_errors_of_3_and_4_stars_give_the_root_of_12_and_a_half() -> None:
    assert rmse(np.array([4.0, 1.0]), np.array([1.0, 5.0])) == pytest.approx(np.sqrt(12.5))


def test_errors_of_3_and_4_stars_are_3_and_a_half_on_average() -> None:
    assert mae(np.array([4.0, 1.0]), np.array([1.0, 5.0])) == 3.5


def test_perfect_predictions_have_no_error() -> None:
    stars = np.array([1.0, 5.0])
    assert rmse(stars, stars) == 0
    assert mae(stars, stars) == 0


def test_single_precision_predictions_are_averaged_in_double_precision() -> None:
    predicted = np.full(1_000_000, 3.1, np.float32)
    actual = np.full(1_000_000, 3.0, np.float32)
    assert rmse(predicted, actual) == pytest.approx(float(np.float32(3.1)) - 3.0, abs=1e-12)


def test_a_huge_but_finite_error_does_not_overflow() -> None:
    assert rmse(np.array([1e200]), np.array([0.0])) == pytest.approx(1e200)


@pytest.mark.parametrize("metric", [rmse, mae])
@pytest.mark.parametrize(
    ("predicted", "actual", "message"),
    [
        ([1.0, 2.0], [1.0], "one shape"),
        ([[1.0]], [[1.0]], "one shape"),
        ([], [], "no rated pairs"),
        ([float("nan")], [1.0], "predicted must be finite, got 1"),
        ([1.0], [float("inf")], "actual must be finite, got 1"),
    ],
)
def test_what_has_no_error_is_refused(metric, predicted, actual, message) -> None:
    with pytest.raises(ValueError, match=message):
        metric(np.array(predicted), np.array(actual))


@given(STARS, st.data())
def test_rmse_is_at_least_mae_and_symmetric(actual, data) -> None:
    predicted = data.draw(
        st.lists(st.floats(-1e6, 1e6), min_size=len(actual), max_size=len(actual))
    )
    a, p = np.array(actual), np.array(predicted)
    assert rmse(p, a) == rmse(a, p)
    assert rmse(p, a) >= mae(p, a) * (1 - 1e-12)
