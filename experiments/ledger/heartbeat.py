"""A lock for disks whose own locks are none, or end at the machine: a file that keeps changing.

Clocks of two machines do not agree and a network disk shows old times, so nobody compares times:
whoever finds the file waits for a while and looks whether it changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from experiments.errors import RecsweepError, StateError
from experiments.files import atomic_write

BEAT_S = 10.0
STALE_S = 60.0
"""Who has not changed the file for so long is gone: longer than a network disk shows old files."""


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


def this_process() -> LockHolder:
    return LockHolder(pid=os.getpid(), host=socket.gethostname(), since=time.time())


class Heartbeat:
    """Exclusive use of what a file stands for, from construction until `stop`.

    Args:
        path: the file; gone when nobody beats.
        me: whoever beats.
        say: hears of a wait, and of a holder that was found gone.

    Raises:
        StateError: somebody else beats; the message names them.
    """

    def __init__(self, path: Path, me: LockHolder, say: Callable[[str], None]) -> None:
        self._path = path
        self._me = me
        self._is_over = threading.Event()
        self._n_beats = 0
        while not self._begin():
            self._remove_stale(say)
        self._thread = threading.Thread(target=self._run, name="recsweep-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        if _holder(_read(self._path)) == self._me:
            self._path.unlink(missing_ok=True)

    def _begin(self) -> bool:
        """Whether the file is ours now; to create it can succeed for one only."""
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            os.write(descriptor, self._content())
            os.close(descriptor)
            return True
        return False

    def _remove_stale(self, say: Callable[[str], None]) -> None:
        seen = _read(self._path)
        if seen is None:
            return
        holder = _holder(seen) or "another process"
        if not _is_dead(seen):
            say(f"waiting for a sign of {holder}, for {STALE_S:.0f} s at most")
            deadline = time.monotonic() + STALE_S
            while (now := _read(self._path)) == seen and time.monotonic() < deadline:
                time.sleep(min(0.5, STALE_S / 10))
            if now is None:
                return
            if now != seen:
                raise StateError(f"this study is being run by {holder}")
        # What two found dead, the second must not remove when the first has taken its place.
        with _alone(self._path.with_name(f".{self._path.name}-takeover")):
            if _read(self._path) == seen:
                self._path.unlink()
                say(f"{holder} is gone without a word; going on in its place")

    def _run(self) -> None:
        while not self._is_over.wait(BEAT_S):
            with contextlib.suppress(RecsweepError, OSError):  # a bad or a full disk: try again
                now = _read(self._path)
                if now is not None and _holder(now) != self._me:
                    # We were taken for dead, having slept too long. Two drivers must not go on.
                    who = _holder(now) or "another process"
                    told = f"\nthis study is now being run by {who}; leaving it\n"
                    with contextlib.suppress(OSError):  # its terminal has gone
                        os.write(2, told.encode())
                    os._exit(StateError.exit_code)
                self._n_beats += 1
                atomic_write(self._path, self._content())

    def _content(self) -> bytes:
        return json.dumps(asdict(self._me) | {"beats": self._n_beats, "at": time.time()}).encode()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time; one that died inside, which takes a moment only, is passed after a while."""
    deadline = time.monotonic() + STALE_S
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            break
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


def beating_holder(path: Path) -> LockHolder | None:
    """Who seems to beat, judged at once: by their process where it is on this machine, else by
    their clock. For those who only look."""
    seen = _read(path)
    holder = _holder(seen)
    if seen is None or holder is None or _is_dead(seen):
        return None
    return holder if time.time() - float(json.loads(seen)["at"]) < STALE_S else None


def _is_dead(seen: bytes) -> bool:
    """Whether its process was on this machine and is there no more."""
    holder = _holder(seen)
    if holder is None or holder.host != socket.gethostname():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's, and there
        pass
    return False


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _holder(content: bytes | None) -> LockHolder | None:
    """None where nothing, or half a line, is there."""
    try:
        fields = json.loads(content or b"")
        return LockHolder(int(fields["pid"]), str(fields["host"]), float(fields["since"]))
    except (ValueError, TypeError, KeyError):
        return None
