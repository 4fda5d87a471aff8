"""What a person at a terminal reads, and what stands in a log file."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from experiments.cli import wording
from experiments.cli.terminal import Terminal, bar, closing_lines, has_gone, say
from experiments.records import ColumnRecord, StudyRecord, TrialRecord, TrialState, read_study
from experiments.watcher import Silent, StudyWatcher
from tests.reports.verdicts import judged
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def before(study: StudyRecord) -> StudyRecord:
    """The study as it was before its first trial."""
    return replace(study, trials=(), state="running")


def running(trial: TrialRecord) -> TrialRecord:
    return replace(trial, state=TrialState.RUNNING, stop_reason=None, epochs=())


def watch(study: StudyRecord, watcher: StudyWatcher) -> None:
    """A whole study, told as the study flow tells it."""
    watcher.started(before(study), estimate_s=240.0)
    for trial in study.trials:
        watcher.trial_started(running(trial))
        for epoch in trial.epochs:
            watcher.epoch(running(trial), epoch)
        if trial.state.is_finished:
            watcher.trial_ended(trial)
    watcher.finished(study)


class Clock:
    """Ten seconds pass from one look at it to the next."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def plain_output(study: StudyRecord) -> list[str]:
    out = io.StringIO()
    watch(study, Terminal(Console(file=out, width=80), clock=lambda: 0.0))
    return out.getvalue().splitlines()


def live_output(study: StudyRecord, **settings: object) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=140, **settings)  # type: ignore[arg-type]
    watch(study, Terminal(console, clock=Clock()))
    return out.getvalue()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_the_first_lines_say_data_split_what_is_to_be_beaten_and_what_will_run(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.folder.parent)
    lines = plain_output(study)
    assert lines[0].startswith("recsweep ")
    assert lines[0].endswith(" · made-up → made-up")
    assert lines[1] == ("data     ml-100k: 100,000 ratings, 943 users, 1,682 items, stars 1 to 5")
    assert lines.pop(2) == "         Nothing had to be cleaned."
    assert lines[2] == (
        "split    time-range: train 65,336 · validation 15,778 · test 18,886 (sealed, never opened)"
    )
    assert lines[3] == "         90 % of the test rows belong to users never seen in training"
    assert lines[4].startswith("to beat  bias 1.0400 · matrix factorisation 1.0384 · item mean")
    assert lines[5] == (
        "search   24 trials · architecture: 12 plain, 12 dcn · random, median · "
        "up to 12 epochs · seed 0"
    )
    assert lines[6].startswith("machine  ")
    assert lines[6].endswith("about 4 min")
    assert "recsweep board made-up" in lines[7]
    assert "recsweep resume made-up" in lines[7]


def test_without_a_terminal_each_ended_trial_is_one_plain_line(study: StudyRecord) -> None:
    lines = [line for line in plain_output(study) if "/24 #" in line]
    assert len(lines) == 24
    assert lines[0].startswith("1/24 #0 plain complete 1.0")
    assert "bias, epoch" in lines[0]
    assert not any("\x1b" in line for line in plain_output(study))


def test_a_log_tells_of_epochs_where_nothing_else_was_said_for_half_a_minute(
    study: StudyRecord,
) -> None:
    now = 0.0
    out = io.StringIO()
    terminal = Terminal(Console(file=out, width=80), clock=lambda: now)
    terminal.started(before(study), estimate_s=240.0)
    trial = next(trial for trial in study.trials if len(trial.epochs) > 1)
    n_before = len(out.getvalue().splitlines())
    for now, epoch in zip((29.0, 31.0, 40.0), (*trial.epochs, trial.epochs[-1]), strict=False):  # noqa: B007  # the clock's
        terminal.epoch(running(trial), epoch)
    second = trial.epochs[1]
    assert out.getvalue().splitlines()[n_before:] == [wording.epoch_text(trial.number, second)]
    assert wording.epoch_text(7, second).startswith(f"#7 epoch 2 val {second.val_rmse:.4f} train ")


