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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.durations import parse_duration
from experiments.files import read_json, write_json
from experiments.ledger.journal import Journal, sound_events
from experiments.machine.versions import current_versions
from experiments.records import (
    DRIVER_JOURNAL,
    PROVENANCE_NAME,
    SWEEP_NAME,
)

if TYPE_CHECKING:
    from experiments.machine.machine import Machine
    from experiments.machine.packing import Packing
    from experiments.machine.resources import Resources


def begin_session(folder: Path, journal: Journal, machine: Machine, resources: Resources) -> None:
    """Journal that a driver begins, with what it begins with."""
    journal.append(
        "session",
        sync=True,
        pid=os.getpid(),
        host=socket.gethostname(),
        sweep=(folder / SWEEP_NAME).read_text(encoding="utf-8"),
        versions=current_versions(),
        machine=machine.to_json(),
        resources=asdict(resources),
    )


def end_session(journal: Journal, *, is_finished: bool) -> None:
    """Journal that a driver ends, and what it leaves."""
    state = "finished" if is_finished else "interrupted"
    journal.append("session_end", sync=True, state=state)


def record_changed_versions(folder: Path) -> list[str]:
    """What is installed in another version than when the study last trained, as `name then -> now`.

    The changes are added to provenance.json under `changes`.
    """
    provenance = read_json(folder / PROVENANCE_NAME)
    events = sound_events(folder / DRIVER_JOURNAL)
    sessions = [e for e in events if e["kind"] == "session" and "versions" in e]
    last = sessions[-1] if sessions else None
    before: dict[str, str | None] = dict(last["versions"]) if last else {}
    for change in provenance.get("changes", []):  # a verdict is no session
        if last is not None and change["at"] > last["at"]:
            before |= {name: new for name, (_, new) in change["versions"].items()}
    now = current_versions()
    changed = {
        name: [before[name], now[name]]
        for name in now
        if name in before and before[name] != now[name]
    }
    if changed:
        changes = [*provenance.get("changes", []), {"at": time.time(), "versions": changed}]
        write_json(folder / PROVENANCE_NAME, provenance | {"changes": changes})
    return [f"{name} {then or 'none'} -> {new or 'none'}" for name, (then, new) in changed.items()]


def changed_resources(provenance: Mapping[str, Any], now: Resources) -> list[str]:
    """What trials take of the machine now and did not when the study began, as options:
    `--gpu-share 0 -> 1`."""
    before, after = provenance.get("resources") or {}, asdict(now)
    options = {"workers": "--workers", "cpus": "--cpus-per-trial", "address": "--ray-address"}
    if now.pack_up_to is None:  # else a probe chooses the two
        options["gpus"] = "--gpu-share"
    else:
        del options["workers"]
    return [
        f"{option} {_resource_text(before[name])} -> {_resource_text(after[name])}"
        for name, option in options.items()
        if name in before and before[name] != after[name]
    ]


def _resource_text(value: float | str | None) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, int | float) else value


def record_packing(folder: Path, packing: Packing, resources: Resources) -> None:
    """Add to provenance.json, under `packing`, how many trials share a GPU in this session.

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
    """The monotonic time at which to stop: after so long, else before the Slurm job ends.

    Raises:
        RequestError: `stop_at` is no duration.
    """
    if stop_at is None:
        left_s = job_end_s(os.environ, time.time())
    else:
        left_s = parse_duration(stop_at, "the time to stop at")
    return None if left_s is None else time.monotonic() + left_s


def job_end_s(environ: Mapping[str, Any], now: float) -> float | None:
    """Seconds until a driver under Slurm should stop, before its job ends; None elsewhere."""
    end = str(environ.get("SLURM_JOB_END_TIME", ""))
    return max(1.0, float(end) - now - JOB_MARGIN_S) if end.isdigit() else None


JOB_MARGIN_S = 120.0
"""What checkpointing and the report may take at the end of a job."""
