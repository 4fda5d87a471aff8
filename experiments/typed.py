"""How a study is named in a command that its user is told to type. Standard library only."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def typed(folder: Path) -> str:
    """Its name where commands look for studies by themselves, else its path from here."""
    folder = folder.absolute()
    if folder.parent == Path(os.environ.get("RECSWEEP_STUDIES") or "studies").absolute():
        return shlex.quote(folder.name)
    here = Path.cwd()
    return shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))
