"""What is said while trials run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments import waiting
from experiments.errors import ClusterError
from experiments.machine.resources import Resources
from experiments.running.driver import how_trials_stop, run_trials
from experiments.running.stopping import StopSwitch
from recommender.epochs import CHUNK_ROWS


def test_a_stop_in_the_midst_of_a_long_epoch_costs_the_epoch_and_that_is_said() -> None:
    told = "running trials are checkpointed at the end of their epoch"
    assert how_trials_stop(CHUNK_ROWS) == told
    assert how_trials_stop(CHUNK_ROWS + 1) == f"{told}, or begin it anew"


def test_a_slow_start_of_ray_is_said_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "FIRST_AFTER_S", 0.01)
    bridge = SimpleNamespace(run_on_ray=None)  # without the seconds that its import takes
    monkeypatch.setitem(sys.modules, "experiments.running.bridge", bridge)
    said: list[str] = []

    @contextmanager
    def cluster() -> Iterator[None]:
        time.sleep(0.1)
        raise ClusterError("Ray did not start")
        yield

    driver: Any = SimpleNamespace(
        resources=Resources(workers=1),
        machine=None,
        loaded=SimpleNamespace(encoded=None),
        switch=StopSwitch(tmp_path / "stop"),
        watcher=SimpleNamespace(message=said.append),
        cluster=cluster(),
        deadline=None,
    )
    conductor: Any = SimpleNamespace(liveness=SimpleNamespace(check=lambda: ()))
    with pytest.raises(ClusterError):
        run_trials(driver, conductor)
    assert said == ["wait     starting Ray, 1 s so far"]
