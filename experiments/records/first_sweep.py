"""The sweep that a study began with, as the first session of its driver wrote it down.

Standard library only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.ledger.journal import sound_events

JOURNAL_NAME = "journal"
"""The folder of the journals."""
DRIVER_JOURNAL = Path(JOURNAL_NAME) / "driver.jsonl"

PLACES = ("path", "train_path", "test_path", "validation_path")
"""Keys of `[dataset]`, its tables and `[split]` that say where the data lie."""

SIDES = ("items", "users")
"""Of `[dataset]`: tables whose `path` is one of those, too."""


def first_sweep(folder: Path) -> str | None:
    """The sweep's text as the first session of its driver had it; None before there was one."""
    events = sound_events(folder / DRIVER_JOURNAL)
    return next((e["sweep"] for e in events if e["kind"] == "session" and "sweep" in e), None)


def is_same_sweep(first: str, now: str) -> bool:
    """Whether two texts of a sweep differ in nothing but where its data lie: that these are the
    same ratings, their fingerprint says."""
    if first == now:
        return True
    try:
        return _without_places(first) == _without_places(now)
    except (tomllib.TOMLDecodeError, AttributeError, TypeError):  # no TOML, or no tables in it
        return False


def _without_places(text: str) -> dict[str, Any]:
    table = tomllib.loads(text)
    for within in tables_with_places(table):
        for place in PLACES:
            within.pop(place, None)
    return table


def tables_with_places(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = table.get("dataset", {})
    return [data, *(data.get(key, {}) for key in SIDES), table.get("split", {})]
