from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from experiments.cli.wording import machine_text
from experiments.machine.machine import Machine, read_machine, visible_gpus

GPUS = """\
0, GPU-aaa1, NVIDIA H100, 81559, 81000
1, GPU-bbb2, NVIDIA H100, 81559, 500
2, GPU-ccc3, NVIDIA L4, 23034, [N/A]
"""


def _root(tmp_path: Path, files: dict[str, str]) -> Path:
    files = {
        "proc/meminfo": "MemTotal: 33554432 kB\n",
        "proc/cpuinfo": "processor : 0\nmodel name\t: Zen\n",
        "proc/self/cgroup": "0::/job/step\n",
    } | files
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))


def _read(root: Path, environ: dict[str, str] | None = None, gpus: str = "") -> Machine:
    return read_machine(environ or {}, root=root, query_gpus=lambda: gpus)


def test_a_machine_of_ones_own_is_read_whole(tmp_path: Path) -> None:
    machine = _read(_root(tmp_path, {}))
    assert (machine.n_cpus, machine.memory_gb, machine.cpu) == (64, 32.0, "Zen")
    assert machine.limited_by == ""
    assert str(machine) == "64 cores, no GPU"


def test_affinity_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    machine = _read(_root(tmp_path, {}))
    assert (machine.n_cpus, machine.limited_by, str(machine)) == (1, "affinity", "1 core, no GPU")


@pytest.mark.parametrize(
    ("files", "n_cpus", "memory_gb"),
    [
        ({"sys/fs/cgroup/job/step/cpu.max": "250000 100000\n"}, 2, 32.0),
        ({"sys/fs/cgroup/job/cpu.max": "50000 100000\n"}, 1, 32.0),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64, 32.0),
        ({"sys/fs/cgroup/job/memory.max": f"{4 * 1024**3}\n"}, 64, 4.0),
        ({"sys/fs/cgroup/memory.max": "max\n"}, 64, 32.0),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n1:cpu,cpuacct:/a\n0::/\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * 1024**3}\n",
            },
            3,
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            64,
            32.0,
        ),
    ],
)
def test_the_tightest_cgroup_limit_above_the_process_holds(
    tmp_path: Path, files: dict[str, str], n_cpus: int, memory_gb: float
) -> None:
    machine = _read(_root(tmp_path, files))
    assert (machine.n_cpus, machine.memory_gb) == (n_cpus, memory_gb)
    assert machine.limited_by == ("cgroup" if n_cpus < 64 else "")


def test_slurms_share_is_seen(tmp_path: Path) -> None:
    root = _root(tmp_path, {})
    machine = _read(root, {"SLURM_CPUS_PER_TASK": "8", "SLURM_MEM_PER_CPU": "1024"})
    assert (machine.n_cpus, machine.memory_gb, machine.limited_by) == (8, 8.0, "Slurm")
    assert _read(root, {"SLURM_CPUS_ON_NODE": "4", "SLURM_MEM_PER_NODE": "2048"}).memory_gb == 2.0


@pytest.mark.parametrize(
    ("visible", "indices"),
    [
        (None, [0, 1, 2]),
        ("0,2", [0, 2]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("1,-1,0", [1]),
        ("0,7,1", [0]),
        ("GPU-bbb2,GPU-a", [1, 0]),
        ("GPU-", []),
        ("0,0", [0]),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(
    visible: str | None, indices: list[int]
) -> None:
    assert [gpu.index for gpu in visible_gpus(GPUS, visible)] == indices


@pytest.mark.parametrize("listing", ["", "No devices were found\n", "Failed: driver mismatch, x\n"])
def test_without_a_driver_there_is_no_gpu(listing: str) -> None:
    assert visible_gpus(listing, None) == ()


def test_gpus_are_told_by_name_and_number(tmp_path: Path) -> None:
    machine = _read(_root(tmp_path, {}), gpus=GPUS)
    assert str(machine) == "64 cores, 2 × NVIDIA H100, NVIDIA L4"
    assert machine.gpus[2].free_gb == machine.gpus[2].memory_gb  # the driver does not say
    assert machine.to_json()["gpus"][2] == {"index": 2, "name": "NVIDIA L4", "memory_gb": 22.5}


def test_the_head_of_a_run_tells_the_gpus_of_the_record(tmp_path: Path) -> None:
    machine = _read(_root(tmp_path, {}), gpus=GPUS)
    assert machine_text(machine.to_json()) == str(machine)


def test_a_machine_that_tells_nothing_is_still_standard_json(tmp_path: Path) -> None:
    machine = read_machine({}, root=tmp_path / "nothing", query_gpus=lambda: "")
    assert math.isinf(machine.memory_gb)
    json.dumps(machine.to_json(), allow_nan=False)


def test_this_machine_can_be_read() -> None:
    machine = read_machine()
    assert machine.n_cpus >= 1
    assert machine.memory_gb > 0
