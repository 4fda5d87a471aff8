"""A temporary folder for Ray, which goes with its run; of one that was killed, with a later run."""

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
                with _locked(left):
                    shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, contextlib.ExitStack() as lock:
        with contextlib.suppress(OSError):
            lock.enter_context(_locked(Path(name)))
        yield Path(name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Until the end of the block, or of the process.

    Raises:
        OSError: another process holds it, or it is another user's.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
