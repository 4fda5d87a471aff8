"""Two people on one machine: clusters of ours that start at the same moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

ONE_PERSON = """
import json, os, sys
from experiments.machine.cluster import ray_cluster
from experiments.machine.gpu_memory import Gpu
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources

gpus = tuple(Gpu(i, f"GPU-{i}", "logical", 16.0, 16.0) for i in range(2))
machine = Machine(n_cpus=1, cpu="logical", memory_gb=8.0, gpus=gpus)
resources = Resources(gpus=0.5, devices=(int(sys.argv[1]),)).settle(machine)
with ray_cluster(resources, resources.narrowed(machine)):
    import ray

    @ray.remote(num_cpus=0, num_gpus=0.5)
    def inside():
        return sys.path, dict(os.environ)

    path, environment = ray.get(inside.remote())
    context = ray.get_runtime_context()
    told = {
        "address": context.gcs_address,
        "session": context.get_session_name(),
        "device": environment["CUDA_VISIBLE_DEVICES"],
        "keras": environment["TF_USE_LEGACY_KERAS"],
        "path": path,
        "left here": os.environ.get("TF_CPP_MIN_LOG_LEVEL"),
    }
    print(json.dumps(told))
"""


def test_two_clusters_that_start_at_once_share_nothing_and_keep_to_their_gpu(
    tmp_path: Path,
) -> None:
    script, folder = tmp_path / "person" / "script.py", tmp_path / "folder"
    script.parent.mkdir()
    folder.mkdir()
    script.write_text(ONE_PERSON)
    hidden = ("TF_CPP_MIN_LOG_LEVEL", "TF_USE_LEGACY_KERAS", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    people = [
        subprocess.Popen(
            [sys.executable, script, gpu],
            cwd=folder,
            env=environment | {"CUDA_VISIBLE_DEVICES": "0,1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for gpu in ("0", "1")
    ]
    told = [json.loads(person.communicate(timeout=120)[0].splitlines()[-1]) for person in people]
    assert [person.returncode for person in people] == [0, 0]
    one, other = told
    assert one["address"] != other["address"]
    assert one["session"] != other["session"]
    assert (one["device"], other["device"]) == ("0", "1")
    for person in told:
        assert person["keras"] == "1"
        assert person["left here"] is None
        # What lies around where somebody works must not be imported in place of what is installed.
        assert not {str(folder), str(script.parent), ""} & set(person["path"])
