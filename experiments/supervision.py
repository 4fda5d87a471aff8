"""Running something long beside the main thread, with one way to stop: a file named `stop`.

A signal, another shell and a spent time limit all write the same file. Workers look for it between
chunks and epochs, checkpoint and go; the driver hands out no more trials.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import FrameType

from experiments.files import atomic_write

POLL_S = 0.2


class StopCause(StrEnum):
    """Who asked a study to stop."""

    SIGINT = "SIGINT"
    SIGTERM = "SIGTERM"
    COMMAND = "recsweep stop"
    TIMEOUT = "timeout"

    @property
    def exit_code(self) -> int:
        """128 + the signal's number; 0 where somebody meant the study to stop here."""
        return {StopCause.SIGINT: 130, StopCause.SIGTERM: 143}.get(self, 0)


class StopSwitch:
    """The file `stop` in a study folder: once there, everyone comes to rest."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stop"

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


def supervise(
    work: Callable[[], None],
    switch: StopSwitch,
    *,
    on_stop: Callable[[StopCause], None],
    time_left_s: float | None = None,
) -> None:
    """Run `work` in a thread of its own until it ends; the main thread keeps the signals.

    Args:
        work: long, and watching `switch`.
        on_stop: called once, on the main thread, when a stop has been asked for.
        time_left_s: after so many seconds a stop is asked for; None: never.

    Raises:
        Whatever `work` raises.
    """
    failure: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed to the main thread below
            failure.append(error)

    ends_at = None if time_left_s is None else time.monotonic() + time_left_s
    was_told = False
    thread = threading.Thread(target=run, name="recsweep-trials", daemon=True)
    with _signals(switch):
        thread.start()
        while thread.is_alive():
            thread.join(POLL_S)
            if ends_at is not None and time.monotonic() >= ends_at:
                switch.ask(StopCause.TIMEOUT)
            if not was_told and (cause := switch.cause) is not None:
                was_told = True
                on_stop(cause)
    if failure:
        raise failure[0]


@contextlib.contextmanager
def _signals(switch: StopSwitch) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; a second one ends the process on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to whoever has the main thread
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if switch.path.exists():
            # Nothing is lost: the journals are on disk, and Ray's processes die with this one.
            os._exit(128 + number)
        switch.ask(StopCause(signal.Signals(number).name))

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
