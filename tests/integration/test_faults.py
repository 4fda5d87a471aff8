"""Faults from outside on real sweeps: a full disk, signals, another shell."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from experiments.errors import DiskError
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import StopReason, TrialState, read_study
from experiments.running.stopping import StopCause
from experiments.study import Outcome, resume_study, run_study
from experiments.watcher import Silent
from tests.integration.light import light_sweep
from tests.integration.test_sweeps import events_of, wait_for

pytestmark = pytest.mark.ray

ONE = Resources(1, gpus=0)


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def message(self, text: str) -> None:
        self.heard.append(text)


def worker_pid(folder: Path) -> int:
    starts = [str(e["worker"]) for e in events_of(folder) if e["kind"] == "start"]
    return int(starts[-1].rpartition("-")[2])


def test_a_full_disk_stops_the_study_and_a_damaged_checkpoint_costs_epochs_only(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    """A limit on the size of the worker's files stands for the full disk."""
    sweep = light_sweep(tmp_path, ratings_csv, max_epochs=100)
    folder = tmp_path / sweep.name

    def fill() -> None:
        wait_for(lambda: any(event["kind"] == "checkpoint" for event in events_of(folder)))
        psutil.Process(worker_pid(folder)).rlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    thread = threading.Thread(target=fill)
    thread.start()
    with pytest.raises(DiskError, match="make room and resume"):
        run_study(sweep, root=tmp_path, watcher=Silent(), resources=ONE)
    thread.join(5)
    assert DiskError.exit_code == 5
    before = read_study(folder)
    assert before.state == "interrupted"
    assert before.trials[0].state is TrialState.RUNNING
    for arrays in (folder / "trials" / "0000" / "last").glob("arrays-*"):
        os.truncate(arrays, arrays.stat().st_size // 2)

    watcher = Listening()
    study = resume_study(folder, watcher=watcher, resources=ONE).study
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
    assert study.trials[0].attempts[-1].first_epoch == 1
    assert [epoch.epoch for epoch in study.trials[0].epochs] == list(range(1, 101))
    assert any("#0 begins anew" in text and "damaged" in text for text in watcher.heard)


def test_signals_stop_a_driver_and_every_stop_can_be_resumed(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    sweep = light_sweep(tmp_path, ratings_csv, "signals")
    from experiments.request.config import sweep_to_toml

    file = tmp_path / "signals.toml"
    file.write_text(sweep_to_toml(sweep))
    studies = tmp_path / "studies"
    folder = studies / "signals"

    def recsweep(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.cli.main", *arguments, "--studies", str(studies)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
            start_new_session=True,
        )

    def n_epochs() -> int:
        return sum(event["kind"] == "epoch" for event in events_of(folder))

    driver = recsweep("run", str(file), "--workers", "1")
    wait_for(lambda: n_epochs() > 20)
    worker = next(str(e["worker"]) for e in events_of(folder) if e["kind"] == "start")
    os.kill(int(worker.rpartition("-")[2]), signal.SIGKILL)
    wait_for(lambda: sum(e["kind"] == "start" for e in events_of(folder)) > 1)
    driver.send_signal(signal.SIGTERM)
    out, err = driver.communicate(timeout=90)
    assert driver.returncode == 143, err
    assert "#0 lost its worker" in err
    assert "raylet" not in out + err  # Ray's own words for the same
    assert "SIGTERM: running trials are checkpointed" in err
    assert err.count(f"go on    recsweep resume {folder}") == 1
    assert "recsweep resume" not in out
    stopped = read_study(folder)
    assert stopped.trials[0].attempts[-1].stop_reason is StopReason.INTERRUPTED
    assert (folder / "trials" / "0000" / "last").is_dir()

    driver = recsweep("run", str(file), "--resume", "--workers", "1")
    seen = n_epochs()
    wait_for(lambda: n_epochs() > seen + 20)
    children = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=90)
    assert driver.returncode == 130, err
    assert f"recsweep resume {folder}" in out + err
    assert "Traceback" not in err
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()]

    done: list[Outcome] = []
    driver_thread = threading.Thread(
        target=lambda: done.append(resume_study(folder, watcher=Silent(), resources=ONE))
    )
    seen = n_epochs()
    driver_thread.start()
    wait_for(lambda: n_epochs() > seen + 20)
    second = recsweep("resume", "signals")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 4
    assert f"this study is being run by process {os.getpid()} on" in err
    stop = recsweep("stop", "signals")
    out, _ = stop.communicate(timeout=60)
    driver_thread.join(60)
    assert stop.returncode == 0
    assert f"asked process {os.getpid()}" in out
    (outcome,) = done
    assert outcome.stopped_by is StopCause.COMMAND
    (trial,) = outcome.study.trials
    assert len(trial.attempts) == 4
    epochs = [epoch.epoch for epoch in trial.epochs]
    assert epochs == list(range(1, len(epochs) + 1))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("no room"), StopReason.OUT_OF_MEMORY),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), StopReason.OUT_OF_MEMORY),
        (ValueError("no room"), StopReason.ERROR),
    ],
)
def test_memory_that_ran_out_is_told_with_the_values(
    error: Exception, reason: StopReason, tmp_path: Path
) -> None:
    from experiments.running.orders import TrialOrder
    from experiments.running.worker import _classify
    from recommender.config import TrainingConfig

    values = {"layer_size_0": 256, "batch_size": 8192}
    order = TrialOrder(7, "0007", 1, values, {}, TrainingConfig(), tmp_path)
    told, text = _classify(error, order)
    assert told is reason
    assert ("layer_size_0=256, batch_size=8192" in text) == (reason is StopReason.OUT_OF_MEMORY)
    assert type(error).__name__ in (tmp_path / "trials" / "0007" / "error.log").read_text()
