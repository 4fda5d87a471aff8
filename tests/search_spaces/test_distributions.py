from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Choice, Distribution, Float, Int, SpaceError, Value
from tests.search_spaces.strategies import choices, distributions, ints, ranges, stepped_floats

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
)


def problems_of(make: Any, *args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(SpaceError) as raised:
        make(*args, **kwargs)
    return [problem.key for problem in raised.value.problems]


@given(ranges)
def test_both_ends_of_a_range_belong_to_it_and_nothing_beyond_does(range_: Float | Int) -> None:
    assert range_.contains(range_.low)
    assert range_.contains(range_.high)
    if isinstance(range_, Int):
        assert not range_.contains(range_.low - 1)
        assert not range_.contains(range_.high + 1)
    else:
        assert not range_.contains(math.nextafter(range_.low, -math.inf))
        assert not range_.contains(math.nextafter(range_.high, math.inf))


@given(distributions, anything)
def test_whatever_is_clipped_is_contained(distribution: Distribution, value: object) -> None:
    clipped = distribution.clip(value)
    assert distribution.contains(clipped)
    assert type(clipped) is type(distribution.clip(clipped))
    if distribution.contains(value):
        assert clipped == pytest.approx(value, abs=1e-6)


@given(ranges, st.floats(-1e10, 1e10))
def test_clip_gives_the_nearest_value(range_: Float | Int, value: float) -> None:
    distance = abs(range_.clip(value) - value)
    slack = 1e-6 * max(1.0, abs(value))
    assert distance <= abs(range_.low - value) + slack
    assert distance <= abs(range_.high - value) + slack
    if range_.size is not None and range_.size < 200:
        assert all(distance <= abs(other - value) + slack for other in range_.grid())


@given(st.one_of(stepped_floats(), ints(), choices))
def test_a_grid_holds_each_value_once_and_has_the_size_it_says(
    distribution: Distribution,
) -> None:
    values = list(distribution.grid())
    assert len(values) == distribution.size == len(set(values))
    assert all(distribution.contains(value) for value in values)
    if not isinstance(distribution, Choice):
        assert (values[0], values[-1]) == (distribution.low, distribution.high)
        assert values == sorted(values)


def test_the_steps_of_a_float_are_decimals() -> None:
    assert list(Float(0, 0.5, step=0.1).grid()) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert Float(0, 0.5, step=0.1).contains(0.1 + 0.2)
    assert not Float(0, 0.5, step=0.1).contains(0.25)


def test_a_continuum_has_no_size_but_a_single_point_has() -> None:
    assert Float(0, 1).size is None
    assert Float(1e-4, 1, log=True).size is None
    assert Float(1, 1).size == 1
    assert list(Float(1, 1).grid()) == [1.0]


def test_an_int_counts_in_steps() -> None:
    assert list(Int(1, 7, step=3).grid()) == [1, 4, 7]
    assert not Int(1, 7, step=3).contains(2)
    assert Int(1, 7, step=3).clip(6) == 7


def test_a_whole_range_takes_no_fraction_and_no_truth() -> None:
    assert not Int(0, 3).contains(1.0)
    assert not Int(0, 3).contains(True)
    assert not Float(0, 3).contains(True)
    assert not Float(0, 3).contains(math.nan)


def test_choices_tell_true_from_one() -> None:
    assert Choice([True, False]).contains(True)
    assert not Choice([True, False]).contains(1)
    assert not Choice([0, 1]).contains(True)
    assert Choice([0, 1]) != Choice([False, True])


def test_whole_numbers_beside_others_become_floats() -> None:
    assert Choice([0, 0.5]).choices == (0.0, 0.5)
    assert type(Choice([0, 0.5]).choices[0]) is float
    assert Choice([0, 0.5]).contains(0)


def test_an_absent_default_gives_the_first_choice() -> None:
    assert Choice(["plain", "dcn"]).clip("mlp") == "plain"
    assert Choice(["plain", "dcn"]).clip("dcn") == "dcn"
    assert Float(0.03, 0.3, log=True).clip(1e-3) == 0.03
    assert Float(0.03, 0.3, log=True).clip(None) == 0.03
    assert Int(1, 3).clip(math.inf) == 3


@pytest.mark.parametrize(
    ("make", "args", "keys"),
    [
        (Float, (2, 1), ["low"]),
        (Float, (math.nan, math.inf), ["low", "high"]),
        (Float, ("1e-3", True), ["low", "high"]),
        (Float, (10**400, 1), ["low"]),
        (Float, (-1.7e308, 1.7e308), ["high"]),
        (Float, (0, 1, True), ["low"]),
        (Float, (-1.0, -2.0, True), ["low", "low"]),
        (Float, (1, 2, "yes"), ["log"]),
        (Float, (1, 2, True, 0.5), ["step"]),
        (Float, (0, 1, False, 0.3), ["step"]),
        (Float, (0, 1, False, 0), ["step"]),
        (Float, (0, 1, False, math.nan), ["step"]),
        (Float, ("a", None, 1, "b"), ["low", "high", "log", "step"]),
        (Int, (3, 1), ["low"]),
        (Int, (1.0, 2), ["low"]),
        (Int, (1, 1 << 60), ["high"]),
        (Int, (0, 8, True), ["low"]),
        (Int, (1, 8, True, 2), ["step"]),
        (Int, (1, 8, False, 2), ["step"]),
        (Int, (1, 8, False, -1), ["step"]),
        (Int, (1, 8, False, True), ["step"]),
        (Choice, ([],), ["choices"]),
        (Choice, ("adam",), ["choices"]),
        (Choice, (3,), ["choices"]),
        (Choice, (["a", "b", "a"],), ["choices"]),
        (Choice, ([1, 1.0],), ["choices"]),
        (Choice, ([1, "a"],), ["choices"]),
        (Choice, ([1, True],), ["choices"]),
        (Choice, ([math.nan],), ["choices"]),
        (Choice, ([[1], None],), ["choices", "choices"]),
    ],
)
def test_each_mistake_in_a_distribution_is_told(
    make: Any, args: tuple[Any, ...], keys: list[str]
) -> None:
    assert problems_of(make, *args) == keys


@given(anything, anything, anything, anything)
def test_no_argument_whatever_raises_anything_else(
    low: Any, high: Any, log: Any, step: Any
) -> None:
    for make in (Float, Int):
        try:
            assert make(low, high, log, step).contains(low)
        except SpaceError as error:
            assert error.problems


@given(st.lists(anything))
def test_no_choices_whatever_raise_anything_else(values: list[Any]) -> None:
    try:
        assert all(Choice(values).contains(value) for value in values)
    except SpaceError as error:
        assert error.problems


def test_a_range_that_steps_miss_says_where_they_end() -> None:
    with pytest.raises(SpaceError, match=r"steps of 0\.3 from 0\.0 miss 1; .* below it is 0\.9$"):
        Float(0.0, 1, step=0.3)


def test_equal_values_are_equal_however_they_were_written() -> None:
    assert Float(1, 2) == Float(1.0, 2.0)
    written: list[Value] = ["a", "b"]
    assert Choice(written) == Choice(("a", "b"))


def test_numbers_of_numpy_are_numbers() -> None:
    assert repr(Choice(np.array([32, 64]))) == repr(Choice([32, 64]))  # type: ignore[arg-type]
    assert repr(Choice(list(np.array([1e-3, 0.5])))) == repr(Choice([1e-3, 0.5]))
    assert repr(Int(np.int64(1), np.uint8(3))) == repr(Int(1, 3))  # type: ignore[arg-type]
    assert repr(Float(np.float32(0), np.float64(1))) == repr(Float(0, 1))  # type: ignore[arg-type]
    case = Int(1, 2).when(n_layers=np.int64(1)).each(np.int64(2))  # type: ignore[arg-type]
    assert (case.conditions, type(case.count)) == ({"n_layers": (1,)}, int)
    assert problems_of(Choice, [np.nan, np.datetime64("2020")]) == ["choices", "choices"]
