"""Where a study comes from: versions, code, command, machine and data, for `provenance.json`."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.folder.left_open import default_moved, left_open
from experiments.machine.machine import Machine
from experiments.machine.versions import (
    PACKAGES,
    git_state,
    installed_packages,
    package_version,
)
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
        "seed": sweep.search_seed,
        "code": code_record(sweep),
        "left_open": left_open(sweep),
        "default_moved": default_moved(sweep),
        "machine": machine.to_json(),
        "dataset": dataset.to_json(),
        "started_at": time.time(),
    }
