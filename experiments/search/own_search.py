"""Samplers and pruners that a function of the researcher's own makes.

    def mine(seed, *, n=10):            gives an Optuna sampler
    def strict(max_epochs, *, best=3):  gives an Optuna pruner

A sampler is made anew for every trial, from a seed that follows from the sweep's and the trial's
number, and looks at the trials before it in the study: what it keeps to itself is gone, so that a
resumed sweep proposes what one left alone would have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import RequestError
from experiments.search.samplers import SamplerFactory
from experiments.sweep import SweepConfig
from experiments.translate.optuna import study_in_memory, suggest
from recommender.errors import OwnCodeError
from recommender.own import OwnArchitecture
from recommender.own_loading import blamed_on, load
from search_spaces import SearchSpace
from search_spaces.values import Value


def own_sampler_factory(own: OwnArchitecture, args: Mapping[str, Any]) -> SamplerFactory:
    """What makes the sampler from a seed.

    Raises, when it is called:
        RequestError: the function fails, or gives something else.
    """

    def build(seed: int) -> BaseSampler:
        made = _made(own, seed, args)
        if not isinstance(made, BaseSampler):
            raise RequestError(f"{own.where} must give an Optuna sampler, got {made!r}")
        return _OwnSampler(own, made)

    return build


def own_pruner(own: OwnArchitecture, args: Mapping[str, Any], max_epochs: int) -> BasePruner:
    """The pruner, for trials of at most `max_epochs`.

    Raises:
        RequestError: the function fails, or gives something else.
    """
    made = _made(own, max_epochs, args)
    if not isinstance(made, BasePruner):
        raise RequestError(f"{own.where} must give an Optuna pruner, got {made!r}")
    return _OwnPruner(own, made)


def check_own_search(sweep: SweepConfig) -> None:
    """Try the researcher's sampler and pruner before anything is written.

    Raises:
        RequestError: one fails, or the sampler draws what no seed reaches.
    """
    search, space = sweep.search, sweep.space
    if search is None or space is None:
        return
    for own in (search.pruner_own, search.sampler_own):
        if own is None:
            continue
        try:
            if own is search.pruner_own:
                own_pruner(own, search.pruner_args, search.max_epochs)
            else:
                _try_sampler(own, own_sampler_factory(own, search.sampler_args), space, sweep.seed)
        except RequestError as error:
            raise RequestError(error.message.removesuffix(_way_on(own))) from error


def _try_sampler(
    own: OwnArchitecture, build: SamplerFactory, space: SearchSpace, seed: int
) -> None:
    """What it proposes first, and after trials enough for it to learn from: some of Optuna's import
    what they need only then."""
    for n_told in (0, _ENOUGH_TO_LEARN):
        drawn = []
        for _ in range(2):
            study = study_in_memory("try")
            study.sampler = RandomSampler(seed=seed)
            for number in range(n_told):
                _proposed(study, space)
                study.tell(number, 1.0 + number / n_told)
            study.sampler = build(seed)
            drawn.append(_proposed(study, space))
        if drawn[0] != drawn[1]:
            raise RequestError(
                f"{own.where} proposes other values under the same seed ({drawn[0]}, then "
                f"{drawn[1]}): no sweep could be run again or resumed; hand the seed on, as "
                "RandomSampler(seed=seed)"
            )


_ENOUGH_TO_LEARN = 12
"""Optuna's begin after 10 at the latest, unless told otherwise."""


def _proposed(study: Study, space: SearchSpace) -> dict[str, Value]:
    trial = study.ask()
    return space.walk(lambda slot: suggest(trial, slot))


def _made(own: OwnArchitecture, given: int, args: Mapping[str, Any]) -> object:
    with _told_as_theirs(own):
        return load(own)(given, **args)


@contextlib.contextmanager
def _told_as_theirs(own: OwnArchitecture) -> Iterator[None]:
    try:
        with blamed_on(own):
            yield
    except OwnCodeError as error:
        raise RequestError(f"{error.in_full}{_way_on(own)}") from error


def _way_on(own: OwnArchitecture) -> str:
    return (
        f"\nThe sweep ends here; what is finished is kept. Mend {own.file} and run it as another "
        "study: --set name=..."
    )


class _OwnSampler(BaseSampler):
    """The sampler, whose errors are told by file and line."""

    def __init__(self, own: OwnArchitecture, inner: BaseSampler) -> None:
        self._own = own
        self._inner = inner

    def __str__(self) -> str:
        return self._own.where

    def reseed_rng(self) -> None:
        self._inner.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        with _told_as_theirs(self._own):
            return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        with _told_as_theirs(self._own):
            return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        with _told_as_theirs(self._own):
            return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        with _told_as_theirs(self._own):
            self._inner.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Any,
    ) -> None:
        with _told_as_theirs(self._own):
            self._inner.after_trial(study, trial, state, values)


class _OwnPruner(BasePruner):
    """The pruner, whose errors are told by file and line."""

    def __init__(self, own: OwnArchitecture, inner: BasePruner) -> None:
        self._own = own
        self._inner = inner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        with _told_as_theirs(self._own):
            return bool(self._inner.prune(study, trial))
