"""Orders of the conductor and the words of workers on them, one at a time."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.board.hparams import BoardWriter
from experiments.records import StopReason, TrialState
from experiments.running.conductor import LOST_WORKER_RETRIES, Conductor
from experiments.running.orders import TrialOrder
from experiments.search.optuna_search import OptunaSearch
from experiments.sweep import SearchConfig
from experiments.watcher import StudyWatcher
from recommender.checkpoints import has_checkpoint, write_checkpoint
from search_spaces import Choice, SearchSpace
from tests.experiments.running.test_conductor import a_sweep, bumpy, trials_of
from tests.fake_workers import FakeStudy, FakeWorker, Fuse


class Listening(StudyWatcher):
    """Keeps what a user would read."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def study(tmp_path: Path) -> FakeStudy:
    sweep = a_sweep(4, sampler="random", pruner="none")
    return FakeStudy(tmp_path / "study", sweep, bumpy, watcher=Listening())


def told(study: FakeStudy) -> list[str]:
    assert isinstance(study.watcher, Listening)
    return study.watcher.told


def handed(conductor: Conductor) -> TrialOrder:
    order = conductor.next_order()
    assert order is not None
    return order


def on(study: FakeStudy, index: int, order: TrialOrder) -> FakeWorker:
    worker = FakeWorker(study, index, Fuse())
    worker.take(order)
    return worker


def ends(worker: FakeWorker, conductor: Conductor, reason: StopReason, **more: Any) -> None:
    worker._write("end", sync=True, stop_reason=reason.value, error=None, **more)
    conductor.pump()


def test_after_a_stop_nothing_is_handed_out_and_what_runs_goes_on_in_the_next_run(
    study: FakeStudy,
) -> None:
    with study.opened(Fuse()) as conductor:
        first, second = (on(study, i, handed(conductor)) for i in range(2))
        first.step(conductor)
        conductor.stop()
        assert conductor.is_out_of_orders and conductor.next_order() is None
        ends(first, conductor, StopReason.INTERRUPTED)
        ends(second, conductor, StopReason.INTERRUPTED)
        assert not conductor.is_finished
    with study.opened(Fuse()) as conductor:
        orders = [handed(conductor) for _ in range(3)]
    assert [(order.number, order.attempt) for order in orders] == [(0, 2), (1, 2), (2, 1)]


