"""Cores of a worker's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import RequestError
from experiments.machine.cores import cores_of_worker, sibling_rank
from experiments.machine.machine import Gpu, Machine
from experiments.machine.resources import Resources
from experiments.machine.taking import take_machine

ROOT = Path(__file__).parents[3]
GPUS = tuple(Gpu(i, f"GPU-{i}", "a", 16, 16) for i in range(2))


@pytest.mark.parametrize(
    ("machine", "resources", "n_cores"),
    [
        (Machine(16, "a", 8), Resources(workers=4, cpus=2, gpus=0), 2),
        (Machine(16, "a", 8, limited_by="affinity"), Resources(workers=4, gpus=0), 1),
        (Machine(16, "a", 8), Resources(workers=32, cpus=0.5, gpus=0), 0),
        (Machine(1, "a", 8), Resources(workers=1, gpus=0), 0),
        (Machine(16, "a", 8, limited_by="cgroup"), Resources(workers=4, gpus=0), 0),
        (Machine(16, "a", 8), Resources(workers=4, gpus=0, address="auto"), 0),
        (Machine(16, "a", 8, gpus=GPUS), Resources(workers=4, gpus=0.5), 4),
    ],
)
def test_a_worker_keeps_to_as_many_cores_as_its_trial_takes(
    machine: Machine, resources: Resources, n_cores: int
) -> None:
    assert cores_of_worker(machine, resources) == n_cores


@pytest.mark.parametrize(
    ("listed", "core", "rank"),
    [("0,8\n", 0, 0), ("0,8\n", 8, 1), ("2-3\n", 3, 1), ("5\n", 5, 0), ("", 5, 0), ("1\n", 5, 0)],
)
def test_the_threads_of_one_core_are_told_apart(
    tmp_path: Path, listed: str, core: int, rank: int
) -> None:
    topology = tmp_path / f"sys/devices/system/cpu/cpu{core}/topology"
    topology.mkdir(parents=True)
    (topology / "thread_siblings_list").write_text(listed)
    assert sibling_rank(core, tmp_path) == rank
    assert sibling_rank(77, tmp_path) == 0


TWO_WORKERS = """
import json, os
from experiments.machine import cores
from experiments.machine.cores import keep_to_cores
cores.CLAIM += f"test-{os.getpid()}-"
allowed = sorted(os.sched_getaffinity(0))
n = len(allowed) // 2
mine = keep_to_cores(n)
assert sorted(os.sched_getaffinity(0)) == list(mine)
reader, writer = os.pipe()
if os.fork() == 0:
    os.sched_setaffinity(0, allowed)
    theirs = keep_to_cores(n)
    os.sched_setaffinity(0, allowed)
    late = keep_to_cores(len(allowed) - 1)
    free = sorted(os.sched_getaffinity(0)) == allowed
    os.write(writer, json.dumps((theirs, late, free)).encode())
    os._exit(0)
os.wait()
print(json.dumps((n, allowed, mine, *json.loads(os.read(reader, 4096)))))
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_two_workers_never_keep_to_the_same_core_and_a_third_is_left_free() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_WORKERS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    n, allowed, mine, theirs, late, is_free = json.loads(done.stdout)
    assert len(mine) == len(theirs) == n
    assert not set(mine) & set(theirs)
    assert set(mine) | set(theirs) <= set(allowed)
    assert late == [] and is_free


def test_under_taskset_there_is_one_worker() -> None:
    told = (
        "from experiments.machine.taking import take_machine\nprint(take_machine(None)[1].workers)"
    )
    done = subprocess.run(
        ["taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-c", told],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize("mistake", [3, {"workers": 2}, 0])
def test_resources_are_nothing_else(mistake: object) -> None:
    with pytest.raises(RequestError, match="resources are Resources"):
        take_machine(mistake)  # type: ignore[arg-type]
