"""Fewer and more workers while a study runs, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.cli.show import show_text
from experiments.errors import RequestError, StateError
from experiments.ledger.lock import StudyLock
from experiments.machine.crew import Crew, ask_for_workers, dismiss_crew
from experiments.records import StopReason, TrialState, read_study
from experiments.running.conductor import LOST_WORKER_RETRIES
from experiments.verdict.verdict import write_verdict
from tests.experiments.running.test_conductor import a_sweep, bumpy, outcome, run_alone, trials_of
from tests.fake_workers import FakeStudy, FakeWorker, Fuse
from tests.reports.verdicts import judged
from tests.synthetic_study import make_study


def test_a_wish_is_taken_up_once(tmp_path: Path) -> None:
    crew = Crew(tmp_path, 1, at_most=2)
    assert crew.size == 1
    with StudyLock(tmp_path):
        assert ask_for_workers(tmp_path, 2)[0] == 1
        assert (crew.size, crew.size) == (2, 2)
        assert ask_for_workers(tmp_path, 1)[0] == 2
    dismiss_crew(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["driver.lock"]


def test_a_wish_that_comes_while_another_is_read_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(tmp_path, 1, at_most=3)
    read_text = Path.read_text

    def read_and_wish(path: Path, **how: str) -> str:
        text = read_text(path, **how)
        monkeypatch.undo()
        (tmp_path / "scale").write_text("3\n")
        return text

    (tmp_path / "scale").write_text("2\n")
    monkeypatch.setattr(Path, "read_text", read_and_wish)
    assert (crew.size, crew.size) == (2, 3)


@pytest.mark.parametrize(
    ("wish", "size"), [("1", 1), ("3", 3), ("0", 2), ("4", 2), ("-1", 2), ("many", 2), ("", 2)]
)
def test_only_a_wish_that_can_be_had_is_taken_up(tmp_path: Path, wish: str, size: int) -> None:
    (tmp_path / "scale").write_text("1\n")  # of an earlier driver's time
    crew = Crew(tmp_path, 2, at_most=3)
    assert crew.size == 2
    (tmp_path / "scale").write_text(f"{wish}\n")
    assert (crew.size, crew.size) == (size, size)
    assert [path.name for path in tmp_path.iterdir()] == ["workers.json"]


@pytest.mark.parametrize(("is_finished", "command"), [(False, "resume"), (True, "verdict")])
def test_what_cannot_be_had_is_refused_with_the_cure(
    tmp_path: Path, is_finished: bool, command: str
) -> None:
    folder = make_study(tmp_path / "mine", is_finished=is_finished)
    with pytest.raises(StateError, match=f"nobody runs mine.*{command} mine --workers 2"):
        ask_for_workers(folder, 2)
    with StudyLock(folder):
        with pytest.raises(StateError, match="no workers yet"):
            ask_for_workers(folder, 2)
        Crew(folder, 1, at_most=2)
        with pytest.raises(RequestError, match=f"at most 2.*stop mine.*{command} mine"):
            ask_for_workers(folder, 3)
        with pytest.raises(RequestError, match="recsweep stop mine"):
            ask_for_workers(folder, 0)
        (folder / "scale").write_text("many\n")
        assert Crew(folder, 1, at_most=2).size == 1


def test_of_a_study_with_a_verdict_there_is_nothing_to_start(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    study = read_study(folder)
    record = judged(study, {study.ranked[0].number: 0.0}).verdict
    assert record is not None and record.results is not None
    write_verdict(folder, record, record.results)
    with pytest.raises(StateError, match="nobody runs mine: its search and its verdict are done"):
        ask_for_workers(folder, 2)


def test_show_tells_how_many_run_at_once_while_they_run(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    Crew(folder, 1, at_most=2)
    assert "workers" not in show_text(read_study(folder))  # left behind by a driver that was killed
    with StudyLock(folder):
        assert "workers  1 at once, of at most 2" in show_text(read_study(folder))


def test_scale_needs_a_number() -> None:
    assert CliRunner().invoke(app, ["scale", "mine"]).exit_code == 2


def test_a_trial_that_made_room_has_lost_as_many_workers_as_before(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(2, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        order = conductor.next_order()
        for _ in range(LOST_WORKER_RETRIES):
            assert order is not None
            order = conductor.lose(order.number)
        worker = FakeWorker(study, 0, Fuse())
        worker.take(order)
        worker._write("end", sync=True, stop_reason="interrupted", error=None, makes_room=True)
        conductor.pump()
        conductor.leave(0)
        assert conductor.next_order() is not None
        last = conductor.lose(0)
        assert last is not None
        assert last.give_up == f"its worker was lost {LOST_WORKER_RETRIES + 1} times"


def test_the_youngest_trial_makes_room_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    sweep = a_sweep(3, sampler="random", pruner="none")
    expected, _ = run_alone(tmp_path / "alone", sweep)
    study = FakeStudy(tmp_path / "scaled", sweep, bumpy, checkpoint_every=1)
    with study.opened(Fuse()) as conductor:
        first, second = (FakeWorker(study, i, Fuse()) for i in range(2))
        first.take(conductor.next_order())
        second.take(order := conductor.next_order())
        assert order is not None
        for worker in (first, second):
            worker.step(conductor)
        conductor.make_room(2)
        assert not order.room_file.exists()
        conductor.make_room(1)
        conductor.make_room(1)
        assert [path.parent.name for path in study.folder.glob("trials/*/make-room")] == ["0001"]
        # The worker sees the file before its next epoch.
        second._write("end", sync=True, stop_reason="interrupted", error=None, makes_room=True)
        first.step(conductor)  # a bell that rings before Ray has the worker back
        assert not conductor.is_out_of_orders
        conductor.leave(order.number)
        again = conductor.next_order()
        assert again is not None
        assert (again.number, again.attempt) == (order.number, 2)
        assert not again.room_file.exists()
        second.take(again)
        while not conductor.is_finished:
            for worker in (first, second):
                if worker.order is None:
                    worker.take(conductor.next_order())
                if worker.order is not None:
                    worker.step(conductor)
    trials = trials_of(study.folder)
    assert [outcome(trial) for trial in trials] == expected
    made_room = trials[1]
    assert made_room.state is not TrialState.RUNNING
    assert made_room.attempts[0].stop_reason is StopReason.INTERRUPTED
    assert made_room.attempts[1].first_epoch == 2