def test_no_time_is_left_of_a_guess_that_was_too_low(study: StudyRecord) -> None:
    now = 0.0
    terminal = Terminal(Console(file=io.StringIO()), clock=lambda: now)
    terminal.started(before(study), estimate_s=240.0)
    assert terminal._left_s(100.0) == 140.0
    assert terminal._left_s(300.0) is None


def test_diverged_and_failed_trials_say_so_with_the_reason(study: StudyRecord) -> None:
    lines = plain_output(study)
    assert any("#5 dcn diverged" in line for line in lines)
    assert any("#6 plain failed (out_of_memory): ResourceExhaustedError" in line for line in lines)
    assert any("#8 plain failed (error): ValueError: shapes (3,)" in line for line in lines)


def test_a_terminal_shows_progress_the_best_trial_and_the_arms(study: StudyRecord) -> None:
    text = live_output(study)
    assert " 24/24 " in text
    assert " gone, about 0:00 left" in text
    best = study.ranked[0]
    assert f"#{best.number} {best.arm}    {best.best_rmse:.4f}" in text
    assert "under bias" in text
    assert "apart: not decided" in text


def test_a_terminal_hears_of_failures_at_once_but_not_of_every_trial(study: StudyRecord) -> None:
    text = live_output(study)
    assert "#8 plain failed (error): ValueError" in text
    assert "#0 plain complete" not in text


def test_no_color_is_honoured(study: StudyRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32m" in live_output(study, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in live_output(study, color_system="standard")


def test_a_dumb_terminal_gets_plain_lines(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "1/24 #0 plain complete" in live_output(study)


def test_the_time_left_follows_from_the_trials_of_this_run_alone(study: StudyRecord) -> None:
    out = io.StringIO()
    terminal = Terminal(Console(file=out, force_terminal=True, width=140), clock=lambda: 0.0)
    half = replace(study, trials=study.trials[:12])
    terminal.started(half)
    assert "12 of 24 trials are done already" in out.getvalue()
    assert terminal._left_s(60.0) is None
    terminal.trial_ended(study.trials[12])
    assert terminal._left_s(60.0) == 60.0 * 11
    terminal.finished(half)


def test_an_error_with_brackets_is_printed_as_it_is(study: StudyRecord) -> None:
    out = io.StringIO()
    terminal = Terminal(Console(file=out, width=80))
    terminal.message("[bold]not markup[/bold] [0]")
    assert out.getvalue() == "[bold]not markup[/bold] [0]\n"


def test_the_last_lines_name_the_best_its_gaps_and_the_next_command(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSWEEP_STUDIES", str(study.folder.parent))
    text = "\n".join(closing_lines(study))
    best = study.ranked[0]
    assert f"#{best.number} {best.arm}" in text
    assert "train mean" in text
    assert "apart: not decided" in text
    assert "recsweep best made-up" in text
    assert "resume" not in text


def test_the_best_trial_goes_by_its_number_where_a_verdict_has_another_leader(
    study: StudyRecord,
) -> None:
    first, other = (trial.number for trial in study.ranked[:2])
    led = judged(study, {first: 0.03, other: 0.01})
    assert led.leader is not None and led.leader.number == other
    assert any(f"made-up:{first} > best.toml" in line for line in closing_lines(led))
    led = judged(study, {first: 0.01, other: 0.03})
    assert any("made-up > best.toml" in line for line in closing_lines(led))


def test_an_interrupted_study_says_how_to_go_on(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "cut", n_trials=10, is_finished=False))
    assert "recsweep resume cut" in closing_lines(study)[-1]
    assert "4 trials left" in closing_lines(study)[-1]
    dry = closing_lines(replace(study, state="finished"))
    assert f"{study.n_trials_asked_for} were asked for: the sampler has no more" in dry[1]
    assert not any("resume" in line for line in dry)


def test_a_study_that_no_model_won_says_so(study: StudyRecord) -> None:
    weak = tuple(replace(t, best_rmse=t.best_rmse and t.best_rmse + 1) for t in study.trials)
    said = closing_lines(replace(study, trials=weak))
    assert (
        "         no trial beats the bias baseline nor the matrix factorisation baseline nor the "
        "item mean baseline nor the train mean baseline"
    ) in said


def test_a_study_without_a_complete_trial_says_so(study: StudyRecord) -> None:
    none_complete = tuple(t for t in study.trials if t.state is not TrialState.COMPLETE)
    assert "best     no trial is complete" in closing_lines(replace(study, trials=none_complete))


def test_without_a_comparison_there_is_no_line_of_arms(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "one", n_trials=4, compare=False))
    assert "apart" not in live_output(study)
    assert not any("apart" in line for line in closing_lines(study))


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "────"), (0.5, "━━──"), (0.625, "━━╸─"), (1.0, "━━━━"), (1.5, "━━━━")]
)
def test_the_bar_is_as_long_as_the_share_that_is_done(share: float, text: str) -> None:
    assert bar(share, width=4).plain == text


