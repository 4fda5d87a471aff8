"""What lasts is said while it lasts: on large data nobody is to wonder whether a command hangs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

FIRST_AFTER_S = 5.0
AGAIN_AFTER_S = 20.0

Tell = Callable[[str], object]
"""Takes a line, from whatever thread."""

_TELL: ContextVar[Tell | None] = ContextVar("recsweep_waits", default=None)


@contextlib.contextmanager
def waits_told(tell: Tell | None) -> Iterator[None]:
    """For the block: what lasts is told so; None: to nobody."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """For the block, should it last 5 s: `wait     reading the data, 5 s so far`, every 20 s again.

    Args:
        what: is being done.
    """
    tell = _TELL.get()
    if tell is None:
        yield
        return
    began, over = time.monotonic(), threading.Event()

    def watch() -> None:
        after_s = FIRST_AFTER_S
        while not over.wait(after_s):
            with contextlib.suppress(OSError):  # whoever read it has gone
                tell(f"wait     {what}, {max(1, round(time.monotonic() - began))} s so far")
            after_s = AGAIN_AFTER_S

    thread = threading.Thread(target=watch, name="recsweep-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
