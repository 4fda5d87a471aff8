"""A `HyperModel` of KerasTuner, built with the values of a trial."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras_tuner import HyperParameters

from recommender.architectures.keras_model import KerasModel
from recommender.own import Value


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
