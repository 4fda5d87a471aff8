from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from experiments.board import board_check
from experiments.board.hparams import FOLDER, write_board
from experiments.errors import StateError
from experiments.files import write_json
from experiments.records import ColumnRecord, StopReason, StudyRecord, TrialState, read_study
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


def test_no_kind_of_difference_is_overlooked(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=3))
    ranged = next(c for c in study.columns if c.low is not None)
    chosen = next(c for c in study.columns if c.choices)
    best = study.ranked[0]
    *_, last = best.epochs

    def column(old: ColumnRecord, *new: ColumnRecord) -> StudyRecord:
        kept = [c for c in study.columns if c is not old]
        return replace(study, columns=(*kept, *new))

    def trial(**changed: Any) -> StudyRecord:
        trials = [t if t is not best else replace(t, **changed) for t in study.trials]
        return replace(study, trials=tuple(trials))

    assert ranged.low is not None
    altered = {
        f"column {ranged.name} is missing": column(ranged),
        "column more is not in the space": column(ranged, ranged, replace(ranged, name="more")),
        f"column {ranged.name} ranges over": column(ranged, replace(ranged, low=ranged.low / 2)),
        f"column {chosen.name} has the choices": column(
            chosen, replace(chosen, choices=(*chosen.choices, "new"))
        ),
        "the metrics are": replace(study, sweep={**study.sweep, "metrics": {}}),
        f"{best.name}: learning_rate is": trial(values={**best.values, "learning_rate": 0.5}),
        f"{best.name}: parameters is": trial(n_parameters=1),
        f"{best.name}: final/val_rmse is": trial(best_rmse=0.5),
        f"{best.name}: state is": trial(state=TrialState.FAIL),
        f"{best.name}: its status is": trial(state=TrialState.FAIL),
        f"{best.name}: stop_reason is": trial(stop_reason=StopReason.ERROR),
        f"{best.name}: train_rmse of epoch {last.epoch} is": trial(
            epochs=(*best.epochs[:-1], replace(last, train_rmse=0.5))
        ),
        f"{best.name}: val_rmse has the epochs": trial(epochs=best.epochs[:-1]),
    }
    write_board(study)
    assert list(board_check.check_board(study)) == []
    for said, other in altered.items():
        shutil.rmtree(study.folder / FOLDER)
        write_board(other)
        assert any(said in problem for problem in board_check.check_board(study)), said


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
