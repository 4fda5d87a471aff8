from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from experiments.errors import DiskError, StateError
from experiments.ledger import heartbeat
from experiments.ledger import lock as lock_module
from experiments.ledger.journal import Journal
from experiments.ledger.lock import BEAT_NAME, LOCK_NAME, StudyLock, holder_of
from tests.descriptors import n_open

HOLD = """
import sys, time
from pathlib import Path
from experiments.ledger.lock import StudyLock
with StudyLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(folder: Path, before: str = "") -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", before + HOLD, str(folder)], stdout=subprocess.PIPE, text=True
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


def test_a_driver_that_was_killed_is_taken_over_with_a_notice_and_one_that_left_without(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    with held_elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
        StudyLock(tmp_path, said.append).release()
    assert len(said) == 1
    assert said[0].startswith(f"process {process.pid} on ")
    assert said[0].endswith(" is gone without a word; going on in its place")
    StudyLock(tmp_path, said.append).release()
    assert len(said) == 1


def test_who_holds_it_is_told_whatever_stood_there_before(tmp_path: Path) -> None:
    left = {"pid": 2**22, "host": "a-name-that-is-longer-than-most." * 8, "since": 1.0}
    (tmp_path / LOCK_NAME).write_text(json.dumps(left))
    with StudyLock(tmp_path):
        holder = holder_of(tmp_path)
        assert holder is not None and holder.pid == os.getpid()


def test_one_that_has_not_said_who_it_is_is_another_process(tmp_path: Path) -> None:
    with (tmp_path / LOCK_NAME).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="being run by another process"):
            StudyLock(tmp_path)
        holder = holder_of(tmp_path)
        assert holder is not None and holder.host == "unknown"


def test_a_lock_that_could_not_be_had_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_PATIENCE_S", 0.0)
    with StudyLock(tmp_path):
        with pytest.raises(StateError):
            StudyLock(tmp_path)
        assert n_open(tmp_path / LOCK_NAME) == 1
    assert n_open(tmp_path / LOCK_NAME) == 0


@pytest.mark.parametrize("opens", [lambda p: StudyLock(p), lambda p: Journal(p / "a.jsonl")])
def test_a_disk_that_cannot_be_written_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: Callable[[Path], object]
) -> None:
    read_only = OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(os, "open", Mock(side_effect=read_only))
    with pytest.raises(DiskError, match="cannot be written: Read-only file system"):
        opens(tmp_path)


def test_on_a_network_disk_a_heartbeat_is_kept_beside_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its locks may end at the machine."""
    monkeypatch.setattr(lock_module, "is_on_network", lambda _: True)
    with StudyLock(tmp_path):
        assert (tmp_path / BEAT_NAME).is_file()
        assert n_open(tmp_path / BEAT_NAME) == 0
    assert not (tmp_path / BEAT_NAME).exists()
    monkeypatch.setattr(lock_module, "Heartbeat", Mock(side_effect=DiskError("no room")))
    with pytest.raises(DiskError):
        StudyLock(tmp_path)
    assert holder_of(tmp_path) is None


NO_LOCKS = """
import errno, fcntl, os
from experiments.ledger import heartbeat
from experiments.ledger import lock
def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse
heartbeat.BEAT_S, heartbeat.STALE_S = 0.1, 1.5
"""


