"""What is installed here, in which version, and from which commit."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-recommenders",
    "keras-tuner",
    "optuna",
    "ray",
    "tensorboard",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "pydantic",
)
"""Those whose version can change a number or how it is told."""


def current_versions() -> dict[str, str | None]:
    """The version of Python, of recsweep and of every package that can change a number."""
    names = ("recsweep", *PACKAGES)
    return {"python": platform.python_version()} | {name: package_version(name) for name in names}


def installed_packages() -> dict[str, str]:
    """Every installed package and its version, by name."""
    found = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def package_version(name: str) -> str | None:
    """The installed version; None where the package is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


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
