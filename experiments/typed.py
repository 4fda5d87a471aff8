"""How studies and files are named to a user who is to type them. Standard library only."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def typed(folder: Path) -> str:
    """Its name where commands look for studies by themselves, else its path from here."""
    studies = Path(os.environ.get("RECSWEEP_STUDIES") or "studies").absolute()
    folder = folder.absolute()
    is_found = folder.parent == studies
    return shlex.quote(folder.name if is_found else from_here(folder))


def with_its_name(folder: Path) -> Path:
    """The same folder by a path that ends in its name, which `.` and `..` do not tell."""
    return folder if folder.name not in ("", "..") else folder.resolve()


def at_home(path: str | Path) -> Path:
    """With `~` as a shell takes it: the user's home folder, or, where there is none, a name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # pathlib's raises there


def from_here(path: Path) -> str:
    """A path as short as it can be typed from the current folder."""
    here, path = Path.cwd(), path.absolute()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
