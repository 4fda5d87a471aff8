"""The spaces that we ship, to start from with `use = "ranking"`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "shipped"

SHIPPED: dict[str, Path] = {
    "ranking": _FOLDER / "ranking.toml",
    "smoke": _FOLDER / "smoke.toml",
}
"""By name, the file; its `[space]` table can be copied into a sweep as it stands."""


def shipped_table(name: str) -> dict[str, Any]:
    """The `[space]` table of a shipped space; `name` must be one of `SHIPPED`."""
    with SHIPPED[name].open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["space"]
    return table
