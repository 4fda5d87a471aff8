"""`python -m tests.benchmarks.driver`: what the driver itself costs at many reports a second.

A minute. Two workers train a model that only waits, so that nearly all that is computed is the
driver's: Ray Tune's loop, journals, ledger, board. Printed are epochs a second and the share of a
core that the driver's process took, from the first epoch to the last; the workers' own processes
and Ray's are not in it.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import psutil

MODEL = """\
import time

import numpy as np


class Waiting:
    def __init__(self, data, *, level=3.0):
        self.level = level

    def fit_epoch(self):
        time.sleep({seconds})

    def predict(self, rows):
        return np.resize(np.float32([self.level, self.level + 0.1]), len(rows))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=50.0, help="epochs a second, both workers")
    options = parser.parse_args()
    import recsweep as rs

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "waiting.py"
        model.write_text(MODEL.format(seconds=2 / options.rate))
        sweep = rs.Sweep(
            "driver",
            space=rs.space(level=rs.Float(2.5, 4.5)),
            dataset={"name": "movielens-small", "features": ["user_id", "item_id"]},
            model={"architecture": f"{model}:Waiting"},
            trials=options.trials,
            max_epochs=options.epochs,
            patience=0,
            pruner="median",
        )
        samples: list[tuple[float, float]] = []
        is_over = threading.Event()
        process = psutil.Process()

        def sample() -> None:
            while not is_over.wait(0.2):
                times = process.cpu_times()
                samples.append((time.time(), times.user + times.system))

        watch = threading.Thread(target=sample, daemon=True)
        watch.start()
        study = rs.run(sweep, studies=Path(folder), resources=rs.Resources(workers=2), quiet=True)
        is_over.set()
        trials = study.record.trials
        if errors := {trial.error for trial in trials if trial.error}:
            raise SystemExit("; ".join(errors))
        attempts = [a.started_at for trial in trials for a in trial.attempts if a.started_at]
        began, ended = min(attempts), max(t.ended_at for t in trials if t.ended_at)
        n_epochs = sum(len(trial.epochs) for trial in trials)
    inside = [(at, cpu) for at, cpu in samples if began <= at <= ended]
    wall, cpu = inside[-1][0] - inside[0][0], inside[-1][1] - inside[0][1]
    print(f"{n_epochs} epochs in {wall:.1f} s: {n_epochs / wall:.1f} a second; the driver took "
          f"{cpu / wall:.2f} of a core, {1000 * cpu / n_epochs:.1f} ms an epoch")  # fmt: skip


if __name__ == "__main__":
    main()
