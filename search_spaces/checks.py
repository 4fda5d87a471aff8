"""Whether dimensions make a sound tree: every rule that spans more than one distribution."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from search_spaces.cases import MOST_LAYERS, Case, Conditions
from search_spaces.coverage import Activity, activity_of
from search_spaces.dimensions import layer_counts
from search_spaces.distributions import Choice, Distribution, Float
from search_spaces.drafts import Draft, Drafts
from search_spaces.problems import Problem, unknown
from search_spaces.tree import Parents, ancestors, dependency_order
from search_spaces.values import Kind, Value, is_whole, spell

RESERVED = ("use", "without")
"""Keys of a `[space]` table that are no dimensions."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the check of a tree found."""

    problems: tuple[Problem, ...]
    activities: Mapping[str, Activity]
    """Of each dimension whose own cases and those of its ancestors can be used."""

    @property
    def idle(self) -> tuple[Draft, ...]:
        """Cases that are never active, since their conditions cannot hold together."""
        return tuple(case for activity in self.activities.values() for case in activity.idle)

    @property
    def holes(self) -> dict[str, Problem]:
        """By dimension: its cases leave a hole, which only a fixed value could fill."""
        return {name: a.hole for name, a in self.activities.items() if a.hole}


def check(
    drafts: Drafts,
    absent: Mapping[str, str] | None = None,
    meaningless: Mapping[str, Conditions] | None = None,
) -> Findings:
    """Every breach of a rule between dimensions.

    Args:
        drafts: the cases of all dimensions.
        absent: names that a user may expect among them, and why they are not.
        meaningless: by name, where a dimension means nothing and needs no case.
    """
    problems = [*_problems_with_names(drafts), *_problems_with_kinds(drafts)]
    parents = _parents(drafts)
    order, cycles = dependency_order(parents)
    problems += [
        Problem(cycle[0], f"conditions go round in a circle: {' -> '.join((*cycle, cycle[0]))}")
        for cycle in cycles
    ]
    unsound = {name for cycle in cycles for name in cycle}
    for name, cases in drafts.items():
        faults = [
            fault for case in cases for fault in _faults_of_references(case, drafts, absent or {})
        ]
        problems += faults
        if faults or not cases or any(case.distribution is None for case in cases):
            unsound.add(name)
    activities: dict[str, Activity] = {}
    for name in order:
        above = ancestors(name, parents)
        if name not in unsound and not above & unsound:
            tree = {
                n: [
                    Case(case.distribution, case.conditions)
                    for case in drafts[n]
                    if case.distribution
                ]
                for n in order
                if n in above
            }
            activities[name] = activity_of(name, drafts[name], tree, (meaningless or {}).get(name))
            problems += activities[name].overlaps
    return Findings(tuple(dict.fromkeys(problems)), activities)


def _parents(drafts: Drafts) -> Parents:
    return {
        name: frozenset(
            above
            for case in cases
            for above in (*case.conditions, *([case.count] if isinstance(case.count, str) else []))
            if above in drafts
        )
        for name, cases in drafts.items()
    }


def is_name(text: str) -> bool:
    """Whether a dimension may be called so."""
    return _NAME.fullmatch(text) is not None


def _problems_with_names(drafts: Drafts) -> Iterator[Problem]:
    columns: dict[str, str] = {}
    for name, cases in drafts.items():
        if not is_name(name):
            yield Problem(name, f"{name!r} is no name: letters, digits and _ only, no digit first")
        if name in RESERVED:
            yield Problem(name, f"{name!r} is reserved: give the dimension another name")
        for column in _column_names(name, cases, drafts):
            if column in columns:
                yield Problem(
                    name, f"{name!r} and {columns[column]!r} would both have a column {column!r}"
                )
            columns[column] = name


def _column_names(name: str, cases: Sequence[Draft], drafts: Drafts) -> list[str]:
    count = cases[0].count if cases else None
    if count is None:
        return [name]
    if isinstance(count, str):
        distributions = [case.distribution for case in drafts.get(count, [])]
        count = max(layer_counts(d for d in distributions if d), default=0)
    return [f"{name}_{i}" for i in range(count)]


