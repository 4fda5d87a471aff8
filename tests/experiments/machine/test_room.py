from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.machine.room import within_memory
from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.footprint import worker_bytes
from tests.synthetic import synthetic_encoded

SMALL = synthetic_encoded()


def large(n_train: int, n_validation: int) -> EncodedDataset:
    """Rows that take no memory here."""

    def rows(n: int) -> Rows:
        ids = np.broadcast_to(np.int32(0), (n,))
        return Rows(ids, ids, ids, np.zeros((n, 0), np.float32), np.broadcast_to(np.float32(3), n))

    return replace(
        SMALL,
        train=rows(n_train),
        validation=rows(n_validation),
        validation_users=np.broadcast_to(np.int32(0), (n_validation,)),
        context_columns=(),
    )


MILLIONS = large(15_000_000, 5_000_000)


def workers_on(
    machine: Machine, dataset: EncodedDataset, asked: Resources | None = None
) -> tuple[int | None, list[str]]:
    told: list[str] = []
    settled = (asked or Resources()).settle(machine)
    return within_memory(asked, settled, machine, dataset, told.append).workers, told


def test_millions_of_ratings_get_the_workers_that_memory_holds_beside_the_driver() -> None:
    assert worker_bytes(MILLIONS) == pytest.approx(1.58e9, rel=0.01)
    workers, told = workers_on(Machine(16, "", memory_gb=16), MILLIONS)
    assert workers == 7
    assert told == [
        "7 workers and not 16: with these data each takes 1.6 GB at the least, and there are "
        "16 GB; --workers says otherwise"
    ]
    assert workers_on(Machine(16, "", memory_gb=64), MILLIONS) == (16, [])
    assert workers_on(Machine(2, "", memory_gb=0.5), MILLIONS)[0] == 1
    assert workers_on(Machine(1, "", memory_gb=0.5), MILLIONS) == (1, [])


@pytest.mark.parametrize("memory_gb", [16, math.inf])
def test_small_data_get_a_worker_a_core(memory_gb: float) -> None:
    assert workers_on(Machine(16, "", memory_gb=memory_gb), SMALL) == (16, [])


def test_who_says_how_many_gets_them() -> None:
    asked = Resources(workers=16)
    assert workers_on(Machine(16, "", memory_gb=16), MILLIONS, asked) == (16, [])
