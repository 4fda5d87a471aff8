"""The pruners of a sweep: what stops weak trials early.

Optuna is imported where a pruner is built, so that checking a sweep file does not wait for it.
Optuna's steps are our epochs, from 1, so a warm-up of 3 lets every trial finish its third epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.search.arguments import Argument, check_arguments, with_defaults
from search_spaces import Problem
from search_spaces.problems import unknown

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


@dataclass(frozen=True, slots=True)
class Pruner:
    """A pruner that a sweep may name."""

    build: Callable[..., BasePruner]
    """Takes `max_epochs` and every argument by name."""
    arguments: tuple[Argument, ...] = ()


def _none(max_epochs: int) -> BasePruner:  # noqa: ARG001  # every pruner is built alike
    from optuna.pruners import NopPruner

    return NopPruner()


def _median(max_epochs: int, *, n_warmup_epochs: int, n_startup_trials: int) -> BasePruner:  # noqa: ARG001
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=n_startup_trials, n_warmup_steps=n_warmup_epochs)


def _successive_halving(
    max_epochs: int,  # noqa: ARG001
    *,
    n_warmup_epochs: int,
    reduction_factor: int,
) -> BasePruner:
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=n_warmup_epochs, reduction_factor=reduction_factor)


def _hyperband(max_epochs: int, *, n_warmup_epochs: int, reduction_factor: int) -> BasePruner:
    from optuna.pruners import HyperbandPruner

    # Told outright: "auto" would be guessed anew from the finished trials after each resume.
    return HyperbandPruner(
        min_resource=n_warmup_epochs, max_resource=max_epochs, reduction_factor=reduction_factor
    )


_WARMUP = Argument("n_warmup_epochs", 3, 1, "epochs that every trial gets")

PRUNERS: dict[str, Pruner] = {
    "none": Pruner(_none),
    "median": Pruner(
        _median,
        (_WARMUP, Argument("n_startup_trials", 5, 0, "complete trials before any is stopped")),
    ),
    "successive-halving": Pruner(
        _successive_halving,
        (_WARMUP, Argument("reduction_factor", 4, 2, "1 trial in so many goes on at each rung")),
    ),
    "hyperband": Pruner(
        _hyperband,
        (_WARMUP, Argument("reduction_factor", 3, 2, "1 trial in so many goes on at each rung")),
    ),
}


def check_pruner(name: str, args: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with a pruner as a sweep file names it."""
    if name not in PRUNERS:
        return [Problem("search.pruner", unknown("pruner", name, PRUNERS))]
    return check_arguments("search.pruner", name, PRUNERS[name].arguments, args)


def build_pruner(name: str, args: Mapping[str, Any], max_epochs: int) -> BasePruner:
    """The pruner, for trials of at most `max_epochs`; it has passed `check_pruner`."""
    pruner = PRUNERS[name]
    return pruner.build(max_epochs, **with_defaults(pruner.arguments, args))
