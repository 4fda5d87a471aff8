"""Where a study comes from: versions, code, command, machine and data, for `provenance.json`."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.folder.left_open import left_open
from experiments.machine.machine import Machine
from experiments.machine.versions import PACKAGES, installed_packages, package_version
from experiments.own.kept_code import code_record
from experiments.sweep import SweepConfig
from recommender.datasets.description import DatasetDescription


def provenance(
    sweep: SweepConfig,
    dataset: DatasetDescription,
    machine: Machine,
    command: Sequence[str],
) -> dict[str, Any]:
    """What a study records of its origin; all of it can be written as JSON.

    `git` is recsweep's own commit, `project` that of the folder that it was called in.

    Args:
        command: the command line, or nothing where a sweep is run from Python.
    """
    return {
        "recsweep": package_version("recsweep"),
        "python": platform.python_version(),
        "versions": {name: package_version(name) for name in PACKAGES},
        "packages": installed_packages(),
        "git": git_state(Path(__file__)),
        "project": git_state(Path.cwd()),
        "command": list(command),
        "seed": sweep.seed,
        "code": code_record(sweep),
        "left_open": left_open(sweep),
        "machine": machine.to_json(),
        "dataset": dataset.to_json(),
        "started_at": time.time(),
    }


def git_state(path: Path) -> dict[str, Any] | None:
    """Of the repository of a folder, or of a file that is tracked there: `commit` and whether
    tracked files differ from it (`dirty`). None outside one, as for a recsweep that was installed
    into an environment within somebody's project."""
    folder = path
    if path.is_file():
        folder = path.parent
        if _git(folder, "ls-files", "--error-unmatch", path.name) is None:
            return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  # arguments of ours
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
