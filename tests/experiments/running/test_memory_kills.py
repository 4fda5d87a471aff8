"""A worker that Ray ends for want of memory is a lost one, and the sweep goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.air.execution import FixedResourceManager
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError

from experiments.running.memory_kills import memory_kills_as_losses

KILLED = OutOfMemoryError(
    "2 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
    "127.0.0.1, ID: 2d68) was 22.83GB used / 23.54GB limit (0.969622)\nOOM kill reason: ..."
)


def fail(manager: RayActorManager) -> list[Exception]:
    """What the two callbacks of a worker and its task are given when it was killed."""
    heard: list[Exception] = []

    def hear(_actor: Any, exception: Exception) -> None:
        heard.append(exception)

    actor = SimpleNamespace(actor_id=7, _on_error=hear)
    task: Any = SimpleNamespace(_tracked_actor=actor, _on_error=hear)
    manager._cleanup_actor = lambda tracked_actor: None
    manager._actor_task_failed(tracked_actor_task=task, exception=KILLED)
    return heard


def test_tune_hears_of_a_lost_worker_and_the_user_of_memory() -> None:
    manager = RayActorManager(FixedResourceManager({"CPU": 1}))
    told: list[str] = []
    with memory_kills_as_losses(told.append):
        heard = fail(manager)
    assert [type(exception) for exception in heard] == [RayActorError] * 2
    assert told == [
        "memory is nearly full (22.8 of 23.5 GB in use), and Ray ended a worker; end what else "
        "needs it, or run fewer workers"
    ]
    with pytest.raises(RuntimeError, match="unexpected"):  # Ray's own way, which ends a sweep
        fail(manager)
