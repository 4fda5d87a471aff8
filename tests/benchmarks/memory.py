"""`python -m tests.benchmarks.memory`: does a worker that is never recycled grow?

A minute or two. 200 trials of one epoch on one worker, 48 shapes of plain and DCN models,
one after another and then at random; resident memory after each trial. What the worker keeps (24
graphs, TensorFlow's own pools) fills up at first: warm-up is the first 50 trials, and the last 50
are compared with the 50 after it.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil

from experiments.running.orders import TrialOrder, WorkerSettings
from experiments.running.worker import Workbench
from recommender.config import TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset

WARM_UP = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    options = parser.parse_args()
    grid = itertools.product(
        ("plain", "dcn"), (8, 16), (16, 24, 32, 48, 64, 96), ("adam", "adagrad")
    )
    shapes: list[dict[str, Any]] = [
        {
            "architecture": a,
            "embedding_size": e,
            "layer_size_0": n,
            "layer_size_1": 16,
            "optimizer": o,
        }
        for a, e, n, o in grid
    ]
    chosen = shapes + random.Random(1).choices(shapes, k=max(0, options.trials - len(shapes)))
    dataset = DatasetConfig(name="movielens-small", features=("user_id", "item_id", "genres"))
    encoded = load_dataset(dataset, SplitConfig()).encoded
    resident = []
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder)
        settings = WorkerSettings(cpus=1, gpus=0, recycle_above_mb=1e9, stop_file=study / "stop")
        bench = Workbench(encoded, settings)
        for number, values in enumerate(chosen[: options.trials]):
            training = TrainingConfig(max_epochs=1)
            order = TrialOrder(number, f"{number:04d}", 1, values, {}, training, study)
            while not bench.step(order)["done"]:
                pass
            resident.append(psutil.Process().memory_info().rss / 1e6)
            if number % 10 == 9:
                print(f"{number + 1:4} trials: {resident[-1]:7.0f} MB", flush=True)
    if len(resident) <= WARM_UP:
        return
    early, late = resident[WARM_UP : WARM_UP + 50], resident[-50:]
    first, last = statistics.mean(early), statistics.mean(late)
    print(f"{len(shapes)} shapes; trials {WARM_UP} to {WARM_UP + len(early)}: {first:.0f} MB; "
          f"the last 50: {last:.0f} MB; {100 * (last / first - 1):+.1f} %")  # fmt: skip


if __name__ == "__main__":
    main()
