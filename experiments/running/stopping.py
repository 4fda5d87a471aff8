"""The one way to stop a study: a file named `stop`.

A signal, another shell and a spent time limit all write it. Workers look for it between chunks and
epochs, checkpoint and go; the driver hands out no more trials.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path

from experiments.files import atomic_write
from experiments.typed import from_here, typed

_IS_GUEST = ContextVar("recsweep_is_guest", default=False)


@contextlib.contextmanager
def as_guest(is_guest: bool = True) -> Iterator[None]:
    """For the block this process is somebody else's, such as a notebook's kernel: it is not ended
    here, whatever happens. A second interrupt changes nothing, and where the process would be left
    on the spot a ClusterError is raised instead."""
    token = _IS_GUEST.set(is_guest)
    try:
        yield
    finally:
        _IS_GUEST.reset(token)


def is_guest() -> bool:
    """Whether this process is somebody else's."""
    return _IS_GUEST.get()


class StopCause(StrEnum):
    """Who asked a study to stop."""

    SIGINT = "SIGINT"
    SIGTERM = "SIGTERM"
    SIGUSR1 = "SIGUSR1"
    COMMAND = "recsweep stop"
    TIMEOUT = "timeout"
    DEADLINE = "time to stop"

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after another signal and at a time set for the process; 0 where
        somebody meant the study to stop here."""
        if self is StopCause.SIGINT:
            return 130
        return 143 if self.is_signal or self is StopCause.DEADLINE else 0

    @property
    def is_signal(self) -> bool:
        """It was meant for the process, also where its study was done before it came to rest."""
        return self in (StopCause.SIGINT, StopCause.SIGTERM, StopCause.SIGUSR1)


class StopSwitch:
    """The file `stop` in a study folder: once there, everyone comes to rest.

    Args:
        command: the one that goes on with the study after a stop.
    """

    def __init__(self, folder: Path, command: str = "resume") -> None:
        # Workers look for it from folders of their own.
        self.path = folder.absolute() / "stop"
        self._command = command

    def ask(self, cause: StopCause) -> None:
        if not self.path.exists():
            atomic_write(self.path, cause.value + "\n")

    @property
    def cause(self) -> StopCause | None:
        """None while nobody asked."""
        try:
            text = self.path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return StopCause(text) if text in set(StopCause) else StopCause.COMMAND

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    @property
    def way_on(self) -> str:
        """What goes on with the study after a stop, as its user would type it."""
        folder = self.path.parent
        if is_guest():
            return f"rs.{self._command}({from_here(folder)!r})"
        return f"recsweep {self._command} {typed(folder)}"

    @property
    def way_out(self) -> str:
        """What `way_on` says, and how not to wait for the stop, where that can be had."""
        return self.way_on if is_guest() else f"{self.way_on}; Ctrl-C again stops at once"
