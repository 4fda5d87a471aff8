"""Silent workers and endless trials: who is killed, when, and what the study says of it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from experiments.errors import ClusterError
from experiments.ledger.journal import Journal
from experiments.machine.liveness import START_S, Liveness
from experiments.records import StopReason, TrialState
from tests.experiments.running.test_conductor import a_sweep, bumpy, trials_of
from tests.fake_workers import FakeStudy, FakeWorker, Fuse


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pass_while_listening(seconds: float, liveness: Liveness, clock: Clock) -> list[str]:
    """What the last look at the workers says."""
    said: list[str] = []
    for _ in range(round(seconds)):
        clock.now += 1
        liveness.listens()
        said = liveness.check()
    return said


def pass_while_busy(seconds: float, liveness: Liveness, clock: Clock) -> None:
    for _ in range(round(seconds)):
        clock.now += 1
        liveness.check()
    liveness.listens()


def watched(
    folder: Path, clock: Clock, killed: list[int], stall_s: float, trial_s: float | None
) -> Liveness:
    liveness = Liveness(folder, stall_s, trial_s, clock=clock)

    def kill(number: int) -> bool:
        killed.append(number)
        return True

    liveness.kill = kill
    return liveness


def test_a_worker_is_killed_when_its_journal_has_been_still_for_too_long(
    tmp_path: Path, clock: Clock
) -> None:
    killed: list[int] = []
    journal = Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.began(3, "host-7")
    for _ in range(4):
        pass_while_listening(4, liveness, clock)
        os.utime(journal.path, ns=(0, int(clock.now * 1e9)))
        liveness.check()
    assert killed == []
    pass_while_listening(7, liveness, clock)
    assert killed == [3]
    reason, text = liveness.doom_of(3) or (None, "")
    assert reason is StopReason.STALLED
    assert "5 s (search.stall_timeout)" in text


def test_while_the_driver_did_not_listen_nobody_was_silent(tmp_path: Path, clock: Clock) -> None:
    """It was busy, and these waited for its word: not for more of such times than two."""
    killed: list[int] = []
    journal = Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.began(3, "host-7")
    pass_while_listening(1, liveness, clock)
    for _ in range(2):
        pass_while_busy(100, liveness, clock)
        pass_while_listening(2, liveness, clock)
    assert killed == []
    os.utime(journal.path, ns=(0, int(clock.now * 1e9)))
    pass_while_listening(1, liveness, clock)
    for _ in range(2):
        pass_while_busy(3, liveness, clock)
        pass_while_listening(1, liveness, clock)
    assert killed == []
    for _ in range(2):
        pass_while_busy(3, liveness, clock)
        pass_while_listening(1, liveness, clock)
    assert killed == [3]


@pytest.mark.parametrize("is_heard_first", [True, False])
def test_time_in_which_all_were_suspended_did_not_pass(
    tmp_path: Path, clock: Clock, is_heard_first: bool
) -> None:
    killed: list[int] = []
    Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, 60.0)
    liveness.began(3, "host-7")
    for _ in range(4):
        pass_while_listening(1, liveness, clock)
        clock.now += 100
        if is_heard_first:
            liveness.listens()
        liveness.check()
    assert killed == []
    pass_while_listening(6, liveness, clock)
    assert killed == [3]
    assert (liveness.doom_of(3) or [None])[0] is StopReason.STALLED


def test_a_trials_time_passes_while_the_driver_is_busy(tmp_path: Path, clock: Clock) -> None:
    killed: list[int] = []
    liveness = watched(tmp_path, clock, killed, math.inf, 60.0)
    liveness.began(1, "host-1")
    for _ in range(16):
        pass_while_busy(3, liveness, clock)
        pass_while_listening(1, liveness, clock)
    assert killed == [1]


def test_a_clock_that_jumps_back_is_a_sign_of_life_like_any_other(
    tmp_path: Path, clock: Clock
) -> None:
    """The file's time may go backwards; only that it changed counts."""
    killed: list[int] = []
    journal = Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.began(0, "host-7")
    for hour in (9, 3, 8, 1):
        pass_while_listening(4, liveness, clock)
        os.utime(journal.path, ns=(0, hour * 3600 * 10**9))
        liveness.check()
    assert killed == []


def test_a_trial_that_takes_too_long_is_ended_earlier_attempts_counted(
    tmp_path: Path, clock: Clock
) -> None:
    killed: list[int] = []
    liveness = watched(tmp_path, clock, killed, math.inf, 60.0)
    liveness.began(1, "host-1", spent_s=50)
    liveness.began(2, "host-2")
    clock.now += 11
    liveness.check()
    assert killed == [1]
    assert liveness.doom_of(2) is None


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_trials_time_begins_when_a_worker_that_is_ready_takes_it(
    is_warm: bool, tmp_path: Path, clock: Clock
) -> None:
    killed: list[int] = []
    liveness = watched(tmp_path, clock, killed, math.inf, 60.0)
    liveness.handed_out(1)
    pass_while_listening(1000, liveness, clock)  # it waits for a worker
    liveness.taken(1, "host-1", is_warm)
    pass_while_listening(61, liveness, clock)
    assert killed == ([1] if is_warm else [])


