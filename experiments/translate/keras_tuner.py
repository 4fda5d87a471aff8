"""Our spaces in KerasTuner's words, and back.

    space = from_keras_tuner(hp)  # of keras_tuner.HyperParameters, conditional scopes included
    hp = to_keras_tuner(space)

Reading takes what `hp.get_config()` gives and needs no KerasTuner, which imports TensorFlow; only
`to_keras_tuner` imports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import (
    Case,
    Choice,
    Dimension,
    Distribution,
    Float,
    Int,
    Problem,
    SearchSpace,
    Slot,
    SpaceError,
    Value,
)

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def from_keras_tuner(hp: HyperParameters) -> SearchSpace:
    """The space that KerasTuner's hyperparameters make.

    Raises:
        SpaceError: something that our spaces cannot say, such as `reverse_log`; all of it. Or it is
            no `HyperParameters`.
    """
    if not hasattr(hp, "get_config"):
        told = f"must be keras_tuner.HyperParameters, got {hp!r}; a HyperModel is an architecture"
        raise SpaceError([Problem("hp", told)])
    dimensions, _ = read_hyperparameters(hp.get_config()["space"])
    return SearchSpace(dimensions)


def read_hyperparameters(
    listed: Sequence[Mapping[str, Any]],
) -> tuple[tuple[Dimension, ...], dict[str, Value]]:
    """From the `space` of a configuration to dimensions and their defaults.

    Raises:
        SpaceError: as `from_keras_tuner`.
    """
    cases: dict[str, list[Case]] = {}
    defaults: dict[str, Value] = {}
    problems: list[Problem] = []
    for entry in listed:
        config = entry["config"]
        name = config["name"]
        conditions = [condition["config"] for condition in config["conditions"]]
        try:
            distribution = _distribution(entry["class_name"], config)
            case = distribution.when(**{c["name"]: tuple(c["values"]) for c in conditions})
        except SpaceError as error:
            problems += [problem.under(name) for problem in error.problems]
            continue
        cases.setdefault(name, []).append(case)
        defaults.setdefault(name, distribution.clip(config.get("default")))
    if problems:
        raise SpaceError(problems)
    return tuple(Dimension(name, tuple(its)) for name, its in cases.items()), defaults


def to_keras_tuner(
    space: SearchSpace, defaults: Mapping[str, Value] | None = None
) -> HyperParameters:
    """KerasTuner's hyperparameters of the same values, scales and conditions.

    A dimension with cases is there once for each, under its one name.

    Args:
        defaults: what KerasTuner tries first, projected onto the space; None: the low ends.

    Raises:
        SpaceError: it is no space.
    """
    if not isinstance(space, SearchSpace):
        raise SpaceError([Problem("space", f"must be what rs.space gives, got {space!r}")])
    from keras_tuner import HyperParameters

    start = space.project(defaults or {})
    listed = [
        _hyperparameter(slot, slot.distribution.clip(start.get(slot.name)))
        for slot in _parents_first(space)
    ]
    return HyperParameters.from_config({"space": listed, "values": start})


def _distribution(kind: str, config: Mapping[str, Any]) -> Distribution:
    if kind == "Boolean":
        return Choice((False, True))
    if kind == "Fixed":
        return Choice((config["value"],))
    if kind == "Choice":
        return Choice(tuple(config["values"]))
    if kind not in ("Int", "Float"):
        raise SpaceError([Problem("", f"a hyperparameter of kind {kind} is unknown to recsweep")])
    low, high, step = config["min_value"], config["max_value"], config["step"]
    sampling = config["sampling"]
    if sampling == "reverse_log":
        message = "sampling='reverse_log' is unknown to recsweep; say 'linear' or 'log'"
        raise SpaceError([Problem("", message)])
    if sampling == "log" and step is not None:
        n_steps = int(math.log(high / low, step) + 1e-8)
        return Choice(tuple(_plain(low * step**k, kind) for k in range(n_steps + 1)))
    ours = Int if kind == "Int" else Float
    if step is None:
        return ours(low, high, log=sampling == "log")
    n_steps = int((high - low) / step + 1e-8)
    return ours(low, _plain(low + n_steps * step, kind), step=step)


def _plain(value: float, kind: str) -> Any:
    """Without the digits that arithmetic leaves behind."""
    return int(value) if kind == "Int" else float(f"{value:.12g}")


def _parents_first(space: SearchSpace) -> Iterator[Slot]:
    waiting, there = list(space.slots), set[str]()
    while waiting:
        ready = [slot for slot in waiting if slot.conditions.keys() <= there]
        # A name is there once all its cases are.
        yield from ready
        waiting = [slot for slot in waiting if slot not in ready]
        there = {slot.name for slot in space.slots} - {slot.name for slot in waiting}


def _hyperparameter(slot: Slot, default: Value) -> dict[str, Any]:
    conditions = [
        {"class_name": "Parent", "config": {"name": name, "values": list(values)}}
        for name, values in slot.conditions.items()
    ]
    common = {"name": slot.name, "conditions": conditions, "default": default}
    config: dict[str, Any]
    match slot.distribution:
        case Int(low=low, high=high, log=log, step=step):
            kind, config = "Int", {"min_value": low, "max_value": high}
            config |= {"step": None if log else step, "sampling": "log" if log else "linear"}
        case Float(low=low, high=high, log=log, step=step):
            kind, config = "Float", {"min_value": low, "max_value": high}
            config |= {"step": step, "sampling": "log" if log else "linear"}
            if step and int((high - low) // step + 1) < (slot.distribution.size or 0):
                # KerasTuner's count of steps is cut off by a rounding error.
                config["max_value"] = high + step / 2
        case Choice(choices=choices) if set(map(type, choices)) == {bool} and len(choices) == 2:
            kind, config = "Boolean", {}
        case Choice(choices=(bool() as choice,)):
            return {
                "class_name": "Fixed",
                "config": {"name": slot.name, "conditions": conditions, "value": choice},
            }
        case Choice(choices=choices):
            kind, config = "Choice", {"values": list(choices), "ordered": None}
    return {"class_name": kind, "config": common | config}
