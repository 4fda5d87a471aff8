"""The sweep that a study was begun with, as its folder keeps it."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from experiments.errors import StateError
from experiments.files import read_json
from experiments.ledger.journal import sound_events
from experiments.own.kept_code import refuse_damaged_code
from experiments.records import DRIVER_JOURNAL, PROVENANCE_NAME, SWEEP_NAME
from experiments.request.sweep_checks import build_sweep
from experiments.sweep import SweepConfig
from experiments.sweep_files.sweep_file import read_sweep_file
from experiments.typed import typed


def frozen_sweep(folder: Path) -> SweepConfig:
    """The sweep as it was run; the environment does not override it.

    Raises:
        StateError: `sweep.toml`, or the researcher's own code in the study, is not what it was.
    """
    refuse_changed_sweep(folder)
    refuse_damaged_code(folder, read_json(folder / PROVENANCE_NAME))
    source = read_sweep_file(folder / SWEEP_NAME, environ={})
    return build_sweep(replace(source, is_frozen=True))


def refuse_changed_sweep(folder: Path) -> None:
    """The frozen sweep must be the one that the study began with.

    Raises:
        StateError: shows the difference, and how to run the changed sweep as another study.
    """
    path = folder / SWEEP_NAME
    first, now = first_sweep(folder), path.read_text(encoding="utf-8")
    if first is None or first == now:
        return
    raise StateError(
        f"{path} is not the sweep that {folder.name} began with:\n"
        + difference(first, now)
        + "\nTake the change back to go on, or run it as another study: "
        f"recsweep run {typed(path)} --set name={folder.name}-changed"
    )


def first_sweep(folder: Path) -> str | None:
    """The sweep's text as the first session of its driver had it; None before there was one."""
    events = sound_events(folder / DRIVER_JOURNAL)
    return next((e["sweep"] for e in events if e["kind"] == "session" and "sweep" in e), None)


def difference(before: str, now: str) -> str:
    """The lines in which two sweeps differ, with - and + before them."""
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=0)
    return "\n".join(f"  {line}" for line in list(lines)[2:] if not line.startswith("@@"))
