"""Real sweeps on a real Ray, on small data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.tune.execution.tune_controller import TuneController

from experiments.board.board_check import check_board
from experiments.ledger.journal import journal_files, read_journal
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import (
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
    read_study,
)
from experiments.records.derived_records import BoardCheck
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import GRACE_S
from experiments.study import Outcome, resume_study, run_study
from experiments.sweep import SweepConfig
from experiments.watcher import Silent
from recsweep import Choice, Float, Int, Sweep, space
from tests.integration.light import light_sweep
from tests.synthetic import ratings_table

pytestmark = pytest.mark.ray


def small_sweep(ratings: Path, name: str = "small", **search: Any) -> SweepConfig:
    return Sweep(
        name=name,
        dataset=ratings_table(ratings),
        space=space(
            architecture=Choice(["plain", "dcn"]),
            learning_rate=Float(1e-3, 1e-1, log=True),
            n_layers=Int(1, 2),
            layer_size=Choice([4, 8]).each("n_layers"),
            cross_layers=Int(1, 2).when(architecture="dcn"),
        ),
        compare="architecture",
        model={"embedding_size": 4, "batch_size": 128},
        **{"trials": 6, "max_epochs": 4, "patience": 0, **search},
    )


def events_of(folder: Path) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []
    for path in journal_files(folder / "journal"):
        events += read_journal(path)[0]
    return events


def wait_for(condition: object, seconds: float = 120.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Any]]:
    """What Ray Tune was told by workers that then waited for its word."""
    told: list[Any] = []
    heard = TuneController._on_training_result

    def counted(controller: TuneController, trial: Any, result: Any) -> None:
        told.append(result)
        heard(controller, trial, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TuneController, "_on_training_result", counted)
        yield told


@pytest.fixture(scope="module")
def finished(
    cluster: Machine,
    answers: list[Any],
    ratings_csv: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Outcome, int]:
    """A sweep on two workers that nothing disturbed, and how often they waited for an answer."""
    answers.clear()
    outcome = run_study(
        small_sweep(ratings_csv, pruner="median"),
        root=tmp_path_factory.mktemp("finished"),
        watcher=Silent(),
        resources=Resources(2, gpus=0),
    )
    return outcome, len(answers)


def test_a_sweep_finishes_and_its_board_equals_its_ledger(finished: tuple[Outcome, int]) -> None:
    outcome, _ = finished
    study = outcome.study
    assert outcome.stopped_by is None
    assert study.state == "finished"
    assert {trial.arm for trial in study.trials[:2]} == {"plain", "dcn"}
    assert all(trial.is_default for trial in study.trials[:2])
    assert len(study.ranked) >= 2
    assert all(trial.state.is_finished for trial in study.trials)
    assert check_board(study) == []
    assert study.board_check == BoardCheck(6, len(study.columns), ())
    assert not list((study.folder / "trials").glob("*/last"))
    # Both workers are warm: no more processes than workers trained all trials.
    assert len({attempt.worker for t in study.trials for attempt in t.attempts}) <= 2


def test_a_trial_without_a_gpu_share_sees_no_device(finished: tuple[Outcome, int]) -> None:
    outcome, _ = finished
    starts = [e for e in events_of(outcome.study.folder) if e["kind"] == "start"]
    assert [event["devices"] for event in starts] == [""] * 6


def test_a_worker_waits_after_every_epoch_where_a_pruner_may_end_its_trial(
    finished: tuple[Outcome, int],
) -> None:
    outcome, n_answers = finished
    assert n_answers == sum(len(trial.epochs) for trial in outcome.study.trials)


def test_half_gpu_trials_share_two_gpus_and_run_at_once(
    cluster: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials far too long to end show that all four run; then the study is stopped."""
    monkeypatch.setattr("experiments.machine.taking.read_machine", lambda: cluster)
    sweep = light_sweep(tmp_path, ratings_csv, trials=4)
    folder = tmp_path / sweep.name
    done: list[StudyRecord] = []

    def run() -> None:
        resources = Resources(cpus=0.5, gpus=0.5)
        done.append(run_study(sweep, root=tmp_path, watcher=Silent(), resources=resources).study)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: sum(event["kind"] == "start" for event in events_of(folder)) == 4)
    finally:
        StopSwitch(folder).ask(StopCause.COMMAND)
        thread.join(60)
    devices = sorted(str(e["devices"]) for e in events_of(folder) if e["kind"] == "start")
    assert devices == ["0", "0", "1", "1"]
    (study,) = done
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING] * 4
    assert all(t.attempts[-1].stop_reason is StopReason.INTERRUPTED for t in study.trials)
    assert (study.folder / "trials" / "0000" / "last").is_dir()


