"""How many workers the memory of this machine has room for, with the data of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records.values import plural
from recommender.datasets.encoded import EncodedDataset
from recommender.footprint import worker_bytes

SHARE_OF_MEMORY = 0.8
"""Of the machine's memory, which all workers together may hold."""


def within_memory(
    asked: Resources | None,
    settled: Resources,
    machine: Machine,
    dataset: EncodedDataset,
    tell: Callable[[str], object],
) -> Resources:
    """No more workers than these data leave memory for, where nobody said how many; says so.

    Of GPUs there are few, and the workers of a cluster have other machines.
    """
    is_asked = asked is not None and asked.workers is not None
    if is_asked or settled.gpus or settled.address is not None:
        return settled
    assert settled.workers is not None
    each = worker_bytes(dataset)
    # The driver has the data, too.
    room = SHARE_OF_MEMORY * machine.memory_gb * 1024**3 / each - 1
    workers = max(1, int(min(settled.workers, room)))
    if workers == settled.workers:
        return settled
    tell(
        f"{plural(workers, 'worker')} and not {settled.workers}: with these data each takes "
        f"{each / 1e9:.1f} GB at the least, and there are {machine.memory_gb:.0f} GB; "
        "--workers says otherwise"
    )
    return replace(settled, workers=workers)
