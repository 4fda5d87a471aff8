"""Whether dimensions make a sound tree: every rule that spans more than one distribution."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from search_spaces.cases import MOST_LAYERS, Case, Conditions, holds, spell_conditions
from search_spaces.dimensions import Dimension
from search_spaces.distributions import Choice, Distribution, Float
from search_spaces.problems import Problem, unknown
from search_spaces.tree import Parents, ancestors, dependency_order, situations
from search_spaces.values import Kind, Value, is_whole, spell

RESERVED = ("use", "without")
"""Keys of a `[space]` table that are no dimensions."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Draft:
    """One case on its way into a space, with where it is written."""

    key: str
    distribution: Distribution | None
    """None where it was written but cannot be used, which has been told already."""
    when: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    count: str | int | None = None
    is_inherited: bool = False
    """From a shipped space: it gives way where the user's own tables leave it no room."""


Drafts = dict[str, list[Draft]]
"""By name of dimension, in the order of the space; no cases: a dimension that cannot be used."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the check of a tree found."""

    problems: tuple[Problem, ...]
    holes: Mapping[str, Problem]
    """By dimension: its cases leave a hole, which only a fixed value could fill."""
    idle: tuple[Draft, ...]
    """Cases whose conditions cannot hold together: never active."""
    sometimes_absent: frozenset[str]
    """Dimensions that are not always active."""


def drafts_of(dimensions: Sequence[Dimension], *, is_inherited: bool = False) -> Drafts:
    return {
        dimension.name: [
            Draft(
                dimension.name if len(dimension.cases) == 1 else f"{dimension.name}[{i}]",
                case.distribution,
                dict(case.when),
                case.count,
                is_inherited,
            )
            for i, case in enumerate(dimension.cases)
        ]
        for dimension in dimensions
    }


def check(drafts: Drafts, absent: Mapping[str, str] | None = None) -> Findings:
    """Every breach of a rule between dimensions.

    Args:
        drafts: the cases of all dimensions.
        absent: names that a user may expect among them, and why they are not.
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
    holes: dict[str, Problem] = {}
    idle: list[Draft] = []
    sometimes_absent: set[str] = set()
    for name in order:
        above = ancestors(name, parents)
        if name in unsound or above & unsound:
            continue
        tree = {
            n: [Case(case.distribution, case.when) for case in drafts[n] if case.distribution]
            for n in order
            if n in above
        }
        activity = _activity(drafts[name], tree)
        problems += [
            Problem(
                drafts[name][j].key,
                f"overlaps with {drafts[name][i].key}"
                + _where(values, drafts[name][i].when, drafts[name][j].when),
            )
            for (i, j), values in activity.overlaps.items()
        ]
        if activity.holes:
            holes[name] = _hole(name, activity.holes)
        idle += [case for i, case in enumerate(drafts[name]) if i not in activity.used]
        if activity.is_sometimes_absent:
            sometimes_absent.add(name)
    return Findings(tuple(problems), holes, tuple(idle), frozenset(sometimes_absent))


def n_layers_at_most(cases: Sequence[Draft]) -> tuple[int, ...]:
    """The whole numbers that a dimension which counts layers can be, ascending."""
    counts = {n for case in cases if case.distribution for n in _wholes(case.distribution)}
    return tuple(sorted(counts))


def _parents(drafts: Drafts) -> Parents:
    return {
        name: frozenset(
            above
            for case in cases
            for above in (*case.when, *([case.count] if isinstance(case.count, str) else []))
            if above in drafts
        )
        for name, cases in drafts.items()
    }


def _problems_with_names(drafts: Drafts) -> Iterator[Problem]:
    columns: dict[str, str] = {}
    for name, cases in drafts.items():
        if not _NAME.fullmatch(name):
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
    counts = n_layers_at_most(drafts.get(count, [])) if isinstance(count, str) else (count,)
    return [f"{name}_{i}" for i in range(min(max(counts, default=0), MOST_LAYERS))]


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
    for name, allowed in case.when.items():
        key = f"{case.key}.when.{name}"
        if name not in drafts:
            yield Problem(key, _unknown(name, drafts, absent))
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
        yield Problem(key, _unknown(name, drafts, absent))
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


def _wholes(distribution: Distribution) -> list[int]:
    _, high = _ends(distribution)
    if high is None or high > MOST_LAYERS:
        return []
    return [value for value in distribution.grid() if is_whole(value)]


def _unknown(name: str, drafts: Drafts, absent: Mapping[str, str]) -> str:
    if name in absent:
        return absent[name]
    return unknown("dimension", name, drafts)


def _never(name: str, value: Value, distributions: Sequence[Distribution | None]) -> str:
    can_be = ", or ".join(dict.fromkeys(str(distribution) for distribution in distributions))
    return f"{name!r} is never {spell(value)}; it is {can_be}"


@dataclass(slots=True)
class _Activity:
    """Which cases of a dimension are active where."""

    overlaps: dict[tuple[int, int], dict[str, Value]] = field(default_factory=dict)
    """By pair of cases: a situation in which both hold."""
    holes: list[str] = field(default_factory=list)
    """Where a case is wanting."""
    used: set[int] = field(default_factory=set)
    """The cases that hold somewhere."""
    is_sometimes_absent: bool = False


def _activity(cases: Sequence[Draft], tree: Mapping[str, Sequence[Case]]) -> _Activity:
    """Which cases are active in the situations that the dimensions above can be in.

    Conditions that all cases share say when the dimension exists at all; the others must leave no
    hole. Where a parent is absent there is nothing to decide, so that is none.
    """
    shared = {
        n: allowed
        for n, allowed in cases[0].when.items()
        if all(set(case.when.get(n, ())) == set(allowed) for case in cases)
    }
    differing = {n: None for case in cases for n in case.when if n not in shared}
    asked: list[Conditions] = [case.when for case in cases]
    asked += [case.when for above in tree.values() for case in above]
    # A hole is told choice by choice, also for those that no case mentions.
    asked += [
        {name: (choice,)}
        for name in differing
        for parent in tree[name]
        if isinstance(parent.distribution, Choice)
        for choice in parent.distribution.choices
    ]
    activity = _Activity()
    for values, _ in situations(tuple(tree), tree, asked):
        active = [i for i, case in enumerate(cases) if holds(case.when, values)]
        activity.used.update(active)
        for pair in itertools.pairwise(active):
            activity.overlaps.setdefault(pair, values)
        if not active:
            activity.is_sometimes_absent = True
            can_be_decided = any(case.when.keys() <= values.keys() for case in cases)
            if can_be_decided and holds(shared, values):
                activity.holes.append(_where(values, differing))
    return activity


def _hole(name: str, places: Sequence[str]) -> Problem:
    distinct = list(dict.fromkeys(places))
    more = f" and {len(distinct) - 5} more" if len(distinct) > 5 else ""
    return Problem(
        name,
        f"no case{','.join(distinct[:5])}{more}; add one, or fix {name!r} in [model] for the rest",
    )


def _where(values: Mapping[str, Value], *conditions: Mapping[str, object]) -> str:
    names = {n: None for condition in conditions for n in condition if n in values}
    at = spell_conditions({n: (values[n],) for n in names})
    return f" where {at}" if at else ""
