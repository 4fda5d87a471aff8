"""A temporary folder for Ray and its workers, which goes with its run; of one that was killed, with
a later run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.files import is_on_network

PREFIX = "recsweep-trials-"
_LOCKED_WITHIN_S = 60.0


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new one, for the time of the block. Those of processes that are gone are deleted."""
    root = Path(tempfile.gettempdir())
    # Of other machines' locks a network disk need not know.
    for left in () if is_on_network(root) else root.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LOCKED_WITHIN_S:
                with _locked(left, fcntl.LOCK_EX):
                    shutil.rmtree(left)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as lock,
    ):
        with contextlib.suppress(OSError):
            lock.enter_context(_locked(Path(name), fcntl.LOCK_SH))
        yield Path(name)


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
