"""Checking the board against the ledger, and serving it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.board import board
from experiments.board.board import address_lines, serve_board, size_lines
from experiments.board.board_check import _read_board, check_board
from experiments.board.hparams import FOLDER, name_in_events, write_board
from experiments.cli.main import app
from experiments.errors import PortError, RequestError, StateError
from experiments.records import (
    ColumnRecord,
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
    read_study,
)
from tests.experiments.board.start_board import start_board
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """Plain and DCN, complete, pruned, diverged, failed, lost once; events and all."""
    study = read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))
    write_board(study)
    return study


def change(
    study: StudyRecord, number: int, alter: Callable[[TrialRecord], TrialRecord]
) -> StudyRecord:
    """The same study with one trial that is not what the board shows."""
    trials = [alter(t) if t.number == number else t for t in study.trials]
    return replace(study, trials=tuple(trials))


def test_a_board_written_from_the_ledger_has_no_difference(study: StudyRecord) -> None:
    assert check_board(study) == []


def test_an_interrupted_study_has_none_either(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "cut", n_trials=10, is_finished=False))
    write_board(study)
    assert check_board(study) == []


def test_a_renamed_study_has_none_either(study: StudyRecord, tmp_path: Path) -> None:
    renamed = shutil.copytree(study.folder, tmp_path / "renamed")
    assert check_board(read_study(renamed)) == []


def test_a_study_without_events_is_told_so(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "bare", n_trials=2))
    (problem,) = check_board(study)
    assert "does not exist" in problem


def test_a_missing_trial_and_one_too_many_are_named(study: StudyRecord) -> None:
    fewer = replace(study, trials=study.trials[:-1])
    name = study.trials[-1].name
    assert check_board(fewer) == [f"run {name} is on the board but not in the ledger"]
    more = replace(study.trials[0], number=99, name="0099")
    assert "trial 0099 is not on the board" in check_board(
        replace(study, trials=(*study.trials, more))
    )


def test_a_trial_that_waits_need_not_be_on_the_board(study: StudyRecord) -> None:
    waiting = replace(study.trials[0], number=99, name="0099", state=TrialState.WAITING)
    assert check_board(replace(study, trials=(*study.trials, waiting))) == []


def test_a_conditional_value_that_differs_is_named_with_trial_and_column(
    study: StudyRecord,
) -> None:
    dcn = next(trial for trial in study.trials if "cross_layers" in trial.values)
    lost = change(
        study,
        dcn.number,
        lambda t: replace(t, values={n: v for n, v in t.values.items() if n != "cross_layers"}),
    )
    (problem,) = check_board(lost)
    assert problem.startswith(f"trial {dcn.name}: cross_layers is ")
    assert problem.endswith("absent in the ledger")


def test_the_joined_layers_are_checked_too(study: StudyRecord) -> None:
    problems = check_board(
        change(study, 0, lambda t: replace(t, values={**t.values, "layer_size_0": 128}))
    )
    assert "trial 0000: layers is 64-32 on the board, 128-32 in the ledger" in problems


def test_a_state_that_differs_is_found_with_its_status_and_final_metric(
    study: StudyRecord,
) -> None:
    problems = check_board(
        change(
            study, 0, lambda t: replace(t, state=TrialState.FAIL, stop_reason=StopReason.STALLED)
        )
    )
    text = "\n".join(problems)
    assert "state is COMPLETE on the board, FAIL in the ledger" in text
    assert "its status is STATUS_SUCCESS, not STATUS_FAILURE" in text
    assert "final/val_rmse is " in text


def test_an_epoch_that_the_board_lacks_is_found(study: StudyRecord) -> None:
    def longer(trial: TrialRecord) -> TrialRecord:
        last = trial.epochs[-1]
        return replace(trial, epochs=(*trial.epochs, replace(last, epoch=last.epoch + 1)))

    text = "\n".join(check_board(change(study, 0, longer)))
    assert "val_rmse has the epochs 1 to " in text


def test_a_curve_that_differs_in_the_sixth_decimal_is_found(study: StudyRecord) -> None:
    def altered(trial: TrialRecord) -> TrialRecord:
        first, *others = trial.epochs
        return replace(trial, epochs=(replace(first, val_rmse=first.val_rmse + 1e-6), *others))

    (problem,) = check_board(change(study, 0, altered))
    assert problem.startswith("trial 0000: val_rmse of epoch 1 is ")


def test_an_order_that_differs_is_found(study: StudyRecord) -> None:
    best = study.ranked[0]
    text = "\n".join(check_board(change(study, best.number, lambda t: replace(t, best_rmse=9.0))))
    assert "another order" in text


def test_a_missing_column_is_found(study: StudyRecord, tmp_path: Path) -> None:
    fewer = replace(study, folder=tmp_path / study.folder.name, columns=study.columns[:-1])
    write_board(fewer)
    assert check_board(replace(fewer, columns=study.columns)) == ["column cross_layers is missing"]


def test_a_cut_event_file_is_a_difference_and_not_a_crash(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "cut", n_trials=4))
    write_board(study)
    file = max((study.folder / "tensorboard" / "0000").iterdir())
    file.write_bytes(file.read_bytes()[:-200])
    assert any(problem.startswith("trial 0000: ") for problem in check_board(study))


def test_over_ssh_the_tunnel_is_told() -> None:
    lines = address_lines(
        "http://127.0.0.1:6007/", "127.0.0.1", {"SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22"}
    )
    assert any("ssh -N -L 6007:127.0.0.1:6007" in line and "@10.0.0.2" in line for line in lines)


def test_the_tunnel_of_a_user_without_a_name_names_the_server_alone(nameless: None) -> None:
    over_ssh = {"SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22"}
    line = address_lines("http://127.0.0.1:6007/", "127.0.0.1", over_ssh)[1]
    assert line.endswith("ssh -N -L 6007:127.0.0.1:6007 10.0.0.2")


def test_at_home_only_the_address_is_told() -> None:
    (line,) = address_lines("http://127.0.0.1:6006/", "127.0.0.1", {})
    assert "http://127.0.0.1:6006/#hparams" in line


def test_listening_beyond_this_machine_is_said() -> None:
    assert "no password" in address_lines("http://0.0.0.0:6006/", "0.0.0.0", {})[1]


def test_a_board_of_more_trials_than_a_page_says_how_to_see_them_all(tmp_path: Path) -> None:
    page = read_study(make_study(tmp_path / "page", n_trials=100))
    assert size_lines([page]) == []
    few = read_study(make_study(tmp_path / "few", n_trials=1))
    (line,) = size_lines([page, few])
    assert "101 trials take about 1 s" in line and "100 at a time" in line
    many = replace(page, trials=page.trials * 100)
    (line,) = size_lines([many])
    assert "10,000 trials take about 20 s" in line


def test_a_named_port_that_is_taken_is_refused(study: StudyRecord) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        whose = re.escape(f"(in use by process {os.getpid()})")
        with pytest.raises(PortError, match=f"{port}.*{whose}.*--port"):
            serve_board([study], port=port)


def test_a_port_that_there_is_not_is_no_port_that_is_taken() -> None:
    done = CliRunner().invoke(app, ["board", "--port", "65536"])
    assert done.exit_code == 2 and "--port" in done.output and "in use" not in done.output


def test_studies_without_events_cannot_be_served(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "bare", n_trials=2))
    (made,) = board._with_events([study], tmp_path / "scratch")  # as of a bundle
    assert check_board(made) == [] and not (study.folder / FOLDER).exists()
    study = replace(study, trials=())
    with pytest.raises(StateError, match="first trial"):
        serve_board([study])


def test_two_studies_of_one_name_cannot_share_a_board(study: StudyRecord) -> None:
    with pytest.raises(RequestError, match="two studies are named made-up"):
        serve_board([study, study])


def state_on(url: str, group: str) -> str:
    """The `state` of a trial in the table of an open board."""
    asked = {
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 100,
    }
    request = urllib.request.Request(
        f"{url}data/plugin/hparams/session_groups",
        json.dumps(asked).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        groups = json.load(answer)["sessionGroups"]
    (state,) = [g["hparams"]["state"] for g in groups if g["name"] == group]
    return str(state)


def test_a_board_of_two_studies_serves_both_and_their_curves_without_tensorflow_until_ctrl_c(
    study: StudyRecord, tmp_path: Path
) -> None:
    """The usual port is taken, so that it is another one's; a trial ends while it is open."""
    other = read_study(make_study(tmp_path / "other", n_trials=3))
    write_board(change(other, 0, lambda t: replace(t, state=TrialState.RUNNING)))
    taken = socket.socket()
    with contextlib.suppress(OSError):  # somebody else's board: taken all the same
        taken.bind(("127.0.0.1", 6006))
        taken.listen()
    server = start_board(study.folder, other.folder)
    try:
        assert server.stdout is not None
        notice = server.stdout.readline()
        url = server.stdout.readline().split()[1].removesuffix("#hparams")
        port = url.rstrip("/").rpartition(":")[2]
        assert re.fullmatch(rf"port 6006 is in use by .*process.*; using {port}\n", notice)
        assert url.startswith("http://127.0.0.1:")
        expected = {f"made-up/{t.name}" for t in study.trials}
        expected |= {f"other/{t.name}" for t in other.trials}
        for _ in range(100):
            with urllib.request.urlopen(f"{url}data/runs") as answer:
                runs = set(answer.read().decode().strip("[]").replace('"', "").split(", "))
            if expected <= runs:
                break
            time.sleep(0.1)
        assert expected <= runs
        trial = study.trials[0]
        curve = f"{url}data/plugin/scalars/scalars?run=made-up/{trial.name}&tag=val_rmse"
        with urllib.request.urlopen(curve) as answer:
            points = json.load(answer)
        assert [step for _, step, _ in points] == [epoch.epoch for epoch in trial.epochs]
        assert state_on(url, "other:0000") == "RUNNING"
        write_board(other)
        for _ in range(200):
            if state_on(url, "other:0000") == "COMPLETE":
                break
            time.sleep(0.1)
        assert state_on(url, "other:0000") == "COMPLETE"
        server.send_signal(signal.SIGINT)
        out, _ = server.communicate(timeout=20)
        assert out.splitlines()[-1] == "ended"
        assert server.returncode == 0
    finally:
        server.kill()
        taken.close()


