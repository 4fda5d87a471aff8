"""Temporary folders, which go with their process; of one that was killed, with a later one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from experiments.files import is_on_network

_LOCKED_WITHIN_S = 60.0
_SESSIONS_KEPT_S = 3 * 86_400.0


@contextlib.contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new one, for the time of the block. Those of processes that are gone are deleted.

    Args:
        prefix: of its name, and of the others that are for the same.
    """
    root = Path(tempfile.gettempdir())
    # Of other machines' locks a network disk need not know.
    for left in () if is_on_network(root) else root.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LOCKED_WITHIN_S:
                with _locked(left, fcntl.LOCK_EX):
                    shutil.rmtree(left)
    with (
        tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as lock,
    ):
        with contextlib.suppress(OSError):
            lock.enter_context(_locked(Path(name), fcntl.LOCK_SH))
        yield Path(name)


def remove_old_sessions(folder: Path) -> None:
    """Delete logs and sockets of Rays whose process is gone, and that nobody wrote to for days.

    Args:
        folder: with a folder a session, whose name ends in the number of its process.
    """
    written_before = time.time() - _SESSIONS_KEPT_S
    for left in () if is_on_network(folder) else folder.glob("session_*_*_*"):
        number = left.name.rpartition("_")[2]
        with contextlib.suppress(OSError):
            if not number.isdecimal() or psutil.pid_exists(int(number)):
                continue
            if left.lstat().st_mtime < written_before and all(
                path.lstat().st_mtime < written_before for path in left.rglob("*")
            ):
                shutil.rmtree(left)


def keep_temporary_files_in(folder: Path) -> None:
    """What this process and the libraries in it write to temporary files, from now on.

    A worker is killed in the end and deletes nothing: TensorFlow leaves the source of each function
    that it turned into a graph.

    Raises:
        OSError: there is no such folder; this may be another machine than the driver's.
    """
    _lock(folder, fcntl.LOCK_SH)  # for the life of this process
    tempfile.tempdir = str(folder)


@contextlib.contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    """Until the end of the block, or of the process. Raises as `_lock` does."""
    descriptor = _lock(folder, kind)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path, kind: int) -> int:
    """The descriptor that holds the lock.

    Raises:
        OSError: another process holds it, or it is another user's.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
