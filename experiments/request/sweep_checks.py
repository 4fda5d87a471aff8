"""From a sweep file's tables to a `SweepConfig`, with every mistake found on the way.

Imports neither pandas nor TensorFlow, Ray or Optuna: a sweep is checked before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.arms import arms_of, unequal_problem
from experiments.durations import parse_duration
from experiments.errors import RequestError, SweepFileError, SweepProblem
from experiments.own.kept_code import colliding_files
from experiments.own.own_code import resolve_own
from experiments.records.values import plural
from experiments.request.data_checks import read_data, read_reference
from experiments.request.draws import impossible_trial
from experiments.request.metric_checks import read_metrics
from experiments.request.space_checks import check_defaults, check_layers, check_model, read_space
from experiments.search.enqueue import check_points
from experiments.search.grid import check_grid
from experiments.search.pruners import check_pruner
from experiments.search.samplers import check_sampler
from experiments.sweep import (
    SearchConfig,
    SweepConfig,
    name_problem,
)
from experiments.sweep_files.sweep_file import TOP_LEVEL_KEYS, SweepSource
from experiments.sweep_files.sweep_tables import (
    CompareTable,
    HeadTable,
    Report,
    SearchTable,
    TrainingTable,
    read_table,
)
from recommender.config import TrainingConfig
from recommender.errors import unknown
from recommender.own import OwnDefinition
from recommender.own_functions import argument_problems, is_reference
from search_spaces import Choice, Problem, SearchSpace


def build_sweep(source: SweepSource, also: Sequence[SweepProblem] = ()) -> SweepConfig:
    """The sweep that a source asks for.

    Args:
        also: mistakes found elsewhere, told together with the sweep's.

    Raises:
        SweepFileError: with every mistake in the source, and `also`.
    """
    problems = [*source.override_problems]

    def report(key: str, message: str) -> None:
        problems.append(source.problem(key, message))

    _check_top_level(source.table, report)
    table, own = resolve_own(source, report)
    head = _read_head(table, source, report)
    data = read_data(table, source, report)
    model = check_model(table.get("model", {}), report, own)
    space = read_space(table["space"], model, report, own) if "space" in table else None
    if space is not None and not source.is_frozen:
        check_layers(space, model, report)
        check_defaults(space, own, report)
    compare = _read_compare(table, space, report)
    metrics = read_metrics(table, source, report)
    search = _read_search(table, space, compare, source, report)
    length: SearchConfig | TrainingTable | None = search
    if "search" not in table:
        length = read_table(TrainingTable, table.get("training", {}), "training", report)
    if problems or also:
        # Those of no line (overrides, missing tables) first, then down the file.
        raise SweepFileError([*sorted(problems, key=lambda p: p.line or 0), *also])
    assert head and head.name and data and length, "a mistake was not reported"
    sweep = SweepConfig(
        name=head.name,
        seed=head.seed,
        note=head.note,
        dataset=data[0],
        split=data[1],
        compare=compare,
        space=space,
        model=model,
        search=search,
        architectures=own.architectures,
        metrics=metrics,
        training=TrainingConfig(length.max_epochs, length.patience, head.seed),
    )
    if (told := colliding_files(sweep)) is not None:
        raise SweepFileError([source.problem("", told)])
    if not source.is_frozen and (told := impossible_trial(sweep)) is not None:
        raise SweepFileError([source.problem("space", told)])
    return sweep


def _check_top_level(table: Mapping[str, Any], report: Report) -> None:
    for key in table:
        if key == "resources":
            report(key, "a machine's resources are no part of a sweep; give them as options of run")
        elif key not in TOP_LEVEL_KEYS:
            report(key, unknown("key", key, TOP_LEVEL_KEYS))


def _read_head(table: Mapping[str, Any], source: SweepSource, report: Report) -> HeadTable | None:
    head = {key: table[key] for key in HeadTable.model_fields if key in table}
    if source.path is not None:
        head.setdefault("name", source.path.stem)
    read = read_table(HeadTable, head, "", report)
    if read is None:
        return None
    if head.get("name") is None:
        report("name", "is missing; it names the study's folder")
    elif read.name is not None and (problem := name_problem(read.name)):
        report("name", problem)
    return read


def _read_compare(
    table: Mapping[str, Any], space: SearchSpace | None, report: Report
) -> str | None:
    if "compare" not in table:
        return None
    read = read_table(CompareTable, table["compare"], "compare", report)
    if "space" not in table:
        report("compare", "there is no [space] whose choices could be compared")
    if read is None or space is None:
        return None
    try:
        arms_of(space, read.dimension)
    except ValueError:
        known = [
            d.name
            for d in space.dimensions
            if len(d.cases) == 1
            and not d.cases[0].conditions
            and not d.each
            and isinstance(d.cases[0].distribution, Choice)
        ]
        rule = "must be a choice that every trial makes: "
        choices = f"known: {', '.join(known)}" if known else "the space has none"
        if any(d.name == read.dimension for d in space.dimensions):
            told = f"{read.dimension!r} is a range or not always there; {choices}"
        else:
            told = unknown("one", read.dimension, known) if known else choices
        report("compare.dimension", rule + told)
        return None
    return read.dimension


def _read_search(
    table: Mapping[str, Any],
    space: SearchSpace | None,
    compare: str | None,
    source: SweepSource,
    report: Report,
) -> SearchConfig | None:
    if "search" not in table:
        if "space" in table:
            report("search", "is missing; write [search] and trials = 60 below")
        return None
    if "space" not in table:
        report(
            "search",
            'there is no [space] to search; write [space] and use = "ranking" below, or for one '
            "model [training] in its place",
        )
    if "training" in table:
        report("training", "a sweep says max_epochs and patience in [search]; leave [training] out")
    read = read_table(SearchTable, table["search"], "search", report)
    if read is None:
        return None
    sampler, sampler_args, sampler_own = _read_named(
        "sampler", read.sampler, check_sampler, "seed", source, report
    )
    pruner, pruner_args, pruner_own = _read_named(
        "pruner", read.pruner, check_pruner, "max_epochs", source, report
    )
    is_told = "trials" in table["search"] and read.trials is None
    n_trials = 0 if is_told else _count_trials(read.trials, sampler, space, compare, report)
    if n_trials and space is not None and not source.is_frozen:
        for problem in check_points(read.enqueue, space, compare, sampler, n_trials):
            report(problem.key, problem.message)
    return SearchConfig(
        trials=n_trials,
        enqueue=tuple(read.enqueue),
        max_epochs=read.max_epochs,
        patience=read.patience,
        sampler=sampler,
        sampler_args=sampler_args,
        sampler_own=sampler_own,
        pruner=pruner,
        pruner_args=pruner_args,
        pruner_own=pruner_own,
        timeout_s=_read_duration("timeout", read.timeout, report),
        trial_timeout_s=_read_duration("trial_timeout", read.trial_timeout, report),
        stall_timeout_s=_read_duration("stall_timeout", read.stall_timeout, report)
        or SearchConfig(0).stall_timeout_s,
    )


def _read_named(
    role: str,
    raw: object,
    check: Callable[[str, Mapping[str, Any]], list[Problem]],
    takes: str,
    source: SweepSource,
    report: Report,
) -> tuple[str, dict[str, Any], OwnDefinition | None]:
    """Name and arguments of `"tpe"` or `{ name = "tpe", n_startup_trials = 20 }`.

    Or of a function of the researcher's own, called with `takes`.
    """
    args = dict(raw) if isinstance(raw, dict) else {}
    name = args.pop("name", None) if isinstance(raw, dict) else raw
    if not isinstance(name, str):
        example = f'{role} = "..." or {role} = {{ name = "...", ... }}'
        none = ', or "none" to stop no trial early' if role == "pruner" else ""
        report(
            f"search.{role}",
            f"must be a name or a table with one{none}; got {raw!r}; write {example}",
        )
        return "", {}, None
    if is_reference(name):
        own = read_reference(f"search.{role}", name, (takes,), source, report)
        for argument, message in (argument_problems(own, args) if own else {}).items():
            report(f"search.{role}.{argument}", message)
        return (own.where if own else name), args, own
    for problem in check(name, args):
        report(problem.key, problem.message)
    return name, args, None


def _count_trials(
    asked: int | None,
    sampler: str,
    space: SearchSpace | None,
    compare: str | None,
    report: Report,
) -> int:
    """How many trials: those asked for; of a grid all its points where nothing is said."""
    if sampler == "grid":
        if space is None:
            return 0
        problems = check_grid(space)
        for problem in problems:
            report(problem.key, problem.message)
        if problems:
            return 0
        n_all = space.count()  # the defaults, projected onto it, are points of it
        if asked is not None and asked > n_all:
            report(
                "search.trials",
                f"the grid has {plural(n_all, 'point')}, got {asked}; leave trials out to take "
                "them all",
            )
        return asked or n_all
    if asked is None:
        report("search.trials", f"is missing; sampler {sampler!r} needs a number of trials")
        return 0
    n_arms = len(arms_of(space, compare)) if space is not None and compare is not None else 0
    if unequal := unequal_problem(asked, n_arms):
        report("search.trials", unequal)
    return asked


def _read_duration(key: str, raw: object, report: Report) -> float | None:
    if raw is None:
        return None
    try:
        return parse_duration(raw if isinstance(raw, str | int | float) else str(raw))
    except RequestError as error:
        report(f"search.{key}", error.message)
        return None
