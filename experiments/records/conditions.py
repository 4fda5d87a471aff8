"""With what a study was trained: versions, machine and resources, as it began and as they changed.

`provenance.json` tells how it began and, under `changes`, what was other in a later run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.ledger.trial_records import TrialRecord

UNCOMMITTED = "uncommitted changes"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What trained from one moment on."""

    since: float
    """Wall clock, seconds since 1970; minus infinity for what the study began with."""
    versions: Mapping[str, str | None]
    """Of `python`, `recsweep`, its `commit`, changes beside it and the packages that can change a
    number."""
    machine: Mapping[str, Any]
    resources: Mapping[str, Any]

    @property
    def hardware(self) -> dict[str, str]:
        """What the machine has that a number or its time may depend on, by name."""
        gpus = [str(gpu.get("name")) for gpu in self.machine.get("gpus") or ()]
        return {
            "processor": str(self.machine.get("cpu") or ""),
            "cores": str(self.machine.get("cpu_count") or ""),
            "GPUs": ", ".join(gpus),
        }

    @property
    def gpus(self) -> str:
        """The names of the GPUs that trials had; empty where they were left alone."""
        return "" if self.resources.get("gpus") == 0 else self.hardware["GPUs"]


def conditions(provenance: Mapping[str, Any]) -> tuple[Conditions, ...]:
    """From the beginning of a study on, in order of time; at least one."""
    first = {name: provenance.get(name) for name in ("python", "recsweep")}
    first |= versions_of_git(provenance.get("git"))
    now = Conditions(
        since=float("-inf"),
        versions={name: version for name, version in first.items() if version is not None}
        | (provenance.get("versions") or {}),
        machine=provenance.get("machine") or {},
        resources=provenance.get("resources") or {},
    )
    told = [now]
    for change in provenance.get("changes") or ():
        newer = {name: new for name, (_, new) in (change.get("versions") or {}).items()}
        now = replace(
            now,
            since=change["at"],
            versions={**now.versions, **newer},
            machine=change.get("machine") or now.machine,
            resources=change.get("resources") or now.resources,
        )
        told.append(now)
    return tuple(told)


def versions_of_git(git: Mapping[str, Any] | None) -> dict[str, str | None]:
    """recsweep's commit, and whether its files differed from it, as versions are told."""
    git = git or {}
    is_dirty = git.get("dirty")
    said = None if is_dirty is None else "yes" if is_dirty else "no"
    return {"commit": git.get("commit"), UNCOMMITTED: said}


def conditions_of(provenance: Mapping[str, Any], trial: TrialRecord) -> Conditions:
    """What a trial was trained with, in its last attempt."""
    at = trial.attempts[-1].started_at if trial.attempts else float("inf")
    return [told for told in conditions(provenance) if told.since <= at][-1]


def differing(
    before: Mapping[str, str | None], now: Mapping[str, str | None]
) -> dict[str, tuple[str | None, str | None]]:
    """By name, what both tell and differently: then and now."""
    return {
        name: (before[name], now[name])
        for name in now
        if name in before and before[name] != now[name]
    }