def test_a_worker_that_sees_the_stop_first_stops_the_driver(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        ends(on(study, 0, handed(conductor)), conductor, StopReason.INTERRUPTED)
        assert conductor.is_out_of_orders and conductor.next_order() is None
        assert not conductor.is_finished


def test_a_run_whose_time_is_over_brings_only_what_was_begun_to_its_end(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        handed(conductor)
    with study.opened(Fuse(), asks_for_new=False) as conductor:
        assert conductor.n_left == 1
        worker = on(study, 0, handed(conductor))
        assert conductor.is_out_of_orders and conductor.next_order() is None
        while worker.order is not None:
            worker.step(conductor)
        assert not conductor.is_finished
    assert len(trials_of(study.folder)) == 1


@pytest.mark.parametrize(("left_s", "is_begun"), [(60.0, True), (0.05, False)])
def test_no_trial_is_begun_that_has_no_time_for_an_epoch(
    study: FakeStudy, left_s: float, is_begun: bool
) -> None:
    """An epoch of these workers takes a tenth of a second, by their own word."""
    with study.opened(Fuse(), deadline=time.monotonic() + 3600) as conductor:
        on(study, 0, handed(conductor)).step(conductor)
        conductor._deadline = time.monotonic() + left_s
        assert (conductor.next_order() is not None) is is_begun


def test_a_study_is_finished_when_its_last_trial_has_ended(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        for is_last in (False, False, False, True):
            worker = on(study, 0, handed(conductor))
            while worker.order is not None:
                assert not conductor.is_finished
                worker.step(conductor)
            conductor.leave(conductor._next_number - 1)  # as whoever runs trials does in the end
            assert conductor.is_finished is is_last
        assert conductor.next_order() is None


def test_a_trial_that_has_not_begun_can_be_asked_to_make_room_and_is_asked_once(
    study: FakeStudy,
) -> None:
    with study.opened(Fuse()) as conductor:
        _, young = handed(conductor), handed(conductor)
        for _ in range(2):
            conductor.make_room(1)
        assert young.room_file.exists()
        assert told(study) == ["#1 makes room at the end of its epoch, and goes on later"]


def test_a_study_with_a_trial_that_waits_is_not_finished(study: FakeStudy) -> None:
    """All were asked for: one makes room, the other is interrupted."""
    study.sweep = a_sweep(2, sampler="random", pruner="none")
    with study.opened(Fuse()) as conductor:
        first, second = (on(study, i, handed(conductor)) for i in range(2))
        ends(second, conductor, StopReason.INTERRUPTED, makes_room=True)
        conductor.leave(1)
        while first.order is not None:
            first.step(conductor)
        assert not conductor.is_finished and not conductor.is_out_of_orders
        ends(on(study, 1, handed(conductor)), conductor, StopReason.INTERRUPTED)
        assert not conductor.is_finished and conductor.is_out_of_orders


def test_a_search_that_runs_out_of_points_is_finished(study: FakeStudy) -> None:
    search = SearchConfig(trials=5, sampler="grid", pruner="none", max_epochs=1)
    space = SearchSpace.of(dropout=Choice([0.1, 0.2, 0.3]))
    study.objective = lambda values, epoch: 1.0
    study.sweep = replace(study.sweep, space=space, compare=None, search=search)
    with study.opened(Fuse()) as conductor:
        while (order := conductor.next_order()) is not None:
            on(study, 0, order).step(conductor)
        assert conductor.is_finished and conductor.is_out_of_orders
    assert len(trials_of(study.folder)) == 3


def test_a_trial_is_on_the_board_from_its_first_moment(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        order = handed(conductor)
        assert list((study.folder / "tensorboard").glob(f"{order.name}/events*"))


def test_what_a_sampler_noted_when_it_was_asked_stays_with_its_trial(
    study: FakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna's genetic ones find the trial's generation there, also after a resume."""
    noted = {"generation": 1}
    monkeypatch.setattr(OptunaSearch, "pruner_state", lambda *_: dict(noted))
    with study.opened(Fuse()) as conductor:
        handed(conductor)
    noted["rung"] = 2
    with study.opened(Fuse()) as conductor:
        assert handed(conductor).attempt == 2
    assert trials_of(study.folder)[0].pruner_state == {"0": {"generation": 1}}


def test_a_worker_that_ended_its_trial_and_died_has_ended_it(study: FakeStudy) -> None:
    """Nobody rang the bell for its last line."""
    with study.opened(Fuse()) as conductor:
        worker = on(study, 0, handed(conductor))
        worker.step(conductor)
        worker._write("end", sync=True, stop_reason="max_epochs", error=None)
        assert conductor.lose(0, 1) is None
    (trial,) = trials_of(study.folder)
    assert (trial.state, len(trial.attempts)) == (TrialState.COMPLETE, 1)


def test_a_worker_that_is_lost_after_a_stop_leaves_its_trial_to_the_next_run(
    study: FakeStudy,
) -> None:
    with study.opened(Fuse()) as conductor:
        order = handed(conductor)
        on(study, 0, order).step(conductor)
        conductor.stop()
        assert conductor.lose(0, order.attempt) is None
        assert conductor.is_to_stop(0) and not conductor.is_finished
    with study.opened(Fuse()) as conductor:
        assert (handed(conductor).number, order.number) == (0, 0)


def test_a_worker_that_is_recycled_is_not_lost_however_often(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        order = handed(conductor)
        for _ in range(LOST_WORKER_RETRIES + 2):
            worker = on(study, 0, order)
            ends(worker, conductor, StopReason.RECYCLED)
            again = conductor.lose(0, order.attempt)
            assert again is not None
            assert (again.attempt, again.give_up) == (order.attempt + 1, None)
            order = again
        assert told(study) == []
        on(study, 0, order)
        again = conductor.lose(0, order.attempt)  # this one did not say that it goes
        assert again is not None and again.give_up is None
        assert told(study) == ["#0 lost its worker; beginning anew"]


def test_what_a_lost_worker_still_writes_changes_nothing(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        ghost = on(study, 0, handed(conductor))
        again = conductor.lose(0)
        assert again is not None
        ends(ghost, conductor, StopReason.MAX_EPOCHS)
        assert trials_of(study.folder)[0].state is TrialState.RUNNING
        worker = on(study, 1, again)
        worker.step(conductor)
        ghost.step(conductor)
        ends(ghost, conductor, StopReason.ERROR)
        assert not conductor.is_to_stop(0)
        while worker.order is not None:
            worker.step(conductor)
    (trial,) = trials_of(study.folder)
    assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    assert trial.attempts[-1].worker == "worker-1"


def test_three_trials_without_a_worker_count_only_in_a_row(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        for _ in range(2):
            order = handed(conductor)
            for _ in range(LOST_WORKER_RETRIES + 1):
                assert conductor.lose(order.number) is not None
            assert conductor.lose(order.number) is None
        worker = on(study, 0, handed(conductor))
        worker.step(conductor)
        order = handed(conductor)
        for _ in range(LOST_WORKER_RETRIES + 1):
            assert conductor.lose(order.number) is not None
        assert conductor.lose(order.number) is None  # no ClusterError


def test_what_the_driver_ends_is_told_to_its_worker_and_leaves_no_checkpoint(
    study: FakeStudy,
) -> None:
    study.sweep = a_sweep(8, sampler="random")
    with study.opened(Fuse()) as conductor:
        while not conductor.is_out_of_orders:
            worker = on(study, 0, handed(conductor))
            while (order := worker.order) is not None:
                assert not conductor.is_to_stop(order.number)
                write_checkpoint(order.folder / "last", {}, {"epoch": 0, "best": [9.0, 0]})
                worker.step(conductor)
            last = trials_of(study.folder)[-1]
            if last.stop_reason is StopReason.PRUNER:
                assert not has_checkpoint(study.folder / "trials" / last.name / "last")
    reasons = {trial.stop_reason for trial in trials_of(study.folder)}
    assert StopReason.PRUNER in reasons and len(reasons) > 1


def test_a_checkpoint_that_was_damaged_is_told(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        worker = FakeWorker(study, 0, Fuse())
        worker.order = handed(conductor)
        said = {"worker": "w", "first_epoch": 1, "n_parameters": 7, "damaged": "last: torn"}
        worker._write("start", **said)
        conductor.pump()
        assert told(study) == ["#0 begins anew: last: torn"]


@pytest.mark.parametrize(("limit_s", "is_over"), [(1000.0, True), (3000.0, False)])
def test_a_trials_time_is_that_of_all_the_epochs_that_it_goes_on_from(
    study: FakeStudy, limit_s: float, is_over: bool
) -> None:
    assert study.sweep.search is not None
    limits = replace(study.sweep.search, trial_timeout_s=limit_s)
    study.sweep = replace(study.sweep, search=limits)
    with study.opened(Fuse()) as conductor:
        worker = on(study, 0, handed(conductor))
        epoch = {"val_rmse": 1.0, "train_rmse": 1.0, "n_updates": 1, "is_last": False}
        for number, seconds in ((1, 1001.0), (2, 999.0), (3, 2000.0)):
            worker._write("epoch", epoch=number, seconds=seconds, **epoch)
        conductor.pump()
        assert worker.order is not None
        write_checkpoint(worker.order.folder / "last", {}, {"epoch": 2, "best": [1.0, 1]})
    with study.opened(Fuse()) as conductor:
        conductor.liveness.kill = lambda _: True
        on(study, 1, handed(conductor))
        conductor.liveness.check()
        assert conductor.liveness.doom_of(0) is None  # nobody has heard that it begins
        conductor.pump()
        conductor.liveness.check()
        assert (conductor.liveness.doom_of(0) is not None) is is_over
        assert (conductor.lose(0) is None) is is_over
    trial = trials_of(study.folder)[0]
    assert trial.stop_reason is (StopReason.TRIAL_TIMEOUT if is_over else None)
    assert ("search.trial_timeout" in told(study)[0]) is is_over


def test_a_trial_that_ends_by_itself_is_complete_whatever_is_said_of_its_last_epoch(
    study: FakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OptunaSearch, "report", lambda *_: False)
    assert study.sweep.search is not None
    study.sweep = replace(study.sweep, search=replace(study.sweep.search, max_epochs=1))
    with study.opened(Fuse()) as conductor:
        on(study, 0, handed(conductor)).step(conductor)
    assert trials_of(study.folder)[0].stop_reason is StopReason.MAX_EPOCHS


def test_a_metric_that_cannot_be_computed_is_told_once(study: FakeStudy) -> None:
    with study.opened(Fuse()) as conductor:
        worker = on(study, 0, handed(conductor))
        epoch = {"val_rmse": 1.0, "train_rmse": 1.0, "n_updates": 1, "seconds": 0.1}
        for number in (1, 2):
            faulty = {"metrics": {}, "metric_errors": {"auc": "no zeros"}}
            worker._write("epoch", epoch=number, is_last=False, **epoch, **faulty)
        conductor.pump()
    assert told(study) == ["metric auc: no zeros; trials go on without it"]


class Counting(StudyWatcher):
    def __init__(self) -> None:
        self.heard: list[tuple[str, int, object]] = []

    def trial_started(self, trial: Any) -> None:
        self.heard.append(("start", trial.number, trial.state.value))

    def epoch(self, trial: Any, epoch: Any) -> None:
        self.heard.append(("epoch", trial.number, epoch.epoch))

    def trial_ended(self, trial: Any) -> None:
        self.heard.append(("end", trial.number, trial.state.value))


def test_whoever_watches_and_the_board_hear_of_each_start_epoch_and_end_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, board = Counting(), Counting()
    for told_to in ("start", "epoch", "end"):
        hear = {"start": board.trial_started, "epoch": board.epoch, "end": board.trial_ended}
        monkeypatch.setattr(BoardWriter, told_to, lambda _, *of, to=hear[told_to]: to(*of))
    study = FakeStudy(tmp_path / "study", a_sweep(8, sampler="random"), bumpy, watcher=watcher)
    study.run(Fuse())
    expected: list[tuple[str, int, object]] = []
    for trial in trials_of(study.folder):
        expected.append(("start", trial.number, "WAITING"))
        expected += [("epoch", trial.number, e.epoch) for e in trial.epochs]
        expected.append(("end", trial.number, trial.state.value))
    assert watcher.heard == board.heard == expected
