from __future__ import annotations

import pytest

from experiments.arms import Defaults, arms_of
from experiments.search.grid import MAX_GRID_POINTS, check_grid, grid_points
from search_spaces import Choice, Float, Int, SearchSpace, SpaceError, Value
from tests.made_up_spaces import CONDITIONAL, DEFAULTS, FINITE


def test_a_default_that_is_a_point_moves_to_the_front_and_the_rest_keeps_its_order() -> None:
    space = SearchSpace.of(rate=Choice([0.1, 0.2, 0.3]))
    assert grid_points(space, {"rate": 0.2}) == [{"rate": 0.2}, {"rate": 0.1}, {"rate": 0.3}]


def test_a_default_that_is_no_point_is_added() -> None:
    space = SearchSpace.of(rate=Choice([0.1, 0.3]))
    assert grid_points(space, {"rate": 0.2}) == [{"rate": 0.2}, {"rate": 0.1}, {"rate": 0.3}]


def test_a_projected_default_is_a_point_of_a_stepped_range() -> None:
    space = SearchSpace.of(dropout=Float(0.0, 0.7, step=0.1))
    default = space.project({"dropout": 0.31})
    assert len(grid_points(space, default)) == 8
    assert grid_points(space, default)[0] == {"dropout": 0.3}


def test_continuous_ranges_are_named() -> None:
    problems = check_grid(CONDITIONAL)
    assert {p.key for p in problems} == {"search.sampler"}
    text = " ".join(p.message for p in problems)
    assert "learning_rate" in text and "input_dropout" in text and "n_layers" not in text
    with pytest.raises(SpaceError):
        grid_points(CONDITIONAL, {})


def test_a_grid_that_is_too_large_is_refused_by_its_count() -> None:
    space = SearchSpace.of(**{f"x{i}": Int(0, 99) for i in range(9)})
    (problem,) = check_grid(space)
    assert f"{100**9:,}" in problem.message and f"{MAX_GRID_POINTS:,}" in problem.message


@pytest.mark.parametrize("rate", [0.001, 0.02, 7, "fast"])
def test_a_grid_has_the_points_of_its_space_with_and_without_arms_whatever_the_defaults(
    rate: Value,
) -> None:
    """Their projection is a point, also of a stepped range between whose steps they lie."""
    assert check_grid(FINITE) == []
    defaults = Defaults({**DEFAULTS.values, "learning_rate": rate, "dropout": 0.33})
    whole = grid_points(FINITE, defaults.on(FINITE))
    arms = arms_of(FINITE, "architecture").values()
    apart = [point for arm in arms for point in grid_points(arm, defaults.on(arm))]
    assert len(whole) == len(apart) == FINITE.count() == 9 + 18
    assert sorted(map(repr, whole)) == sorted(map(repr, apart))
