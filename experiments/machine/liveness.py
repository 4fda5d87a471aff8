"""Workers that have gone silent or take too long: found by their journals, ended from outside.

A worker touches its journal between chunks and with every line. The driver looks whether the
file's time has changed, and when by its own clock: what the two clocks say does not matter. Until
a worker has said that it took a trial, the driver's own clock alone counts.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.durations import format_duration
from experiments.records import StopReason

DEAF_S = 2.0
"""When the driver has read no journal for so long, it was busy, as with a slow sampler; when it has
looked after nobody for so long, it was suspended as a whole."""
MOST_EXCUSED = 2
"""A worker that waits for a busy driver hears of it when that is done: who says nothing during more
such times than these is silent of itself."""
START_S = 120.0
"""What a new process may take to start, to import TensorFlow, to build its first model and to trace
its first epoch, however short `stall_timeout` is: it gives no sign meanwhile."""


@dataclass(slots=True)
class _Watched:
    """One attempt, from the moment it was handed out."""

    heard_at: float
    began_at: float = math.inf
    worker: str | None = None
    """Who took it; None: nobody has said so."""
    is_warm: bool = False
    """Whether the worker has trained an epoch of any trial."""
    sign: int = -1
    n_excused: int = 0
    """Since its last sign of life."""
    doom: tuple[StopReason, str] | None = None


class Liveness:
    """Watches the attempts of one run of the driver.

    Args:
        folder: the study's.
        stall_s: a worker without a sign of life for so long is killed.
        trial_s: an attempt that runs for longer is ended; None: never.
    """

    def __init__(
        self,
        folder: Path,
        stall_s: float,
        trial_s: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journals = folder / "journal"
        self._stall_s = stall_s
        self._trial_s = trial_s
        self._clock = clock
        self._watched: dict[int, _Watched] = {}
        self._listened_at: float | None = None
        self._checked_at: float | None = None
        self.kill: Callable[[int], bool] = lambda _number: False
        """Kills the worker of a trial, given its number, and says whether it has one. Whoever runs
        the workers sets it."""

    def listens(self) -> None:
        """The driver reads the journals and answers: that it did not, although a worker may have
        waited for it, is no silence of that worker's."""
        now = self._clock()
        if self._is_deaf(now):
            assert self._listened_at is not None
            for watched in list(self._watched.values()):
                if watched.n_excused < MOST_EXCUSED:
                    watched.n_excused += 1
                    watched.heard_at = min(now, watched.heard_at + now - self._listened_at)
        self._listened_at = now

    def _is_deaf(self, now: float) -> bool:
        return self._listened_at is not None and now - self._listened_at > DEAF_S

    def handed_out(self, number: int) -> None:
        """An attempt at a trial waits for a worker, which may have to start first."""
        self._watched[number] = _Watched(self._clock())

    def taken(self, number: int, worker: str, is_warm: bool) -> None:
        """A worker took the trial; it is about to build the model."""
        now = self._clock()
        self._watched[number] = _Watched(now, now if is_warm else math.inf, worker, is_warm)

    def began(self, number: int, worker: str, spent_s: float = 0.0, is_warm: bool = True) -> None:
        """The attempt's first epoch begins.

        Args:
            spent_s: what earlier attempts took for the epochs that this one goes on from.
        """
        now = self._clock()
        self._watched[number] = _Watched(now, now - spent_s, worker, is_warm)

    def warmed_up(self, number: int) -> None:
        """The worker of this trial has trained an epoch."""
        if number in self._watched:
            self._watched[number].is_warm = True

    def over(self, number: int) -> None:
        """The attempt ended, in whatever way."""
        self._watched.pop(number, None)

    def doom_of(self, number: int) -> tuple[StopReason, str] | None:
        """Why `check` killed the worker of a trial, and how long that took; None: it did not."""
        watched = self._watched.get(number)
        return watched.doom if watched else None

    def check(self) -> list[str]:
        """Kill the workers whose time is over; gives what a user should know of the others.

        May be called from another thread.
        """
        said: list[str] = []
        now = self._clock()
        before, self._checked_at = self._checked_at, now
        if before is not None and now - before > DEAF_S:
            # Workers were suspended with us: the time did not pass for any of them.
            for watched in list(self._watched.values()):
                watched.heard_at = min(now, watched.heard_at + now - before)
                watched.began_at = min(now, watched.began_at + now - before)
        if self._is_deaf(now):
            return said
        for number, watched in list(self._watched.items()):
            if watched.doom is not None:
                continue
            watched.doom = self._judge(watched)
            if watched.doom is None or self.kill(number):
                continue
            # No process to end: as long as there is no room for one, the trial waits.
            watched.doom, watched.heard_at = None, self._clock()
            if watched.worker is None:
                said.append(f"#{number} waits for a worker: Ray has no room for it")
        return said

    def end_all(self) -> list[int]:
        """Kill the workers of all attempts; gives the numbers of the trials that had one.

        May be called from another thread.
        """
        return [number for number in list(self._watched) if self.kill(number)]

    def _judge(self, watched: _Watched) -> tuple[StopReason, str] | None:
        now = self._clock()
        if watched.worker is not None:
            with contextlib.suppress(FileNotFoundError):
                sign = (self._journals / journal_name(watched.worker)).stat().st_mtime_ns
                if sign != watched.sign:
                    watched.sign, watched.heard_at, watched.n_excused = sign, now, 0
        limit_s = self._stall_s if watched.is_warm else max(self._stall_s, START_S)
        if now - watched.heard_at > limit_s:
            when = "" if watched.is_warm else " from a worker that was to start"
            limit = format_duration(limit_s)
            return StopReason.STALLED, f"no sign of life for {limit}{when} (search.stall_timeout)"
        if self._trial_s is not None and now - watched.began_at > self._trial_s:
            limit = format_duration(self._trial_s)
            return StopReason.TRIAL_TIMEOUT, f"ran for more than {limit} (search.trial_timeout)"
        return None


def worker_name() -> str:
    """The name of this process as a worker: its host and its number there."""
    return f"{socket.gethostname()}-{os.getpid()}"


def journal_name(worker: str) -> str:
    return f"worker-{worker}.jsonl"
