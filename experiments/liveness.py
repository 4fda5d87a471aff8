"""Workers that have gone silent or take too long: found by their journals, ended from outside.

A worker touches its journal between chunks and with every line. The driver looks whether the
file's time has changed, and when by its own clock: what the two clocks say does not matter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.durations import format_duration
from experiments.records import StopReason


@dataclass(slots=True)
class _Watched:
    """One attempt that has started, on its worker."""

    worker: str
    began_at: float
    heard_at: float
    sign: int = -1
    doom: tuple[StopReason, str] | None = None


class Liveness:
    """Watches the attempts of one run of the driver.

    Args:
        folder: the study's.
        stall_s: a worker without a sign of life for so long is killed; None: never.
        trial_s: an attempt that runs for longer is ended; None: never.
        kill: ends the process of a worker, given its name.
    """

    def __init__(
        self,
        folder: Path,
        stall_s: float | None = None,
        trial_s: float | None = None,
        *,
        kill: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journals = folder / "journal"
        self._stall_s = stall_s
        self._trial_s = trial_s
        self._kill = kill or kill_worker
        self._clock = clock
        self._watched: dict[int, _Watched] = {}

    def began(self, number: int, worker: str, spent_s: float = 0.0) -> None:
        """An attempt at a trial started on a worker.

        Args:
            spent_s: what earlier attempts took for the epochs that this one goes on from.
        """
        now = self._clock()
        self._watched[number] = _Watched(worker, now - spent_s, now)

    def over(self, number: int) -> None:
        """The attempt ended, in whatever way."""
        self._watched.pop(number, None)

    def doom_of(self, number: int) -> tuple[StopReason, str] | None:
        """Why `check` killed the worker of a trial, and how long that took; None: it did not."""
        watched = self._watched.get(number)
        return watched.doom if watched else None

    def check(self) -> None:
        """Kill the workers whose time is over. May be called from another thread."""
        if self._stall_s is None and self._trial_s is None:
            return
        for watched in list(self._watched.values()):
            if watched.doom is None:
                watched.doom = self._judge(watched)
                if watched.doom is not None:
                    self._kill(watched.worker)

    def _judge(self, watched: _Watched) -> tuple[StopReason, str] | None:
        now = self._clock()
        with contextlib.suppress(FileNotFoundError):
            sign = (self._journals / journal_name(watched.worker)).stat().st_mtime_ns
            if sign != watched.sign:
                watched.sign, watched.heard_at = sign, now
        if self._stall_s is not None and now - watched.heard_at > self._stall_s:
            limit = format_duration(self._stall_s)
            return StopReason.STALLED, f"no sign of life for {limit} (search.stall_timeout)"
        if self._trial_s is not None and now - watched.began_at > self._trial_s:
            limit = format_duration(self._trial_s)
            return StopReason.TRIAL_TIMEOUT, f"ran for more than {limit} (search.trial_timeout)"
        return None


def worker_name() -> str:
    """The name of this process as a worker: its host and its number there."""
    return f"{socket.gethostname()}-{os.getpid()}"


def journal_name(worker: str) -> str:
    return f"worker-{worker}.jsonl"


def kill_worker(worker: str) -> None:
    """Kill a worker's process, also one that does not run any more or is stopped."""
    host, _, pid = worker.rpartition("-")
    if host == socket.gethostname():
        _kill_here(int(pid))
        return
    import ray

    for node in ray.nodes():
        if node["Alive"] and node["NodeManagerHostname"] == host:
            there = {f"node:{node['NodeManagerAddress']}": 0.001}
            ray.remote(num_cpus=0, resources=there)(_kill_here).remote(int(pid))


def _kill_here(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
