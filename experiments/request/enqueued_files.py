"""What a sweep tries first: its own points, and files such as `recsweep best` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.arms import arm_name, arms_of
from experiments.errors import SweepFileError, SweepProblem
from experiments.own.idle_dimensions import DECAYING
from experiments.own.own_code import OwnCode
from experiments.records.values import exact_text, is_layer_size
from experiments.request.config import load_sweep
from experiments.search.enqueue import (
    Point,
    check_points,
    enqueued_points,
    is_of_arm,
    value_problem,
)
from experiments.sweep import SweepConfig, defaults_of, model_of
from recommender.config import Value
from search_spaces.values import is_same


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
        said = space.by_column(model.model)
        if "layer_size" in names:
            said |= _width_of_all(model)
        point = {name: value for name, value in said.items() if name in names}
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
            if name in point.keys() - {config.compare} and value_problem(column, point[name]):
                del point[name]
                if name in tried:
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


def changes_by_hand(config: SweepConfig) -> list[str]:
    """What of the points in the sweep itself is tried differently, or not at all."""
    assert config.space is not None and config.search is not None
    space, compare, defaults = config.space, config.compare, defaults_of(config)
    arms = {"": space} if compare is None else arms_of(space, compare)
    notes = []
    for i, point in enumerate(config.search.enqueue):
        tried = [
            defaults.on(part, point) for arm, part in arms.items() if is_of_arm(point, compare, arm)
        ]
        for name, value in point.items():
            columns = [c for c in space.by_column({name: value}) if c == name or c not in point]
            found = [values[c] for values in tried for c in columns if c in values]
            others = dict.fromkeys(exact_text(v) for v in found if not is_same(v, value))
            told = f"is {' or '.join(others)} here, not {exact_text(value)}"
            if not found:
                told = "is left out: it means nothing beside the other values"
            if others or not found:
                notes.append(f"search.enqueue[{i}]: {name} {told}")
    return notes


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
    here = _by_layer(config, {**defaults.values, **config.model, **projected}, projected)
    notes = [
        f"{name} is {exact_text(here[name])} here, not {exact_text(value)}"
        for name, value in _by_layer(model, {**model.model, **_left_open(model)}, {}).items()
        if name in here and here[name] != value
    ]
    if len(tried(config.search.enqueue)) == len(tried(earlier)):
        notes.append("is the default or another that is enqueued: it is tried once")
    return notes


def _left_open(model: SweepConfig) -> dict[str, Value]:
    """The defaults of what a single model does not say and that means something to it."""
    values = defaults_of(model).values
    code = OwnCode(model.architectures, (str(values["architecture"]),))
    left = {name for name in values if code.takers(name)} - {*model.model, "architecture"}
    if values["optimizer"] != DECAYING:
        left.discard("weight_decay")
    return {name: value for name, value in values.items() if name in left}


def _by_layer(
    config: SweepConfig, values: Mapping[str, Value], trial: Mapping[str, Value]
) -> dict[str, Value]:
    """Values of which those of layers are the widths that a trial's model has."""
    model = model_of(config, trial)
    if model.own is not None:
        return dict(values)
    others = {n: v for n, v in values.items() if n != "layer_size" and not is_layer_size(n)}
    return others | {f"layer_size_{i}": size for i, size in enumerate(model.layer_sizes)}


def _width_of_all(model: SweepConfig) -> dict[str, Value]:
    """`layer_size` of a model whose layers have one width, however it says that."""
    sizes = {*model_of(model, {}).layer_sizes}
    return {"layer_size": sizes.pop()} if len(sizes) == 1 else {}


def _refusal(file: Path, *messages: str) -> SweepFileError:
    return SweepFileError(
        [SweepProblem("", message, origin=f"--enqueue {file}") for message in messages]
    )