class TestOnADiskWithoutLocks:
    """There a heartbeat stands for the lock. Its processes are real; the missing lock is made."""

    @pytest.fixture(autouse=True)
    def without_locks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", refuse)
        monkeypatch.setattr(heartbeat, "BEAT_S", 0.1)
        monkeypatch.setattr(heartbeat, "STALE_S", 1.5)

    def test_a_second_driver_is_refused_and_told_who_the_first_is(self, tmp_path: Path) -> None:
        with held_elsewhere(tmp_path, NO_LOCKS) as process:
            with pytest.raises(StateError, match=f"being run by process {process.pid} on .*stop"):
                StudyLock(tmp_path)
            holder = holder_of(tmp_path)
            assert holder is not None
            assert holder.pid == process.pid
        assert holder_of(tmp_path) is None

    def test_one_that_was_killed_on_this_machine_is_taken_over_at_once(
        self, tmp_path: Path
    ) -> None:
        said: list[str] = []
        with held_elsewhere(tmp_path, NO_LOCKS) as process:
            process.kill()
            process.wait()
        began = time.monotonic()
        with StudyLock(tmp_path, said.append):
            assert time.monotonic() - began < 1
            assert holder_of(tmp_path) is not None
        assert len(said) == 1
        assert said[0].endswith("is gone without a word; going on in its place")
        assert not (tmp_path / BEAT_NAME).exists()

    def test_one_on_another_machine_is_taken_over_when_it_stopped_beating(
        self, tmp_path: Path
    ) -> None:
        elsewhere = NO_LOCKS + "heartbeat.socket.gethostname = lambda: 'elsewhere'\n"
        said: list[str] = []
        with held_elsewhere(tmp_path, elsewhere) as process:
            with pytest.raises(StateError, match="on elsewhere"):
                StudyLock(tmp_path, said.append)
            process.kill()
            process.wait()
        with StudyLock(tmp_path, said.append):
            pass
        assert [text.split(" ", 1)[0] for text in said] == ["waiting", "waiting", "process"]

    def test_one_that_slept_and_was_taken_for_dead_leaves(self, tmp_path: Path) -> None:
        """As a laptop does that was closed: two drivers must not go on."""
        elsewhere = NO_LOCKS + "heartbeat.socket.gethostname = lambda: 'elsewhere'\n"
        with held_elsewhere(tmp_path, elsewhere) as process:
            process.send_signal(signal.SIGSTOP)
            with StudyLock(tmp_path):
                process.send_signal(signal.SIGCONT)
                assert process.wait(10) == StateError.exit_code

    def test_a_disk_that_fails_for_a_moment_does_not_end_the_heartbeat(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read, n_failed = heartbeat._read, 0

        def failing_once(path: Path) -> bytes | None:
            nonlocal n_failed
            if n_failed == 0 and threading.current_thread().name == "recsweep-heartbeat":
                n_failed += 1
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return read(path)

        monkeypatch.setattr(heartbeat, "_read", failing_once)
        with StudyLock(tmp_path):
            deadline = time.monotonic() + 5
            while (n_beats := json.loads((tmp_path / BEAT_NAME).read_bytes())["beats"]) == 0:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert (n_failed, n_beats > 0) == (1, True)

    @pytest.mark.parametrize(("age_s", "is_there"), [(0.0, True), (10.0, False)])
    def test_whether_one_beats_elsewhere_is_told_at_once_by_its_clock(
        self, tmp_path: Path, age_s: float, is_there: bool
    ) -> None:
        beat = {"pid": 1, "host": "elsewhere", "since": 1.0, "at": time.time() - age_s}
        (tmp_path / LOCK_NAME).touch()
        (tmp_path / BEAT_NAME).write_text(json.dumps(beat))
        assert (holder_of(tmp_path) is not None) is is_there

    def test_the_process_of_another_user_is_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        beat = {"pid": 1, "host": socket.gethostname(), "since": 1.0, "at": time.time()}
        (tmp_path / LOCK_NAME).touch()
        (tmp_path / BEAT_NAME).write_text(json.dumps(beat))
        monkeypatch.setattr(os, "kill", Mock(side_effect=PermissionError))
        assert holder_of(tmp_path) is not None
        monkeypatch.setattr(os, "kill", Mock(side_effect=ProcessLookupError))
        assert holder_of(tmp_path) is None

    def test_one_that_leaves_while_another_waits_for_a_sign_makes_way(self, tmp_path: Path) -> None:
        beat = tmp_path / BEAT_NAME
        beat.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": 1.0}))
        with StudyLock(tmp_path, lambda _: beat.unlink()):  # it says that it waits
            assert holder_of(tmp_path) is not None

    def test_whoever_was_taken_for_dead_leaves_the_file_of_its_successor(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(heartbeat, "BEAT_S", 60.0)
        mine = StudyLock(tmp_path)
        theirs = json.dumps({"pid": 1, "host": "elsewhere", "since": 1.0})
        (tmp_path / BEAT_NAME).write_text(theirs)
        mine.release()
        assert (tmp_path / BEAT_NAME).read_text() == theirs

    def test_the_second_that_finds_a_dead_one_leaves_the_file_of_the_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class FirstIn(Exception):
            pass

        with held_elsewhere(tmp_path, NO_LOCKS) as process:
            process.kill()
            process.wait()
        beat = tmp_path / BEAT_NAME

        @contextmanager
        def second(_: Path) -> Iterator[None]:
            beat.write_text("of the first")
            yield
            raise FirstIn

        monkeypatch.setattr(heartbeat, "_alone", second)
        with pytest.raises(FirstIn):
            StudyLock(tmp_path)
        assert beat.read_text() == "of the first"

    def test_of_two_that_find_a_dead_one_only_one_gets_it(self, tmp_path: Path) -> None:
        with held_elsewhere(tmp_path, NO_LOCKS) as process:
            process.kill()
            process.wait()
        got: list[str] = []
        locks: list[StudyLock] = []
        barrier = threading.Barrier(4)

        def take() -> None:
            barrier.wait()
            try:
                locks.append(StudyLock(tmp_path))
            except StateError:
                got.append("refused")
            else:
                got.append("got it")

        takers = [threading.Thread(target=take) for _ in range(4)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
        for lock in locks:
            lock.release()
        assert sorted(got) == ["got it", "refused", "refused", "refused"]
