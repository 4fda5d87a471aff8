"""With what a study was trained, also where that changed on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from experiments.records import StudyRecord
from experiments.records.conditions import UNCOMMITTED, Conditions, conditions
from reports import numbers


def over_time(study: StudyRecord, of: Callable[[Conditions], str | None]) -> str:
    """`2.21.0`, or where a later run of the study had something else
    `2.21.0 (2.22.0 from 2026-03-01 on)`; empty where it is not on record."""
    first, *later = conditions(study.provenance)
    before, changes = of(first), []
    for run in later:
        if (now := of(run)) != before:
            changes.append(f"{now or 'none'} from {numbers.day(run.since)} on")
            before = now
    return f"{of(first) or 'none'} ({', '.join(changes)})" if changes else before or ""


def version(study: StudyRecord, name: str) -> str:
    """Of `recsweep`, `python` or a package."""
    return over_time(study, lambda run: run.versions.get(name))


def commit(study: StudyRecord, n_digits: int = 40) -> str:
    """Of recsweep."""
    return over_time(study, lambda run: (run.versions.get("commit") or "")[:n_digits])


def git(study: StudyRecord) -> Mapping[str, Any]:
    """Of recsweep, as the study began; `dirty` where a later run had uncommitted changes, too."""
    begun: Mapping[str, Any] = study.provenance.get("git") or {}
    told = {run.versions.get(UNCOMMITTED) for run in conditions(study.provenance)}
    return {**begun, "dirty": True} if "yes" in told else begun


def package_versions(study: StudyRecord) -> dict[str, str]:
    """By package; those that were not installed are left out."""
    told = {name: version(study, name) for name in study.provenance.get("versions") or {}}
    return {name: text for name, text in told.items() if text}


def hardware(study: StudyRecord) -> str:
    """`8 cores, AMD EPYC, with NVIDIA H100`; empty where it is not on record."""
    return over_time(study, _hardware)


def _hardware(run: Conditions) -> str:
    if not run.machine:
        return ""
    cores = f"{run.hardware['cores']} cores"
    gpus = f"with {run.gpus}" if run.gpus else "without a GPU"
    return ", ".join(part for part in (cores, run.hardware["processor"], gpus) if part)
