"""The `[model]` and `[space]` tables: names, values and limits that the recommender knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.errors import StateError
from experiments.own.idle_dimensions import architectures_of, meaningless_in, with_conditions
from experiments.own.own_code import OwnCode
from experiments.records import SWEEP_NAME, StudyRecord
from experiments.sweep_files.sweep_tables import Report, cases_of
from recommender.config import HYPERPARAMETERS, Value
from search_spaces import SearchSpace, parse_space
from search_spaces.values import spell

_SPACE_KEYS = ("use", "without")


def check_model(raw: object, report: Report, own: OwnCode) -> dict[str, Value]:
    """The sound entries of a `[model]` table; every other one is reported."""
    if not isinstance(raw, dict):
        report("model", f"must be a table, got {raw!r}; write [model] and its keys below")
        return {}
    sound: dict[str, Value] = {}
    for name, value in raw.items():
        if not own.is_known(name):
            report(f"model.{name}", own.unknown("hyperparameter", name))
        elif problem := own.problem_with(name, value):
            report(f"model.{name}", problem)
        else:
            sound[name] = value
    return sound


def read_space(
    raw: object, model: Mapping[str, Value], report: Report, own: OwnCode
) -> SearchSpace | None:
    """The space of a `[space]` table, or None after every mistake in it was reported.

    A dimension whose hyperparameter is a number that need not be whole may have whole ends
    (`low = 0`, `high = 1`): it still is a range of numbers.
    """
    if not isinstance(raw, dict):
        report("space", f'must be a table, got {raw!r}; write [space] and use = "ranking" below')
        return None
    if odd := [name for name in raw if not isinstance(name, str)]:
        report("space", f"the name of a dimension is text, got {odd[0]!r}")
        return None
    table = {name: _with_number_type(name, dimension, own) for name, dimension in raw.items()}
    meaningless = meaningless_in(table, own)
    space, problems = parse_space(table, fixed=model, meaningless=meaningless)
    told = {problem.key for problem in problems}
    if space is not None and "use" in table:
        conditional = with_conditions(space, own)
        meaningless = meaningless_in(conditional, own)
        space, problems = parse_space(conditional, fixed=model, meaningless=meaningless)
    for problem in problems:
        report(problem.key, problem.message)
    n_wrong_values = 0
    for key, message in _value_problems(raw, own):
        # What parse_space said of a key (no number, no list) is not said again in other words.
        if key not in told:
            report(key, message)
        n_wrong_values += 1
    return None if problems or n_wrong_values else space


def check_layers(space: SearchSpace, model: Mapping[str, Value], report: Report) -> None:
    """Refuses a `layer_size` for each of more or fewer layers than models have."""
    rule = '"n_layers", which varies'
    right: Value = "n_layers"
    cure = ""
    if all(dimension.name != "n_layers" for dimension in space.dimensions):
        right = model.get("n_layers", HYPERPARAMETERS["n_layers"])
        rule = f"{right}, the number of layers"
        cure = '; for another say n_layers in [model] and each = "n_layers"'
    for dimension in space.dimensions:
        if dimension.each not in (None, right):
            told = f"must be {rule}, got {spell(dimension.each)}{cure}"
            report(f"space.{dimension.name}.each", told)


def check_defaults(space: SearchSpace, own: OwnCode, report: Report) -> None:
    """Refuses to vary what only running own code would tell the default of."""
    for dimension in space.dimensions:
        named = [case.conditions.get("architecture", own.choices) for case in dimension.cases]
        for name, its in own.architectures.items():
            unread = {p.name for p in its.parameters if not p.is_readable}
            if dimension.name in unread and any(name in choices for choices in named):
                report(
                    f"space.{dimension.name}",
                    f"its default in {its.where} cannot be read without running it, and is the "
                    "first trial; write it there as a plain value",
                )


def recorded_space(study: StudyRecord) -> SearchSpace:
    """The space of a study's resolved sweep, whether or not its data are here.

    Raises:
        StateError: it is not what a resolved sweep has.
    """
    table, fixed = study.sweep.get("space", {}), study.sweep.get("model")
    space, problems = parse_space(table, fixed=fixed, is_resolved=True)
    if space is None:
        raise StateError(f"{study.folder / SWEEP_NAME}: {'; '.join(map(str, problems))}")
    return space


def _value_problems(raw: Mapping[str, Any], own: OwnCode) -> Iterator[tuple[str, str]]:
    """Names and values that the recommender does not know, by key; not what `use` brings."""
    for name, dimension in raw.items():
        if name in _SPACE_KEYS:
            continue
        if not own.is_known(name):
            yield f"space.{name}", own.unknown("dimension", name)
            continue
        for key, case in cases_of(name, dimension):
            among = architectures_of(case)
            for end in ("low", "high"):
                if end in case and (problem := own.problem_with(name, case[end], among)):
                    yield f"{key}.{end}", problem
            choices = case.get("choices")
            if isinstance(choices, list):
                wrong = [
                    problem
                    for choice in choices
                    if (problem := own.problem_with(name, choice, among))
                ]
                if wrong:
                    yield f"{key}.choices", "; ".join(wrong)
            if "each" in case and name != "layer_size":
                yield f"{key}.each", "only layer_size has one value a layer; leave each out"


def _with_number_type(name: str, dimension: object, own: OwnCode) -> object:
    if isinstance(dimension, list):
        return [_with_number_type(name, case, own) for case in dimension]
    if not isinstance(dimension, dict) or not own.is_number(name, architectures_of(dimension)):
        return dimension
    ends = [dimension.get("low"), dimension.get("high")]
    if "type" not in dimension and all(type(end) is int for end in ends):
        return {**dimension, "type": "float"}
    return dimension
