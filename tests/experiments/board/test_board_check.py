from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from experiments.board import board_check
from experiments.board.hparams import write_board
from experiments.errors import StateError
from experiments.files import write_json
from experiments.records import read_study
from experiments.records.derived_records import BOARD_CHECK_NAME, BoardCheck, read_board_check
from experiments.watcher import Silent
from reports.sections.provenance import provenance
from tests.synthetic_study import make_study


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def message(self, text: str) -> None:
        self.heard.append(text)


def test_a_board_that_equals_the_ledger_is_on_record_and_on_the_report(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=12))
    write_board(study)
    watcher = Listening()
    board_check.record_board_check(study, watcher)
    study = read_study(study.folder)
    assert study.board_check == BoardCheck(12, len(study.columns), ())
    assert watcher.heard == []
    assert "equals the ledger: 12 trials, 11 dimensions" in str(provenance(study).blocks[0])


def test_trials_that_came_after_the_comparison_are_told(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=12))
    nine = BoardCheck(9, len(study.columns), ())
    write_json(study.folder / BOARD_CHECK_NAME, asdict(nine))
    told = str(provenance(read_study(study.folder)).blocks[0])
    assert "9 trials, 11 dimensions; 3 trials came since" in told


def test_a_difference_is_said_recorded_and_does_not_end_the_run(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=12))
    write_board(replace(study, trials=study.trials[1:]))
    watcher = Listening()
    board_check.record_board_check(study, watcher)
    assert "recsweep board made-up --check" in watcher.heard[0]
    told = str(provenance(read_study(study.folder)).blocks[0])
    assert "1 difference to the ledger" in told and "trial 0000 is not on the board" in told


def test_a_board_that_cannot_be_read_is_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(study: object) -> None:
        raise ValueError("cut short")

    monkeypatch.setattr(board_check, "check_board", broken)
    study = read_study(make_study(tmp_path / "made-up", n_trials=2))
    board_check.record_board_check(study, Listening())
    check = read_board_check(study.folder)
    assert check is not None and check.differences == (
        "it could not be read: ValueError: cut short",
    )


def test_a_study_without_a_check_says_so_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=2))
    assert study.board_check is None
    assert "not compared with the ledger yet" in str(provenance(study).blocks[0])
    write_json(study.folder / BOARD_CHECK_NAME, asdict(BoardCheck(1, 2, ("a",))))
    assert read_board_check(study.folder) == BoardCheck(1, 2, ("a",))
    (study.folder / BOARD_CHECK_NAME).write_text("{}", "utf-8")
    with pytest.raises(StateError, match=BOARD_CHECK_NAME):
        read_board_check(study.folder)
