"""Named knobs, the slots a sampler fills for them, and the columns a table shows of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from search_spaces.cases import MOST_LAYERS, Case, Conditions, spell_conditions
from search_spaces.distributions import Choice, Distribution, Float
from search_spaces.problems import Problem, SpaceError
from search_spaces.values import Value, is_among, is_whole


@dataclass(frozen=True, slots=True)
class Dimension:
    """A named knob: a distribution, or one per case of other dimensions."""

    name: str
    cases: tuple[Case, ...]
    """At most one of them holds at a time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", tuple(self.cases))
        if not self.cases:
            raise SpaceError([Problem(self.name, "a dimension needs at least one case")])

    @property
    def each(self) -> str | int | None:
        """One value per layer (`layer_size_0`, ...): who says how many; None for a single value."""
        return self.cases[0].count

    @property
    def parents(self) -> frozenset[str]:
        """The dimensions that this one depends on."""
        counts = {case.count for case in self.cases if isinstance(case.count, str)}
        return frozenset(counts.union(*(case.conditions for case in self.cases)))


@dataclass(frozen=True, slots=True)
class Slot:
    """One value to draw: one case of a dimension, for one layer where it has several."""

    key: str
    """Unique in the space: `learning_rate[optimizer=adam|adamw]`, or the name where there is one
    case. A sampler's name for it."""
    name: str
    """The column: `learning_rate`, `layer_size_0`. A trial has at most one value of a name."""
    distribution: Distribution
    conditions: Conditions
    """All that must hold; for `layer_size_1` that includes `n_layers` being 2 or more."""

    def __hash__(self) -> int:
        return hash((self.key, self.name, self.distribution, frozenset(self.conditions.items())))


@dataclass(frozen=True, slots=True)
class Column:
    """What a table, a chart or TensorBoard shows for one name: the union of its cases."""

    name: str
    kind: Literal["float", "int", "choice"]
    low: float | None
    """None for choices, as is `high`."""
    high: float | None
    log: bool
    """Some case is logarithmic and all values are above 0."""
    choices: tuple[Value, ...]
    """Empty for ranges."""
    is_always_there: bool = True
    """Every point of the space has a value of this name."""


def layer_counts(distributions: Iterable[Distribution]) -> tuple[int, ...]:
    """The numbers of layers that a dimension with these distributions can say, ascending.

    Empty where it does not count: it is no whole number, or one too large for that.
    """
    counts: set[int] = set()
    for distribution in distributions:
        if not isinstance(distribution, Float) and distribution.size <= MOST_LAYERS + 1:
            counts.update(v for v in distribution.grid() if is_whole(v) and 0 <= v <= MOST_LAYERS)
    return tuple(sorted(counts))


def slots_of(dimension: Dimension, counts: tuple[int, ...]) -> tuple[Slot, ...]:
    """The slots of a dimension, cases within layers.

    Args:
        dimension: the dimension.
        counts: the values that the dimension named by `each` can have; unused without `each`.
    """
    each = dimension.each
    if each is None:
        return tuple(
            _slot(dimension, case, dimension.name, dict(case.conditions))
            for case in dimension.cases
        )
    slots = []
    for layer in range(each if isinstance(each, int) else max(counts, default=0)):
        for case in dimension.cases:
            when = dict(case.conditions)
            if isinstance(each, str):
                enough = tuple(count for count in counts if count > layer)
                when[each] = tuple(n for n in enough if each not in when or n in when[each])
                if not when[each]:
                    continue
            slots.append(_slot(dimension, case, f"{dimension.name}_{layer}", when))
    return tuple(slots)


def column_of(slots: tuple[Slot, ...], *, is_always_there: bool) -> Column:
    """The union of slots of one name, which are all of one kind."""
    name, kind = slots[0].name, slots[0].distribution.kind
    distributions = [slot.distribution for slot in slots]
    choices: list[Value] = []
    low = high = None
    log = False
    for distribution in distributions:
        if isinstance(distribution, Choice):
            choices += [c for c in distribution.choices if not is_among(c, choices)]
        else:
            low = distribution.low if low is None else min(low, distribution.low)
            high = distribution.high if high is None else max(high, distribution.high)
            log = log or distribution.log
    log = log and low is not None and low > 0
    return Column(name, kind, low, high, log, tuple(choices), is_always_there)


def _slot(dimension: Dimension, case: Case, name: str, when: Conditions) -> Slot:
    has_one_case = len(dimension.cases) == 1
    key = name if has_one_case else f"{name}[{spell_conditions(case.conditions)}]"
    return Slot(key, name, case.distribution, when)
