"""`python -m tests.benchmarks.tables`: a step on a table of many rows, moved all or as needed.

A minute. One thread; processor time, the least of several repetitions, taken turn about.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from recommender import optimizers
from recommender.optimizers import Optimizer, optimizer_numbers
from recommender.runtime import configure_devices, tf
from recommender.table_rows import ROW_RULES, Chunk

WIDTH, BATCH_SIZE, N_STEPS = 32, 1024, 100
RATE, DECAY = 1e-3, 0.004


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    configure_devices(gpu=False, threads=1)
    optimizers._LARGE_TABLE = 0
    print(f"a step on n x {WIDTH} numbers, {BATCH_SIZE} rows a batch, ids drawn alike")
    print(f"{'optimizer':10} {'rows':>8} {'all rows':>12} {'as needed':>12}")
    sizes = itertools.product(["adam"], [20_000, 50_000, 100_000, 200_000])
    moving = [name for name, rule in ROW_RULES.items() if rule.idle is not None]
    others = [(name, 200_000) for name in moving if name != "adam"]
    for name, n_rows in [*sizes, *others]:
        contenders = [_steps(name, n_rows, in_rows=x) for x in (False, True)]
        of_all, of_some = _least(contenders, options.repeats)
        print(f"{name:10} {n_rows:8,} {of_all * 1e3:9.2f} ms {of_some * 1e3:9.2f} ms", flush=True)


def _steps(name: str, n_rows: int, *, in_rows: bool) -> Callable[[], Any]:
    """A chunk of steps, all it takes at its beginning and end included."""
    rng = np.random.default_rng(0)
    table = tf.Variable(tf.random.stateless_uniform([n_rows, WIDTH], [0, 0], -0.05, 0.05))
    optimizer = Optimizer(name, [table], [table] if in_rows else [])
    ids = tf.constant(rng.integers(0, n_rows, (N_STEPS, BATCH_SIZE)), tf.int32)
    values = tf.constant(rng.normal(0, 1e-3, (BATCH_SIZE, WIDTH)), tf.float32)
    idle = tf.constant(optimizer.idle_numbers(Chunk(RATE, DECAY, 0, N_STEPS)))
    powers = {key: tf.constant(column) for key, column in optimizer_numbers(0, N_STEPS).items()}
    rates = {"learning_rate": tf.constant(RATE), "weight_decay": tf.constant(DECAY)}

    def step(i: Any) -> Any:
        seen = optimizer.rows(table, ids[i], i)
        numbers = {key: column[i] for key, column in powers.items()}
        optimizer.apply([tf.IndexedSlices(values + 1e-9 * seen, ids[i])], rates | numbers)
        return i + 1

    @tf.function(autograph=False)
    def train() -> None:
        optimizer.begin(idle)
        tf.while_loop(lambda i: i < N_STEPS, step, [0], parallel_iterations=1)
        optimizer.end(N_STEPS)

    return train


def _least(contenders: list[Callable[[], Any]], n_repeats: int) -> list[float]:
    """Seconds a step."""
    taken: list[list[float]] = [[] for _ in contenders]
    for repeat in range(n_repeats + 1):
        for contender, seconds in zip(contenders, taken, strict=True):
            started = time.process_time()
            contender()
            if repeat:  # the first is traced
                seconds.append((time.process_time() - started) / N_STEPS)
    return [min(seconds) for seconds in taken]


if __name__ == "__main__":
    main()
