"""Two people on one machine: clusters of ours that start at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.ray

ONE_PERSON = """
import json, os, sys
from experiments.cluster import ray_cluster
from experiments.gpu_memory import Gpu
from experiments.machine import Machine
from experiments.resources import Resources

gpus = tuple(Gpu(i, f"GPU-{i}", "logical", 16.0, 16.0) for i in range(2))
machine = Machine(n_cpus=1, cpu="logical", memory_gb=8.0, gpus=gpus)
resources = Resources(gpus=0.5, devices=(int(sys.argv[1]),)).settle(machine)
with ray_cluster(resources, resources.narrowed(machine)):
    import ray

    @ray.remote(num_cpus=0, num_gpus=0.5)
    def device():
        return os.environ["CUDA_VISIBLE_DEVICES"]

    context = ray.get_runtime_context()
    print(json.dumps([context.gcs_address, context.get_session_name(), ray.get(device.remote())]))
"""


def test_two_clusters_that_start_at_once_share_nothing_and_keep_to_their_gpu() -> None:
    people = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_PERSON, gpu],
            cwd=ROOT,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "0,1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for gpu in ("0", "1")
    ]
    told = [json.loads(person.communicate(timeout=120)[0].splitlines()[-1]) for person in people]
    assert [person.returncode for person in people] == [0, 0]
    (address, session, device), (other_address, other_session, other_device) = told
    assert address != other_address
    assert session != other_session
    assert (device, other_device) == ("0", "1")
