"""How many trials share a GPU, chosen by what a probe measures (`--gpu-share auto`).

No Ray and no GPU here: who probes is a function, and a test can make one up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experiments.machine.gpu_memory import LEAST_MB, Gpu, memory_cap_mb
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources, share_of
from experiments.request.draws import draw_values
from experiments.sweep import SweepConfig
from recommender.config import RankingConfig, ranking_config
from recommender.datasets.encoded import EncodedDataset
from recommender.footprint import least_bytes

SAFETY = 1.2
"""A trial gets so many times the memory that the probe saw one take."""
LEAST_GAIN = 0.1
"""More trials on a GPU must train at least so much more, all together, to be worth it."""
_N_DRAWS = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """So many trials at once on one GPU, for a few seconds."""

    epochs_per_s: float
    """Of all together; above 0."""
    memory_mb: float | None
    """MiB of GPU memory that a trial takes at its most; None: it cannot be read."""


class ProbeFailed(Exception):
    """So many trials at once could not be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How many trials share a GPU, and why not more."""

    trials_per_gpu: int
    why: str
    measured: Mapping[int, Measured]
    """By how many trained at once on one GPU."""


def choose_packing(
    measure: Callable[[int], Measured], gpus: Sequence[Gpu], most: int, limit: str
) -> Packing:
    """Double the trials on a GPU, from one, as long as memory holds them and it pays.

    Memory holds n where the cap of each, its part of what is free on the fullest GPU less
    `CONTEXT_GB` for its process, is at least `SAFETY` times what one took alone. It pays where all
    together train at least `LEAST_GAIN` more epochs a second than half as many did. What cannot be
    measured is too many; where that is already a single trial, it stays at one.

    Args:
        measure: trains so many at once on one GPU, or raises ProbeFailed.
        most: of trials a GPU, whatever is measured.
        limit: why not more than `most`, for the record.
    """
    if most < 2:
        return Packing(1, limit, {})
    try:
        alone = measure(1)
    except ProbeFailed as failure:
        return Packing(1, f"one alone could not be probed: {failure}", {})
    measured = {1: alone}
    if alone.memory_mb is None:
        why = "TensorFlow has no GPU here, or the models are not TensorFlow's: what a trial takes"
        return Packing(1, f"{why} of a GPU's memory cannot be read", measured)
    n_fit = _n_that_fit(gpus, alone.memory_mb, most)
    if n_fit < most:
        free_gb = min(gpu.free_gb for gpu in gpus if gpu.memory_gb)
        limit = f"one takes up to {alone.memory_mb / 1024:.1f} of {free_gb:.1f} GB that are free"
    chosen = 1
    while chosen < n_fit:
        more = min(2 * chosen, n_fit)
        try:
            measured[more] = measure(more)
        except ProbeFailed as failure:
            limit = f"{more} at once failed: {failure}"
            break
        gain = measured[more].epochs_per_s / measured[chosen].epochs_per_s
        if gain < 1 + LEAST_GAIN:
            limit = f"{more} at once train only {gain:.2f} times the epochs of {_alone(chosen)}"
            break
        chosen = more
    if chosen > 1:
        gain = measured[chosen].epochs_per_s / alone.epochs_per_s
        limit = f"they train {gain:.1f} times the epochs of one alone; {limit}"
    return Packing(chosen, limit, measured)


def _alone(n: int) -> str:
    return "one alone" if n == 1 else str(n)


def _n_that_fit(gpus: Sequence[Gpu], memory_mb: float, most: int) -> int:
    """How many trials a GPU holds, at least the one that was there."""
    for n in range(2, most + 1):
        cap_mb = memory_cap_mb(gpus, share_of(n))
        if cap_mb is not None and cap_mb < max(LEAST_MB, SAFETY * memory_mb):
            return n - 1
    return most


def most_packed(resources: Resources, machine: Machine, n_trials: int) -> tuple[int, str]:
    """The most trials a GPU that can be had without looking at it, and why not more.

    Args:
        resources: settled, with a share that is still to be probed.
        n_trials: that are left to train.
    """
    most = resources.pack_up_to
    assert most is not None
    on_cores = int(machine.n_cpus / resources.cpus + 1e-9)
    if n_trials < most:
        most, why = n_trials, f"no more than {n_trials} {'is' if n_trials == 1 else 'are'} left"
    elif most < on_cores:
        why = f"--workers {most} allows no more"
    else:
        why = f"{machine.n_cpus} cores at {resources.cpus:g} a trial hold no more"
    return -(-most // machine.n_gpus), why


def models_to_probe(sweep: SweepConfig, encoded: EncodedDataset) -> tuple[RankingConfig, ...]:
    """The largest model that the space may ask for, as far as dozens of draws show, and the first
    drawn of each architecture of the researcher's own, whose size nobody knows."""
    dice = random.Random(sweep.seed)
    values = [dict(sweep.model), *(draw_values(sweep, dice) for _ in range(_N_DRAWS))]
    models = [ranking_config(drawn, sweep.architectures) for drawn in values]
    ours = [model for model in models if model.own is None]
    largest = sorted(ours, key=lambda model: least_bytes(model, encoded))[-1:]
    first_own: dict[str, RankingConfig] = {}
    for model in models:
        if model.own is not None:
            first_own.setdefault(model.architecture, model)
    return (*largest, *first_own.values())
