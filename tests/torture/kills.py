"""Real sweeps that are killed, or whose jobs end, and must come out as if nothing had happened."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.records import StudyRecord
from tests.torture.counts import Counts
from tests.torture.real_sweeps import Driver, RealSweep, check, compare

N_KILLS = 5
N_JOBS = 4
"""So many times a job ends before the sweep is done."""
JOBS_TO_DO_IT_ALL = 8
"""Of that length a job is: shorter than it needs to be, since starts differ in length."""
MOMENTS = {"between": 3, "first": 6, "middle": 9}
"""A worker kills itself once in each of these trials: after its end, in its first step, and in the
middle of a later epoch."""


@dataclass(frozen=True)
class Alone:
    """The sweep that the others are compared with, and how long it took."""

    study: StudyRecord
    start_s: float
    """From the command to the first trial."""
    training_s: float
    """From there to the end of the last one."""


def leave_alone(root: Path, counts: Counts) -> Alone:
    """One worker and no fault."""
    sweep = RealSweep(root, n_workers=1)
    began_at = time.time()
    sweep.run(counts)
    check(sweep.read(), sweep.history, counts)
    taken_at = _first_trial_after(began_at, sweep)
    ended_at = max(event["at"] for event in sweep.events() if event["kind"] == "end")
    return Alone(sweep.read(), taken_at - began_at, ended_at - taken_at)


def kill_drivers(root: Path, seed: int, counts: Counts, alone: Alone, n_workers: int) -> None:
    """Kill -9 at five random moments of the driver's life, its start included."""
    rng = random.Random(seed)
    sweep = RealSweep(root, n_workers)

    def kill(driver: Driver) -> None:
        if counts.faults == N_KILLS:
            return
        if rng.random() < 0.25:
            _wait(driver, rng.uniform(0, alone.start_s))
        else:
            while driver.poll() is None and not sweep.workers_of(driver):
                time.sleep(0.05)
            _wait(driver, rng.uniform(0, alone.training_s / n_workers / N_KILLS))
        if driver.poll() is None:
            driver.kill()
            counts.faults += 1
            counts.note("kill -9 the driver")

    sweep.run(counts, kill)
    _finish(sweep, alone, counts, N_KILLS)


def kill_workers(root: Path, counts: Counts, alone: Alone) -> None:
    """Kill -9 a worker between two trials, in a first step, and in the middle of an epoch."""
    deaths = root.with_name(f"{root.name}-deaths")
    moments = ",".join(f"{moment}:{number}" for moment, number in MOMENTS.items())
    sweep = RealSweep(root, 1, environ={"RECSWEEP_DEATHS": str(deaths), "RECSWEEP_DIE": moments})
    sweep.run(counts)
    counts.faults += len(deaths.read_text().split()) if deaths.exists() else 0
    _finish(sweep, alone, counts, len(MOMENTS))


def end_jobs(root: Path, counts: Counts, alone: Alone, n_workers: int) -> None:
    """Jobs with a limit of time, queued again and again; the last one has all that it needs."""
    sweep = RealSweep(root, n_workers)
    job_s = alone.training_s / n_workers / JOBS_TO_DO_IT_ALL
    start_s = alone.start_s
    sweep.options = _limit(start_s + job_s)

    def watch(driver: Driver) -> None:
        nonlocal start_s
        began_at = time.time()
        counts.faults += driver.wait() == 143
        if (taken_at := _first_trial_after(began_at, sweep)) < math.inf:
            start_s = min(start_s, taken_at - began_at)
        sweep.options = () if counts.faults == N_JOBS else _limit(start_s + job_s)

    codes = sweep.run(counts, watch)
    if codes != [143] * N_JOBS + [0]:
        counts.different += 1
        counts.say(f"its jobs ended with {codes}")
    _finish(sweep, alone, counts, N_JOBS)


def _limit(seconds: float) -> tuple[str, ...]:
    return ("--stop-at", f"{math.ceil(seconds)}s")


def _first_trial_after(began_at: float, sweep: RealSweep) -> float:
    """When a worker took a trial; inf where none did."""
    taken = [float(event["at"]) for event in sweep.events() if event["kind"] == "take"]
    return min((at for at in taken if at > began_at), default=math.inf)


def _finish(sweep: RealSweep, alone: Alone, counts: Counts, n_faults: int) -> None:
    study = sweep.read()
    check(study, sweep.history, counts)
    if sweep.n_workers == 1:  # of two the order of the ends, and so what is asked next, is chance
        compare(study, alone.study, counts)
    if counts.faults != n_faults:
        counts.different += 1
        counts.say(
            f"{counts.faults} faults instead of {n_faults}: the sweep was too quick for them"
        )


def _wait(driver: Driver, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
