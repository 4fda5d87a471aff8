"""A whole grid as a list of configurations: every point of a conditional space, counted first."""

from __future__ import annotations

from collections.abc import Mapping

from recommender.config import shape_of
from search_spaces import Problem, SearchSpace, SpaceError, Value

MAX_GRID_POINTS = 100_000


def check_grid(space: SearchSpace) -> list[Problem]:
    """What keeps a space from being enumerated: continuous ranges, or too many points."""
    try:
        n_points = space.count()
    except SpaceError as error:
        return [Problem("search.sampler", f"grid: {problem}") for problem in error.problems]
    if n_points > MAX_GRID_POINTS:
        message = (
            f"grid: the space has {n_points:,} points, at most {MAX_GRID_POINTS:,} can be listed; "
            "take fewer choices or larger steps, or another sampler"
        )
        return [Problem("search.sampler", message)]
    return []


def grid_points(space: SearchSpace, default: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The default configuration, then every other point of the space.

    So the default is counted once, as a point of the grid where it is one. Points whose models have
    one shape follow each other, since a shape is paid for once; shapes and points come in declared
    order otherwise.

    Raises:
        SpaceError: a dimension has no finite grid.
    """
    first = dict(default)
    by_shape: dict[object, list[dict[str, Value]]] = {shape_of(first): [first]}
    for point in space.points():
        if point != first:
            by_shape.setdefault(shape_of(point), []).append(point)
    return [point for points in by_shape.values() for point in points]
