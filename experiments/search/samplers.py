"""The samplers of a sweep: what proposes the values of the next trial.

Optuna is imported where a sampler is built, so that checking a sweep file does not wait for it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.search.arguments import Argument, check_arguments, with_defaults
from search_spaces import Problem
from search_spaces.problems import unknown

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SamplerFactory = Callable[[int], "BaseSampler"]
"""A fresh sampler from a seed."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler that a sweep may name."""

    arguments: tuple[Argument, ...] = ()
    build: Callable[..., BaseSampler] | None = None
    """Takes the seed and every argument by name; None where there is nothing to propose, since
    the whole grid is known beforehand."""


def _random(seed: int) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _tpe(seed: int, *, n_startup_trials: int, n_candidates: int) -> BaseSampler:
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    # `group` samples jointly within each branch of a conditional space; without it every
    # dimension that some trial lacks would be drawn on its own.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            n_startup_trials=n_startup_trials,
            n_ei_candidates=n_candidates,
            multivariate=True,
            group=True,
            constant_liar=True,
            seed=seed,
        )


SAMPLERS: dict[str, Sampler] = {
    "random": Sampler(build=_random),
    "grid": Sampler(),
    "tpe": Sampler(
        arguments=(
            Argument("n_startup_trials", 10, 1, "random trials of an arm before it learns"),
            Argument("n_candidates", 24, 1, "draws compared for each proposal", high=10_000),
        ),
        build=_tpe,
    ),
}


def check_sampler(name: str, args: Mapping[str, Any]) -> list[Problem]:
    """Everything wrong with a sampler as a sweep file names it."""
    if name not in SAMPLERS:
        return [Problem("search.sampler", unknown("sampler", name, SAMPLERS))]
    return check_arguments("search.sampler", name, SAMPLERS[name].arguments, args)


def sampler_factory(name: str, args: Mapping[str, Any]) -> SamplerFactory | None:
    """What makes the sampler from a seed, or None where the grid is enumerated instead.

    The name and arguments have passed `check_sampler`.
    """
    sampler = SAMPLERS[name]
    build = sampler.build
    if build is None:
        return None
    arguments = with_defaults(sampler.arguments, args)
    return lambda seed: build(seed, **arguments)


def stable_seed(*parts: object) -> int:
    """A 32-bit seed from what identifies a random choice, the same in every process."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