def _problems_with_kinds(drafts: Drafts) -> Iterator[Problem]:
    for name, cases in drafts.items():
        first, kinds = None, None
        for case in cases:
            if case.distribution is None:
                continue
            if first is None:
                first, kinds = case, _kinds(case.distribution)
            elif _kinds(case.distribution) != kinds:
                yield Problem(
                    case.key,
                    "all cases of a dimension must be of one kind, but "
                    f"{first.key} is {first.distribution} and this one {case.distribution}",
                )
            if case.count != first.count:
                yield Problem(
                    f"{case.key}.each",
                    f"all cases of {name!r} need the same each, "
                    f"got {spell(first.count)} and {spell(case.count)}",
                )


def _kinds(distribution: Distribution) -> tuple[str, Kind | None]:
    if isinstance(distribution, Choice):
        kind = distribution.value_kind
        return "choice", "number" if kind == "whole" else kind
    return distribution.kind, None


def _faults_of_references(
    case: Draft, drafts: Drafts, absent: Mapping[str, str]
) -> Iterator[Problem]:
    for name, allowed in case.conditions.items():
        key = f"{case.key}.when.{name}"
        if name not in drafts:
            told = unknown("dimension", name, drafts, _OF_FIXED)
            yield Problem(key, absent.get(name, told))
            continue
        parents = drafts[name]
        if any(parent.count is not None for parent in parents):
            yield Problem(
                key, f"{name!r} has one value per layer; a condition needs a single value"
            )
            continue
        distributions = [parent.distribution for parent in parents]
        if any(isinstance(distribution, Float) for distribution in distributions):
            yield Problem(
                key, f"{name!r} is a continuous range; a condition needs choices or whole numbers"
            )
            continue
        if not parents or None in distributions:
            continue  # What it can be is not known until its own mistake is mended.
        for value in allowed:
            if not any(d.contains(value) for d in distributions if d):
                yield Problem(key, _never(name, value, distributions))
    if isinstance(case.count, str):
        yield from _faults_of_count(case, case.count, drafts, absent)


def _faults_of_count(
    case: Draft, name: str, drafts: Drafts, absent: Mapping[str, str]
) -> Iterator[Problem]:
    key = f"{case.key}.each"
    if name not in drafts:
        told = f"{unknown('dimension', name, drafts)}; {_OF_FIXED_COUNT}"
        yield Problem(key, absent.get(name, told))
        return
    parents = drafts[name]
    if any(parent.count is not None for parent in parents):
        yield Problem(key, f"{name!r} has one value per layer itself; each needs a single count")
        return
    for parent in parents:
        if parent.distribution is None:
            continue
        low, high = _ends(parent.distribution)
        if low is None or high is None:
            yield Problem(key, f"{name!r} does not count: each needs whole numbers")
        elif low < 0 or high > MOST_LAYERS:
            yield Problem(
                key, f"{name!r} goes from {low} to {high}; each needs 0 to {MOST_LAYERS} layers"
            )


def _ends(distribution: Distribution) -> tuple[int | None, int | None]:
    if isinstance(distribution, Float):
        return None, None
    if isinstance(distribution, Choice):
        wholes = [choice for choice in distribution.choices if is_whole(choice)]
        return (min(wholes), max(wholes)) if wholes else (None, None)
    return distribution.low, distribution.high


_OF_FIXED = "a condition needs one that varies here: of what does not, leave it out"
_OF_FIXED_COUNT = (
    "give it a dimension, or a value under [model] (from Python with the space as a dict)"
)


def _never(name: str, value: Value, distributions: Sequence[Distribution | None]) -> str:
    can_be = ", or ".join(dict.fromkeys(str(distribution) for distribution in distributions))
    return f"{name!r} is never {spell(value)}; it is {can_be}"
