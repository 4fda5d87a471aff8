from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.errors import StateError
from experiments.lock import LOCK_NAME, StudyLock, holder_of

HOLD = """
import sys, time
from pathlib import Path
from experiments.lock import StudyLock
with StudyLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_second_driver_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with held_elsewhere(folder) as process:
        with pytest.raises(StateError) as refusal:
            StudyLock(folder)
        message = str(refusal.value)
        assert f"process {process.pid} on {socket.gethostname()} since 20" in message
        assert "recsweep stop mine" in message
        assert refusal.value.exit_code == 4


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        assert holder_of(tmp_path) is not None
        process.kill()
        process.wait()
        assert holder_of(tmp_path) is None
        with StudyLock(tmp_path):
            holder = holder_of(tmp_path)
    assert holder is not None
    assert holder.pid == os.getpid()


def test_asking_who_holds_it_does_not_take_it_away(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        for _ in range(5):
            holder = holder_of(tmp_path)
            assert holder is not None
            assert holder.pid == process.pid
        with pytest.raises(StateError):
            StudyLock(tmp_path)


def test_asking_who_holds_it_does_not_keep_a_driver_out(tmp_path: Path) -> None:
    StudyLock(tmp_path).release()
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            holder_of(tmp_path)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(20):
            StudyLock(tmp_path).release()
            time.sleep(0.001)
    finally:
        is_over.set()
        for asker in askers:
            asker.join()


def test_nobody_holds_a_folder_that_never_had_a_driver(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_released_lock_can_be_taken_again_and_released_twice(tmp_path: Path) -> None:
    lock = StudyLock(tmp_path)
    lock.release()
    lock.release()
    with StudyLock(tmp_path):
        pass
    assert holder_of(tmp_path) is None
