"""What the last driver of a study found when it compared dashboard and ledger.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.files import read_record, write_json

BOARD_CHECK_NAME = "board.json"


@dataclass(frozen=True, slots=True)
class BoardCheck:
    """All of what `recsweep board --check` compares, as of the end of the last run."""

    n_trials: int
    n_columns: int
    differences: tuple[str, ...]


def write_board_check(folder: Path, check: BoardCheck) -> None:
    write_json(folder / BOARD_CHECK_NAME, asdict(check))


def read_board_check(folder: Path) -> BoardCheck | None:
    """None where no driver has come to its end.

    Raises:
        StateError: the file is damaged; names it.
    """
    return read_record(
        folder / BOARD_CHECK_NAME,
        lambda plain: BoardCheck(
            plain["n_trials"], plain["n_columns"], tuple(plain["differences"])
        ),
        "check",
    )
