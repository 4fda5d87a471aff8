"""Running something long beside the main thread, which keeps the signals and the time."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil

from experiments.errors import ClusterError, StateError
from experiments.ledger.lock import sign_off
from experiments.machine.crew import dismiss_crew
from experiments.machine.ray_head import agents_of_ray
from experiments.records import SWEEP_NAME
from experiments.running.stopping import StopCause, StopSwitch, is_guest
from experiments.typed import typed

POLL_S = 0.2
GRACE_S = 60.0
"""Who has not come to rest so long after a stop was asked for is ended, or left behind."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_TRAINS = threading.Lock()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """For all that trains a study: Ray and its workers are the process's, and the first to end
    would take them from another.

    Raises:
        StateError: another thread of this process is in such a block.
    """
    if not _TRAINS.acquire(blocking=False):
        raise StateError(
            "this process runs a study already: run them one after another, or each in a process "
            "of its own"
        )
    try:
        yield
    finally:
        _TRAINS.release()


@dataclass(slots=True)
class Ending:
    """What signals are to do to a command around its trials."""

    is_closing: bool = False
    """The trials are over, and what they showed is being written: that comes first."""
    asked_by: StopCause | None = None
    """Who asked while it was."""
    last_words: str = ""
    """What else is told wherever the command is stopped."""


_ENDING: ContextVar[Ending | None] = ContextVar("recsweep_ending", default=None)


@contextlib.contextmanager
def orderly_signals() -> Iterator[Ending]:
    """For all that a command does, in a process of its own, before its trials and after them.

    Before them a signal ends it, by KeyboardInterrupt or SystemExit. After them the first one only
    says so: whoever is given the `Ending` looks there when the report is written.
    """
    ending = Ending()

    def handle(number: int, _frame: FrameType | None) -> None:
        _call_off_abort()
        cause = StopCause(signal.Signals(number).name)
        if ending.is_closing and ending.asked_by is None:
            ending.asked_by = cause
            _tell(b"the report is written first\n")
            return
        if not ending.is_closing:
            _tell(b"stopping\n")
        if cause is StopCause.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(cause.exit_code)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    token = _ENDING.set(ending)
    try:
        yield ending
    finally:
        _ENDING.reset(token)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def left_at_once(folder: Path, release: Callable[[], None]) -> Iterator[None]:
    """Has a signal before the trials end a command on the spot: Ray, which starts beside it, could
    take a minute to stop.

    Args:
        folder: of the study.
        release: gives its lock back.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else error.code
        ending = _ENDING.get()
        if ending is None or ending.is_closing or not isinstance(code, int):
            raise
        is_begun = (folder / SWEEP_NAME).is_file()
        way_on = f"go on with: recsweep resume {typed(folder)}" if is_begun else "nothing was begun"
        release()
        _exit_at_once(f"stopped before the first trial; {way_on}", code)


