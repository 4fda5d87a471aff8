"""What else is told of a model's predictions, beside the RMSE that ranks it.

    [metrics]
    also = ["mae", "mine.py:auc_at_4"]

An own metric is a function `(actual, predicted) -> float` of two arrays (n_rows,) in stars, or
`(actual, predicted, user) -> float`, which also hears whose each row is. What goes wrong in it is
told as the researcher's own, and costs the trial nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.errors import OwnCodeError
from recommender.metrics import mae
from recommender.own import OwnDefinition
from recommender.own_loading import blamed_on, load

Array = npt.NDArray[np.floating[Any]]

METRICS: dict[str, Callable[[Array, Array], float]] = {"mae": mae}
"""Ours, by the name that a sweep gives them; each takes predicted and actual ratings."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The further metrics of one epoch."""

    values: Mapping[str, float] = field(default_factory=dict)
    """By name; those that gave no finite number are left out."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """What went wrong, by name."""


def measure(
    metrics: Mapping[str, OwnDefinition | None],
    predicted: Array,
    actual: Array,
    user: npt.NDArray[np.integer[Any]],
) -> Measured:
    """The metrics of these predictions; never raises.

    Args:
        metrics: by name; None is one of ours.
        user: whose each row is, a number a user.
    """
    values: dict[str, float] = {}
    errors: dict[str, str] = {}
    for name, own in metrics.items():
        if own is None:
            values[name] = METRICS[name](predicted, actual)
            continue
        try:
            values[name] = _own_value(own, predicted, actual, user)
        except Exception as error:  # also out of memory: it is their function's
            told = str(error) if isinstance(error, OwnCodeError) else type(error).__name__
            errors[name] = told.splitlines()[0] if told else type(error).__name__
    return Measured(values, errors)


def _own_value(
    own: OwnDefinition, predicted: Array, actual: Array, user: npt.NDArray[np.integer[Any]]
) -> float:
    function = load(own)
    required = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    # Copies: a metric may sort in place.
    arrays: list[npt.NDArray[Any]] = [actual.copy(), predicted.copy()]
    if len(required) > len(arrays):
        arrays.append(np.unique(user, return_inverse=True)[1])  # some have no row here
    with blamed_on(own):
        given = function(*arrays)
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        raise OwnCodeError(f"{own.where} must give a number, got {given!r:.80}") from None
    if not math.isfinite(value):
        raise OwnCodeError(f"{own.where} gives {value}")
    return value
