"""Cases on their way into a space: not yet checked against each other, perhaps not all usable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from search_spaces.cases import Case, deciding_names
from search_spaces.dimensions import Dimension
from search_spaces.distributions import Distribution
from search_spaces.values import Value


@dataclass(slots=True)
class Draft:
    """One case on its way into a space, with where it is written."""

    key: str
    distribution: Distribution | None
    """None where it was written but cannot be used, which has been told already."""
    conditions: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    count: str | int | None = None
    is_inherited: bool = False
    """From a shipped space: it gives way where the user's own tables leave it no room."""
    decided_by: frozenset[str] = frozenset()
    """If inherited, what tells the cases of its dimension apart, those that gave way included."""


Drafts = dict[str, list[Draft]]
"""By name of dimension, in the order of the space; no cases: a dimension that cannot be used."""


def drafts_of(dimensions: Sequence[Dimension], *, is_inherited: bool = False) -> Drafts:
    drafts: Drafts = {}
    for dimension in dimensions:
        names = deciding_names([case.conditions for case in dimension.cases])
        drafts[dimension.name] = [
            Draft(
                dimension.name if len(dimension.cases) == 1 else f"{dimension.name}[{i}]",
                case.distribution,
                dict(case.conditions),
                case.count,
                is_inherited,
                names if is_inherited else frozenset(),
            )
            for i, case in enumerate(dimension.cases)
        ]
    return drafts


def dimensions_of(drafts: Drafts) -> tuple[Dimension, ...]:
    """The dimensions that drafts without problems describe."""
    return tuple(
        Dimension(
            name,
            tuple(
                Case(case.distribution, case.conditions, case.count)
                for case in cases
                if case.distribution
            ),
        )
        for name, cases in drafts.items()
    )
