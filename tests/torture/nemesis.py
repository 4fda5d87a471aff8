"""Real sweeps with a nemesis that kills, stops, signals and fills at random moments."""

from __future__ import annotations

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from experiments.records import StudyRecord, read_study
from tests.integration.test_sweeps import small_sweep
from tests.synthetic import synthetic_ratings
from tests.torture.counts import Counts
from tests.torture.real_sweeps import N_TRIALS, ROOT, Driver, RealSweep, check

N_FAULTS = 7
"""Each kind once."""


def haunt(root: Path, seed: int, counts: Counts, n_workers: int) -> None:
    """A sweep with every kind of fault, in random order."""
    sweep = RealSweep(root, n_workers)
    nemesis = Nemesis(random.Random(seed), sweep, counts)
    sweep.run(counts, nemesis.haunt)
    if nemesis.n_left:
        counts.different += 1
        counts.say(f"the sweep was over before {nemesis.n_left} of its faults")
    check(sweep.read(), sweep.history, counts)


class Nemesis:
    """Injects faults into a driver and its workers, at random moments, until it has had enough."""

    def __init__(self, rng: random.Random, sweep: RealSweep, counts: Counts) -> None:
        self._rng = rng
        self._sweep = sweep
        self._counts = counts
        self._faults: dict[str, Callable[[Driver], None]] = {
            "kill the driver": lambda d: d.kill(),
            "kill a worker": lambda d: self._on_worker(d, lambda w: w.kill()),
            "hang a worker": lambda d: self._on_worker(d, lambda w: w.send_signal(signal.SIGSTOP)),
            "fill the disk": lambda d: self._on_worker(
                d, lambda w: w.rlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            ),
            "SIGTERM": lambda d: d.send_signal(signal.SIGTERM),
            "SIGINT": lambda d: os.killpg(d.pid, signal.SIGINT),
            "SIGINT twice": self._interrupt_twice,
        }
        self._order = list(self._faults)
        rng.shuffle(self._order)

    @property
    def n_left(self) -> int:
        return len(self._order)

    def haunt(self, driver: Driver) -> None:
        while driver.poll() is None:
            time.sleep(0.2)
            if not self._order or not self._sweep.workers_of(driver):
                continue
            time.sleep(self._rng.uniform(0, 4))
            if driver.poll() is not None:
                return
            try:
                self._faults[self._order[-1]](driver)
            except (ProcessLookupError, psutil.NoSuchProcess, IndexError):
                continue  # it was quicker
            self._counts.faults += 1
            self._counts.note(self._order.pop())
            time.sleep(self._rng.uniform(1, 4))

    def _on_worker(self, driver: Driver, fault: Callable[[psutil.Process], None]) -> None:
        fault(self._rng.choice(self._sweep.workers_of(driver)))

    def _interrupt_twice(self, driver: Driver) -> None:
        os.killpg(driver.pid, signal.SIGINT)
        time.sleep(self._rng.uniform(0, 0.3))
        os.killpg(driver.pid, signal.SIGINT)


def haunt_nodes(root: Path, seed: int, counts: Counts, n_faults: int) -> None:
    """A sweep on a cluster of two nodes beside the head, which are killed and replaced."""
    from experiments.machine.ray_environment import WORKER_ENVIRONMENT, import_ray
    from experiments.machine.resources import Resources
    from experiments.study import run_study
    from experiments.watcher import Silent

    rng = random.Random(seed)
    root.mkdir(parents=True)
    synthetic_ratings(60, 40, 1500).to_csv(root / "ratings.csv", index=False)
    sweep = small_sweep(root / "ratings.csv", "nodes", trials=N_TRIALS, max_epochs=400)
    resources = Resources(workers=2, gpus=0)
    import_ray(resources).join()  # before anything else of Ray: its token is set first
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    history = root / "history"
    environment = WORKER_ENVIRONMENT | {
        "PYTHONPATH": f"{Path(__file__).parent / 'hook'}:{ROOT}",
        "RECSWEEP_HISTORY": str(history),
    }
    done: list[StudyRecord] = []
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        ray.init(
            address=cluster.address, log_to_driver=False, runtime_env={"env_vars": environment}
        )

        def run() -> None:
            studies = root / "studies"
            done.append(run_study(sweep, root=studies, watcher=Silent(), resources=resources).study)

        # Ray adds nodes on the main thread only.
        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            thread.join(rng.uniform(8, 15))
            if thread.is_alive() and counts.faults < n_faults and history.exists():
                cluster.remove_node(nodes.pop(0), allow_graceful=False)
                counts.faults += 1
                counts.note("kill a node")
                nodes.append(cluster.add_node(num_cpus=1))
    finally:
        ray.shutdown()
        cluster.shutdown()
    from reports.render import write_report

    (study,) = done
    write_report(study)
    check(read_study(study.folder), history, counts)
