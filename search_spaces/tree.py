"""The conditional tree of a space: its order, its cycles, and the situations that can arise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from search_spaces.cases import Conditions, holds
from search_spaces.distributions import Distribution, Float
from search_spaces.values import Value, is_among


class Branch(Protocol):
    """What cases and slots share."""

    @property
    def distribution(self) -> Distribution: ...
    @property
    def conditions(self) -> Conditions: ...


Parents = Mapping[str, frozenset[str]]
"""By name: the names it depends on."""


def dependency_order(parents: Parents) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Names with parents before children and otherwise as they come, and the cycles among them.

    Parents that are no names of the mapping do not count.
    """
    left = {name: {p for p in above if p in parents} for name, above in parents.items()}
    order: list[str] = []
    cycles: list[tuple[str, ...]] = []
    while left:
        free = next((name for name, above in left.items() if not above.intersection(left)), None)
        if free is not None:
            order.append(free)
            del left[free]
            continue
        path = [next(iter(left))]
        while (above := min(left[path[-1]].intersection(left))) not in path:
            path.append(above)
        cycle = tuple(path[path.index(above) :])
        cycles.append(cycle)
        for name in cycle:
            del left[name]
    return tuple(order), tuple(cycles)


def ancestors(name: str, parents: Parents) -> frozenset[str]:
    """Everything that `name` depends on, directly or not; itself only where it is in a cycle."""
    found: set[str] = set()
    left = list(parents.get(name, ()))
    while left:
        above = left.pop()
        if above not in found:
            found.add(above)
            left += parents.get(above, ())
    return frozenset(found)


def independent_groups(parents: Parents) -> tuple[tuple[str, ...], ...]:
    """Names in groups that do not depend on each other, within a group as they come."""
    groups: list[set[str]] = []
    for name, above in parents.items():
        related = {name, *above}
        apart = [group for group in groups if not group & related]
        together = related.union(*(group for group in groups if group & related))
        groups = [*apart, together]
    return tuple(tuple(name for name in parents if name in group) for group in groups)


def situations(
    order: Sequence[str],
    branches: Mapping[str, Sequence[Branch]],
    conditions: Iterable[Conditions],
) -> Iterator[tuple[dict[str, Value], int]]:
    """All that `conditions` can tell apart about the named dimensions.

    Values that no condition tells apart come as one of them, so that a wide range costs no more
    than a narrow one.

    Args:
        order: dimensions with a single value each, parents first, every parent among them.
        branches: by name, the cases of each; at most one of them is taken to hold.
        conditions: what will be asked of the situations, that of the branches included.

    Yields:
        the values of the dimensions that are active, and how many points are alike in this.
    """
    mentioned: dict[str, list[tuple[Value, ...]]] = {}
    for when in conditions:
        for name, allowed in when.items():
            mentioned.setdefault(name, []).append(allowed)

    def grow(
        depth: int, values: dict[str, Value], alike: int
    ) -> Iterator[tuple[dict[str, Value], int]]:
        if depth == len(order):
            yield values, alike
            return
        name = order[depth]
        active = next((b for b in branches[name] if holds(b.conditions, values)), None)
        if active is None:
            yield from grow(depth + 1, values, alike)
            return
        for value, n_alike in _told_apart(active.distribution, mentioned.get(name, [])):
            yield from grow(depth + 1, {**values, name: value}, alike * n_alike)

    yield from grow(0, {}, 1)


def _told_apart(
    distribution: Distribution, sets: Sequence[tuple[Value, ...]]
) -> Iterator[tuple[Value, int]]:
    """One value of each group that the sets tell apart, and how many are in the group."""
    if isinstance(distribution, Float):
        yield distribution.low, 1
        return
    groups: dict[tuple[bool, ...], tuple[Value, int]] = {}
    named = [value for allowed in sets for value in allowed if distribution.contains(value)]
    distinct = [value for i, value in enumerate(named) if not is_among(value, named[:i])]
    for value in distinct:
        signature = tuple(is_among(value, allowed) for allowed in sets)
        first, n_alike = groups.get(signature, (value, 0))
        groups[signature] = (first, n_alike + 1)
    yield from groups.values()
    n_others = distribution.size - len(distinct)
    if n_others:
        yield next(v for v in distribution.grid() if not is_among(v, distinct)), n_others
