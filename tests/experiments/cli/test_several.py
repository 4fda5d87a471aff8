"""Several sweeps in one `run`: all are checked first, then each is a study of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from experiments.cli import making
from experiments.cli.main import app
from experiments.errors import DiskError, NoResultError, StateError
from experiments.records import StopReason, StudyRecord, TrialState, read_study
from experiments.running.stopping import StopCause
from experiments.study import Outcome
from tests.synthetic_study import make_study

SWEEP = """\
name = "{name}"
[dataset]
name = "movielens-small"
features = ["user_id", "item_id"]
[space.dropout]
low = 0.0
high = {high}
[search]
trials = 2
"""


_CLOSE = making._close


class Runs:
    """Stands where studies are run, and closed with a report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.ends: dict[str, BaseException] = {}
        self.interrupted = ""
        """The sweep whose data are read when Ctrl-C comes."""
        monkeypatch.setattr("experiments.study.run_study", self._run)
        monkeypatch.setattr("experiments.study.plan_study", self._plan)
        monkeypatch.setattr(making, "_close", self._close)
        monkeypatch.setattr(making, "_one_cluster", self._cluster)

    def _plan(self, sweep: Any, *_: Any) -> Any:
        self.events.append(f"plan {sweep.name}")
        return SimpleNamespace(lines=[])

    def _run(self, sweep: Any, **_: Any) -> Any:
        if sweep.name == self.interrupted:
            raise KeyboardInterrupt
        self.events.append(f"run {sweep.name}")
        return SimpleNamespace(study=SimpleNamespace(name=sweep.name))

    def _close(self, outcome: Any, *_: Any) -> None:
        self.events.append(f"close {outcome.study.name}")
        if outcome.study.name in self.ends:
            raise self.ends[outcome.study.name]

    @contextlib.contextmanager
    def _cluster(self, _: Any) -> Iterator[None]:
        self.events.append("Ray starts")
        try:
            yield
        finally:
            self.events.append("Ray ends")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    monkeypatch.chdir(tmp_path)
    for name, high in {"a": "0.5", "b": "0.4", "bad": "2.0", "worse": "-1.0"}.items():
        (tmp_path / f"{name}.toml").write_text(SWEEP.format(name=name, high=high))
    return Runs(monkeypatch)


def test_each_is_run_and_closed_on_one_ray_after_all_were_checked(runs: Runs) -> None:
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml"])
    assert done.exit_code == 0, done.output
    assert runs.events == [
        "plan a", "plan b", "Ray starts", "run a", "close a", "run b", "close b", "Ray ends",
    ]  # fmt: skip


def test_one_alone_starts_no_ray_before_its_time(runs: Runs) -> None:
    assert CliRunner().invoke(app, ["run", "a.toml"]).exit_code == 0
    assert runs.events == ["run a", "close a"]


def test_a_mistake_in_any_begins_none_and_all_are_told(runs: Runs) -> None:
    done = CliRunner().invoke(app, ["run", "a.toml", "bad.toml", "worse.toml"])
    assert done.exit_code != 0
    assert runs.events == []
    told = str(getattr(done.exception, "message", done.output))
    assert "bad.toml" in told
    assert "worse.toml" in told


def test_a_stop_ends_the_lot_and_names_what_has_not_begun(runs: Runs) -> None:
    runs.ends["a"] = typer.Exit(130)
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml"])
    assert done.exit_code == 130
    assert "not begun  recsweep run b.toml" in done.output
    assert runs.events[-2:] == ["close a", "Ray ends"]