def supervise(
    work: Callable[[], None],
    switch: StopSwitch,
    *,
    on_stop: Callable[[StopCause], None],
    on_poll: Callable[[], str | None] = lambda: None,
    on_late: Callable[[], None] = lambda: None,
    time_left_s: float | None = None,
    deadline: float | None = None,
) -> None:
    """Run `work` in a thread of its own until it ends; the main thread keeps the signals.

    Args:
        work: long, and watching `switch`.
        on_stop: called once, on the main thread, when a stop has been asked for.
        on_poll: called on the main thread a few times a second; what it gives is why the trials'
            cluster is lost, and ends the process on the spot.
        on_late: called once, on the main thread, where `work` has not come to rest `GRACE_S` after
            a stop that meant the study and not the process; it may end what holds it up.
        time_left_s: after so many seconds a stop is asked for; None: never.
        deadline: at this monotonic time, too, since the job that this runs in is about to end.

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
    job_ends_at = math.inf if deadline is None else deadline
    leave_at, is_late = math.inf, False
    thread = threading.Thread(target=run, name="recsweep-trials", daemon=True)
    with _signals(switch) as hold_signals:
        thread.start()
        while thread.is_alive():
            thread.join(POLL_S)
            hold_signals()
            if lost := on_poll():
                _leave(switch, lost, _exit_code_of_loss(switch))
            if ends_at is not None and time.monotonic() >= ends_at:
                switch.ask(StopCause.TIMEOUT)
            if time.monotonic() >= job_ends_at:
                switch.ask(StopCause.DEADLINE)
            if (cause := switch.cause) is None:
                continue
            if leave_at == math.inf:
                leave_at = time.monotonic() + GRACE_S
                on_stop(cause)
            elif time.monotonic() >= leave_at:
                if cause.exit_code == 0 and not is_late:
                    is_late, leave_at = True, time.monotonic() + GRACE_S
                    on_late()
                    continue
                waited_s = GRACE_S * (1 + is_late)
                code = cause.exit_code or ClusterError.exit_code
                _leave(switch, f"a worker did not come to rest in {waited_s:.0f} s", code)
    if failure:
        if isinstance(failure[0], ClusterError):
            failure[0].exit_code = _exit_code_of_loss(switch)
        raise failure[0]


def _exit_code_of_loss(switch: StopSwitch) -> int:
    """A cluster's; after a signal the signal's: who ends a job (Slurm, systemd) may signal Ray's
    processes, too, and Ray be lost of that."""
    cause = switch.cause
    return cause.exit_code if cause is not None and cause.is_signal else ClusterError.exit_code


def _leave(switch: StopSwitch, why: str, exit_code: int) -> None:
    """End this process on the spot, and its own Ray's with it. Nothing is lost: the journals are on
    disk.

    Raises:
        ClusterError: the process is not ours to end.
    """
    switch.clear()
    if is_guest():
        raise ClusterError(
            f"{why}; nothing that finished is lost. Restart this process (the notebook's kernel), "
            f"then go on with: {switch.way_on}"
        )
    sign_off(switch.path.parent)
    with contextlib.suppress(OSError):
        dismiss_crew(switch.path.parent)
    _exit_at_once(f"{why}; go on with: {switch.way_on}", exit_code)


def _exit_at_once(told: str, exit_code: int) -> NoReturn:
    """Without what Python does at its end, but for the cursor of a terminal that was drawn on."""
    shown = "\x1b[?25h" if os.isatty(2) else ""
    ending = _ENDING.get()
    more = f"{ending.last_words}\n" if ending and ending.last_words else ""
    _tell(f"{shown}\n{told}\n{more}".encode())
    # Ray's would follow by themselves, but for one that hangs in a Ctrl-C of its own.
    with contextlib.suppress(psutil.Error):
        for process in (*psutil.Process().children(recursive=True), *agents_of_ray()):
            with contextlib.suppress(psutil.Error):
                process.kill()
    os._exit(exit_code)


def _tell(line: bytes) -> None:
    """On stderr, from wherever a signal found this thread; nowhere once its terminal has gone."""
    with contextlib.suppress(OSError):
        os.write(2, line)


def _call_off_abort() -> None:
    """Where Ray's own handler had a SIGTERM before ours, it left an alarm that aborts the process
    three seconds later."""
    signal.alarm(0)


@contextlib.contextmanager
def _signals(switch: StopSwitch) -> Iterator[Callable[[], object]]:
    """SIGINT, SIGTERM and SIGUSR1 ask for a stop; a second one ends the process on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # signals belong to whoever has the main thread
        return

    guest = is_guest()

    def handle(number: int, _frame: FrameType | None) -> None:
        _call_off_abort()
        cause = StopCause(signal.Signals(number).name)
        if switch.path.exists():
            if guest:
                _tell(b"stopping: the running trials are being checkpointed\n")
                return
            _leave(switch, "stopped at once", cause.exit_code)
        switch.ask(cause)

    def hold() -> dict[int, Any]:
        return {number: signal.signal(number, handle) for number in _SIGNALS}

    before = hold()
    try:
        # Ray's core, once it starts, puts a handler of its own before ours.
        yield hold
    finally:
        if (ending := _ENDING.get()) is not None:
            ending.is_closing = True
        for number, handler in before.items():
            signal.signal(number, handler)
