"""`--gpu-share auto`: a probe on Ray chooses how many trials share a GPU, and the sweep runs so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments.data.study_data import load_data
from experiments.files import read_json
from experiments.folder.folders import create
from experiments.machine import packing
from experiments.machine.machine import Machine
from experiments.machine.packing import Measured, ProbeFailed
from experiments.machine.resources import Resources
from experiments.records import TrialState, read_study
from experiments.request.config import sweep_to_toml
from experiments.running import probe
from experiments.running.driver import worker_settings
from experiments.running.orders import WorkerSettings
from experiments.running.probe import Errand, Probe, settle_by_probe
from experiments.running.stopping import StopCause, StopSwitch
from experiments.study import Outcome, run_study
from experiments.watcher import Silent
from recommender.config import TrainingConfig
from tests.integration.test_sweeps import events_of, small_sweep, wait_for

pytestmark = pytest.mark.ray


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def message(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture
def machine(cluster: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One logical GPU with 16 GB, and a probe that is soon over."""
    one = replace(cluster, gpus=cluster.gpus[:1])
    monkeypatch.setattr("experiments.machine.taking.read_machine", lambda: one)
    monkeypatch.setattr(probe, "TRAIN_S", 0.2)
    return one


def test_auto_packs_two_trials_on_one_gpu_and_the_study_finishes(
    machine: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 16 GB two get 7.5 each, which is 1.2 times 6 and more; three would get too little."""
    monkeypatch.setattr(
        probe, "read_peak", lambda: 6 << 30 if os.environ["CUDA_VISIBLE_DEVICES"] == "0" else None
    )
    # The cores of this machine are no GPU: whether it pays is not what is tried here.
    monkeypatch.setattr(packing, "LEAST_GAIN", -1.0)
    watcher = Listening()
    sweep = small_sweep(ratings_csv, max_epochs=3, trials=4, pruner="none")
    study = run_study(sweep, root=tmp_path, watcher=watcher, resources=Resources(gpus="auto")).study

    assert study.state == "finished"
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    events = events_of(study.folder)
    # Each says that it has an order before it imports TensorFlow, so both had theirs at once.
    assert len({event["worker"] for event in events if event["kind"] == "take"}) == 2
    assert {event["devices"] for event in events if event["kind"] == "start"} == {"0"}
    (chosen,) = study.provenance["packing"]
    assert (chosen["trials_per_gpu"], chosen["workers"]) == (2, 2)
    assert 6144 <= chosen["measured"]["1"]["memory_mb"] < 6145
    assert set(chosen["measured"]) == {"1", "2"}
    assert study.provenance["n_workers"] == 2
    assert study.provenance["resources"]["gpus"] == 0.5
    first, second = (line for line in watcher.heard if line.startswith("--gpu-share auto"))
    assert "a probe on GPU 0" in first
    assert second.startswith("--gpu-share auto: 2 trials a GPU, 2 at once; they train ")
    assert second.endswith("; one takes up to 6.0 of 16.0 GB that are free")


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Errand], str | None] = lambda errand: None,
    train: Callable[[], Measured | str] = lambda: Measured(1.0, 1024.0),
) -> None:
    """Processes that import no TensorFlow take the place of a probe's.

    Lambdas are sent to them as they are, which cannot import the tests.
    """

    class StandIn:
        def pid(self) -> int:
            return os.getpid()

        def prepare(self, encoded: Any, errand: Errand) -> str | None:
            return prepare(errand)

        def train(self, seconds: float) -> Measured | str:
            return train()

    monkeypatch.setattr(probe, "Prober", StandIn)


def a_probe(tmp_path: Path) -> Probe:
    settings = WorkerSettings(1, 1.0, 1e9, tmp_path / "stop")
    errand = Errand((), TrainingConfig(), "0", settings, lambda: None)
    return Probe(None, lambda n: errand, 0.5, tmp_path / "stop")


def test_what_so_many_train_is_added_up_and_the_most_memory_counts(
    cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, train=lambda: Measured(2.0, float(os.getpid())))
    seen = a_probe(tmp_path).measure(2)
    assert seen.epochs_per_s == 4.0
    assert seen.memory_mb is not None
    assert not psutil.pid_exists(int(seen.memory_mb))  # its memory is free for the next ones


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"train": lambda: os._exit(1)}, "a process was lost"),
        ({"prepare": lambda errand: "memory ran out"}, "memory ran out"),
    ],
)
def test_a_probe_that_fails_says_why(
    how: Any, message: str, cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, **how)
    with pytest.raises(ProbeFailed, match=message):
        a_probe(tmp_path).measure(1)


def test_one_process_that_fails_is_enough_whatever_the_others_do(
    cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"

    def first_hangs() -> Any:
        try:
            seen.touch(exist_ok=False)
        except FileExistsError:
            return "memory ran out"
        return time.sleep(600)

    stand_in(monkeypatch, train=first_hangs)
    with pytest.raises(ProbeFailed, match="memory ran out"):
        a_probe(tmp_path).measure(2)


def test_a_probe_that_hangs_is_given_up(
    cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, train=lambda: time.sleep(600))
    monkeypatch.setattr(probe, "LIMIT_S", 3.0)
    began = time.monotonic()
    with pytest.raises(ProbeFailed, match="it was not over after 3 s"):
        a_probe(tmp_path).measure(1)
    assert time.monotonic() - began < 60


def test_a_stop_during_the_probe_ends_the_study_before_any_trial(
    machine: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, train=lambda: time.sleep(600))
    sweep = small_sweep(ratings_csv, max_epochs=3, trials=4)
    watcher = Listening()
    outcomes: list[Outcome] = []

    def run() -> None:
        resources = Resources(gpus="auto")
        outcomes.append(run_study(sweep, root=tmp_path, watcher=watcher, resources=resources))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: any("a probe on GPU 0" in line for line in watcher.heard))
    finally:
        StopSwitch(tmp_path / sweep.name).ask(StopCause.COMMAND)
        thread.join(30)
    (outcome,) = outcomes
    assert outcome.stopped_by is StopCause.COMMAND
    assert (outcome.study.trials, outcome.study.state) == ((), "interrupted")
    assert "packing" not in outcome.study.provenance


def test_more_trials_are_probed_under_their_own_cap_and_one_that_fails_has_a_gpu_alone(
    machine: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(errand: Errand) -> str | None:
        settings = errand.settings
        return settings.gpu_memory_mb and f"{settings.gpu_memory_mb} MB on {errand.device}"

    sweep = small_sweep(ratings_csv, trials=4)
    loaded = load_data(sweep)
    resources = Resources(gpus="auto").settle(machine)
    folder = create(tmp_path / "made", sweep, loaded.description, machine, resources, ())
    told: list[str] = []

    def settle() -> Resources:
        return settle_by_probe(
            resources,
            machine,
            loaded.encoded,
            4,
            lambda settled: worker_settings(settled, machine, folder / "stop"),
            told.append,
        )

    stand_in(monkeypatch, prepare)
    alone = Resources(1, gpus=1.0)
    assert settle() == alone
    assert told[-1] == (
        "--gpu-share auto: 1 trial a GPU, 1 at once; 2 at once failed: 7680 MB on 0"
    )
    stand_in(monkeypatch, lambda errand: "ImportError: no TensorFlow")
    assert settle() == alone
    assert told[-1].endswith("one alone could not be probed: ImportError: no TensorFlow")
    record = read_json(folder / "provenance.json")
    assert [chosen["trials_per_gpu"] for chosen in record["packing"]] == [1, 1]
    assert [set(chosen["measured"]) for chosen in record["packing"]] == [{"1"}, set()]


@pytest.mark.gpu
def test_a_real_gpu_is_probed_and_shared(real_gpu: None, ratings_csv: Path, tmp_path: Path) -> None:
    """As a user would type it, on a Ray of its own."""
    file = tmp_path / "shared.toml"
    sweep = small_sweep(ratings_csv, "shared", max_epochs=5, trials=8, pruner="none")
    file.write_text(sweep_to_toml(sweep))
    command = [
        sys.executable,
        "-m",
        "experiments.cli.main",
        "run",
        str(file),
        "--gpu-share",
        "auto",
        "--workers",
        "4",
    ]
    done = subprocess.run(
        [*command, "--studies", str(tmp_path)], capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    study = read_study(tmp_path / "shared")
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 8
    (chosen,) = study.provenance["packing"]
    assert chosen["measured"]["1"]["memory_mb"] > 0
    assert chosen["measured"]["2"]["epochs_per_s"] > 0
    assert study.provenance["n_workers"] == chosen["workers"]
    said = f"--gpu-share auto: {chosen['trials_per_gpu']} trial"
    assert said in done.stderr
