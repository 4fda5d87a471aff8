"""Studies and trials as text and as JSON."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.cli.show import ls_json, ls_text, show_json, show_text, trial_json, trial_text
from experiments.cli.wording import note_text
from experiments.errors import DiskError, RequestError, StateError
from experiments.records import (
    Finalist,
    Opening,
    Purpose,
    StudyRecord,
    TrialState,
    VerdictRecord,
    read_study,
)
from experiments.trials.choosing import chosen_trial
from tests.reports.verdicts import judged
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def test_a_study_is_shown_with_its_state_counts_and_best_trial(study: StudyRecord) -> None:
    text = show_text(study)
    assert text.startswith("made-up · finished → ")
    assert "trials   24/24 · " in text
    assert " 1 diverged 2 failed" in text
    assert f"best     #{study.ranked[0].number} {study.ranked[0].arm}    " in text
    assert "apart: not decided" in text


def test_complete_trials_come_first_by_rmse_and_every_trial_has_its_row(
    study: StudyRecord,
) -> None:
    rows = [line for line in show_text(study).splitlines() if line.startswith("#")]
    assert len(rows) == len(study.trials)
    complete = [row.split()[0] for row in rows if " complete " in row]
    assert complete == [f"#{trial.number}" for trial in study.ranked]
    assert [row for row in rows[: len(complete)] if " complete " not in row] == []


def test_the_default_configuration_is_marked_in_each_arm(study: StudyRecord) -> None:
    assert show_text(study).count("(default)") == 2


def test_a_study_without_trials_can_be_shown(study: StudyRecord) -> None:
    empty = replace(study, trials=(), baselines=(), provenance={}, state="running")
    assert "trials   0/24 · no trial yet" in show_text(empty)
    assert show_json(empty)["trials"] == []


def test_the_json_of_a_study_is_standard_and_has_a_schema(study: StudyRecord) -> None:
    shown = json.loads(json.dumps(show_json(study), allow_nan=False))
    assert shown["schema"] == 1
    assert shown["study"]["best_trial"] == study.ranked[0].number
    assert shown["study"]["n_trials"]["diverged"] == 1
    assert shown["study"]["bias_rmse"] == 1.04
    assert len(shown["trials"]) == 24
    assert shown["trials"][0]["best_rmse"] == study.ranked[0].best_rmse


def test_of_a_study_that_nobody_runs_no_trial_is_said_to_run(tmp_path: Path) -> None:
    made = make_study(tmp_path / "made-up", n_trials=20, is_finished=False)
    interrupted = read_study(made)
    begun = sum(trial.state is TrialState.RUNNING for trial in interrupted.trials)
    for study, word, other in (
        (interrupted, "interrupted", "running"),
        (replace(interrupted, state="running"), "running", "interrupted"),
    ):
        lines = show_text(study).splitlines()
        assert sum(f"  {word} " in line for line in lines) == begun > 0
        assert any(f"{begun} {word}" in line for line in lines if line.startswith("trials"))
        assert not any(other in line for line in lines[1:])
        counts = show_json(study)["study"]["n_trials"]
        assert (counts[word], counts[other]) == (begun, 0)


def test_the_next_command_is_told_where_nobody_runs_the_study(tmp_path: Path) -> None:
    interrupted = read_study(make_study(tmp_path / "made-up", n_trials=20, is_finished=False))
    n_done = sum(trial.state.is_finished for trial in interrupted.search_trials)
    n_left = interrupted.n_trials_asked_for - n_done
    lines = show_text(interrupted).splitlines()
    (go_on,) = (line for line in lines if line.startswith("go on"))
    assert go_on.endswith(f"made-up        ({n_left} trials left)")
    assert not any(line.startswith("next") for line in lines)
    finished = read_study(make_study(tmp_path / "done", n_trials=20))
    assert "\nnext     recsweep verdict " in show_text(finished)
    for study in (interrupted, finished):
        running = show_text(replace(study, state="running"))
        assert "\nnext " not in running and "\ngo on" not in running


def test_the_keys_of_a_trial_stay_what_they_are(study: StudyRecord) -> None:
    assert set(show_json(study)["trials"][0]) == {
        "number", "name", "purpose", "arm", "state", "stop_reason", "error", "is_default",
        "is_enqueued", "is_ranked", "best_rmse", "best_epoch", "n_epochs", "n_parameters",
        "seconds", "seed", "values",
    }  # fmt: skip


def test_a_trial_shows_values_curve_and_place(study: StudyRecord) -> None:
    best = study.ranked[0]
    text = trial_text(study, best)
    assert f"made-up:{best.number} · {best.name} · {best.arm}" in text
    assert f"place 1 of {len(study.ranked)}" in text
    assert "  learning_rate " in text
    marked = [line for line in text.splitlines() if line.endswith("  best")]
    assert len(marked) == 1
    assert marked[0].split()[0] == str(best.best_epoch)


def test_a_trial_that_failed_shows_its_error_and_one_that_moved_its_attempts(
    study: StudyRecord,
) -> None:
    failed = trial_text(study, study.trials[8])
    assert "state    failed: error" in failed
    assert "error    ValueError: shapes (3,) and <4> do not fit & more" in failed
    moved = trial_text(study, study.trials[9])
    assert "worker_lost" in moved
    assert "from epoch" in moved


def test_a_value_that_is_not_finite_is_null_in_json(study: StudyRecord) -> None:
    shown = json.loads(json.dumps(trial_json(study, study.trials[5]), allow_nan=False))
    assert shown["trial"]["stop_reason"] == "diverged"
    assert shown["trial"]["epochs"][-1]["val_rmse"] is None
    assert shown["trial"]["epochs"][0]["val_rmse"] > 1


def test_every_study_has_its_line_with_its_gap_to_bias(study: StudyRecord) -> None:
    other = replace(study, name="other", trials=(), state="running")
    lines = ls_text([study, other]).splitlines()
    assert lines[0].split()[:5] == ["study", "state", "data", "trials", "best"]
    assert "under bias" in lines[1]
    assert lines[2].split()[:5] == ["other", "running", "ml-100k", "0/24", "-"]
    assert [s["name"] for s in ls_json([study, other])["studies"]] == ["made-up", "other"]


def test_a_terminal_is_shown_the_best_of_very_many_trials(study: StudyRecord) -> None:
    n_all = len(study.trials)
    text = show_text(study, n_rows=5)
    assert [line.split()[0] for line in text.splitlines()[-6:-1]] == [
        f"#{trial.number}" for trial in study.ranked[:5]
    ]
    assert text.endswith(f"\nand {n_all - 5} more: recsweep show {study.folder} | less")
    assert show_text(study, n_rows=n_all) == show_text(study)


def test_no_study_at_all_says_how_to_start_and_a_damaged_one_is_one(tmp_path: Path) -> None:
    none = CliRunner().invoke(app, ["ls", "--studies", str(tmp_path)])
    assert none.exit_code == 0 and "recsweep run quickstart" in none.stdout
    (make_study(tmp_path / "torn") / "study.db").write_bytes(b"no database at all")
    torn = CliRunner().invoke(app, ["ls", "--studies", str(tmp_path)])
    assert isinstance(torn.exception, StateError) and not torn.stdout.strip()


def test_show_needs_neither_pandas_nor_tensorboard_nor_ray(study: StudyRecord) -> None:
    script = (
        "import sys; from pathlib import Path; from experiments.records import read_study;"
        "from experiments.cli.show import show_text; show_text(read_study(Path(sys.argv[1])));"
        "heavy = {'pandas', 'numpy', 'tensorboard', 'ray', 'optuna', 'tensorflow', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(study.folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"


COMMAND = [sys.executable, "-m", "recsweep", "spaces", "ranking"]


def test_python_runs_the_commands_too() -> None:
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert "learning_rate" in done.stdout


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        COMMAND, stdout=writing, stderr=subprocess.PIPE, check=False, cwd=Path(__file__).parents[3]
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_streams_are_opened() -> None:
    script = (
        "import sys; from experiments.cli import main; sys.argv[1:] = ['--help'];"
        "main.app = lambda: None; main.main(); print(sys.stderr.fileno(), file=sys.stderr);"
        "sys.exit(2 if sys.stderr.fileno() == 2 else 1)"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, script]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 2


def test_a_locale_of_few_letters_gets_utf_8_in_files_and_question_marks_on_a_terminal() -> None:
    script = (
        "from experiments.cli import main; main.app = lambda: print('a → b\\udcff'); main.main()"
    )
    command = [sys.executable, "-c", script]
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    root = Path(__file__).parents[3]
    assert subprocess.check_output(command, cwd=root, env=latin) == "a → b?\n".encode()
    reading, writing = pty.openpty()
    subprocess.run(command, cwd=root, env=latin, stdout=writing, check=True)
    assert os.read(reading, 100) == b"a ? b?\r\n"
    os.close(reading)
    os.close(writing)


def test_a_verdict_is_told_with_how_far_it_is(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSWEEP_STUDIES", str(study.folder.parent))
    frozen = VerdictRecord(
        frozen_at=1.0,
        top=1,
        seeds=(1, 2),
        finalists=(Finalist("0000", 0, ("default",)), Finalist("bias", None, ("best baseline",))),
    )
    one_done = replace(study.trials[0], purpose=Purpose.VERDICT, name="0000-v1")
    begun = replace(study, verdict=frozen, trials=(*study.trials, one_done))
    text = show_text(begun)
    assert "verdict  2 finalists, 2 seeds: 1/2 trained" in text
    assert "next     recsweep verdict made-up        (1 of 2 trainings left, about" in text
    assert "verdict  " not in show_text(study)


def test_after_a_verdict_its_headline_stands_in_place_of_undecided(study: StudyRecord) -> None:
    after = led_by_another(study)
    text = show_text(after)
    assert "\nverdict  dcn beats plain by 0.0" in text
    assert "not decided" not in text
    assert "recsweep verdict " in text and "not judged" not in text
    assert after.verdict is not None
    extended = replace(after, verdict=replace(after.verdict, frozen_at=0.0))
    assert "not judged, since later: 22 trials" in show_text(extended)


def led_by_another(study: StudyRecord) -> StudyRecord:
    """With a verdict that the best dcn leads and the best plain follows; neither is the default,
    nor the best of the search."""
    first = {arm: [t.number for t in study.ranked if t.arm == arm][1] for arm in ("plain", "dcn")}
    return judged(study, {first["plain"]: 0.03, first["dcn"]: 0.01})


def test_without_a_number_the_leader_of_the_verdict_is_taken_and_told(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = led_by_another(study)
    leader = after.leader
    assert leader is not None and leader.arm == "dcn" and leader != study.ranked[0]
    assert show_json(after)["study"]["leading_trial"] == leader.number
    assert show_json(study)["study"]["leading_trial"] is None
    monkeypatch.setattr("experiments.records.read_study", lambda folder: after)
    monkeypatch.setattr("experiments.request.frozen.frozen_sweep", lambda folder: None)
    monkeypatch.setattr("experiments.trials.best.sweep_to_toml", lambda sweep: "")
    monkeypatch.setattr("experiments.trials.best.single_model", lambda *arguments: None)
    done = CliRunner().invoke(app, ["best", "made-up", "--studies", str(study.folder.parent)])
    assert done.stdout.startswith(f"# Trial {leader.number} of the study made-up")
    assert done.stderr == f"trial {leader.number} of made-up, the leader of the verdict\n"
    assert chosen_trial(study, None) == study.ranked[0]


def test_a_split_that_was_opened_is_no_longer_called_sealed(study: StudyRecord) -> None:
    assert "(sealed, never opened)" in show_text(study)
    look = Opening(1.0, "other", "c" * 64, "me", "")
    text = show_text(replace(study, openings=(look, look)))
    assert "(opened 2 times)" in text and "sealed" not in text


@pytest.mark.parametrize(
    ("output", "error", "told"),
    [
        ("/dev/null/best.toml", RequestError, "/dev/null/best.toml: there can be no such file: "),
        ("x" * 300, RequestError, f"{'x' * 300}: there can be no such file: File name too long"),
        (".", RequestError, ". is a folder; name a file"),
        ("/dev/full", DiskError, "/dev/full: cannot be written: "),
    ],
)
def test_a_place_that_cannot_be_written_to_is_named(
    study: StudyRecord,
    output: str,
    error: type[Exception],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("experiments.request.frozen.frozen_sweep", lambda folder: None)
    monkeypatch.setattr("experiments.trials.best.trial_to_toml", lambda *arguments: "[model]")
    done = CliRunner().invoke(
        app, ["best", "made-up", "-o", output, "--studies", str(study.folder.parent)]
    )
    assert isinstance(done.exception, error)
    assert str(done.exception).startswith(told)


@pytest.mark.parametrize(
    "command",
    [
        ("report", "made-up", "--to"),
        ("report", "made-up", "other", "--to"),
        ("bundle", "made-up", "-o"),
        ("export", "made-up", "--to", "csv:"),
        ("export", "made-up", "--to", "mlflow:"),
    ],
)
def test_no_command_writes_below_a_file(
    study: StudyRecord, command: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("made-up", "other"):
        shutil.copytree(study.folder, tmp_path / name)
    *words, last = command
    (tmp_path / "file").touch()
    place = f"{last}{tmp_path}/file/x" if last[-1] == ":" else f"{tmp_path}/file/x"
    words += [place] if last[-1] == ":" else [last, place]
    done = CliRunner().invoke(app, [*words, "--studies", str(tmp_path)])
    assert isinstance(done.exception, RequestError), done.output
    assert "there can be no such f" in str(done.exception)


def test_a_csv_makes_its_folder(study: StudyRecord, tmp_path: Path) -> None:
    place = tmp_path / "new" / "x.csv"
    root = str(study.folder.parent)
    CliRunner().invoke(app, ["export", "made-up", "--to", f"csv:{place}", "--studies", root])
    assert len(place.read_text("utf-8").splitlines()) == 1 + len(study.trials)


def test_a_note_of_several_lines_stands_in_one(study: StudyRecord) -> None:
    told = replace(study, note="first look,\n  ids only\n", tags=("paper",))
    assert note_text(told) == "first look, ids only  #paper"