def test_a_worker_whose_process_is_gone_is_no_lack_of_room(tmp_path: Path, clock: Clock) -> None:
    liveness = Liveness(tmp_path, 5.0, None, clock=clock)
    liveness.began(4, "host-7")
    clock.now += 6
    assert liveness.check() == []
    assert liveness.doom_of(4) is None


def test_the_workers_of_all_trials_can_be_ended(tmp_path: Path, clock: Clock) -> None:
    liveness = Liveness(tmp_path, 5.0, None, clock=clock)
    liveness.kill = lambda number: number != 2  # which waits for one
    for number in (1, 2, 3):
        liveness.handed_out(number)
    liveness.over(3)
    assert liveness.end_all() == [1]


def test_a_trial_that_ended_is_watched_no_more(tmp_path: Path, clock: Clock) -> None:
    killed: list[int] = []
    liveness = watched(tmp_path, clock, killed, 5.0, 5.0)
    liveness.began(1, "host-1")
    liveness.over(1)
    clock.now += 100
    liveness.check()
    assert killed == []


def test_a_worker_that_never_takes_its_trial_is_killed_but_has_time_to_start(
    tmp_path: Path, clock: Clock
) -> None:
    killed: list[int] = []
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.handed_out(4)
    pass_while_listening(START_S - 1, liveness, clock)
    assert killed == []
    pass_while_listening(2, liveness, clock)
    assert killed == [4]
    _, text = liveness.doom_of(4) or (None, "")
    assert text.startswith("no sign of life for 2 min from a worker that was to start")


@pytest.mark.parametrize(("is_warm", "limit_s"), [(True, 5.0), (False, START_S)])
def test_a_worker_that_hangs_while_it_builds_the_model_is_killed(
    is_warm: bool, limit_s: float, tmp_path: Path, clock: Clock
) -> None:
    """One that imports TensorFlow first gets the time for it."""
    killed: list[int] = []
    Journal(tmp_path / "journal" / "worker-host-7.jsonl")
    liveness = watched(tmp_path, clock, killed, 5.0, None)
    liveness.handed_out(4)
    liveness.taken(4, "host-7", is_warm)
    pass_while_listening(limit_s - 1, liveness, clock)
    assert killed == []
    pass_while_listening(3, liveness, clock)
    assert killed == [4]


def test_a_trial_without_a_process_waits_and_the_user_is_told(tmp_path: Path, clock: Clock) -> None:
    liveness = Liveness(tmp_path, 5.0, None, clock=clock)
    liveness.handed_out(4)
    for _ in range(2):
        said = pass_while_listening(START_S + 1, liveness, clock)
        assert said == ["#4 waits for a worker: Ray has no room for it"]
        assert liveness.check() == []
        assert liveness.doom_of(4) is None


def test_workers_that_hang_before_they_are_ready_end_the_run_after_three(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(8, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        clock = Clock()
        conductor.liveness = watched(study.folder, clock, [], 5.0, None)
        for number in range(3):
            order = conductor.next_order()
            assert order is not None
            pass_while_listening(START_S + 1, conductor.liveness, clock)
            conductor.liveness.check()
            if number == 2:
                with pytest.raises(ClusterError, match="3 trials in a row"):
                    conductor.lose(number)
            else:
                assert conductor.lose(number) is None
    trials = trials_of(study.folder)
    assert [trial.stop_reason for trial in trials] == [StopReason.STALLED] * 3


def test_ready_workers_that_hang_while_they_build_fail_their_trials_and_no_more(
    tmp_path: Path,
) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(8, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        clock = Clock()
        conductor.liveness = watched(study.folder, clock, [], 5.0, None)
        for number in range(4):
            worker = FakeWorker(study, 0, Fuse())
            worker.order = conductor.next_order()
            worker._write("take", worker="worker-0", is_warm=True)
            conductor.pump()
            conductor.liveness.check()
            pass_while_listening(6, conductor.liveness, clock)
            conductor.liveness.check()
            assert conductor.lose(number) is None
    trials = trials_of(study.folder)
    assert [trial.stop_reason for trial in trials] == [StopReason.STALLED] * 4


def test_a_stalled_trial_fails_with_its_reason_and_its_worker_takes_the_next(
    tmp_path: Path,
) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(3, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        clock, killed = Clock(), []
        conductor.liveness = watched(study.folder, clock, killed, 5.0, None)
        worker = FakeWorker(study, 0, Fuse())
        worker.take(conductor.next_order())
        worker.step(conductor)
        for seconds in (4, 6):
            pass_while_listening(seconds, conductor.liveness, clock)
            conductor.liveness.check()
        assert killed == [0]
        assert conductor.lose(0) is None
        worker.take(conductor.next_order())
        while worker.order is not None:
            worker.step(conductor)
    first, second = trials_of(study.folder)
    assert (first.state, first.stop_reason) == (TrialState.FAIL, StopReason.STALLED)
    assert first.error is not None
    assert "no sign of life" in first.error
    assert second.state.is_finished
    assert second.stop_reason is not StopReason.STALLED
