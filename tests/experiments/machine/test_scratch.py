from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from experiments.machine.scratch import remove_old_sessions, scratch_folder
from tests.descriptors import n_open

_KILLED = (
    "import os, signal; from experiments.machine.scratch import scratch_folder\n"
    "with scratch_folder('recsweep-x-') as folder:\n"
    "    (folder / 'study').mkdir(); print(folder, flush=True)\n"
    "    os.kill(os.getpid(), signal.SIGKILL)"
)

_WORKER = (
    "import sys, tempfile; from pathlib import Path\n"
    "from experiments.machine.scratch import keep_temporary_files_in\n"
    "keep_temporary_files_in(Path(sys.argv[1]))\n"
    "print(tempfile.mkstemp()[1], flush=True); sys.stdin.read()"
)


def test_what_a_killed_run_left_goes_and_what_a_running_one_needs_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    left = Path(killed.stdout.strip())
    with scratch_folder("recsweep-x-") as running:
        assert left.is_dir()  # it may be another's that is about to lock it
        for folder in (left, running):
            os.utime(folder, (0, 0))
        with scratch_folder("recsweep-x-") as other:
            assert running.is_dir() and other.is_dir()
            assert not left.exists()
        assert [n_open(folder) for folder in (left, running, other)] == [0, 1, 0]
    assert list(tmp_path.iterdir()) == []


def test_old_sessions_of_ray_go_where_their_process_is_gone_and_nobody_writes(
    tmp_path: Path,
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    began = "session_2026-01-01_00-00-00_000000"
    old, written, recent, running = (
        tmp_path / f"{began[:-1]}{i}_{number}"
        for i, number in enumerate((gone.pid, gone.pid, gone.pid, os.getpid()))
    )
    for session in (old, written, recent, running):
        (session / "logs").mkdir(parents=True)
        (session / "logs" / "raylet.out").touch()
        for path in (session / "logs" / "raylet.out", session / "logs", session):
            os.utime(path, (0, 0))
    os.utime(written / "logs" / "raylet.out")
    os.utime(recent)
    (tmp_path / "session_latest").symlink_to(old)
    remove_old_sessions(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        written.name, recent.name, running.name, "session_latest",
    }  # fmt: skip


def test_what_a_worker_writes_lies_there_and_stays_as_long_as_the_worker_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    of_a_killed_driver = tmp_path / "recsweep-x-killed"
    of_a_killed_driver.mkdir()
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, of_a_killed_driver],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    written = Path(worker.stdout.readline().strip())
    assert written.parent == of_a_killed_driver
    os.utime(of_a_killed_driver, (0, 0))
    with scratch_folder("recsweep-x-"):
        assert written.is_file()
    worker.kill()
    worker.communicate()
    with scratch_folder("recsweep-x-"):
        assert not of_a_killed_driver.exists()
