"""A `HyperModel` of KerasTuner: built with the values of a trial, and read for what may vary."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras_tuner import HyperParameters

from recommender.architectures.keras_model import KerasModel
from recommender.model_data import ModelData
from recommender.own import OwnArchitecture, Value
from recommender.own_loading import blamed_on, load


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


def explore(own: OwnArchitecture, data: ModelData, most_builds: int) -> list[dict[str, Any]]:
    """The hyperparameters that its `build` declares, as KerasTuner writes them down.

    It is built with the defaults, then once more for each scope that no build has entered, and for
    each choice that none has taken: code under an `if` is read, too.

    Raises:
        OwnCodeError: it cannot be built.
    """
    made = load(own)
    known = HyperParameters()
    waiting: list[dict[str, Value]] = [{}]
    tried: list[dict[str, Value]] = []
    while waiting and len(tried) < most_builds:
        wanted = waiting.pop(0)
        tried.append(wanted)
        given = HyperParameters()
        given.values = dict(wanted)
        with blamed_on(own):
            (made(data) if own.takes_data else made()).build(given)
        known.merge(given, overwrite=False)
        scopes = [{c.name: c.values[0] for c in scope} for scope in given.inactive_scopes]
        choices = [
            {**{c.name: c.values[0] for c in declared.conditions}, declared.name: value}
            for declared in given.space
            for value in _few(declared)
        ]
        waiting += [w for w in (*scopes, *choices) if w not in tried and w not in waiting]
    listed: list[dict[str, Any]] = known.get_config()["space"]
    return listed


def _few(declared: Any) -> list[Value]:
    """What a branch may depend on: the values of a choice."""
    config = declared.get_config()
    if type(declared).__name__ == "Boolean":
        return [False, True]
    return list(config["values"])[:8] if type(declared).__name__ == "Choice" else []