def test_a_trial_that_waits_for_room_does_not_hold_up_a_stop(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    """Others have all of the cluster when the time is over; later the study goes on."""
    everything = ray.util.placement_group([{"CPU": cluster.n_cpus}])
    try:
        assert everything.wait(30)
        sweep = light_sweep(tmp_path, ratings_csv, trials=2, max_epochs=3, timeout="8s")
        began = time.monotonic()
        outcome = run_study(sweep, root=tmp_path, watcher=Silent(), resources=Resources(1, gpus=0))
        assert time.monotonic() - began < GRACE_S / 2
    finally:
        ray.util.remove_placement_group(everything)
    assert outcome.stopped_by is StopCause.TIMEOUT
    (waits,) = outcome.study.trials
    assert waits.state is TrialState.WAITING and not waits.attempts
    study = resume_study(tmp_path / sweep.name, watcher=Silent(), more_s=60).study
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


def test_a_trial_that_was_handed_out_as_the_stop_came_waits_for_the_resume(
    cluster: Machine,
    ratings_csv: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ray has the second trial, but has not yet begun to start it."""

    class StopsAtTheSecond(Silent):
        def trial_started(self, trial: TrialRecord) -> None:
            if trial.number == 1:
                StopSwitch(tmp_path / sweep.name).ask(StopCause.COMMAND)
                time.sleep(2)

    sweep = light_sweep(tmp_path, ratings_csv, trials=2, max_epochs=2)
    resources = Resources(1, gpus=0)
    outcome = run_study(sweep, root=tmp_path, watcher=StopsAtTheSecond(), resources=resources)
    assert outcome.stopped_by is StopCause.COMMAND
    assert not capsys.readouterr().out
    states = [TrialState.COMPLETE, TrialState.WAITING]
    assert [trial.state for trial in outcome.study.trials] == states
    study = resume_study(tmp_path / sweep.name, watcher=Silent()).study
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


def test_a_killed_worker_is_replaced_and_its_trial_goes_on(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    sweep = light_sweep(tmp_path, ratings_csv, max_epochs=150)
    folder = tmp_path / sweep.name

    def kill_the_worker() -> None:
        takes = [e for e in events_of(folder) if e["kind"] == "take"]
        worker = str(max(takes, key=lambda e: float(str(e["at"])))["worker"])
        os.kill(int(worker.rpartition("-")[2]), signal.SIGKILL)

    def kill_once() -> None:
        wait_for(lambda: any(event["kind"] == "checkpoint" for event in events_of(folder)))
        kill_the_worker()

    class KillsBetweenTwoTrials(Silent):
        def trial_started(self, trial: TrialRecord) -> None:
            if trial.number == 1 and not trial.attempts:
                kill_the_worker()
                time.sleep(1)

    thread = threading.Thread(target=kill_once)
    thread.start()
    resources = Resources(1, gpus=0)
    watcher = KillsBetweenTwoTrials()
    study = run_study(sweep, root=tmp_path, watcher=watcher, resources=resources).study
    thread.join(5)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
    first = study.trials[0]
    for trial in study.trials:  # Ray tells twice of one that died between two trials
        assert [a.stop_reason for a in trial.attempts] == [
            StopReason.WORKER_LOST,
            StopReason.MAX_EPOCHS,
        ]
    assert first.attempts[1].first_epoch is not None
    assert first.attempts[1].first_epoch > 1
    assert [epoch.epoch for epoch in first.epochs] == list(range(1, 151))


def test_a_failing_trial_is_a_fail_with_its_reason_and_the_worker_survives(
    cluster: Machine, answers: list[Any], ratings_csv: Path, tmp_path: Path
) -> None:
    """And where no pruner can end a trial, a worker does not wait after every epoch."""
    sweep = light_sweep(tmp_path, ratings_csv, trials=4, max_epochs=12)
    folder = tmp_path / sweep.name

    class InTheWay(Silent):
        """Where trial 1 wants its folder, there is a file."""

        def trial_started(self, trial: TrialRecord) -> None:
            if trial.number == 1:
                (folder / "trials" / "0001").write_text("in the way")

    answers.clear()
    study = run_study(
        sweep, root=tmp_path, watcher=InTheWay(), resources=Resources(1, gpus=0)
    ).study
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    assert study.trials[1].stop_reason is StopReason.ERROR
    assert study.trials[1].error is not None
    assert "0001" in study.trials[1].error
    assert len({attempt.worker for t in study.trials for attempt in t.attempts}) == 1
    assert [len(trial.epochs) for trial in study.trials] == [12, 11, 12, 12]
    assert len(answers) == 8


def test_a_recycled_worker_costs_no_trial(
    cluster: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.running.driver.SHARE_OF_MEMORY", 1e-6)
    sweep = light_sweep(tmp_path, ratings_csv, max_epochs=2)
    study = run_study(sweep, root=tmp_path, watcher=Silent(), resources=Resources(1, gpus=0)).study
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
    assert [a.stop_reason for a in study.trials[1].attempts] == [
        StopReason.RECYCLED,
        StopReason.MAX_EPOCHS,
    ]


def test_a_driver_killed_in_mid_sweep_is_resumed_to_the_same_numbers(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    """With one worker the study ends as one left alone: values, states, epochs, RMSE to the bit."""
    sweep = small_sweep(
        ratings_csv,
        "alone",
        trials=4,
        max_epochs=160,
        sampler={"name": "tpe", "n_startup_trials": 1},
    )
    alone = run_study(sweep, root=tmp_path, watcher=Silent(), resources=Resources(1, gpus=0)).study
    file = tmp_path / "killed.toml"
    text = (alone.folder / "sweep.toml").read_text()
    file.write_text(text.replace('name = "alone"', 'name = "killed"', 1))
    command = [sys.executable, "-m", "experiments.cli.main", "run", str(file)]
    driver = subprocess.Popen(
        [*command, "--studies", str(tmp_path), "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
    )
    folder = tmp_path / "killed"
    wait_for(lambda: sum(event["kind"] == "checkpoint" for event in events_of(folder)) >= 2)
    driver.kill()
    driver.wait()
    before = read_study(folder)
    finished = [trial for trial in before.trials if trial.state.is_finished]
    assert len(finished) < 4
    outcome = resume_study(folder, watcher=Silent(), resources=Resources(1, gpus=0))
    assert outcome.stopped_by is None
    for ours, theirs in zip(outcome.study.trials, alone.trials, strict=True):
        assert ours.values == theirs.values
        assert ours.state == theirs.state
        assert ours.best_rmse == theirs.best_rmse
        assert [e.val_rmse for e in ours.epochs] == [e.val_rmse for e in theirs.epochs]
    for trial in finished:
        assert len(outcome.study.trials[trial.number].attempts) == len(trial.attempts)
    again = resume_study(folder, watcher=Silent())
    assert json.dumps(again.study.trials[0].values) == json.dumps(alone.trials[0].values)
    assert check_board(again.study) == []


def test_everything_that_listens_listens_on_loopback(cluster: Machine) -> None:
    import psutil

    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.pid in ours
    }
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
