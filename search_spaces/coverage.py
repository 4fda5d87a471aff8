"""Which cases of a dimension hold where: overlaps, holes, and cases that never hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from search_spaces.cases import Case, Conditions, deciding_names, holds, spell_conditions
from search_spaces.distributions import Choice
from search_spaces.drafts import Draft
from search_spaces.problems import Problem
from search_spaces.tree import situations
from search_spaces.values import Value


@dataclass(frozen=True, slots=True)
class Activity:
    """When a dimension is active, over all situations that the dimensions above can be in."""

    overlaps: tuple[Problem, ...]
    """Pairs of cases that hold at the same time."""
    hole: Problem | None
    """Cases are wanting: what a user would have to add or fix."""
    idle: tuple[Draft, ...]
    """Cases that hold nowhere."""
    is_sometimes_absent: bool


def activity_of(
    name: str,
    cases: Sequence[Draft],
    tree: Mapping[str, Sequence[Case]],
    meaningless: Conditions | None = None,
) -> Activity:
    """When the cases of a dimension are active.

    Conditions that all cases share say when the dimension exists at all; the others must leave no
    hole. Where a parent is absent there is nothing to decide, so that is none.

    Args:
        name: of the dimension.
        cases: of the dimension.
        tree: all that it depends on, directly or not, parents first.
        meaningless: where it means nothing, so that a hole is none there.
    """
    deciding = deciding_names([case.conditions for case in cases]).union(
        *(c.decided_by for c in cases)
    )
    shared = {n: allowed for n, allowed in cases[0].conditions.items() if n not in deciding}
    overlaps: dict[tuple[int, int], Problem] = {}
    places: dict[str, None] = {}
    used: set[int] = set()
    is_sometimes_absent = False
    for values in _situations(cases, deciding, tree):
        active = [i for i, case in enumerate(cases) if holds(case.conditions, values)]
        used.update(active)
        for i, j in itertools.pairwise(active):
            where = _where(values, (*cases[i].conditions, *cases[j].conditions))
            message = f"holds at the same time as {cases[i].key}{where}"
            overlaps.setdefault((i, j), Problem(cases[j].key, message))
        if not active:
            is_sometimes_absent = True
            can_be_decided = any(case.conditions.keys() <= values.keys() for case in cases)
            is_wanted = not (meaningless and holds(meaningless, values))
            if can_be_decided and is_wanted and holds(shared, values):
                places[_where(values, sorted(deciding))] = None
    return Activity(
        tuple(overlaps.values()),
        _hole(name, list(places)) if places else None,
        tuple(case for i, case in enumerate(cases) if i not in used),
        is_sometimes_absent,
    )


def _situations(
    cases: Sequence[Draft], deciding: Iterable[str], tree: Mapping[str, Sequence[Case]]
) -> Iterator[dict[str, Value]]:
    asked: list[Conditions] = [case.conditions for case in cases]
    asked += [case.conditions for above in tree.values() for case in above]
    # A hole is told choice by choice, also for those that no case mentions.
    asked += [
        {name: (choice,)}
        for name in deciding
        for parent in tree.get(name, ())
        if isinstance(parent.distribution, Choice)
        for choice in parent.distribution.choices
    ]
    return (values for values, _ in situations(tuple(tree), tree, asked))


def _hole(name: str, places: Sequence[str]) -> Problem:
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    return Problem(
        name,
        f"has no case{','.join(places[:5])}{more}; "
        f"add one, or give {name!r} a fixed value for the rest in [model]",
    )


def _where(values: Mapping[str, Value], names: Iterable[str]) -> str:
    at = spell_conditions({n: (values[n],) for n in dict.fromkeys(names) if n in values})
    return f" where {at}" if at else ""
