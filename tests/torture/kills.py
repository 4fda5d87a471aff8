"""Real sweeps that are killed, or whose jobs end, and must come out as if nothing had happened."""

from __future__ import annotations

import random
import time
from pathlib import Path

from experiments.records import StudyRecord
from tests.torture.counts import Counts
from tests.torture.real_sweeps import Driver, RealSweep, check, compare

N_KILLS = 5
N_JOBS = 4
"""So many times a job ends before the sweep is done."""
JOB_S = 30
MOMENTS = {"between": 3, "first": 6, "middle": 9}
"""A worker kills itself once in each of these trials: after its end, in its first step, and in the
middle of a later epoch."""


def leave_alone(root: Path, counts: Counts) -> StudyRecord:
    """The sweep that the others are compared with."""
    sweep = RealSweep(root, n_workers=1)
    sweep.run(counts)
    check(sweep.read(), sweep.history, counts)
    return sweep.read()


def kill_drivers(root: Path, seed: int, counts: Counts, alone: StudyRecord | None) -> None:
    """Kill -9 at five random moments of the driver's life, its start included.

    Args:
        alone: what one worker must come to; None: there are two, whose order is their own.
    """
    rng = random.Random(seed)
    sweep = RealSweep(root, n_workers=2 if alone is None else 1)

    def kill(driver: Driver) -> None:
        if counts.faults == N_KILLS:
            return
        if rng.random() < 0.25:
            _wait(driver, rng.uniform(1, 15))
        else:
            while driver.poll() is None and not sweep.workers_of(driver):
                time.sleep(0.05)
            _wait(driver, rng.uniform(0, 10 / sweep.n_workers))
        if driver.poll() is None:
            driver.kill()
            counts.faults += 1
            counts.note("kill -9 the driver")

    sweep.run(counts, kill)
    _finish(sweep, alone, counts, N_KILLS)


def kill_workers(root: Path, counts: Counts, alone: StudyRecord) -> None:
    """Kill -9 a worker between two trials, in a first step, and in the middle of an epoch."""
    deaths = root.with_name(f"{root.name}-deaths")
    moments = ",".join(f"{moment}:{number}" for moment, number in MOMENTS.items())
    sweep = RealSweep(root, 1, environ={"RECSWEEP_DEATHS": str(deaths), "RECSWEEP_DIE": moments})
    sweep.run(counts)
    counts.faults += len(deaths.read_text().split()) if deaths.exists() else 0
    _finish(sweep, alone, counts, len(MOMENTS))


def end_jobs(root: Path, counts: Counts, alone: StudyRecord | None) -> None:
    """Jobs with a limit of time: queued again until it is done; the last one has all it needs."""
    sweep = RealSweep(root, n_workers=2 if alone is None else 1)
    sweep.options = ("--stop-at", f"{JOB_S}s")

    def watch(driver: Driver) -> None:
        code = driver.wait()
        if code == 143:
            counts.faults += 1
        if counts.faults == N_JOBS:
            sweep.options = ()

    codes = sweep.run(counts, watch)
    if codes != [143] * N_JOBS + [0]:
        counts.different += 1
        counts.say(f"its jobs ended with {codes}")
    _finish(sweep, alone, counts, N_JOBS)


def _finish(sweep: RealSweep, alone: StudyRecord | None, counts: Counts, n_faults: int) -> None:
    study = sweep.read()
    check(study, sweep.history, counts)
    if alone is not None:
        compare(study, alone, counts)
    if counts.faults != n_faults:
        counts.different += 1
        counts.say(
            f"{counts.faults} faults instead of {n_faults}: the sweep was too quick for them"
        )


def _wait(driver: Driver, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