def test_what_has_not_begun_is_named_with_the_options_of_the_command(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.ends["a"] = typer.Exit(143)
    words = ["run", "a.toml", "b.toml", "--set", "search.trials=3", "--studies", "my studies"]
    left = "run b.toml --set search.trials=3 --studies 'my studies'"
    monkeypatch.setenv("RECSWEEP_DEBUG", "")  # so that it is put back
    for before in ([], ["--debug"]):
        monkeypatch.setattr("sys.argv", ["recsweep", *before, *words])
        done = CliRunner().invoke(app, [*before, *words])
        assert done.exit_code == 143
        assert " ".join(["not begun  recsweep", *before, left]) in done.output.splitlines()


def test_a_study_without_a_result_does_not_keep_the_next_from_running(runs: Runs) -> None:
    runs.ends["a"] = NoResultError("no finite RMSE in 2 trials")
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml"])
    assert "close b" in runs.events
    assert isinstance(done.exception, NoResultError)
    assert done.exception.message == "a: no finite RMSE in 2 trials"


@pytest.fixture
def out_of_time(runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StudyRecord:
    """Runs are closed as ever, and each ends like this one study: by its time."""
    study = read_study(make_study(tmp_path / "made-up", n_trials=4))
    html = SimpleNamespace(html=tmp_path / "report.html")
    monkeypatch.setattr(making, "_close", _CLOSE)
    monkeypatch.setattr("reports.render.write_report", lambda *_, **__: html)

    def run(sweep: Any, **_: Any) -> Outcome:
        runs.events.append(f"run {sweep.name}")
        return Outcome(replace(study, name=sweep.name), StopCause.TIMEOUT)

    monkeypatch.setattr("experiments.study.run_study", run)
    return study


def test_a_sweep_whose_time_is_over_does_not_keep_the_next_from_running(
    runs: Runs, out_of_time: StudyRecord
) -> None:
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml"])
    assert done.exit_code == 0, done.output
    assert [event for event in runs.events if event.startswith("run")] == ["run a", "run b"]
    assert "not begun" not in done.output


def test_a_sweep_whose_time_was_over_before_any_result_is_a_problem(
    runs: Runs, out_of_time: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = {"state": TrialState.RUNNING, "stop_reason": StopReason.INTERRUPTED}
    trials = tuple(replace(t, error=None, **unfinished) for t in out_of_time.trials)
    outcome = Outcome(replace(out_of_time, trials=trials), StopCause.TIMEOUT)
    monkeypatch.setattr("experiments.study.run_study", lambda *_, **__: outcome)
    done = CliRunner().invoke(app, ["run", "a.toml"])
    assert isinstance(done.exception, NoResultError)
    assert done.exception.message == "no trial is complete: the time was over for 4 of 4"


def test_an_unfinished_study_of_any_of_them_begins_none(runs: Runs, tmp_path: Path) -> None:
    make_study(tmp_path / "b", n_trials=4, is_finished=False)
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml", "--studies", str(tmp_path)])
    assert isinstance(done.exception, StateError)
    assert "the study b is unfinished" in done.exception.message
    assert runs.events == []


def test_an_error_tells_what_was_wrong_before_it_and_what_has_not_begun(runs: Runs) -> None:
    runs.ends["a"] = NoResultError("no finite RMSE in 2 trials")
    runs.ends["b"] = DiskError("the disk is full")
    (Path() / "c.toml").write_text(SWEEP.format(name="c", high="0.3"))
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml", "c.toml"])
    assert done.exception is runs.ends["b"]
    told = done.output.splitlines()
    assert told[-2:] == ["a: no finite RMSE in 2 trials", "not begun  recsweep run c.toml"]


def test_ctrl_c_while_data_are_read_tells_what_was_wrong_before_and_what_has_not_begun(
    runs: Runs,
) -> None:
    runs.ends["a"] = NoResultError("no finite RMSE in 2 trials")
    runs.interrupted = "b"
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml"])
    assert done.exit_code == 130
    told = done.output.splitlines()
    assert told[-2:] == ["a: no finite RMSE in 2 trials", "not begun  recsweep run b.toml"]


def test_an_enqueued_model_goes_with_one_sweep(runs: Runs) -> None:
    done = CliRunner().invoke(app, ["run", "a.toml", "b.toml", "--enqueue", "best.toml"])
    assert "--enqueue goes with one sweep, got 2" in str(getattr(done.exception, "message", ""))
    assert runs.events == []
