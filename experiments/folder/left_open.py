"""What a sweep leaves to the defaults of recsweep, spelt out: they may be others in years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.arms import arms_of
from experiments.own.idle_dimensions import DECAYING
from experiments.own.own_code import OwnCode
from experiments.records.values import is_layer_size
from experiments.search.arguments import Argument, with_defaults
from experiments.search.pruners import PRUNERS
from experiments.search.samplers import SAMPLERS
from experiments.sweep import SweepConfig, defaults_of
from recommender.config import Value
from search_spaces import SearchSpace, SpaceError
from search_spaces.dimensions import Column


def left_open(sweep: SweepConfig) -> dict[str, Any]:
    """By `model`, `sampler` and `pruner`, what no key of the sweep says. It can be written as JSON.

    Of the model: what means something to one of the sweep's architectures, which neither fixes nor
    always varies it.
    """
    assert sweep.search is not None
    search = sweep.search
    sampler, pruner = SAMPLERS.get(search.sampler), PRUNERS.get(search.pruner)
    return {
        "model": _of_the_model(sweep),
        "sampler": _arguments(sampler.arguments if sampler else (), search.sampler_args),
        "pruner": _arguments(pruner.arguments if pruner else (), search.pruner_args),
    }


def default_moved(sweep: SweepConfig) -> dict[str, dict[str, tuple[Value, Value]]]:
    """By arm (one without a name where nothing is compared) what the space does not hold of the
    default configuration, and what stands for it; not what is compared, of which each has one."""
    assert sweep.space is not None
    compared, defaults = sweep.compare, defaults_of(sweep)
    spaces = arms_of(sweep.space, compared) if compared else {"": sweep.space}
    return {
        arm: {name: pair for name, pair in defaults.moved(space).items() if name != compared}
        for arm, space in spaces.items()
    }


def _arguments(known: tuple[Argument, ...], given: Mapping[str, Value]) -> dict[str, Value]:
    return {n: value for n, value in with_defaults(known, given).items() if n not in given}


def _of_the_model(sweep: SweepConfig) -> dict[str, dict[str, Value]]:
    """By architecture; the widths of layers as one word, `layer_sizes`."""
    assert sweep.space is not None
    defaults = defaults_of(sweep)
    choice = next((c for c in sweep.space.columns if c.name == "architecture"), None)
    names = tuple(map(str, choice.choices)) if choice else (str(defaults.values["architecture"]),)
    code = OwnCode(sweep.architectures, names)
    found = {}
    for name in names:
        of_it = {**defaults.values, **defaults.own.get(name, {}), **sweep.model}
        columns = _columns_of(name, sweep.space)
        own = sweep.architectures.get(name)
        # Where a HyperModel's conditions do not hold, it does not ask for a value.
        is_hyper = own is not None and own.kind == "hypermodel"
        said = {c.name for c in columns if is_hyper or c.is_always_there} | set(sweep.model)
        if any(map(is_layer_size, (*sweep.model, *(column.name for column in columns)))):
            said.add("layer_size")
        optimizers = _values_of("optimizer", columns) or (of_it["optimizer"],)
        if DECAYING not in optimizers or _values_of("weight_decay", columns):
            said.add("weight_decay")
        found[name] = {
            key: value
            for key, value in of_it.items()
            if value is not None
            and not (key in said or key == "architecture" or is_layer_size(key))
            and name in code.takers(key)
        }
        if found[name].pop("layer_size", None):
            most = max(map(int, _values_of("n_layers", columns) or (of_it["n_layers"],)))
            if most > 0:
                found[name]["layer_sizes"] = "-".join(
                    str(of_it[f"layer_size_{i}"]) for i in range(most)
                )
    return found


def _columns_of(architecture: str, space: SearchSpace) -> tuple[Column, ...]:
    try:
        return space.restrict("architecture", architecture).columns
    except SpaceError:  # it is fixed, or chosen only under a condition
        return space.columns


def _values_of(name: str, columns: Sequence[Column]) -> tuple[Value, ...]:
    """The choices of a dimension, or the ends of its range; empty where it does not vary."""
    column = next((c for c in columns if c.name == name), None)
    if column is None:
        return ()
    ends = tuple(end for end in (column.low, column.high) if end is not None)
    return column.choices or ends
