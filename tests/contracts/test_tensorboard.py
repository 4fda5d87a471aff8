"""What we lean on in TensorBoard: a test falls by its name when that changes upstream."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITE_AND_CHECK = """
import sys
from pathlib import Path
from experiments.board.board_check import check_board
from experiments.board.hparams import write_board
from experiments.records import read_study
from tests.synthetic_study import make_study
study = read_study(make_study(Path(sys.argv[1]) / "made-up"))
write_board(study)
assert check_board(study) == []
print("tensorflow" in sys.modules)
"""

WRITE_THEN_SUMMARISE = """
import sys
from pathlib import Path
import experiments.board.hparams
import tensorboard.compat
print("tensorboard.compat.notf" in sys.modules)
"""


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout.strip()


def test_events_are_written_and_read_back_without_importing_tensorflow(tmp_path: Path) -> None:
    assert run(WRITE_AND_CHECK, str(tmp_path)) == "False"


def test_writing_events_leaves_tensorboard_as_it_is_for_a_notebook_that_uses_tensorflow() -> None:
    assert run(WRITE_THEN_SUMMARISE) == "False"
