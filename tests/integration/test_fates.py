"""A sweep of which a third goes wrong: models that diverge, crash, hang, die or eat memory."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from experiments.board.board_check import check_board
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import StopReason, StudyRecord, TrialState
from experiments.study import run_study
from experiments.sweep import SweepConfig
from experiments.watcher import Silent
from recsweep import Choice, Sweep, space
from tests.integration.test_sweeps import events_of, wait_for
from tests.synthetic import ratings_table

pytestmark = pytest.mark.ray

FATES = '''
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

Dense = tf.keras.layers.Dense


class Hangs(tf.keras.layers.Layer):
    """In the middle of an epoch, where nobody can ask it to stop."""

    def call(self, inputs):
        def wait(x):
            time.sleep(10_000)
            return x

        x = tf.numpy_function(wait, [inputs], inputs.dtype)
        return tf.ensure_shape(x, inputs.shape)


def fated(inputs, *, fate="sound-1"):
    if fate == "crashes":
        raise RuntimeError("no such luck")
    if fate == "eats-memory":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, hard))
        try:
            np.ones(1 << 32)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    if fate == "hangs-while-built":
        os.kill(os.getpid(), signal.SIGSTOP)  # it does not even react to Ray
    if fate == "is-told-to-go" and not Path(TOLD).exists():
        Path(TOLD).touch()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10_000)
    x = Dense(int(fate.rpartition("-")[2]) if fate.startswith("sound") else 4, "relu")(inputs)
    if fate == "hangs-in-an-epoch":
        x = Hangs()(x)
    x = Dense(1)(x)
    return x * 1e30 if fate == "diverges" else x  # its square is no float32
'''
SOUND = tuple(f"sound-{units}" for units in range(1, 11))
END_OF = {
    "diverges": (TrialState.PRUNED, StopReason.DIVERGED),
    "crashes": (TrialState.FAIL, StopReason.ERROR),
    "eats-memory": (TrialState.FAIL, StopReason.OUT_OF_MEMORY),
    "hangs-while-built": (TrialState.FAIL, StopReason.STALLED),
    "hangs-in-an-epoch": (TrialState.FAIL, StopReason.STALLED),
}


def a_sweep(folder: Path, ratings: Path, name: str, fates: Sequence[str]) -> SweepConfig:
    (folder / "fates.py").write_text(FATES.replace("TOLD", repr(str(folder / "told"))))
    return Sweep(
        name=name,
        dataset=ratings_table(ratings),
        space=space(
            architecture=Choice([f"{folder}/fates.py:fated"]),
            fate=Choice(fates),
        ),
        model={"embedding_size": 4, "batch_size": 128},
        sampler="grid",
        pruner="none",
        trials=len(fates),
        max_epochs=2,
        patience=0,
        stall_timeout="5s",
    )


def by_fate(study: StudyRecord) -> dict[object, tuple[object, ...]]:
    return {
        trial.values["fate"]: (trial.state, trial.stop_reason, trial.error, trial.best_rmse)
        for trial in study.trials
    }


def test_a_sweep_of_which_a_third_goes_wrong_ends_by_itself_with_every_state_right(
    cluster: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is told to go is lost, and no fault of the model that it was building: Ray's
    own answer to SIGTERM is an exception there, which looks like the model's `exit`."""
    # One seed for all, so that trials of the two studies compare.
    monkeypatch.setattr("experiments.running.conductor.derive_seed", lambda *purpose: 7)
    bad = list(END_OF)
    mixed = [*SOUND, "is-told-to-go"]
    # Both hang at once, on workers that are warm: one that starts gets two minutes.
    for fate, place in zip(bad, (3, 5, 6, 8, 9), strict=True):
        mixed.insert(place, fate)
    study = run_study(
        a_sweep(tmp_path, ratings_csv, "mixed", mixed),
        root=tmp_path,
        watcher=Silent(),
        resources=Resources(2, gpus=0),
    ).study
    alone = run_study(
        a_sweep(tmp_path, ratings_csv, "alone", SOUND),
        root=tmp_path,
        watcher=Silent(),
        resources=Resources(1, gpus=0),
    ).study
    ends = by_fate(study)
    assert len(ends) == len(study.trials) == 16
    assert {fate: ends[fate][:2] for fate in bad} == END_OF, ends
    assert {fate: ends[fate] for fate in SOUND} == by_fate(alone)
    assert all(state is TrialState.COMPLETE for state, *_ in by_fate(alone).values())
    ranking = [trial.values["fate"] for trial in study.ranked if trial.values["fate"] in SOUND]
    assert ranking == [trial.values["fate"] for trial in alone.ranked]
    assert study.state == "finished"
    assert check_board(study) == []

    assert ends["is-told-to-go"][0] is TrialState.COMPLETE
    attempts = {trial.values["fate"]: trial.attempts for trial in study.trials}
    assert [a.stop_reason for a in attempts["is-told-to-go"]] == [
        StopReason.WORKER_LOST,
        StopReason.MAX_EPOCHS,
    ]
    lost = ("is-told-to-go", "hangs-while-built", "hangs-in-an-epoch")
    assert [len(attempts[fate]) for fate in lost] == [2, 1, 1]
    takes = [event for event in events_of(study.folder) if event["kind"] == "take"]
    numbers = {trial.number for trial in study.trials if trial.values["fate"] in lost}
    gone = {e["worker"] for e in takes if e["number"] in numbers and e["attempt"] == 1}
    assert len(gone) == 3
    pids = [int(str(worker).rpartition("-")[2]) for worker in gone]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    # What a model does wrong by itself costs no worker.
    assert len({event["worker"] for event in takes}) <= 2 + len(gone)


@pytest.mark.long
def test_a_worker_that_hangs_before_it_trains_anything_is_replaced(
    cluster: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped while it imports TensorFlow, long before its first epoch."""
    monkeypatch.setattr("experiments.machine.liveness.START_S", 60.0)
    folder = tmp_path / "hung"

    def hang() -> None:
        wait_for(lambda: any(event["kind"] == "take" for event in events_of(folder)))
        worker = next(str(e["worker"]) for e in events_of(folder) if e["kind"] == "take")
        os.kill(int(worker.rpartition("-")[2]), signal.SIGSTOP)

    thread = threading.Thread(target=hang)
    thread.start()
    study = run_study(
        a_sweep(tmp_path, ratings_csv, "hung", SOUND[:2]),
        root=tmp_path,
        watcher=Silent(),
        resources=Resources(1, gpus=0),
    ).study
    thread.join(5)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[0].stop_reason is StopReason.STALLED
    assert study.trials[0].error == (
        "no sign of life for 60 s from a worker that was to start (search.stall_timeout)"
    )
    assert study.trials[0].epochs == ()
