"""A distribution together with the condition under which it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from search_spaces.problems import Problem, SpaceError
from search_spaces.values import Value, as_python, is_among, is_same, is_whole, kind_of, spell

if TYPE_CHECKING:
    from search_spaces.distributions import Distribution

Conditions = Mapping[str, tuple[Value, ...]]
"""What each named dimension must be: one of some values. All of them must hold."""

MOST_LAYERS = 100
"""How many values a dimension with `each` may have at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """One distribution of a dimension and when it is used."""

    distribution: Distribution
    conditions: Conditions = field(default_factory=dict)
    """Empty: always."""
    count: str | int | None = None
    """One value per layer: the dimension that says how many, or the number itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", as_python(self.count))
        problems = [
            problem.under("when") for n, v in self.conditions.items() for problem in _faults(n, v)
        ]
        if self.count is not None:
            problems += problems_with_count(self.count)
        if problems:
            raise SpaceError(problems)
        object.__setattr__(self, "conditions", {n: tuple(v) for n, v in self.conditions.items()})

    def __hash__(self) -> int:
        return hash((self.distribution, frozenset(self.conditions.items()), self.count))

    def when(self, **conditions: Value | Sequence[Value]) -> Case:
        """Active only where these hold, too.

        Raises:
            SpaceError: one of them has a condition already.
        """
        if twice := self.conditions.keys() & conditions.keys():
            told = "has a condition already; give its values in one list"
            raise SpaceError([Problem(f"when.{name}", told) for name in sorted(twice)])
        return replace(self, conditions={**self.conditions, **regular_conditions(conditions)})

    def each(self, count: str | int) -> Case:
        """One value per layer: the dimension (or number) `count` says how many."""
        return replace(self, count=count)


def regular_conditions(named: Mapping[str, object]) -> dict[str, tuple[Value, ...]]:
    """Conditions as users write them, one value or a list of them, made regular.

    A function or a class stands for its name.

    Raises:
        SpaceError: no value, one twice, or one that no dimension can have.
    """
    regular = {
        name: tuple(map(_spoken, v if isinstance(v, Sequence) and not isinstance(v, str) else (v,)))
        for name, v in zip(named, map(as_python, named.values()), strict=True)
    }
    problems = [problem for n, v in regular.items() for problem in _faults(n, v)]
    if problems:
        raise SpaceError(problems)
    return regular


def _spoken(value: Any) -> Any:
    return getattr(value, "__name__", value) if callable(value) else as_python(value)


def holds(when: Conditions, values: Mapping[str, Value]) -> bool:
    """Whether all conditions are met; one on an absent dimension is not."""
    return all(name in values and is_among(values[name], allowed) for name, allowed in when.items())


def deciding_names(cases: Sequence[Conditions]) -> frozenset[str]:
    """The names by which cases are told apart; the others say when the dimension exists at all."""
    first = cases[0]
    shared = {n for n in first if all(set(when.get(n, ())) == set(first[n]) for when in cases)}
    return frozenset(name for when in cases for name in when if name not in shared)


def spell_conditions(when: Conditions) -> str:
    """`optimizer=adam|adamw,side_features=true`: short, and different for different conditions."""
    return ",".join(
        f"{name}={'|'.join(_spell_bare(value) for value in allowed)}"
        for name, allowed in when.items()
    )


def problems_with_count(count: object) -> list[Problem]:
    if isinstance(count, str) or (is_whole(count) and 1 <= count <= MOST_LAYERS):
        return []
    a_count = f"the name of a dimension that counts layers, or a number from 1 to {MOST_LAYERS}"
    return [Problem("each", f"each must be {a_count}, got {spell(count)}")]


def _faults(name: str, allowed: Sequence[object]) -> list[Problem]:
    if not allowed:
        return [Problem(name, "a condition needs at least one value")]
    faults = [
        Problem(name, f"no dimension can have the value {spell(value)}")
        for value in allowed
        if kind_of(value) is None
    ]
    sound = [value for value in allowed if isinstance(value, Value) and kind_of(value)]
    twice = [v for i, v in enumerate(sound) if any(is_same(v, other) for other in sound[:i])]
    return faults + [Problem(name, f"{spell(value)} is in the condition twice") for value in twice]


def _spell_bare(value: Value) -> str:
    is_bare = isinstance(value, str) and value and all(c.isalnum() or c in "_-." for c in value)
    return str(value) if is_bare else spell(value)
