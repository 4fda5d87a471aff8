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

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from experiments.errors import RequestError
from experiments.records import Purpose, StopReason, TrialRecord, TrialState
from experiments.search.optuna_search import OptunaSearch
from experiments.search.samplers import SamplerFactory
from experiments.sweep import SweepConfig
from experiments.translate.optuna import quiet_optuna
from recommender.errors import OwnCodeError
from recommender.own import OwnDefinition
from recommender.own_loading import blamed_on, load
from search_spaces import SearchSpace


def own_sampler_factory(own: OwnDefinition, args: Mapping[str, Any]) -> SamplerFactory:
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


def own_pruner(own: OwnDefinition, args: Mapping[str, Any], max_epochs: int) -> BasePruner:
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
        RequestError: one fails, or the sampler draws what no seed reaches, or a resume forgets.
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
                build = own_sampler_factory(own, search.sampler_args)
                with quiet_optuna(optuna.logging.ERROR):
                    _try_sampler(own, build, space, sweep.seed)
        except RequestError as error:
            raise RequestError(error.message.removesuffix(_way_on(own))) from error


def _try_sampler(own: OwnDefinition, build: SamplerFactory, space: SearchSpace, seed: int) -> None:
    """What it proposes first, and after trials enough for it to learn from: some of Optuna's import
    what they need only then."""

    def search() -> OptunaSearch:
        return OptunaSearch(space, planned=[], sampler=build, pruner=NopPruner(), seed=seed)

    alone, again, resumed = search(), search(), search()
    trials = []
    for number in range(_ENOUGH_TO_LEARN):
        trials.append(_tried(alone, number))
        if (other := _tried(again, number)) != trials[-1]:
            raise RequestError(
                f"{own.where} proposes other values under the same seed "
                f"({dict(trials[-1].values)}, then {dict(other.values)}): no sweep could be run "
                "again or resumed; hand the seed on, as RandomSampler(seed=seed)"
            )
    resumed.restore(trials, {})
    values = [_tried(one, _ENOUGH_TO_LEARN).values for one in (alone, resumed)]
    if values[0] != values[1]:
        raise RequestError(
            f"{own.where} proposes other values once a sweep was resumed ({dict(values[0])}, then "
            f"{dict(values[1])}): it goes by more than the trials before it, which are all that a "
            "study keeps, as QMCSampler does with a count of its own; read what it needs from "
            "study.trials"
        )


_ENOUGH_TO_LEARN = 12
"""Optuna's begin after 10 at the latest, unless told otherwise."""


def _tried(search: OptunaSearch, number: int) -> TrialRecord:
    """The next trial, as if it had been trained for an epoch."""
    proposal = search.ask(number)
    assert proposal is not None
    trial = TrialRecord(
        number=number,
        name=f"{number:04d}",
        purpose=Purpose.SEARCH,
        arm=None,
        arm_number=number,
        values=proposal.values,
        seed=0,
        is_default=False,
        state=TrialState.COMPLETE,
        stop_reason=StopReason.MAX_EPOCHS,
        error=None,
        best_rmse=1.0 + number / _ENOUGH_TO_LEARN,
        pruner_state={"0": search.pruner_state(number)},
    )
    search.tell(number, StopReason.MAX_EPOCHS, trial.best_rmse)
    return trial


def _made(own: OwnDefinition, given: int, args: Mapping[str, Any]) -> object:
    with _told_as_theirs(own):
        return load(own)(given, **args)


@contextlib.contextmanager
def _told_as_theirs(own: OwnDefinition) -> Iterator[None]:
    try:
        with blamed_on(own):
            yield
    except OwnCodeError as error:
        raise RequestError(f"{error.in_full}{_way_on(own)}") from error


def _way_on(own: OwnDefinition) -> str:
    return (
        f"\nThe sweep ends here; what is finished is kept. Mend {own.file} and run it as another "
        "study: --set name=..."
    )


def _told(name: str) -> Any:
    """The inner sampler's method of this name, whose errors are told by file and line."""

    def method(self: _OwnSampler, *args: Any, **kwargs: Any) -> Any:
        with _told_as_theirs(self._own):
            return getattr(self._inner, name)(*args, **kwargs)

    return method


class _OwnSampler(BaseSampler):
    """The sampler, whose errors are told by file and line."""

    def __init__(self, own: OwnDefinition, inner: BaseSampler) -> None:
        self._own = own
        self._inner = inner

    infer_relative_search_space = _told("infer_relative_search_space")
    sample_relative = _told("sample_relative")
    sample_independent = _told("sample_independent")
    before_trial = _told("before_trial")
    after_trial = _told("after_trial")


class _OwnPruner(BasePruner):
    """The pruner, whose errors are told by file and line."""

    def __init__(self, own: OwnDefinition, inner: BasePruner) -> None:
        self._own = own
        self._inner = inner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        with _told_as_theirs(self._own):
            return bool(self._inner.prune(study, trial))
