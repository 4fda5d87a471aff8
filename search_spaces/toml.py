"""A `[space]` table of a sweep file, read into a `SearchSpace` with every mistake in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from search_spaces.cases import Conditions, problems_with_count
from search_spaces.checks import RESERVED, Findings, check
from search_spaces.drafts import Draft, Drafts, dimensions_of, drafts_of
from search_spaces.narrowing import may_be, narrow
from search_spaces.problems import Problem, SpaceError, unknown
from search_spaces.registry import SHIPPED, shipped_table
from search_spaces.space import SearchSpace
from search_spaces.tables import read_dimension
from search_spaces.values import Value, is_among, is_whole, spell


def parse_space(
    table: Mapping[str, Any],
    *,
    fixed: Mapping[str, Value] | None = None,
    meaningless: Mapping[str, Conditions] | None = None,
    is_resolved: bool = False,
) -> tuple[SearchSpace | None, list[Problem]]:
    """The space that a `[space]` table describes, or everything that is wrong with it.

    Args:
        table: as tomllib reads it; nothing about it is taken for granted.
        fixed: the `[model]` table. Conditions may refer to its names; a name that is in the space
            too is a mistake, unless it fills in where the space leaves the dimension out.
        meaningless: by name, where a dimension means nothing, so that none of its cases need hold.
        is_resolved: it was accepted once, by who knew what is meaningless where.

    Returns:
        the space and no problems, or None and all of them, in the order of the checks.
    """
    fixed = fixed or {}
    problems: list[Problem] = []
    inherited = _read_use(table, problems)
    removed = _read_without(table, inherited, fixed, problems)
    drafts = {name: cases for name, cases in inherited.items() if name not in removed}
    for name, given in table.items():
        if name not in RESERVED:
            drafts[name] = read_dimension(name, given, problems)
    if not drafts and not problems:
        problems.append(Problem("", "a space needs a dimension: a table [space.NAME], or use"))
    settled, gone = _settle(drafts, fixed, problems)
    narrowed = narrow(settled, gone | {name for name in removed if name not in fixed})
    findings = check(narrowed, _why_absent(narrowed, drafts, removed, fixed), meaningless)
    problems += findings.problems
    problems += [
        Problem(case.key, "is never used: its conditions cannot hold together")
        for case in findings.idle
    ]
    problems += _problems_with_fixed(narrowed, findings, fixed)
    if not is_resolved:
        problems += [hole for name, hole in findings.holes.items() if name not in fixed]
    problems += _problems_with_gaps(drafts, narrowed, fixed)
    if drafts and not narrowed and not problems:
        problems.append(Problem("", "nothing is left to vary"))
    if problems:
        return None, [problem.under("space") for problem in problems]
    return SearchSpace(dimensions_of(narrowed)), []


@cache
def shipped_space(name: str) -> SearchSpace:
    """A space that we ship, by name; SpaceError where there is none."""
    if name not in SHIPPED:
        raise SpaceError([Problem("", unknown("space", name, SHIPPED))])
    space, problems = parse_space(shipped_table(name))
    assert space, problems
    return space


def _read_use(table: Mapping[str, Any], problems: list[Problem]) -> Drafts:
    if "use" not in table:
        return {}
    name = table["use"]
    if not isinstance(name, str) or name not in SHIPPED:
        problems.append(Problem("use", unknown("space", name, SHIPPED)))
        return {}
    return drafts_of(shipped_space(name).dimensions, is_inherited=True)


def _read_without(
    table: Mapping[str, Any],
    inherited: Drafts,
    fixed: Collection[str],
    problems: list[Problem],
) -> tuple[str, ...]:
    """The names that `without` leaves out of the inherited ones."""
    names = table.get("without", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        problems.append(Problem("without", f"must be a list of names, got {spell(names)}"))
        return ()
    if names and "use" not in table:
        problems.append(Problem("without", "leaves out dimensions of a shipped space: needs use"))
        return ()
    if names and not inherited:
        return ()  # `use` itself is wrong, which has been told.
    for name in names:
        if name not in inherited:
            problems.append(Problem("without", unknown("dimension", name, inherited)))
        elif name in table:
            problems.append(Problem("without", f"{name!r} is left out and has a table: drop one"))
        elif name not in fixed:
            dependent = sorted(
                other
                for other, cases in inherited.items()
                if other not in names and other not in table
                if any(name in case.conditions or case.count == name for case in cases)
            )
            if dependent:
                message = (
                    f"{name!r} cannot just go, it decides about {', '.join(dependent)}: "
                    "fix it in [model], or leave them out too"
                )
                problems.append(Problem("without", message))
    return tuple(name for name in names if name in inherited and name not in table)


def _settle(
    drafts: Drafts, fixed: Mapping[str, Value], problems: list[Problem]
) -> tuple[Drafts, set[str]]:
    """The drafts with conditions on fixed names decided, and the inherited names that went."""
    settled: Drafts = {}
    gone = set()
    constants = {name: value for name, value in fixed.items() if name not in drafts}
    for name, cases in drafts.items():
        kept = [c for case in cases if (c := _settle_case(case, constants, problems))]
        if not kept and any(case.is_inherited for case in cases):
            gone.add(name)
        else:
            settled[name] = kept
    return settled, gone


def _settle_case(
    case: Draft, constants: Mapping[str, Value], problems: list[Problem]
) -> Draft | None:
    faults = []
    for name, allowed in case.conditions.items():
        if name in constants and not is_among(constants[name], allowed):
            message = (
                f"{name!r} is fixed to {spell(constants[name])} in [model], so this never holds"
            )
            faults.append(Problem(f"{case.key}.when.{name}", message))
    count = case.count
    if isinstance(count, str) and count in constants:
        number = constants[count]
        if is_whole(number) and number == 0:
            message = f"{count!r} is fixed to 0 in [model], so there is no layer"
            faults.append(Problem(f"{case.key}.each", message))
        elif is_whole(number) and not problems_with_count(number):
            count = number
    if not faults:
        when = {name: allowed for name, allowed in case.conditions.items() if name not in constants}
        return replace(case, conditions=when, count=count)
    if not case.is_inherited:
        problems += faults
    return None


def _why_absent(
    left: Drafts, drafts: Drafts, removed: Collection[str], fixed: Mapping[str, Value]
) -> dict[str, str]:
    """What to say to a condition on a name that a user may expect in the space."""
    absent = {
        name: f"{name!r} is {spell(value)} in [model], which counts no layers"
        for name, value in fixed.items()
    }
    absent |= {
        name: f"{name!r} is left out by without; fix it in [model]"
        for name in removed
        if name not in fixed
    }
    absent |= {name: f"{name!r} is never active here: nothing can depend on it" for name in drafts}
    return {name: why for name, why in absent.items() if name not in left}


def _problems_with_fixed(
    drafts: Drafts, findings: Findings, fixed: Mapping[str, Value]
) -> Iterator[Problem]:
    """Names that are both varied and fixed, where that does not just fill in."""
    for name, cases in drafts.items():
        columns = [name, *(column for column in fixed if _is_layer_of(column, name, cases))]
        for column in columns:
            if column not in fixed:
                continue
            if any(case.is_inherited for case in cases):
                if name not in findings.holes:
                    yield Problem(
                        name,
                        f"the shipped space varies {name!r} and [model] fixes {column!r}: "
                        f'add without = ["{name}"] to fix it',
                    )
            elif column != name or not _may_be_absent(name, cases, findings):
                yield Problem(name, f"varied here, but [model] fixes {column!r}: drop one of them")
        for case in cases:
            for above in (*case.conditions, case.count):
                if (
                    above in drafts
                    and above in fixed
                    and _may_be_absent(above, drafts[above], findings)
                ):
                    yield Problem(
                        case.key,
                        f"depends on {above!r}, which is varied in some cases and fixed in "
                        "[model] for the others: it has to be one or the other",
                    )


def _problems_with_gaps(
    drafts: Drafts, left: Drafts, fixed: Mapping[str, Value]
) -> Iterator[Problem]:
    """Inherited dimensions that should exist, but of whose cases none fits what is there."""

    def can_be(name: str, allowed: Collection[Value]) -> bool:
        if name in left:
            return any(may_be(value, left[name]) for value in allowed)
        return name in fixed and is_among(fixed[name], allowed)

    for name, cases in drafts.items():
        if name in left or name in fixed or not cases or not cases[0].decided_by:
            continue
        deciding = cases[0].decided_by
        shared = {n: allowed for n, allowed in cases[0].conditions.items() if n not in deciding}
        is_wanted = all(can_be(n, allowed) for n, allowed in shared.items())
        if is_wanted and all(above in left or above in fixed for above in deciding):
            yield Problem(
                name,
                f"no case of the shipped space fits what {', '.join(sorted(deciding))} can be "
                f"here; give {name!r} a table, or a fixed value in [model]",
            )


def _is_layer_of(column: str, name: str, cases: list[Draft]) -> bool:
    layer = column.removeprefix(f"{name}_")
    return bool(cases) and cases[0].count is not None and column != layer and layer.isdigit()


def _may_be_absent(name: str, cases: list[Draft], findings: Findings) -> bool:
    """Also where that cannot be known, because something about its conditions is wrong."""
    if name in findings.activities:
        return findings.activities[name].is_sometimes_absent
    return not cases or any(case.conditions for case in cases)
