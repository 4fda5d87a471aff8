from __future__ import annotations

import pytest

from experiments.search.grid import MAX_GRID_POINTS, check_grid, grid_points, n_grid_trials
from search_spaces import Choice, Float, Int, SearchSpace, SpaceError
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


def test_a_grid_is_counted_over_the_conditional_tree_with_and_without_arms() -> None:
    assert check_grid(FINITE) == []
    assert n_grid_trials(FINITE, None, DEFAULTS) == FINITE.count() == 9 + 18
    assert n_grid_trials(FINITE, "architecture", DEFAULTS) == 27
