"""`python -m tests.benchmarks.workers`: trials an hour against the number of workers.

Two minutes a repetition with one and two workers. From the end of the first round of trials
to the end of the last trial, so that start-up is left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.sweeps import bench_sweep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    rates: dict[int, list[float]] = {n: [] for n in options.workers}
    for _ in range(options.repeats):
        for n_workers, found in rates.items():
            found.append(_trials_an_hour(options.trials, options.epochs, n_workers))
            print(f"{n_workers} worker(s): {found[-1]:.0f} trials an hour", flush=True)
    base = statistics.median(rates[options.workers[0]])
    for n_workers, found in rates.items():
        rate = statistics.median(found)
        print(f"{n_workers} worker(s): median {rate:.0f} trials an hour, {rate / base:.2f} x")


def _trials_an_hour(n_trials: int, n_epochs: int, n_workers: int) -> float:
    import recsweep as rs

    with tempfile.TemporaryDirectory() as folder:
        study = rs.run(
            bench_sweep(n_trials, n_epochs),
            studies=Path(folder),
            resources=rs.Resources(workers=n_workers),
            quiet=True,
        )
        ended_at = sorted(t.ended_at for t in study.record.trials if t.ended_at is not None)
    warm = ended_at[n_workers - 1 :]
    return (len(warm) - 1) / (warm[-1] - warm[0]) * 3600


if __name__ == "__main__":
    main()
