"""How long each stage of a start took, told as it ends where somebody asked (`--verbose`).

Each stage ends where the next begins, so that they add up to the time until the first epoch.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

Tell = Callable[[str, float], None]


class Stages:
    """Seconds from one call of `over` to the next; each name counts once.

    Args:
        tell: None: nobody asked, and nothing is told.
        began: monotonic seconds; None: now.
    """

    def __init__(self, tell: Tell | None = None, began: float | None = None) -> None:
        self._tell = tell
        self._last = time.monotonic() if began is None else began
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def over(self, name: str) -> None:
        """A stage has ended; called by whichever thread ends it."""
        if self._tell is None or name in self._names:
            return
        with self._lock:
            now = time.monotonic()
            self._names.add(name)
            self._tell(name, now - self._last)
            self._last = now


_stages = Stages()


def process_age_s() -> float:
    """Seconds since this process was started.

    Linux tells it to a hundredth; psutil adds the time of the boot, which is known to a second.
    """
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return time.time() - float(psutil.Process().create_time())
    since_boot_s = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s


def tell_stages(tell: Tell, began: float | None = None) -> None:
    """Have the stages of this process's next study told."""
    global _stages  # one study at a time
    _stages = Stages(tell, began)


def stage_over(name: str) -> None:
    """A stage of this process's study has ended."""
    _stages.over(name)
