"""One driver a study: a lock that dies with its process and tells who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from experiments.errors import StateError
from experiments.files import disk_errors

LOCK_NAME = "driver.lock"
_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The driver that runs a study."""

    pid: int
    host: str
    since: float
    """Wall clock, seconds since 1970."""

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since).astimezone()
        return f"process {self.pid} on {self.host} since {since:%Y-%m-%d %H:%M:%S}"


class StudyLock:
    """Exclusive use of a study folder, from construction until `release` or the process's end.

    The file stays when the lock is gone: to delete it would let two drivers lock two files.

    Raises:
        StateError: another driver runs the study; the message names it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        with disk_errors(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        # A reader that asks whether anybody runs the study holds the lock for a moment (see
        # `holder_of`), which must not refuse a driver.
        deadline = time.monotonic() + _PATIENCE_S
        while not _try_lock(self._descriptor, fcntl.LOCK_EX, path):
            if time.monotonic() > deadline:
                holder = _read_holder(self._descriptor)
                os.close(self._descriptor)
                raise StateError(
                    f"{folder}: this study is being run by {holder or 'another process'}. "
                    f"Wait for it, or end it with: recsweep stop {folder.name}"
                )
            time.sleep(0.02)
        holder = LockHolder(pid=os.getpid(), host=socket.gethostname(), since=time.time())
        with disk_errors(path):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(asdict(holder)).encode(), 0)

    def release(self) -> None:
        """Let the next driver in; releasing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> StudyLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder_of(folder: Path) -> LockHolder | None:
    """The driver that runs a study now, or None. Disturbs neither it nor one that starts."""
    path = folder / LOCK_NAME
    with _opened(path) as descriptor:
        if descriptor is None or _try_lock(descriptor, fcntl.LOCK_SH, path):
            return None
        return _read_holder(descriptor) or LockHolder(pid=0, host="unknown", since=time.time())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StateError(
            f"{path}: this file system has no locks ({error.strerror}); "
            "put the study on one that has"
        ) from error
    return True


def _read_holder(descriptor: int) -> LockHolder | None:
    try:
        return LockHolder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None  # between its locking and its writing
