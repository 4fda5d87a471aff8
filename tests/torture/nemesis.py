"""Real sweeps under Ray with a nemesis that kills, stops, signals and fills at random.

Every worker keeps a log outside of the system (`hook/sitecustomize.py`). When the sweep is done,
that log, the ledger, the board and the report are compared.
"""

from __future__ import annotations

import csv
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from experiments.board import check_board
from experiments.config import sweep_to_toml
from experiments.journal import journal_files, read_journal
from experiments.records import StopReason, StudyRecord, TrialState, read_study
from tests.integration.test_sweeps import small_sweep
from tests.synthetic import synthetic_ratings
from tests.torture.counts import Counts

N_TRIALS = 20
LONGEST_S = 1500.0
ROOT = Path(__file__).parents[2]


def torture(
    root: Path, seed: int, counts: Counts, n_workers: int, n_faults: int, job: str | None = None
) -> None:
    """One sweep of 20 trials, started again after each end that is none.

    Args:
        job: how long a job lasts that the driver runs in; it is queued again until it is done.
    """
    rng = random.Random(seed)
    root.mkdir(parents=True)
    synthetic_ratings(60, 40, 1500).to_csv(root / "ratings.csv", index=False)
    sweep = small_sweep(
        root / "ratings.csv", "tortured", trials=N_TRIALS, max_epochs=400, stall_timeout="15s"
    )
    file = root / "tortured.toml"
    file.write_text(sweep_to_toml(sweep))
    folder = root / "studies" / "tortured"
    nemesis = Nemesis(rng, folder, counts, n_faults)
    deadline = time.monotonic() + LONGEST_S
    code = None
    while code != 0 and time.monotonic() < deadline:
        driver = subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments.cli.main", "run", str(file), "--resume"),
                *("--studies", str(root / "studies"), "--workers", str(n_workers)),
                *(("--stop-at", job) if job else ()),
            ],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=(root / "driver.log").open("a"),
            env={k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
            | {
                "PYTHONPATH": str(Path(__file__).parent / "hook"),
                "RECSWEEP_HISTORY": str(root / "history"),
            },
            start_new_session=True,
        )
        nemesis.haunt(driver)
        code = driver.wait()
        counts.faults += bool(job) and code == 143
        print(f"  {counts.name}: the driver ended with {code}", flush=True)
        if code == 6:  # too many of the trials were failed by us
            break
    check(read_study(folder), root / "history", counts)


