"""Values that a search tries right after its defaults: an earlier winner's, or written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.arms import Defaults, arm_name, arms_of
from recommender.config import Value
from recommender.errors import unknown
from search_spaces import Column, Problem, SearchSpace
from search_spaces.values import is_among, is_number, kind_of, spell_all

Point = Mapping[str, Value]


def enqueued_points(
    space: SearchSpace,
    points: Iterable[Point],
    defaults: Defaults,
    *,
    compare: str | None,
    arm: str | None,
) -> list[dict[str, Value]]:
    """The points of one arm, projected onto its space; none twice, and none that is the default."""
    found = [defaults.on(space)]
    for point in points:
        if arm is None or is_of_arm(point, compare, arm):
            projected = defaults.on(space, point)
            if projected not in found:
                found.append(projected)
    return found[1:]


def is_of_arm(point: Mapping[str, Any], compare: str | None, arm: str) -> bool:
    """Whether an arm tries a point: it says so, or says nothing of what is compared."""
    return compare is None or compare not in point or arm_name(point[compare]) == arm


def check_points(
    points: Sequence[Mapping[str, Any]],
    space: SearchSpace,
    compare: str | None,
    sampler: str,
    n_trials: int,
) -> list[Problem]:
    """What keeps points from being tried in a sweep, each by its key."""
    if not points:
        return []
    if sampler == "grid":
        return [Problem("search.enqueue", "a grid tries every point anyway; leave it out")]
    arms = [] if compare is None else list(arms_of(space, compare))
    problems = []
    by_arm = [sum(is_of_arm(point, compare, arm) for point in points) for arm in arms]
    n_needed = max(1, len(arms)) * (1 + max(by_arm or [len(points)]))
    if n_trials < n_needed:
        problems.append(
            Problem(
                "search.enqueue",
                f"with the default, which comes first, they need {n_needed} trials, and there are "
                f"{n_trials}; ask for more trials or enqueue less",
            )
        )
    columns = {column.name: column for column in space.columns}
    names = columns.keys() | {d.name for d in space.dimensions}
    for i, point in enumerate(points):
        for name, value in point.items():
            key = f"search.enqueue[{i}].{name}"
            if name not in names:
                problems.append(Problem(key, unknown("dimension", name, sorted(names))))
            elif kind_of(value) is None:
                problems.append(Problem(key, f"must be one value, got {value!r}"))
            elif name == compare and arm_name(value) not in arms:
                problems.append(Problem(key, unknown("arm", arm_name(value), arms)))
            else:
                its = [columns[c] for c in space.by_column({name: value}) if c in columns]
                told = filter(None, (value_problem(column, value) for column in its))
                problems += [Problem(key, problem) for problem in dict.fromkeys(told)]
    return problems


def value_problem(column: Column, value: Value) -> str | None:
    """Why a column cannot have a value; one beyond the ends of a range is moved to the end."""
    if column.choices:
        known = spell_all(column.choices)
        return None if is_among(value, column.choices) else f"must be one of {known}, got {value!r}"
    return None if is_number(value) else f"must be a number, got {value!r}"
