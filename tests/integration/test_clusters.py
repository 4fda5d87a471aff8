"""A cluster of somebody's: too small, with a worker that hangs on a node, without its head."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments.machine.machine import Machine
from experiments.records import StopReason, TrialState, read_study
from experiments.request.config import sweep_to_toml
from tests.integration.test_faults import worker_pid
from tests.integration.test_sweeps import events_of, small_sweep, wait_for

pytestmark = pytest.mark.ray


@pytest.fixture
def nodes(cluster: Machine) -> Iterator[Any]:
    """A head without cores, and a node with one core and one (logical) GPU."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        made.add_node(num_cpus=1, num_gpus=1)
        yield made
    finally:
        made.shutdown()


@pytest.mark.long
def test_a_cluster_that_is_too_small_one_that_hangs_and_one_that_loses_its_head(
    nodes: Any, ratings_csv: Path, tmp_path: Path
) -> None:
    studies = tmp_path / "studies"

    def recsweep(name: str, *options: str) -> subprocess.Popen[str]:
        sweep = small_sweep(
            ratings_csv, name, trials=2, max_epochs=100_000, pruner="none", stall_timeout="8s"
        )
        file = tmp_path / f"{name}.toml"
        file.write_text(sweep_to_toml(sweep))
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments.cli.main", "run", str(file), *options),
                *("--ray-address", nodes.address, "--studies", str(studies)),
            ],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    greedy = recsweep("greedy", "--workers", "4", "--gpu-share", "1")
    driver = recsweep("mine", "--workers", "1")
    _, said = greedy.communicate(timeout=120)
    assert greedy.returncode == 2, said
    assert "4 trials at once, each with 1 CPU and 1 GPU, were asked for; the cluster at" in said
    assert "has 1 CPU and 1 GPU, room for 1. Go on with --workers 1" in said

    folder = studies / "mine"
    wait_for(lambda: sum(event["kind"] == "epoch" for event in events_of(folder)) > 3)
    hung = worker_pid(folder)
    on_node = {p.pid for p in psutil.Process(_raylet_of(nodes)).children(recursive=True)}
    assert hung in on_node
    os.kill(hung, signal.SIGSTOP)
    wait_for(lambda: worker_pid(folder) != hung)
    assert not psutil.pid_exists(hung)

    head = nodes.head_node.all_processes["gcs_server"][0].process
    head.kill()
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 7, said
    assert f"Ray is lost: its head at {nodes.address} has not answered" in said
    assert f"go on with: recsweep resume {folder}" in said
    study = read_study(folder)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.RUNNING]
    assert study.trials[0].stop_reason is StopReason.STALLED


def _raylet_of(nodes: Any) -> int:
    (node,) = nodes.worker_nodes
    return int(node.all_processes["raylet"][0].process.pid)
