"""Silent workers and endless trials: who is killed, when, and what the study says of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.journal import Journal
from experiments.liveness import Liveness, kill_worker, worker_name
from experiments.records import StopReason, TrialState
from tests.experiments.test_conductor import a_sweep, bumpy, trials_of
from tests.fake_workers import FakeStudy, FakeWorker, Fuse


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watched(
    folder: Path, clock: Clock, killed: list[str], stall_s: float | None, trial_s: float | None
) -> Liveness:
    return Liveness(folder, stall_s, trial_s, kill=killed.append, clock=clock)


def test_a_worker_is_killed_when_its_journal_has_been_still_for_too_long(
    tmp_path: Path, clock: Clock
) -> None:
    killed: list[str] = []
    journal = Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.began(3, "host-7")
    for _ in range(4):
        clock.now += 4
        os.utime(journal.path, ns=(0, int(clock.now * 1e9)))
        liveness.check()
    assert killed == []
    clock.now += 6
    liveness.check()
    liveness.check()
    assert killed == ["host-7"]
    reason, text = liveness.doom_of(3) or (None, "")
    assert reason is StopReason.STALLED
    assert "5 s (search.stall_timeout)" in text


def test_a_clock_that_jumps_back_is_a_sign_of_life_like_any_other(
    tmp_path: Path, clock: Clock
) -> None:
    """The file's time may go backwards; only that it changed counts."""
    killed: list[str] = []
    journal = Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.began(0, "host-7")
    for hour in (9, 3, 8, 1):
        clock.now += 4
        os.utime(journal.path, ns=(0, hour * 3600 * 10**9))
        liveness.check()
    assert killed == []


def test_a_trial_that_takes_too_long_is_ended_earlier_attempts_counted(
    tmp_path: Path, clock: Clock
) -> None:
    killed: list[str] = []
    liveness = watched(tmp_path, clock, killed, None, 60.0)
    liveness.began(1, "host-1", spent_s=50)
    liveness.began(2, "host-2")
    clock.now += 11
    liveness.check()
    assert killed == ["host-1"]
    assert liveness.doom_of(2) is None


def test_a_trial_that_ended_is_watched_no_more(tmp_path: Path, clock: Clock) -> None:
    killed: list[str] = []
    liveness = watched(tmp_path, clock, killed, 5.0, 5.0)
    liveness.began(1, "host-1")
    liveness.over(1)
    clock.now += 100
    liveness.check()
    assert killed == []


def test_a_process_that_is_stopped_is_killed_all_the_same() -> None:
    import signal

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.send_signal(signal.SIGSTOP)
    host = worker_name().rpartition("-")[0]
    kill_worker(f"{host}-{child.pid}")
    assert child.wait(10) == -signal.SIGKILL
    kill_worker(f"{host}-{child.pid}")  # gone already: nothing to do


def test_a_stalled_trial_fails_with_its_reason_and_its_worker_takes_the_next(
    tmp_path: Path,
) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(3, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        clock, killed = Clock(), []
        conductor.liveness = watched(study.folder, clock, killed, 5.0, None)
        worker = FakeWorker(study, 0, Fuse())
        worker.take(conductor.next_order())
        conductor.pump()
        clock.now += 6
        conductor.liveness.check()
        clock.now += 6
        conductor.liveness.check()
        assert killed == ["worker-0"]
        assert conductor.lose(0) is None
        assert conductor.n_live == 0
        worker.take(conductor.next_order())
        while worker.order is not None:
            worker.step(conductor)
    first, second = trials_of(study.folder)
    assert (first.state, first.stop_reason) == (TrialState.FAIL, StopReason.STALLED)
    assert first.error is not None
    assert "no sign of life" in first.error
    assert second.state.is_finished
    assert second.stop_reason is not StopReason.STALLED
