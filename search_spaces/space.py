"""What may vary: an ordered set of dimensions whose conditions form a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from search_spaces.cases import Case, holds
from search_spaces.checks import check
from search_spaces.dimensions import Column, Dimension, Slot, column_of, layer_counts, slots_of
from search_spaces.distributions import Choice, Distribution
from search_spaces.drafts import dimensions_of, drafts_of
from search_spaces.narrowing import narrow
from search_spaces.problems import Problem, SpaceError, unknown
from search_spaces.tables import write_dimension
from search_spaces.tree import ancestors, dependency_order, independent_groups, situations
from search_spaces.values import Value, spell


@dataclass(frozen=True)
class SearchSpace:
    """Dimensions, some of them active only under conditions on others.

    Raises:
        SpaceError: a rule is broken; all problems at once. Cases that leave a hole are allowed
            here (the dimension is absent there); `parse_space` asks for a fixed value.
    """

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", tuple(self.dimensions))
        problems = [] if self.dimensions else [Problem("", "a space needs a dimension")]
        names = [dimension.name for dimension in self.dimensions]
        problems += [
            Problem(name, f"{name!r} is there twice")
            for i, name in enumerate(names)
            if name in names[:i]
        ]
        problems += check(drafts_of(self.dimensions)).problems
        if problems:
            raise SpaceError(list(dict.fromkeys(problems)))

    @classmethod
    def of(cls, **dimensions: Distribution | Case | Sequence[Distribution | Case]) -> SearchSpace:
        """A space from named distributions, cases, or lists of cases.

        SearchSpace.of(
            architecture=Choice(["plain", "dcn"]),
            optimizer=Choice(["adam", "adagrad"]),
            learning_rate=[
                Float(3e-4, 5e-3, log=True).when(optimizer="adam"),
                Float(0.03, 0.3, log=True).when(optimizer="adagrad"),
            ],
            cross_layers=Int(1, 3).when(architecture="dcn"),
            n_layers=Int(1, 3),
            layer_size=Choice([32, 64, 128]).each("n_layers"),
        )
        """
        problems: list[Problem] = []
        cases = {name: _cases_of(name, given, problems) for name, given in dimensions.items()}
        if problems:
            raise SpaceError(problems)
        return cls(tuple(Dimension(name, its) for name, its in cases.items()))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Every value that some trial needs, in the order of the space."""
        return tuple(slot for slots in self._slots.values() for slot in slots)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One per name, in the order of the space."""
        by_name: dict[str, list[Slot]] = {}
        for slot in self.slots:
            by_name.setdefault(slot.name, []).append(slot)
        return tuple(
            column_of(tuple(slots), is_always_there=self._is_always_there(slots))
            for slots in by_name.values()
        )

    def walk(self, draw: Callable[[Slot], Value]) -> dict[str, Value]:
        """One point of the space: a value for each active slot, parents before children."""
        values: dict[str, Value] = {}
        for slot in self._ordered_slots:
            if holds(slot.conditions, values):
                values[slot.name] = draw(slot)
        return values

    def active(self, values: Mapping[str, Value]) -> tuple[tuple[Slot, Value], ...]:
        """The slots that `values` fills, parents first; SpaceError where it is no point."""
        if problems := self.problems(values):
            raise SpaceError([Problem("", problem) for problem in problems])
        return tuple(
            (s, values[s.name]) for s in self._ordered_slots if holds(s.conditions, values)
        )

    def project(self, defaults: Mapping[str, Value]) -> dict[str, Value]:
        """The point nearest to `defaults`: clipped to ranges, the first choice where theirs is not.

        Where `defaults` has no name, the first choice or the low end; `layer_size_0` takes that of
        `layer_size`.
        """
        by_column = self.by_column(defaults)
        return self.walk(lambda slot: slot.distribution.clip(by_column.get(slot.name)))

    def by_column(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values, and where one is for all layers (`layer_size`) it for each that has none."""
        spread = {
            slot.name: values[name]
            for name, slots in self._slots.items()
            if name in values
            for slot in slots
        }
        return spread | dict(values)

    def problems(self, values: Mapping[str, Value]) -> list[str]:
        """Why `values` is no point of the space: names too many, names missing, wrong values."""
        found = []
        active = {slot.name: slot for slot in self._ordered_slots if holds(slot.conditions, values)}
        names = {slot.name for slot in self.slots}
        for name, value in values.items():
            if name not in names:
                found.append(unknown("dimension", name, names))
            elif name not in active:
                found.append(f"{name} is not active here, got {spell(value)}")
            elif not active[name].distribution.contains(value):
                found.append(f"{name} must be {active[name].distribution}, got {spell(value)}")
        return found + [f"{name} is missing" for name in active if name not in values]

    def restrict(self, name: str, value: Value) -> SearchSpace:
        """The space of one arm: the choice `name` narrowed to one value.

        What can only be active under its other values is left out.

        Raises:
            SpaceError: `name` is no unconditional choice of this space, or `value` none of its.
        """
        dimension = next((d for d in self.dimensions if d.name == name), None)
        if dimension is None:
            known = [dimension.name for dimension in self.dimensions]
            raise SpaceError([Problem(name, unknown("dimension", name, known))])
        case = dimension.cases[0]
        if (
            not isinstance(case.distribution, Choice)
            or case.conditions
            or dimension.each is not None
        ):
            raise SpaceError([Problem(name, "arms need choices that are always active")])
        if not case.distribution.contains(value):
            message = f"must be {case.distribution}, got {spell(value)}"
            raise SpaceError([Problem(name, message)])
        narrowed = Dimension(name, (Case(Choice((case.distribution.clip(value),))),))
        dimensions = [narrowed if d is dimension else d for d in self.dimensions]
        return SearchSpace(dimensions_of(narrow(drafts_of(dimensions, is_inherited=True))))

    def count(self) -> int:
        """How many points the grid has.

        Raises:
            SpaceError: a dimension has no finite grid; all that have none.
        """
        self._refuse_continua()
        parents = {dimension.name: dimension.parents for dimension in self.dimensions}
        return math.prod(self._count(group) for group in independent_groups(parents))

    def points(self) -> Iterator[dict[str, Value]]:
        """The grid: every point once, the last dimensions changing fastest.

        Raises:
            SpaceError: a dimension has no finite grid; all that have none.
        """
        self._refuse_continua()
        return self._grow({}, 0)

    def to_table(self) -> dict[str, Any]:
        """The `[space]` table of a sweep file; `parse_space` makes this space of it again.

        In the order of the dimensions, which counts: samplers draw in it.
        """
        return {dimension.name: write_dimension(dimension) for dimension in self.dimensions}

    @cached_property
    def _order(self) -> tuple[str, ...]:
        return dependency_order({d.name: d.parents for d in self.dimensions})[0]

    @cached_property
    def _slots(self) -> dict[str, tuple[Slot, ...]]:
        counts = {d.name: layer_counts(c.distribution for c in d.cases) for d in self.dimensions}
        return {
            d.name: slots_of(d, counts[d.each] if isinstance(d.each, str) else ())
            for d in self.dimensions
        }

    @cached_property
    def _ordered_slots(self) -> tuple[Slot, ...]:
        return tuple(slot for name in self._order for slot in self._slots[name])

    def _is_always_there(self, slots: Sequence[Slot]) -> bool:
        """Whether at every point of the space one of these is active."""
        parents = {d.name: d.parents for d in self.dimensions}
        asked = [name for slot in slots for name in slot.conditions]
        above = {*asked}.union(*(ancestors(name, parents) for name in asked))
        deciding = {name: self._slots[name] for name in self._order if name in above}
        conditions = [s.conditions for its in (*deciding.values(), slots) for s in its]
        return all(
            any(holds(slot.conditions, values) for slot in slots)
            for values, _ in situations(tuple(deciding), deciding, conditions)
        )

    def _count(self, group: tuple[str, ...]) -> int:
        """The points of the space of these dimensions, which depend on no others."""
        slots = {name: self._slots[name] for name in self._order if name in group}
        above = {parent for d in self.dimensions if d.name in slots for parent in d.parents}
        deciding = [name for name in slots if name in above]
        others = [slot for name in slots if name not in above for slot in slots[name]]
        asked = [slot.conditions for its in slots.values() for slot in its]
        return sum(
            n_alike
            * math.prod(s.distribution.size or 0 for s in others if holds(s.conditions, values))
            for values, n_alike in situations(deciding, slots, asked)
        )

    def _grow(self, values: dict[str, Value], depth: int) -> Iterator[dict[str, Value]]:
        """The points that agree with `values`, which fill the first `depth` slots."""
        slots = enumerate(self._ordered_slots[depth:], depth)
        i, slot = next(((i, s) for i, s in slots if holds(s.conditions, values)), (0, None))
        if slot is None:
            yield values
            return
        for value in slot.distribution.grid():
            yield from self._grow({**values, slot.name: value}, i + 1)

    def _refuse_continua(self) -> None:
        continua = dict.fromkeys(slot.key for slot in self.slots if slot.distribution.size is None)
        if continua:
            raise SpaceError(
                [
                    Problem(key, "a grid needs choices, whole numbers, or a range with a step")
                    for key in continua
                ]
            )


def space(**dimensions: Distribution | Case | Sequence[Distribution | Case]) -> SearchSpace:
    """A space from named distributions, cases, or lists of cases: see `SearchSpace.of`."""
    return SearchSpace.of(**dimensions)


def _cases_of(name: str, given: object, problems: list[Problem]) -> tuple[Case, ...]:
    parts = given if isinstance(given, list | tuple) else [given]
    cases = []
    for part in parts:
        if isinstance(part, Distribution | Case):
            cases.append(part if isinstance(part, Case) else Case(part))
        else:
            message = f"must be a Float, Int or Choice, or a list of cases, got {spell(part)}"
            problems.append(Problem(name, message))
    if not parts:
        problems.append(Problem(name, "a list of cases must not be empty"))
    return tuple(cases)
