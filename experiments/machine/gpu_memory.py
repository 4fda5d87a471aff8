"""The memory of the machine's NVIDIA GPUs, as the driver tells it, and what others hold of it.

`nvidia-smi` is asked, once and never while trials run: a seam of one function that gives its text,
so that tests (and machines without a GPU) can say what it would. Standard library only.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

SLICE = "MIG-"
"""How the uuid of a part of a GPU begins."""
CONTEXT_GB = 0.5
"""What CUDA holds for each process that uses a GPU."""
LEAST_MB = 256
"""A smaller cap is no place to train in."""
IDLE_GB = 1.0
"""What a driver may hold of a GPU that nobody uses."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU and its memory at the moment it was asked."""

    index: int
    """The driver's number, as in `nvidia-smi` and CUDA_VISIBLE_DEVICES; of a slice its place in
    the latter."""
    uuid: str
    name: str
    memory_gb: float
    """GiB in all."""
    free_gb: float
    """GiB that nobody held."""

    @property
    def device(self) -> str:
        """What CUDA_VISIBLE_DEVICES calls it: slices have no numbers."""
        return self.uuid if self.uuid.startswith(SLICE) else str(self.index)

    @property
    def used_gb(self) -> float:
        """GiB that somebody held: others, as long as no trial of ours runs there."""
        return max(0.0, self.memory_gb - self.free_gb)


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """The GPUs in the lines of `ask_nvidia_smi`; other lines are passed over."""
    gpus = []
    for line in listing.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 5 and parts[0].isdigit():
            # Where memory is shared with the host, the driver says `[N/A]`.
            total = _gib(parts[3], 0.0)
            gpus.append(Gpu(int(parts[0]), parts[1], parts[2], total, _gib(parts[4], total)))
    return tuple(gpus)


def parse_slices(listing: str) -> tuple[Gpu, ...]:
    """The slices of GPUs in the lines of `nvidia-smi -L`, in its order.

    `  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-...)`: the driver says what a slice has, and
    not what of it is free.
    """
    found = re.findall(r"^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", listing, re.M)
    slices = []
    for index, (profile, uuid) in enumerate(found):
        size = re.search(r"(\d+)gb", profile)
        gb = float(size.group(1)) if size else 0.0
        slices.append(Gpu(index, uuid, f"MIG {profile}", gb, gb))
    return tuple(slices)


def memory_cap_mb(gpus: Sequence[Gpu], share: float) -> int | None:
    """MiB that a trial may take of a GPU that it shares: its part of what is free on the fullest
    one, less what a process holds beside TensorFlow's pool. None: no cap, since the GPU is not
    shared or nothing is known of its memory."""
    free_gb = [gpu.free_gb for gpu in gpus if gpu.memory_gb]
    if not 0 < share < 1 or not free_gb:
        return None
    return int((min(free_gb) * share - CONTEXT_GB) * 1024)


def others_lines(gpus: Sequence[Gpu]) -> list[str]:
    """A sentence for each GPU that others use, for the eyes of who starts a sweep."""
    return [
        f"GPU {gpu.index} ({gpu.name}): {gpu.used_gb:.1f} of {gpu.memory_gb:.1f} GB are in use by "
        "others and left alone"
        for gpu in gpus
        if gpu.used_gb >= IDLE_GB
    ]


def ask_nvidia_smi() -> str:
    """What the driver says; empty without one.

    A line a GPU: index, uuid, name, memory.total, memory.free (MiB); and where slices of GPUs are
    visible, the lines of `nvidia-smi -L`.
    """
    query = (
        "--query-gpu=index,uuid,name,memory.total,memory.free",
        "--format=csv,noheader,nounits",
    )
    said = _nvidia_smi(*query)
    if SLICE in os.environ.get("CUDA_VISIBLE_DEVICES", ""):
        said += _nvidia_smi("-L")
    return said


def _nvidia_smi(*options: str) -> str:
    command = ["nvidia-smi", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  # fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _gib(text: str, unknown: float) -> float:
    """GiB of a number of MiB."""
    try:
        return float(text) / 1024
    except ValueError:
        return unknown
