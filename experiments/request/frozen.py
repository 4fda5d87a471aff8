"""The sweep that a study was begun with, as its folder keeps it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import replace
from pathlib import Path

from experiments.errors import StateError, SweepFileError, SweepProblem
from experiments.files import atomic_write, read_json
from experiments.own.kept_code import refuse_damaged_code
from experiments.records import PROVENANCE_NAME, SWEEP_NAME, sweep_text
from experiments.records.first_sweep import (
    PLACES,
    SIDES,
    first_sweep,
    is_same_sweep,
    tables_with_places,
)
from experiments.request.config import sweep_to_toml
from experiments.request.sweep_checks import build_sweep
from experiments.sweep import SweepConfig
from experiments.sweep_files.sweep_file import read_sweep_file
from experiments.sweep_files.toml_text import toml_value
from experiments.typed import typed


def frozen_sweep(folder: Path, now: SweepConfig | None = None) -> SweepConfig:
    """The sweep as it was run; the environment does not override it.

    Args:
        now: as it is asked for now, which says where its data lie by now.

    Raises:
        StateError: `sweep.toml`, or the researcher's own code in the study, is not what it was.
        SweepFileError: its data are not where it says.
    """
    refuse_changed_sweep(folder)
    refuse_damaged_code(folder, read_json(folder / PROVENANCE_NAME))
    source = read_sweep_file(folder / SWEEP_NAME, environ={})
    if now is not None:
        source = replace(source, table=tomllib.loads(_relocated(folder, now)))
    try:
        return build_sweep(replace(source, is_frozen=True))
    except SweepFileError as error:
        told = {problem.key.rpartition(".")[2] for problem in error.problems}
        if told.isdisjoint((*PLACES, *SIDES)):
            raise
        cure = (
            "where the data lie elsewhere by now, write their path into this file; whether they "
            "are the same is checked"
        )
        raise SweepFileError(
            [*error.problems, SweepProblem("", cure, str(folder / SWEEP_NAME))]
        ) from None


def is_elsewhere(folder: Path, now: SweepConfig) -> bool:
    """Whether a sweep says otherwise than the study's where its data lie."""
    return _relocated(folder, now) != sweep_text(folder)


def relocate(folder: Path, now: SweepConfig) -> None:
    """Write into the study's sweep where its data lie by now."""
    if is_elsewhere(folder, now):
        atomic_write(folder / SWEEP_NAME, _relocated(folder, now))


def _relocated(folder: Path, now: SweepConfig) -> str:
    text = sweep_text(folder)
    tables = tables_with_places(tomllib.loads(text))
    for table, there in zip(
        tables, tables_with_places(tomllib.loads(sweep_to_toml(now))), strict=True
    ):
        for place in table.keys() & there.keys() & {*PLACES}:
            before, after = (f"{place} = {toml_value(t[place])}" for t in (table, there))
            text = text.replace(before, after)
    return text


def refuse_changed_sweep(folder: Path) -> None:
    """The frozen sweep must be the one that the study began with, wherever its data lie by now.

    Raises:
        StateError: shows the difference, and how to run the changed sweep as another study.
    """
    path = folder / SWEEP_NAME
    first, now = first_sweep(folder), sweep_text(folder)
    if first is None or is_same_sweep(first, now):
        return
    raise StateError(
        f"{path} is not the sweep that {folder.name} began with:\n"
        + difference(first, now)
        + "\nTake the change back to go on, or run it as another study: "
        f"recsweep run {typed(path)} --set name={folder.name}-changed"
    )


def difference(before: str, now: str) -> str:
    """The lines in which two sweeps differ, with - and + before them."""
    lines = difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=0)
    return "\n".join(f"  {line}" for line in list(lines)[2:] if not line.startswith("@@"))