class Nemesis:
    """Injects faults into a driver and its workers, at random moments, until it has had enough."""

    def __init__(self, rng: random.Random, folder: Path, counts: Counts, n_faults: int) -> None:
        self._rng = rng
        self._folder = folder
        self._counts = counts
        self._n_left = n_faults
        self._faults: dict[str, Callable[[subprocess.Popen[bytes]], None]] = {
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
        self._order = list(self._faults) * (1 + n_faults // len(self._faults))
        rng.shuffle(self._order)

    def haunt(self, driver: subprocess.Popen[bytes]) -> None:
        while driver.poll() is None:
            time.sleep(0.2)
            if not self._n_left or not self._is_training(driver):
                continue
            time.sleep(self._rng.uniform(0, 6))
            if driver.poll() is not None:
                return
            name = self._order.pop()
            try:
                self._faults[name](driver)
            except (ProcessLookupError, psutil.NoSuchProcess, IndexError):
                continue  # it was quicker
            self._n_left -= 1
            self._counts.faults += 1
            print(f"  {self._counts.name}: {name}", flush=True)
            self._wait_for_the_effect()

    def _workers(self, driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The processes below this driver that have a journal."""
        names = {path.stem for path in journal_files(self._folder / "journal")}
        below = psutil.Process(driver.pid).children(recursive=True)
        return [p for p in below if any(name.endswith(f"-{p.pid}") for name in names)]

    def _is_training(self, driver: subprocess.Popen[bytes]) -> bool:
        try:
            return bool(self._workers(driver))
        except psutil.NoSuchProcess:
            return False

    def _on_worker(
        self, driver: subprocess.Popen[bytes], fault: Callable[[psutil.Process], None]
    ) -> None:
        fault(self._rng.choice(self._workers(driver)))

    def _interrupt_twice(self, driver: subprocess.Popen[bytes]) -> None:
        os.killpg(driver.pid, signal.SIGINT)
        time.sleep(self._rng.uniform(0, 0.3))
        os.killpg(driver.pid, signal.SIGINT)

    def _wait_for_the_effect(self) -> None:
        time.sleep(self._rng.uniform(1, 6))


def torture_nodes(root: Path, seed: int, counts: Counts, n_faults: int) -> None:
    """A sweep on a cluster of two nodes beside the head, which are killed and replaced."""
    from experiments.cluster import WORKER_ENVIRONMENT, Resources, import_ray
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
            thread.join(rng.uniform(12, 25))
            if thread.is_alive() and counts.faults < n_faults and history.exists():
                cluster.remove_node(nodes.pop(0), allow_graceful=False)
                counts.faults += 1
                print(f"  {counts.name}: kill a node", flush=True)
                nodes.append(cluster.add_node(num_cpus=1))
    finally:
        ray.shutdown()
        cluster.shutdown()
    from reports.render import write_report

    (study,) = done
    write_report(study)
    check(read_study(study.folder), history, counts)


def check(study: StudyRecord, history: Path, counts: Counts) -> None:
    """Compare the workers' own logs with ledger, journals, board and report."""
    trials = study.search_trials
    counts.finished += sum(trial.state.is_finished for trial in trials)
    lost = N_TRIALS - sum(trial.state.is_finished for trial in trials)
    if lost or [trial.number for trial in trials] != list(range(N_TRIALS)):
        counts.lost += max(1, lost)
        counts.say(f"{lost} trials lost")
    ends: Counter[int] = Counter()
    for line in history.read_text().splitlines():
        number, _, kind, _ = line.split()
        ends[int(number)] += kind == "end"
    for number, n_ends in ends.items():
        if n_ends > 1:
            counts.twice += n_ends - 1
            counts.say(f"#{number} ran to its end {n_ends} times")
        if n_ends and not trials[number].state.is_finished:
            counts.lost += 1
            counts.say(f"#{number} ran to its end and is {trials[number].state}")
    own = (StopReason.MAX_EPOCHS, StopReason.PATIENCE, StopReason.DIVERGED)
    for trial in trials:
        if trial.stop_reason in own and not ends[trial.number]:
            counts.different += 1
            counts.say(f"#{trial.number} is {trial.state}, and no worker ended it")
        epochs = [epoch.epoch for epoch in trial.epochs]
        if epochs != list(range(1, len(epochs) + 1)):
            counts.different += 1
            counts.say(f"#{trial.number} has epochs {epochs[:3]}... with gaps")
    for difference in check_board(study):
        counts.different += 1
        counts.say(f"board: {difference}")
    _check_ranking(study, counts)


def _check_ranking(study: StudyRecord, counts: Counts) -> None:
    """The report's best values must be those of the raw epoch lines."""
    raw: dict[int, float] = {}
    for path in journal_files(study.folder / "journal"):
        for event in read_journal(path)[0]:
            if event["kind"] == "epoch":
                value = float(event["val_rmse"])
                raw[event["number"]] = min(raw.get(event["number"], float("inf")), value)
    with (study.folder / "report" / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = {int(row["number"]): row for row in csv.DictReader(file)}
    for trial in study.search_trials:
        if trial.state is not TrialState.COMPLETE:
            continue
        told = float(rows[trial.number]["best_rmse"])
        if told != raw[trial.number] or trial.best_rmse != told:
            counts.different += 1
            counts.say(f"#{trial.number}: the report says {told}, its epochs {raw[trial.number]}")
    ranked = sorted(
        (raw[t.number], t.number) for t in study.search_trials if t.state is TrialState.COMPLETE
    )
    if [t.number for t in study.ranked] != [number for _, number in ranked]:
        counts.different += 1
        counts.say("the ranking is not that of the raw epochs")
