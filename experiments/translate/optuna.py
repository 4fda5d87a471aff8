"""Our distributions and trial values in Optuna's words.

Optuna knows one parameter a slot, by the slot's key: a dimension whose range depends on another
one has a parameter for each case.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search_spaces import Choice, Distribution, Float, Int, SearchSpace, Slot, Value


def to_optuna(distribution: Distribution) -> BaseDistribution:
    """The same set of values and scale; both ends are in, there as here.

    Optuna draws a continuous Float from `low` to the number just under `high`.
    """
    match distribution:
        case Float(low=low, high=high, log=log, step=step):
            return FloatDistribution(low, high, log=log, step=step)
        case Int(low=low, high=high, log=log, step=step):
            return IntDistribution(low, high, log=log, step=step)
        case Choice(choices=choices):
            return CategoricalDistribution(choices)


def suggest(trial: optuna.trial.Trial, slot: Slot) -> Value:
    """What Optuna proposes for a slot of a running trial.

    A stepped Float comes as 0.30000000000000004: it is set right, here and in Optuna's memory,
    so that the trial reads the same when it is put back from its record.
    """
    ours, theirs = slot.distribution, to_optuna(slot.distribution)
    match ours:
        case Float(low=low, high=high, log=log, step=step):
            drawn: Value = trial.suggest_float(slot.key, low, high, log=log, step=step)
        case Int(low=low, high=high, log=log, step=step):
            drawn = trial.suggest_int(slot.key, low, high, log=log, step=step)
        case Choice(choices=choices):
            drawn = trial.suggest_categorical(slot.key, tuple(choices))  # type: ignore[assignment]  # None is no choice of ours
    value = ours.clip(drawn)
    if value != drawn:
        internal = theirs.to_internal_repr(value)
        trial.storage.set_trial_param(trial._trial_id, slot.key, internal, theirs)
    return value


def to_params(
    space: SearchSpace, values: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, BaseDistribution]]:
    """A trial's values by column as Optuna's parameters and their distributions, by slot key."""
    active = space.active(values)
    return (
        {slot.key: value for slot, value in active},
        {slot.key: to_optuna(slot.distribution) for slot, _ in active},
    )


@contextlib.contextmanager
def quiet_optuna(level: int = optuna.logging.WARNING) -> Iterator[None]:
    """Optuna says nothing below this level."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(level)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def study_in_memory(
    name: str, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.study.Study:
    """A study that minimises, without Optuna's line about it on stderr.

    A sampler that has nothing left (BruteForceSampler) may `stop` it, which does nothing: who asks
    and tells has no loop to be stopped, and Optuna raises there.
    """
    with quiet_optuna():
        study = optuna.create_study(study_name=name, direction="minimize", pruner=pruner)
    study.stop = lambda: None  # type: ignore[method-assign]
    return study
