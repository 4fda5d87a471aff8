"""A study watched from another shell."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from experiments.cli import watching
from experiments.cli.main import app
from experiments.cli.terminal import Terminal
from experiments.cli.watching import watch_study, watch_trial
from experiments.records import StudyRecord, TrialState, read_study
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def at(study: StudyRecord, n_done: int, n_epochs: int = 0) -> StudyRecord:
    """The study with so many trials done, and the next one running."""
    next_one = study.search_trials[n_done]
    running = replace(
        next_one, state=TrialState.RUNNING, stop_reason=None, epochs=next_one.epochs[:n_epochs]
    )
    return replace(study, trials=(*study.search_trials[:n_done], running), state="running")


@pytest.fixture
def playing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[StudyRecord]], None]:
    """Has the folder read as one study after the other."""

    def play(states: Sequence[StudyRecord]) -> None:
        film = iter(states)
        monkeypatch.setattr(watching, "read_study", lambda folder: next(film))

    return play


def test_a_watched_study_tells_each_trial_that_ends_once(
    study: StudyRecord, playing: Callable[[Sequence[StudyRecord]], None]
) -> None:
    playing([at(study, 1), at(study, 1), at(study, 3), replace(study, trials=study.search_trials)])
    out = io.StringIO()
    watch_study(Path(), Terminal(Console(file=out, width=100)), sleep=lambda seconds: None)
    lines = out.getvalue().splitlines()
    ended = [line.split()[1] for line in lines if line.split("/")[0].isdigit()]
    assert ended == [f"#{t.number}" for t in study.search_trials[1:] if t.state.is_finished]
    assert any(line.startswith("best ") for line in lines)


def test_a_watched_trial_tells_each_epoch_once_and_then_itself(
    study: StudyRecord, playing: Callable[[Sequence[StudyRecord]], None]
) -> None:
    playing([at(study, 0, 1), at(study, 0, 3), at(study, 0, 3), study])
    out = io.StringIO()
    watch_trial(Path(), 0, Console(file=out, width=100), sleep=lambda seconds: None)
    lines = out.getvalue().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("#0 epoch")] == ["1", "2", "3"]
    assert lines[3].startswith(f"{study.name}:0")


def test_a_study_that_takes_long_to_read_is_read_less_often(
    study: StudyRecord,
    playing: Callable[[Sequence[StudyRecord]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings_took = iter([0.0, 0.01, 0.0, 2.0, 0.0, 0.0])
    monkeypatch.setattr(watching.time, "process_time", lambda: next(readings_took))
    playing([at(study, 1), at(study, 1), study])
    slept: list[float] = []
    watch_study(Path(), Terminal(Console(file=io.StringIO())), sleep=slept.append)
    assert slept == [watching.POLL_S, 18.0]


def test_on_a_small_screen_a_watched_trial_keeps_its_head_and_its_last_epochs(
    study: StudyRecord, playing: Callable[[Sequence[StudyRecord]], None]
) -> None:
    trial = max(study.search_trials, key=lambda trial: len(trial.epochs))
    done = trial.number
    playing([at(study, done, len(trial.epochs)), study])
    out = io.StringIO()
    console = Console(file=out, width=100, height=10, force_terminal=True, force_interactive=True)
    watch_trial(Path(), done, console, sleep=lambda seconds: None)
    first_screen = out.getvalue().split("\x1b[2K")[0]
    assert f"{study.name}:{done}" in first_screen
    assert "..." in first_screen


def test_a_study_that_nobody_runs_is_shown_once(study: StudyRecord) -> None:
    arguments = ["show", study.folder.name, "--watch", "--studies", str(study.folder.parent)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "next     recsweep verdict" in done.stdout or "go on    recsweep resume" in done.stdout


def test_watching_is_not_for_programs(study: StudyRecord) -> None:
    done = CliRunner().invoke(
        app, ["show", "made-up", "--watch", "--json", "--studies", str(study.folder.parent)]
    )
    assert "leave out one" in str(done.exception)
