"""One Ray cluster for all tests that need one, with logical GPUs, and small data to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.cluster import Resources, ray_cluster
from experiments.machine import Gpu, Machine
from tests.synthetic import synthetic_ratings

TWO_GPUS = Machine(
    n_cpus=4,
    cpu="logical",
    memory_gb=8.0,
    gpus=tuple(Gpu(i, f"GPU-{i}", "logical", 16.0, 16.0) for i in range(2)),
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Machine]:
    """Two logical GPUs and four logical cores, whatever the machine has."""
    with ray_cluster(Resources(workers=4), TWO_GPUS):
        yield TWO_GPUS


@pytest.fixture(scope="session")
def ratings_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    synthetic_ratings(60, 40, 1500).to_csv(path, index=False)
    return path