def test_a_study_that_was_renamed_shares_no_row_with_one_that_has_its_old_name(
    tmp_path: Path,
) -> None:
    """A study that keeps its name is shown from its own folder, where it goes on."""
    first = read_study(make_study(tmp_path / "tiny", n_trials=3))
    write_board(first)
    renamed = read_study(first.folder.rename(tmp_path / "old"))
    second = read_study(make_study(tmp_path / "tiny", n_trials=2))
    write_board(second)
    shown = board._log_folder([renamed, second], tmp_path / "scratch")
    rows = _read_board(shown).rows
    assert {run: row.group for run, row in rows.items()} == {
        f"{study.name}/{trial.name}": f"{study.name}:{trial.name}"
        for study in (renamed, second)
        for trial in study.trials
    }
    assert (shown / "tiny").samefile(second.folder / FOLDER)
    assert name_in_events(renamed.folder / FOLDER) == "tiny"  # left as it was
    begun = read_study(make_study(tmp_path / "begun", n_trials=0))
    write_board(begun)
    shown = board._log_folder([begun, second], tmp_path / "scratch-2")
    assert (shown / "begun").samefile(begun.folder / FOLDER)  # its trials are still to come


def test_a_column_that_is_choices_in_one_study_and_a_range_in_another_is_filtered_as_a_range() -> (
    None
):
    choice = ColumnRecord("width", "choice", None, None, False, (32, 64))
    span = ColumnRecord("width", "int", 8, 128, False, (), is_always_there=False)
    for columns in ([choice, span], [span, choice, choice]):
        (merged,) = board._union([[column] for column in columns])
        assert merged == replace(columns[0], choices=(), low=None, high=None, is_always_there=False)
    wider = replace(choice, choices=(64, 128))
    assert board._union([[choice], [wider]])[0].choices == (32, 64, 128)
    (alone,) = (c for c in board._union([[choice], []]))
    assert not alone.is_always_there
