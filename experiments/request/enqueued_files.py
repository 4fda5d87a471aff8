"""Files of single models, such as `recsweep best` writes, tried first in a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.arms import arm_name, arms_of
from experiments.errors import SweepFileError, SweepProblem
from experiments.own.idle_dimensions import DECAYING
from experiments.own.own_code import OwnCode
from experiments.records.values import is_layer_size, value_text
from experiments.request.config import load_sweep
from experiments.search.enqueue import Point, check_points, enqueued_points, value_problem
from experiments.sweep import SweepConfig, defaults_of
from recommender.config import Value


def with_enqueued(config: SweepConfig, files: Sequence[Path]) -> tuple[SweepConfig, list[str]]:
    """The sweep with the models of files tried first, and what of them is tried differently.

    Raises:
        SweepFileError: a file is no single model, or its values cannot be tried in this sweep.
    """
    assert config.space is not None and config.search is not None
    space, notes = config.space, []
    names = {column.name for column in space.columns}
    for file in files:
        model = load_sweep(str(file))
        if model.space is not None:
            raise _refusal(
                file,
                "is a sweep; one model is needed, such as `recsweep best STUDY -o best.toml` "
                "writes",
            )
        point = {name: value for name, value in model.model.items() if name in names}
        if not point:
            raise _refusal(
                file, f"says nothing of what this sweep varies: {', '.join(sorted(names))}"
            )
        its = defaults_of(model).values.get(config.compare or "")
        if config.compare is not None and its is not None:
            point.setdefault(config.compare, its)  # which it left to the default
        # Choices that this sweep does not have become those that are tried, and noted below.
        tried = defaults_of(config).on(space, point)
        for column in space.columns:
            name = column.name
            if name in point.keys() & tried.keys() - {config.compare} and value_problem(
                column, point[name]
            ):
                point[name] = tried[name]
        assert config.search is not None
        points = (*config.search.enqueue, point)
        config = replace(config, search=replace(config.search, enqueue=points))
        assert config.search is not None
        search = config.search
        problems = check_points(points, space, config.compare, search.sampler, search.trials)
        if problems:
            raise _refusal(file, *(problem.message for problem in problems))
        notes += [f"{file}: {note}" for note in _changes(config, model)]
    return config, notes


def _changes(config: SweepConfig, model: SweepConfig) -> list[str]:
    """In what the last enqueued trial differs from the model that it was taken from."""
    assert config.space is not None and config.search is not None
    *earlier, point = config.search.enqueue
    defaults = defaults_of(config)
    space, arm = config.space, None
    if config.compare is not None and config.compare in point:
        arm = arm_name(point[config.compare])
        space = arms_of(config.space, config.compare)[arm]

    def tried(points: Sequence[Point]) -> list[dict[str, Value]]:
        return enqueued_points(space, points, defaults, compare=config.compare, arm=arm)

    projected = defaults.on(space, point)
    here = {**defaults.values, **projected}
    notes = [
        f"{name} is {value_text(here[name])} here, not {value_text(value)}"
        for name, value in {**model.model, **_left_open(model)}.items()
        if name in here and here[name] != value
    ]
    if len(tried(config.search.enqueue)) == len(tried(earlier)):
        notes.append("is the default or another that is enqueued: it is tried once")
    return notes


def _left_open(model: SweepConfig) -> dict[str, Value]:
    """The defaults of what a single model does not say and that means something to it."""
    values = defaults_of(model).values
    code = OwnCode(model.architectures, (str(values["architecture"]),))
    layers = {f"layer_size_{i}" for i in range(int(values["n_layers"]))}
    means_something = {name for name in values if code.takers(name) and not is_layer_size(name)}
    if values["optimizer"] != DECAYING:
        means_something.discard("weight_decay")
    left = (means_something | layers) - {*model.model, "architecture", "layer_size"}
    return {name: value for name, value in values.items() if name in left}


def _refusal(file: Path, *messages: str) -> SweepFileError:
    return SweepFileError(
        [SweepProblem("", message, origin=f"--enqueue {file}") for message in messages]
    )
