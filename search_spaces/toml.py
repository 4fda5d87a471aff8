"""A `[space]` table of a sweep file, read into a `SearchSpace` with every mistake in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from search_spaces.cases import problems_with_count, regular_conditions
from search_spaces.checks import RESERVED, Draft, Drafts, Findings, check, drafts_of
from search_spaces.distributions import Choice, Distribution, Float, Int
from search_spaces.narrowing import dimensions_of, narrow
from search_spaces.problems import Problem, SpaceError, unknown
from search_spaces.registry import SHIPPED, shipped_table
from search_spaces.space import SearchSpace
from search_spaces.values import Value, is_among, is_whole, spell

_RANGE_KEYS = ("low", "high", "log", "step", "type")
_KEYS = (*_RANGE_KEYS, "choices", "when", "each")


def parse_space(
    table: Mapping[str, Any], *, fixed: Mapping[str, Value] | None = None
) -> tuple[SearchSpace | None, list[Problem]]:
    """The space that a `[space]` table describes, or everything that is wrong with it.

    Args:
        table: as tomllib reads it; nothing about it is taken for granted.
        fixed: the `[model]` table. Conditions may refer to its names; a name that is in the space
            too is a mistake, unless it fills in where the space leaves the dimension out.

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
            drafts[name] = _read_dimension(name, given, problems)
    if not drafts:
        problems.append(Problem("", "a space needs a dimension: a table [space.NAME], or use"))
    settled, gone = _settle(drafts, fixed, problems)
    narrowed = narrow(settled, gone | {name for name in removed if name not in fixed})
    findings = check(narrowed, _why_absent(narrowed, drafts, removed, fixed))
    problems += findings.problems
    problems += [
        Problem(case.key, "is never used: its conditions cannot hold together")
        for case in findings.idle
    ]
    problems += _problems_with_fixed(narrowed, findings, fixed)
    problems += [hole for name, hole in findings.holes.items() if name not in fixed]
    if drafts and not narrowed and not problems:
        problems.append(Problem("", "nothing is left to vary"))
    if problems:
        return None, [problem.under("space") for problem in problems]
    return SearchSpace(dimensions_of(narrowed)), []


@cache
def shipped_space(name: str) -> SearchSpace:
    """A space that we ship, by name.

    Raises:
        SpaceError: there is none of this name.
    """
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
                if any(name in case.when or case.count == name for case in cases)
            )
            if dependent:
                message = (
                    f"{name!r} cannot just go, {', '.join(dependent)} depend on it: "
                    "fix it in [model], or leave them out too"
                )
                problems.append(Problem("without", message))
    return tuple(name for name in names if name in inherited and name not in table)


def _read_dimension(name: str, given: object, problems: list[Problem]) -> list[Draft]:
    if isinstance(given, Mapping):
        return [_read_case(name, given, problems)]
    if isinstance(given, list) and given and all(isinstance(case, Mapping) for case in given):
        return [_read_case(f"{name}[{i}]", case, problems) for i, case in enumerate(given)]
    cure = "give it a table: low and high, or choices"
    if isinstance(given, list) and given:
        cure = f"write [space.{name}] and under it choices = ["
        cure += ", ".join(spell(v) for v in given[:3]) + ("]" if len(given) <= 3 else ", ...]")
    elif not isinstance(given, list):
        cure += "; a fixed value belongs in [model]"
    problems.append(Problem(name, f"{spell(given)} is no dimension; {cure}"))
    return []


def _read_case(key: str, table: Mapping[str, Any], problems: list[Problem]) -> Draft:
    """One case; without distribution where any part of it cannot be used."""
    faults = [
        Problem(str(name), unknown("key", name, _KEYS)) for name in table if name not in _KEYS
    ]
    draft = Draft(key, None)
    if "when" in table:
        if isinstance(table["when"], Mapping):
            try:
                draft.when = regular_conditions(table["when"])
            except SpaceError as error:
                faults += [problem.under("when") for problem in error.problems]
        else:
            example = 'when = { optimizer = ["adam"] }'
            faults.append(Problem("when", f"write {example}, got {spell(table['when'])}"))
    if "each" in table:
        count_faults = problems_with_count(table["each"])
        faults += count_faults
        draft.count = None if count_faults else table["each"]
    distribution, distribution_faults = _read_distribution(table)
    faults += distribution_faults
    draft.distribution = None if faults else distribution
    problems += [fault.under(key) for fault in faults]
    return draft


def _read_distribution(table: Mapping[str, Any]) -> tuple[Distribution | None, list[Problem]]:
    in_range = [name for name in _RANGE_KEYS if name in table]
    try:
        if "choices" in table:
            if in_range:
                return None, [
                    Problem("", f"choices exclude {', '.join(in_range)}: drop one or other")
                ]
            return Choice(table["choices"]), []
        missing = [name for name in ("low", "high") if name not in table]
        if missing:
            cure = (
                f"{missing[0]} is missing" if len(missing) == 1 else "give low and high, or choices"
            )
            return None, [Problem("", cure)]
        log, step = table.get("log", False), table.get("step")
        if _is_whole_range(table):
            return Int(table["low"], table["high"], log, 1 if step is None else step), []
        return Float(table["low"], table["high"], log, step), []
    except SpaceError as error:
        faults = list(error.problems)
    if table.get("type", "int") not in ("int", "float"):
        faults.append(Problem("type", f"type is int or float, got {spell(table['type'])}"))
    return None, faults


def _is_whole_range(table: Mapping[str, Any]) -> bool:
    """`type` decides; without it, whole ends (and step) mean whole numbers."""
    if "type" in table:
        return bool(table["type"] == "int")
    return all(isinstance(table.get(name, 1), int) for name in ("low", "high", "step"))


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
    for name, allowed in case.when.items():
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
        when = {name: allowed for name, allowed in case.when.items() if name not in constants}
        return replace(case, when=when, count=count)
    if not case.is_inherited:
        problems += faults
    return None


def _why_absent(
    left: Drafts, drafts: Drafts, removed: Collection[str], fixed: Mapping[str, Value]
) -> dict[str, str]:
    """What to say to a condition on a name that a user may expect in the space."""
    absent = {name: f"{name!r} is never active here: nothing can depend on it" for name in drafts}
    absent |= {name: f"{name!r} is left out by without; fix it in [model]" for name in removed}
    absent |= {
        name: f"{name!r} is {spell(value)} in [model], which counts no layers"
        for name, value in fixed.items()
    }
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
            for above in (*case.when, case.count):
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


def _is_layer_of(column: str, name: str, cases: list[Draft]) -> bool:
    layer = column.removeprefix(f"{name}_")
    return bool(cases) and cases[0].count is not None and column != layer and layer.isdigit()


def _may_be_absent(name: str, cases: list[Draft], findings: Findings) -> bool:
    """Also where that cannot be known, because its conditions are broken."""
    if name in findings.sometimes_absent:
        return True
    is_broken = not cases or any(case.distribution is None for case in cases)
    return is_broken and any(case.when for case in cases)
