"""One driver a study: a lock that dies with its process and tells who holds it.

`flock`, where the disk has it. On a network disk that may end at the machine, and some have none:
there a heartbeat is kept beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from experiments.errors import StateError
from experiments.files import disk_errors, is_on_network
from experiments.ledger.heartbeat import Heartbeat, beating_holder, this_process
from experiments.ledger.heartbeat import LockHolder as LockHolder
from experiments.typed import typed

LOCK_NAME = "driver.lock"
BEAT_NAME = "driver.beat"
_PATIENCE_S = 1.0


class StudyLock:
    """Exclusive use of a study folder, from construction until `release` or the process's end.

    The file stays when the lock is gone: to delete it would let two drivers lock two files.

    Args:
        say: hears of a driver that is gone without a word, and of a wait for one that may be.

    Raises:
        StateError: another driver runs the study; the message names it.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        path = folder / LOCK_NAME
        self._beat: Heartbeat | None = None
        with disk_errors(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            is_locked = self._lock()
            gone = _read_holder(self._descriptor) if is_locked else None
            me = this_process()
            if not is_locked or is_on_network(folder):
                with disk_errors(folder / BEAT_NAME):
                    self._beat = Heartbeat(folder / BEAT_NAME, me, say)
            elif gone is not None:
                say(f"{gone} is gone without a word; going on in its place")
            with contextlib.suppress(OSError):  # who makes room on a full disk stays unnamed
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, json.dumps(asdict(me)).encode(), 0)
        except BaseException as error:
            os.close(self._descriptor)
            if isinstance(error, StateError):
                raise StateError(
                    f"{folder}: {error.message}. "
                    f"Wait for it, or end it with: recsweep stop {typed(folder)}"
                ) from error
            raise

    def _lock(self) -> bool:
        """Whether the disk has locks; then this one is ours.

        Raises:
            StateError: it is another's.
        """
        # A reader that asks whether anybody runs the study holds the lock for a moment (see
        # `holder_of`), which must not refuse a driver.
        deadline = time.monotonic() + _PATIENCE_S
        while (is_ours := _try_lock(self._descriptor, fcntl.LOCK_EX)) is False:
            if time.monotonic() > deadline:
                holder = _read_holder(self._descriptor)
                raise StateError(f"this study is being run by {holder or 'another process'}")
            time.sleep(0.02)
        return is_ours is True

    def release(self) -> None:
        """Let the next driver in; releasing twice does nothing."""
        if self._descriptor < 0:
            return
        if self._beat is not None:
            self._beat.stop()
        with contextlib.suppress(OSError):  # a full disk must not keep the lock
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> StudyLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def sign_off(folder: Path) -> None:
    """What `release` says, of a process that ends on the spot with the lock: the next driver is
    not to take it for one that is gone without a word."""
    with contextlib.suppress(OSError):
        os.truncate(folder / LOCK_NAME, 0)
        (folder / BEAT_NAME).unlink(missing_ok=True)


def holder_of(folder: Path) -> LockHolder | None:
    """The driver that runs a study now, or None. Disturbs neither it nor one that starts."""
    with _opened(folder / LOCK_NAME) as descriptor:
        if descriptor is None:
            return None
        if _try_lock(descriptor, fcntl.LOCK_SH) is False:
            unknown = LockHolder(pid=0, host="unknown", since=time.time())
            return _read_holder(descriptor) or unknown
    return beating_holder(folder / BEAT_NAME)


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


def _try_lock(descriptor: int, kind: int) -> bool | None:
    """Whether the lock could be had; None where the disk has no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read_holder(descriptor: int) -> LockHolder | None:
    try:
        return LockHolder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None  # nobody, or between its locking and its writing
