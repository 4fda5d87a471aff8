"""What is installed here, and in which version."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distributions, version

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
