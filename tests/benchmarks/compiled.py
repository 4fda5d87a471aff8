"""`python -m tests.benchmarks.compiled [--gpu]`: what `jit_compile` costs and gains.

A minute. One thread; seconds by the clock. Of each model the first epoch, with all that comes
before it, then the least of several epochs, compiled and not turn about, evaluations included.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

from recommender.config import OPTIMIZERS, RankingConfig, TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.device import DeviceData
from recommender.runtime import configure_devices
from recommender.training import TrainingRun
from tests.benchmarks.step import FEATURES

MODELS = {
    "default": RankingConfig(),
    "default, batch 8192": RankingConfig(batch_size=8192),
    "dcn": RankingConfig(architecture="dcn"),
    "3 layers of 512, embedding 64": RankingConfig(
        n_layers=3, layer_sizes=(512, 512, 512), embedding_size=64
    ),
} | {
    f"{architecture}, {optimizer}, embedding 32": RankingConfig(
        architecture=architecture, optimizer=optimizer, embedding_size=32
    )
    for optimizer in OPTIMIZERS
    for architecture in ("plain", "dcn")
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    configure_devices(gpu=options.gpu, threads=1)
    dataset = DatasetConfig(name="movielens-small", features=FEATURES)
    data = DeviceData(load_dataset(dataset, SplitConfig()).encoded)
    print(f"{'seconds':32} {'first':>8} {'an epoch':>9}   {'compiled':>8} {'an epoch':>9}")
    for name, config in MODELS.items():
        runs, firsts = [], []
        for is_compiled in (False, True):
            compiled = dataclasses.replace(config, jit_compile=is_compiled)
            started = time.monotonic()
            run = TrainingRun(compiled, TrainingConfig(max_epochs=1000, patience=0), data)
            run.step()
            firsts.append(time.monotonic() - started)
            runs.append(run)
        seconds = [[run.step().seconds for run in runs] for _ in range(options.repeats)]
        plain, compiled_s = map(min, zip(*seconds, strict=True))
        print(
            f"{name:32} {firsts[0]:8.2f} {plain:9.4f}   {firsts[1]:8.2f} {compiled_s:9.4f}   "
            f"{compiled_s / plain:5.2f} of it",
            flush=True,
        )


if __name__ == "__main__":
    main()
