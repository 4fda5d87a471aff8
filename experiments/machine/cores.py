"""Cores of a worker's own, so that workers do not chase each other from core to core.

A core is claimed by binding a socket of its name in Linux's abstract namespace: one process of the
whole machine has it, whoever runs it, and the claim ends with the process. No file is left behind.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

from experiments.machine.machine import Machine
from experiments.machine.resources import Resources

CLAIM = "\0recsweep-core-"
"""The beginning of the names; the zero byte makes them names of no file."""
_LOOK_S = 0.1
_claims: list[socket.socket] = []
"""Bound for the life of this process."""


def cores_of_worker(machine: Machine, resources: Resources) -> int:
    """How many cores each worker is to keep to; 0: it may use all of them.

    A quota says how much of a machine is ours and not which part, so then nothing is pinned; nor on
    a cluster that others share.
    """
    is_ours = machine.limited_by in ("", "affinity") and resources.address is None
    if machine.n_cpus < 2 or not is_ours:
        return 0
    n_workers = resources.workers or 1
    if resources.gpus:
        # The drivers' threads of a GPU need room beside those of TensorFlow.
        return max(int(resources.cpus), machine.n_cpus // n_workers)
    return int(resources.cpus)


def keep_to_cores(n_cores: int) -> tuple[int, ...]:
    """Bind this thread, and those it will start, to so many cores that no other worker keeps to.

    The idlest come first, and of those one thread of every physical core before its second. Where
    so many are not free, as with more workers than cores, nothing is bound, and the kernel goes on
    to choose.

    Returns:
        The cores, in order; empty where nothing was bound.
    """
    allowed = os.sched_getaffinity(0)
    if not 0 < n_cores < len(allowed):
        return ()
    busy = dict(enumerate(psutil.cpu_percent(_LOOK_S, percpu=True)))
    claims: dict[int, socket.socket] = {}
    for core in sorted(allowed, key=lambda c: (round(busy.get(c, 0.0), -1), sibling_rank(c), c)):
        if len(claims) < n_cores and (claim := _claim(core)):
            claims[core] = claim
    if len(claims) < n_cores:
        for claim in claims.values():
            claim.close()
        return ()
    os.sched_setaffinity(0, claims)
    _claims.extend(claims.values())
    return tuple(sorted(claims))


def sibling_rank(core: int, root: Path = Path("/")) -> int:
    """Which of the threads of one physical core this is, from 0; 0 where nothing says."""
    path = root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
    try:
        ranges = [part.split("-") for part in path.read_text(encoding="ascii").split(",")]
        siblings = [n for r in ranges for n in range(int(r[0]), int(r[-1]) + 1)]
        return siblings.index(core)
    except (OSError, ValueError):
        return 0


def _claim(core: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"{CLAIM}{core}")
    except OSError:
        claim.close()
        return None
    return claim
