"""A board in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, wherever this runs
from pathlib import Path
from experiments.board.board import serve_board
from experiments.records import read_study
serve_board([read_study(Path(folder)) for folder in sys.argv[1:]])
assert "tensorflow" not in sys.modules
print("ended")
"""


def start_board(*studies: Path) -> subprocess.Popen[str]:
    """Serve the board of these study folders; the first lines of its output say where."""
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, *map(str, studies)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"},
    )
