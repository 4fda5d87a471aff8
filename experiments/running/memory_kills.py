"""Workers that Ray ends because the machine's memory is nearly full."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError

_IN_USE = re.compile(r"([\d.]+)GB used / ([\d.]+)GB")


@contextlib.contextmanager
def memory_kills_as_losses(tell: Callable[[str], None]) -> Iterator[None]:
    """Has Tune take such a worker for lost, as any other that died: it knows no such error, and
    would end the run with it.

    Args:
        tell: hears of each.
    """
    real = RayActorManager._actor_task_failed

    def failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            tell(_told(str(exception)))
            exception = RayActorError(error_msg=str(exception))
        real(self, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = failed
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = real


def _told(error: str) -> str:
    found = _IN_USE.search(error)
    in_use = f" ({float(found[1]):.1f} of {float(found[2]):.1f} GB in use)" if found else ""
    return (
        f"memory is nearly full{in_use}, and Ray ended a worker; end what else needs it, or run "
        "fewer workers"
    )
