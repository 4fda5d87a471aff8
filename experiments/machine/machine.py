"""The machine as this process may use it: affinity, cgroup, Slurm and CUDA_VISIBLE_DEVICES.

Ray and `os.cpu_count` see the whole node; a job in a container or under Slurm owns part of it.
Standard library only.
"""

from __future__ import annotations

import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.machine.gpu_memory import SLICE, Gpu, ask_nvidia_smi, parse_gpus, parse_slices
from experiments.records.values import plural

__all__ = ["Gpu", "Machine", "machine_text", "read_machine", "visible_gpus"]

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use, not what the machine has."""

    n_cpus: int
    """Whole cores, at least 1."""
    cpu: str
    memory_gb: float
    """GiB: the machine's, or the smallest limit on this process; inf where nothing says."""
    gpus: tuple[Gpu, ...] = ()
    platform: str = ""
    host: str = ""
    limited_by: str = ""
    """What makes `n_cpus` smaller than the machine: `affinity`, `cgroup`, `Slurm`; else empty."""

    def __post_init__(self) -> None:
        if self.n_cpus < 1:
            raise ValueError(f"n_cpus must be at least 1, got {self.n_cpus}")

    @property
    def n_gpus(self) -> int:
        return len(self.gpus)

    def __str__(self) -> str:
        return machine_text(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """For provenance.json; the free memory of a moment and the GPUs' serial ids stay out."""
        gpus = [
            {"index": gpu.index, "name": gpu.name, "memory_gb": round(gpu.memory_gb, 1)}
            for gpu in self.gpus
        ]
        return {
            "host": self.host,
            "platform": self.platform,
            "cpu": self.cpu,
            "cpu_count": self.n_cpus,
            "limited_by": self.limited_by,
            "memory_gb": round(self.memory_gb, 1) if math.isfinite(self.memory_gb) else None,
            "gpus": gpus,
        }


def machine_text(machine: Mapping[str, Any]) -> str:
    """`2 cores, no GPU`, `16 cores, 2 × NVIDIA H100`, as `Machine.to_json` tells it."""
    gpus = Counter(gpu["name"] for gpu in machine.get("gpus") or ())
    names = [f"{n} × {name}" if n > 1 else name for name, n in sorted(gpus.items())]
    return ", ".join([plural(machine["cpu_count"], "core"), *(names or ["no GPU"])])


def read_machine(
    environ: Mapping[str, str] | None = None,
    *,
    root: Path = Path("/"),
    query_gpus: Callable[[], str] | None = None,
) -> Machine:
    """Reads affinity, cgroup limits (v1 and v2), Slurm's share and the visible GPUs.

    Args:
        environ: None: this process's.
        root: where `/proc` and `/sys` are looked for.
        query_gpus: gives the lines of `nvidia-smi`; None: asks it.
    """
    environ = os.environ if environ is None else environ
    limits = {
        "": float(os.cpu_count() or 1),
        "affinity": float(len(os.sched_getaffinity(0))),
        "cgroup": _cgroup_cpus(root),
        "Slurm": _slurm_cpus(environ),
    }
    # The first of equal limits names it: a share that takes nothing away is no limit.
    name = min(limits, key=lambda key: limits[key])
    return Machine(
        n_cpus=max(1, math.floor(limits[name])),
        cpu=_cpu_name(root),
        memory_gb=min(_memory_bytes(root), _cgroup_memory(root), _slurm_memory(environ)) / _GIB,
        gpus=visible_gpus((query_gpus or ask_nvidia_smi)(), environ.get("CUDA_VISIBLE_DEVICES")),
        platform=platform.platform(),
        host=platform.node(),
        limited_by=name,
    )


def visible_gpus(listing: str, visible: str | None) -> tuple[Gpu, ...]:
    """The GPUs of `nvidia-smi`'s lines that CUDA_VISIBLE_DEVICES leaves, in its order.

    As CUDA reads it: numbers or the beginnings of uuids, up to the first that is no device. Slices
    of GPUs are visible only by their uuids, and then count as GPUs.

    Args:
        listing: as `gpu_memory.parse_gpus` reads it.
        visible: None: all are visible.
    """
    gpus = parse_gpus(listing)
    if visible is None:
        return gpus
    chosen: list[Gpu] = []
    slices = parse_slices(listing)
    for wanted in (part.strip() for part in visible.split(",")):
        found = [
            gpu
            for gpu in (*gpus, *slices)
            if (wanted.isdigit() and gpu.device == str(int(wanted)))
            or (wanted.startswith(("GPU-", SLICE)) and gpu.uuid.startswith(wanted))
        ]
        if len(found) != 1 or found[0].uuid in [gpu.uuid for gpu in chosen]:
            break
        gpu = found[0]
        chosen.append(replace(gpu, index=len(chosen)) if gpu in slices else gpu)
    return tuple(chosen)


def _cgroup_cpus(root: Path) -> float:
    """Cores of the tightest quota above this process; inf without one."""
    limits = [math.inf]
    for folder in _cgroup_folders(root, "cpu"):
        quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
        if not quota:
            quota = " ".join(_words(folder / "cpu.cfs_quota_us"))
            period = " ".join(_words(folder / "cpu.cfs_period_us"))
        if quota.isdigit() and period.isdigit() and int(period):
            limits.append(int(quota) / int(period))
    return min(limits)


def _cgroup_memory(root: Path) -> float:
    limits = [math.inf]
    for folder in _cgroup_folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [float(word) for word in _words(folder / name) if word.isdigit()]
    return min(limits)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """This process's cgroup and all above it, in version 2 and in a controller's version 1."""
    mount = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            base = mount
        elif controller in controllers.split(","):
            base = mount / controller
        else:
            continue
        folder = base / path.strip().lstrip("/")
        # Inside a container the path may be the host's; then only the mount itself is there.
        yield folder
        while folder != base and base in folder.parents:
            folder = folder.parent
            yield folder


def _slurm_cpus(environ: Mapping[str, str]) -> float:
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        if (count := environ.get(name, "")).isdigit() and int(count):
            return float(count)
    return math.inf


def _slurm_memory(environ: Mapping[str, str]) -> float:
    """Bytes; Slurm says MiB."""
    if (node := environ.get("SLURM_MEM_PER_NODE", "")).isdigit() and int(node):
        return float(node) * 1024**2
    each = environ.get("SLURM_MEM_PER_CPU", "")
    cpus = _slurm_cpus(environ)
    if each.isdigit() and int(each) and math.isfinite(cpus):
        return float(each) * cpus * 1024**2
    return math.inf


def _memory_bytes(root: Path) -> float:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemTotal:"):
            return float(line.split()[1]) * 1024
    return math.inf


def _cpu_name(root: Path) -> str:
    for line in _lines(root / "proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path)[:1] for word in line.split()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
