from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from experiments.scratch import scratch_folder

_KILLED = (
    "import os, signal; from experiments.scratch import scratch_folder\n"
    "with scratch_folder() as folder:\n"
    "    (folder / 'study').mkdir(); print(folder, flush=True)\n"
    "    os.kill(os.getpid(), signal.SIGKILL)"
)


def test_what_a_killed_run_left_goes_and_what_a_running_one_needs_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    left = Path(killed.stdout.strip())
    with scratch_folder() as running:
        assert left.is_dir()  # it may be another's that is about to lock it
        for folder in (left, running):
            os.utime(folder, (0, 0))
        with scratch_folder() as other:
            assert running.is_dir() and other.is_dir()
            assert not left.exists()
    assert list(tmp_path.iterdir()) == []
