"""One dimension as TOML writes it: a table, or an array of tables with one per case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.cases import Case, problems_with_count, regular_conditions
from search_spaces.dimensions import Dimension
from search_spaces.distributions import Choice, Distribution, Float, Int
from search_spaces.drafts import Draft
from search_spaces.problems import Problem, SpaceError, unknown
from search_spaces.values import spell, spell_all

_RANGE_KEYS = ("low", "high", "log", "step", "type")
KEYS = (*_RANGE_KEYS, "choices", "when", "each")


def read_dimension(name: str, given: object, problems: list[Problem]) -> list[Draft]:
    """The cases of a dimension; what is wrong with them is added to `problems`.

    Nothing about `given` is taken for granted. No cases: it is no dimension at all.
    """
    if isinstance(given, Mapping):
        return [_read_case(name, given, problems)]
    if isinstance(given, list) and given and all(isinstance(case, Mapping) for case in given):
        return [_read_case(f"{name}[{i}]", case, problems) for i, case in enumerate(given)]
    if isinstance(given, list) and given:
        values = spell_all(given[:3]) + (", ..." if len(given) > 3 else "")
        cure = f"write [space.{name}] and under it choices = [{values}]"
    elif isinstance(given, Distribution | Case):
        cure = f"it is one of a space written in Python: space({name}=...)"
    else:
        cure = "give it a table, with low and high or with choices; a fixed value goes to [model]"
    problems.append(Problem(name, f"{spell(given)} is no dimension; {cure}"))
    return []


def write_dimension(dimension: Dimension) -> dict[str, Any] | list[dict[str, Any]]:
    """What `read_dimension` reads as this dimension."""
    cases = [_write_case(case) for case in dimension.cases]
    return cases[0] if len(cases) == 1 else cases


def _read_case(key: str, table: Mapping[str, Any], problems: list[Problem]) -> Draft:
    """One case; without distribution where any part of it cannot be used."""
    faults = [Problem(str(name), unknown("key", name, KEYS)) for name in table if name not in KEYS]
    draft = Draft(key, None)
    if "when" in table:
        if isinstance(table["when"], Mapping):
            try:
                draft.conditions = regular_conditions(table["when"])
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
    faults = []
    if "choices" in table:
        if out_of_place := [name for name in _RANGE_KEYS if name in table]:
            faults.append(
                Problem("choices", f"choices exclude {', '.join(out_of_place)}: drop one")
            )
    elif "low" not in table and "high" not in table:
        faults.append(Problem("", "give low and high, or choices"))
    else:
        faults += [Problem(end, f"{end} is missing") for end in ("low", "high") if end not in table]
    if table.get("type", "int") not in ("int", "float"):
        faults.append(Problem("type", f"type is int or float, got {spell(table['type'])}"))
    try:
        return _build(table), faults
    except SpaceError as error:
        return None, faults + list(error.problems)


def _build(table: Mapping[str, Any]) -> Distribution:
    """The distribution; a missing end is taken to be at the other, so that the rest is checked."""
    if "choices" in table:
        return Choice(table["choices"])
    low = table.get("low", table.get("high", 1))
    high = table.get("high", low)
    log, step = table.get("log", False), table.get("step")
    # Whole ends mean whole numbers, unless `type` or a step between them says otherwise.
    are_whole = all(isinstance(number, int) for number in (low, high, step or 1))
    if table.get("type", "int" if are_whole else "float") == "int":
        return Int(low, high, log, 1 if step is None else step)
    return Float(low, high, log, step)


def _write_case(case: Case) -> dict[str, Any]:
    distribution = case.distribution
    table: dict[str, Any]
    if isinstance(distribution, Choice):
        table = {"choices": list(distribution.choices)}
    else:
        table = {"low": distribution.low, "high": distribution.high}
        if distribution.log:
            table["log"] = True
        if distribution.step != (1 if isinstance(distribution, Int) else None):
            table["step"] = distribution.step
    if case.conditions:
        table["when"] = {n: v[0] if len(v) == 1 else list(v) for n, v in case.conditions.items()}
    if case.count is not None:
        table["each"] = case.count
    return table
