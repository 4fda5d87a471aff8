"""Which versions a study was trained with, also where they changed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.records import StudyRecord
from reports import numbers


def recsweep_version(study: StudyRecord) -> str:
    """`0.1.0`, or as `package_versions`; empty where it is not on record."""
    return _told(study, "recsweep", study.provenance.get("recsweep"))


def python_version(study: StudyRecord) -> str:
    """`3.12.4`, or as `package_versions`; empty where it is not on record."""
    return _told(study, "python", study.provenance.get("python"))


def package_versions(study: StudyRecord) -> dict[str, str]:
    """By package `2.21.0`, or where a later run of the study had another one
    `2.21.0 (2.22.0 from 2026-03-01 on)`; those that were not installed are left out."""
    versions: Mapping[str, str | None] = study.provenance.get("versions") or {}
    told = {name: _told(study, name, version) for name, version in versions.items()}
    return {name: text for name, text in told.items() if text}


def _told(study: StudyRecord, name: str, first: str | None) -> str:
    changes: list[Mapping[str, Any]] = study.provenance.get("changes") or []
    later = [
        f"{change['versions'][name][1] or 'none'} from {numbers.day(change['at'])} on"
        for change in changes
        if name in change["versions"]
    ]
    return f"{first or 'none'} ({', '.join(later)})" if later else first or ""
