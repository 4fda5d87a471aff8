"""A `HyperModel` of KerasTuner: built with the values of a trial, and read for what may vary."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras_tuner import HyperParameters
from keras_tuner.engine import hyperparameters

from recommender.architectures.keras_model import KerasModel
from recommender.errors import OwnCodeError
from recommender.model_data import ModelData
from recommender.own import OwnDefinition, Value
from recommender.own_loading import blamed_on, load

MOST_ROUNDS = 100
"""Of a loop whose number a search varies; larger numbers are widths and would make large models."""


class TunedModel(KerasModel):
    """What its `build` gives for a trial's values, fitted by its `fit`.

    Hyperparameters that the trial has no value for take their defaults.
    """

    def _made(
        self, made: Callable[..., Any], arguments: dict[str, Value]
    ) -> tuple[Any, Callable[..., Any]]:
        hypermodel = made(self._data) if self._own.takes_data else made()
        given = HyperParameters()
        given.values = arguments
        model = hypermodel.build(given)
        return model, functools.partial(hypermodel.fit, given, model)


def explore(own: OwnDefinition, data: ModelData) -> list[dict[str, Any]]:
    """The hyperparameters that its `build` declares, as KerasTuner writes them down.

    It is built with the defaults; then, on top of what a build had, once more for each scope that
    it left out, for each choice that it was the first to have, and with the small whole numbers
    that it was the first to have at their ends: code under an `if`, and in a loop, is read, too.
    Numbers that do not go together cost only that build.

    Raises:
        OwnCodeError: it cannot be built.
    """
    made = load(own)
    known = HyperParameters()
    waiting: list[tuple[dict[str, Value], bool]] = [({}, True)]
    seen: set[object] = set()

    def is_new(what: object) -> bool:
        is_it = what not in seen
        seen.add(what)
        return is_it

    while waiting:
        wanted, must_be_built = waiting.pop(0)
        given = HyperParameters()
        given.values = dict(wanted)
        try:
            with blamed_on(own):
                (made(data) if own.takes_data else made()).build(given)
        except OwnCodeError:
            if must_be_built:
                raise
        known.merge(given, overwrite=False)
        scopes = [scope for scope in given.inactive_scopes if is_new(_spelt(scope))]
        new = [
            declared
            for declared in given.space
            if given.is_active(declared) and is_new((declared.name, _spelt(declared.conditions)))
        ]
        others = [{c.name: c.values[0] for c in scope} for scope in scopes]
        others += [{declared.name: value} for declared in new for value in _choices(declared)]
        waiting += [(wanted | other, must_be_built) for other in others]
        numbers = [
            declared
            for declared in new
            if isinstance(declared, hyperparameters.Int) and declared.max_value <= MOST_ROUNDS
        ]
        if numbers:
            waiting.append((wanted | {n.name: n.max_value for n in numbers}, False))
            waiting.append((wanted | {n.name: n.min_value for n in numbers}, False))
    listed: list[dict[str, Any]] = known.get_config()["space"]
    return listed


def _spelt(conditions: Any) -> tuple[object, ...]:
    return tuple((condition.name, tuple(condition.values)) for condition in conditions)


def _choices(declared: Any) -> list[Value]:
    if isinstance(declared, hyperparameters.Boolean):
        return [False, True]
    return list(declared.values) if isinstance(declared, hyperparameters.Choice) else []
