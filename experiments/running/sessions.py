"""The runs of the driver on one study: what each began with, and what changed since the last.

Every `session` line of the driver's journal carries the sweep, the versions, the machine and the
resources of that run, so that the frozen sweep can be held to the first one, and what changed is on
the record.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.durations import parse_duration
from experiments.files import read_json, write_json
from experiments.ledger.journal import Journal
from experiments.machine.versions import current_versions, git_state
from experiments.records import PROVENANCE_NAME, SWEEP_NAME
from experiments.records.conditions import Conditions, conditions, differing, versions_of_git

if TYPE_CHECKING:
    from experiments.machine.machine import Machine
    from experiments.machine.packing import Packing
    from experiments.machine.resources import Resources


def begin_session(folder: Path, journal: Journal, machine: Machine, resources: Resources) -> None:
    """Journal that a driver begins, with what it begins with."""
    journal.append(
        "session",
        sync=True,
        in_order=True,
        pid=os.getpid(),
        host=socket.gethostname(),
        sweep=(folder / SWEEP_NAME).read_text(encoding="utf-8"),
        versions=versions_now(),
        machine=machine.to_json(),
        resources=asdict(resources),
    )


def end_session(journal: Journal, *, is_finished: bool) -> None:
    """Journal that a driver ends, and what it leaves."""
    state = "finished" if is_finished else "interrupted"
    journal.append("session_end", sync=True, in_order=True, state=state)


def versions_now() -> dict[str, str | None]:
    """Of Python, recsweep, its commit and the packages that can change a number."""
    return current_versions() | versions_of_git(git_state(Path(__file__)))


def other_than_now(then: Conditions) -> dict[str, str]:
    """What a number depends on and is other in this process, by name: `2.4.1, then 2.4.0`."""
    from experiments.machine.machine import read_machine

    here = replace(then, versions=versions_now(), machine=read_machine().to_json())
    told = [
        {**at.versions, "processor": at.hardware["processor"], "GPUs": at.gpus}
        for at in (then, here)
    ]
    return {
        name: f"{now or 'none'}, then {before or 'none'}"
        for name, (before, now) in differing(*told).items()
    }


def record_changes(folder: Path, machine: Machine, resources: Resources) -> list[str]:
    """What is other than when the study last trained, as `name then -> now`.

    It is added to provenance.json under `changes`.
    """
    provenance = read_json(folder / PROVENANCE_NAME)
    last = conditions(provenance)[-1]
    now = Conditions(time.time(), versions_now(), machine.to_json(), asdict(resources))
    versions = differing(last.versions, now.versions)
    hardware = differing(last.hardware, now.hardware) if last.machine else {}
    taken = _changed_options(last.resources, resources)
    if not (versions or hardware or taken):
        return []
    change: dict[str, Any] = {"at": now.since, "versions": versions}
    change |= {"machine": now.machine} if hardware else {}
    change |= {"resources": now.resources} if taken else {}
    changes = [*provenance.get("changes", []), change]
    write_json(folder / PROVENANCE_NAME, provenance | {"changes": changes})
    told = versions | hardware | taken
    return [f"{name} {then or 'none'} -> {new or 'none'}" for name, (then, new) in told.items()]


def _changed_options(
    before: Mapping[str, Any], now: Resources
) -> dict[str, tuple[str | None, str | None]]:
    """What trials take of the machine, by the option that says it: `--gpu-share`, 0, 1."""
    options = {"workers": "--workers", "cpus": "--cpus-per-trial", "address": "--ray-address"}
    if now.pack_up_to is not None:  # A probe chooses workers and share.
        del options["workers"]
    if now.pack_up_to is None or not before.get("gpus"):
        options["gpus"] = "--gpu-share"
    as_text = [
        {option: _text(values[name]) for name, option in options.items() if name in values}
        for values in (before, asdict(now))
    ]
    return differing(*as_text)


def _text(value: float | str | None) -> str | None:
    return f"{value:g}" if isinstance(value, int | float) else value


def record_packing(folder: Path, packing: Packing, resources: Resources) -> None:
    """Add to provenance.json, under `packing`, how many trials share a GPU in this run.

    The first that a probe chose is also what the study began with, until then one a GPU.
    """
    path = folder / PROVENANCE_NAME
    provenance = read_json(path)
    chosen = asdict(packing) | {"at": time.time(), "workers": resources.workers}
    new: dict[str, Any] = {"packing": [*provenance.get("packing", []), chosen]}
    if (provenance.get("resources") or {}).get("pack_up_to"):
        new |= {"n_workers": resources.workers, "resources": asdict(resources)}
    write_json(path, provenance | new)


def deadline_of(stop_at: str | None) -> float | None:
    """The monotonic time at which to stop: after so long, or earlier, before the Slurm job ends.

    Raises:
        RequestError: `stop_at` is no duration.
    """
    ends = [job_end_s(os.environ, time.time())]
    if stop_at is not None:
        ends.append(parse_duration(stop_at, "the time to stop at"))
    left_s = min((end for end in ends if end is not None), default=None)
    return None if left_s is None else time.monotonic() + left_s


def job_end_s(environ: Mapping[str, Any], now: float) -> float | None:
    """Seconds until a driver under Slurm should stop, before its job ends; None elsewhere, also in
    a terminal that outlived its job."""
    end = str(environ.get("SLURM_JOB_END_TIME", ""))
    if not end.isdigit() or float(end) <= now:
        return None
    return max(1.0, float(end) - now - JOB_MARGIN_S)


JOB_MARGIN_S = 120.0
"""What checkpointing and the report may take at the end of a job."""