def test_silent_watches_without_a_word(
    study: StudyRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    watch(study, Silent())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("watcher", ["terminal.Terminal()", "judged.Progress(1)"])
def test_trials_go_on_when_the_reader_of_their_progress_has_gone(watcher: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    script = (
        "import sys; from experiments.cli import judged, terminal;"
        f"watcher = {watcher}; watcher.message('one'); watcher.message('two');"
        "print('three', file=sys.stderr, flush=True); print('on')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    os.close(writing)
    assert (done.returncode, done.stdout) == (0, "on\n")


@pytest.mark.slow
def test_a_run_ends_with_its_own_code_when_nobody_reads_where_the_report_is(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "made-up", n_trials=2)
    reading, writing = os.pipe()
    os.close(reading)
    script = (
        "import sys; from pathlib import Path; import typer; from experiments.cli import making;"
        "from experiments.records import read_study; from experiments.study import Outcome;"
        "from experiments.running.stopping import StopCause;"
        "from experiments.running.supervision import Ending;"
        "outcome = Outcome(read_study(Path(sys.argv[1])), StopCause.SIGTERM);"
        "sys.argv[1:] = []; typer.run(lambda: making._close(outcome, False, Ending()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (143, b"")


def test_an_arm_that_is_a_number_goes_by_its_dimension(study: StudyRecord) -> None:
    trial = replace(study.ranked[0], number=3)
    for dimension, arm, told in (
        ("embedding_size", "16", "#3 embedding_size 16"),
        ("side_features", "true", "#3 side_features true"),
        ("architecture", "dcn", "#3 dcn"),
    ):
        compared = replace(study, sweep={**study.sweep, "compare": {"dimension": dimension}})
        assert wording.named(replace(trial, arm=arm), compared) == told
    assert wording.named(replace(trial, arm=None), study) == "#3"


def test_arms_go_by_the_names_that_their_trials_have(study: StudyRecord) -> None:
    rates = ColumnRecord("learning_rate", "choice", None, None, False, (5e-4, 0.02))
    compared = replace(
        study,
        sweep={**study.sweep, "compare": {"dimension": "learning_rate"}},
        columns=(rates,),
        trials=tuple(replace(trial, arm="0.0005") for trial in study.trials),
    )
    assert wording.arms_of(compared) == ("0.0005", "0.02")
    told = wording.arms_text(compared.search_trials, wording.arms_of(compared))
    assert told.count("complete)") == 2


def test_trials_go_on_unseen_when_their_terminal_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    persons_end, ours = pty.openpty()
    with os.fdopen(ours, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdout", stream)
        terminal = Terminal()
        os.close(persons_end)
        terminal.message("worker lost")
        terminal.message("going on")
        say("report")


def test_a_disk_that_fails_under_a_log_is_no_closed_terminal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        assert not has_gone(log, OSError(errno.EIO, "Input/output error"))
