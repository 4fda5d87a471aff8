"""Trials that a sweep may have, drawn to plan it and to look whether each is a model."""

from __future__ import annotations

import random

from experiments.records.values import value_text
from experiments.sweep import SweepConfig, defaults_of, model_of, ranking_values
from recommender.config import Value
from recommender.errors import ModelError
from search_spaces import Choice, Float, Slot

_N_DRAWS = 200


def draw_values(config: SweepConfig, dice: random.Random) -> dict[str, Value]:
    """Values that the space may ask for, with those that `[model]` fixes."""
    assert config.space is not None
    return ranking_values(config, config.space.walk(lambda slot: _draw(slot, dice)))


def impossible_trial(config: SweepConfig) -> str | None:
    """What keeps some trial of a sweep from being a model, where its ends alone do not tell."""
    if config.space is None:
        return None
    dice = random.Random(config.seed)
    deciding = set().union(*(dimension.parents for dimension in config.space.dimensions))
    draws = (draw_values(config, dice) for _ in range(_N_DRAWS))
    for values in (defaults_of(config).on(config.space), *draws):
        try:
            model_of(config, values)
        except ModelError as error:
            told = [f"{n} = {value_text(values[n])}" for n in values if n in deciding]
            where = f" with {', '.join(told)}" if told else ""
            return f"a trial{where} would be no model: {error}"
    return None


def _draw(slot: Slot, dice: random.Random) -> Value:
    """A value of about the right size; the sampler's own draws are another matter."""
    distribution = slot.distribution
    if isinstance(distribution, Choice):
        return dice.choice(list(distribution.choices))
    low, high = distribution.low, distribution.high
    share = dice.random()
    value = low * (high / low) ** share if distribution.log else low + share * (high - low)
    return distribution.clip(value if isinstance(distribution, Float) else round(value))
