"""What this process holds open."""

from __future__ import annotations

from pathlib import Path


def n_open(path: Path) -> int:
    """How many descriptors of this process lead to a file or folder, or to what was there."""
    names = (str(path), f"{path} (deleted)")
    return sum(_target(link) in names for link in Path("/proc/self/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""
