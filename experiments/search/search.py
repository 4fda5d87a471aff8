"""The search that a sweep asks for: Optuna's samplers and pruners, one study an arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.arms import Defaults, arms_of
from experiments.search.armed_search import ArmedSearch
from experiments.search.enqueue import enqueued_points
from experiments.search.grid import grid_points
from experiments.search.optuna_search import OptunaSearch
from experiments.search.pruners import build_pruner
from experiments.search.samplers import SamplerFactory, sampler_factory, stable_seed
from experiments.search.search_protocol import Search
from experiments.sweep import SearchConfig
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


def build_search(
    space: SearchSpace,
    config: SearchConfig,
    seed: int,
    compare: str | None,
    defaults: Defaults,
) -> Search:
    """The search that a sweep asks for, one an arm where it compares a dimension.

    Args:
        defaults: each arm tries their projection onto its space first.

    Raises:
        SpaceError: the sampler is `grid` and a dimension has no finite grid.
    """
    sampler = _sampler(config)

    def one_arm(space: SearchSpace, arm: str | None) -> OptunaSearch:
        default = defaults.on(space)
        enqueued = enqueued_points(space, config.enqueue, defaults, compare=compare, arm=arm)
        return OptunaSearch(
            space,
            planned=[default, *enqueued] if sampler else grid_points(space, default),
            sampler=sampler,
            pruner=_pruner(config),
            seed=stable_seed(seed, "search", arm or ""),
            arm=arm,
        )

    if compare is None:
        return one_arm(space, None)
    return ArmedSearch({arm: one_arm(part, arm) for arm, part in arms_of(space, compare).items()})


def _sampler(config: SearchConfig) -> SamplerFactory | None:
    if config.sampler_own is not None:
        from experiments.search.own_search import own_sampler_factory

        return own_sampler_factory(config.sampler_own, config.sampler_args)
    return sampler_factory(config.sampler, config.sampler_args)


def _pruner(config: SearchConfig) -> BasePruner:
    if config.pruner_own is not None:
        from experiments.search.own_search import own_pruner

        return own_pruner(config.pruner_own, config.pruner_args, config.max_epochs)
    return build_pruner(config.pruner, config.pruner_args, config.max_epochs)
