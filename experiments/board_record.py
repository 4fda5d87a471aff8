"""Puts on record whether the dashboard shows what the ledger holds, when a driver ends."""

from __future__ import annotations

from experiments.board import check_board
from experiments.board_check import BoardCheck, write_board_check
from experiments.records import StudyRecord
from experiments.watcher import StudyWatcher


def record_board_check(study: StudyRecord, watcher: StudyWatcher) -> None:
    """Compare dashboard and ledger, for the record and the report; a difference is said."""
    try:
        differences = tuple(check_board(study))
    except Exception as error:  # a dashboard that cannot be read must not cost the study's end
        differences = (f"it could not be read: {type(error).__name__}: {error}",)
    write_board_check(study.folder, BoardCheck(len(study.trials), len(study.columns), differences))
    if differences:
        watcher.message(
            f"TensorBoard shows other numbers than the ledger ({len(differences)}), which is the "
            f"record; see them: recsweep board {study.name} --check"
        )
