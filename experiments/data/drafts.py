"""A first sweep for a table of ratings, its columns guessed from their names."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.data.column_names import best_match
from experiments.data.side_guesses import KINDS, SideGuess, guessed_side
from experiments.data.study_data import data_problems
from experiments.errors import RequestError
from experiments.sweep_files.toml_text import toml_value
from experiments.waiting import waiting
from recommender.datasets.config import DatasetConfig, Duplicates, Of, SplitConfig
from recommender.datasets.description import DatasetDescription
from recommender.datasets.loading import load_dataset
from recommender.datasets.other_files import WIDE, of_blocks, of_wide_table, without_names
from recommender.datasets.table import COLUMNS, column_names, is_parquet
from recommender.datasets.text_files import read_header
from recommender.errors import DataError

_IS_NUMBER = re.compile(r"-?[\d.]+")
_MOST_NAMES = 20
"""Of columns, that a message lists."""
_LEAST_SHARE = 0.05
"""Of the rows, that every part of a split by time range should have."""
_STEPS, _BATCHES = 64, (64, 1024)
"""About so many an epoch, in batches between these: of fewer, 30 epochs of a small table end before
the models have learned what is in it."""
_NO_SIDES: Mapping[Of, Path] = {}
_LARGE = 1_000_000
"""Train rows from which a larger batch costs no accuracy that shows, and saves time."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A sweep file, and what it was made from."""

    text: str
    description: DatasetDescription
    columns: Mapping[str, str]
    """By role."""
    sides: Mapping[Of, SideGuess]
    """Of the items, of the users, of both, or none."""
    free: tuple[str, ...]
    """The table's columns that have no role."""


def draft_sweep(
    table: Path, target: Path, given: Mapping[str, str], tables: Mapping[Of, Path] = _NO_SIDES
) -> Draft:
    """A sweep that runs as it stands.

    Args:
        target: the file it is for: paths in it are relative to that.
        given: columns by role, where the user says so.
        tables: of the items, and of the users.

    Raises:
        DataProblem: the table cannot be read, or its ratings cannot be used.
        RequestError: no column looks like a role that is needed, or the target is there.
    """
    if table.is_dir():
        raise RequestError(
            f"{table} is a folder; name its table of ratings. The folders of MovieLens go by name "
            'in a sweep: name = "ml-1m" and path = FOLDER under [dataset]'
        )
    if target.exists():
        raise RequestError(f"{target} is there already; name another file with -o")
    with data_problems(table, given), waiting(f"looking at {table.name}"):
        columns = guessed_columns(table, given)
        sides: dict[Of, SideGuess] = {}
        for of, path in tables.items():
            taken = [name for guess in sides.values() for name in guess.config.features]
            sides[of] = guessed_side(path, of, columns[of], taken)
        way: Duplicates = "latest" if "time" in columns else "mean"
        told: dict[str, Any] = {f"{of}s": guess.config for of, guess in sides.items()}
        dataset = DatasetConfig(path=table, columns=columns, duplicates=way, **told)
        dataset, split, description = _split(dataset)
    text = _text(table, target, dataset, split, description)
    known = column_names(table, list(columns.values()))
    free = [name for name in known if name not in columns.values()]
    return Draft(text, description, dataset.columns, sides, tuple(free))


def guessed_columns(table: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Which column plays which role; `time` only where one looks like it.

    Raises:
        DataError: the table cannot be read.
        RequestError: a column that was given is not there, or none looks like a role.
    """
    known = column_names(table, list(given.values()))
    if unknown := [f"--{role} {name}" for role, name in given.items() if name not in known]:
        asked = ", ".join(unknown)
        raise RequestError(f"{table.name} has no column for {asked}; it has {listed(known)}")
    columns = dict(given)
    for role in COLUMNS:
        free = [name for name in known if name not in columns.values()]
        if role not in columns and (name := best_match(free, role)) is not None:
            columns[role] = name
    if missing := [role for role in COLUMNS[:3] if role not in columns]:
        if cure := _cure(table, known, columns):
            raise RequestError(f"{table.name}: {cure}")
        which = " and which the ".join(missing)
        options = " ".join(f"--{role} COLUMN" for role in missing)
        between = "" if len(known) > 1 else " (a comma, a tab, a semicolon or | parts columns)"
        raise RequestError(
            f"{table.name}: which column is the {which}? It has {listed(known)}{between}; say it "
            f"with {options}"
        )
    return {role: columns[role] for role in COLUMNS if role in columns}


def listed(names: Sequence[str]) -> str:
    """For a message: the first of them."""
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def _cure(table: Path, known: Sequence[str], columns: Mapping[str, str]) -> str:
    """Where a table has another shape than a row a rating below the names of its columns."""
    if len(known) == 1 and re.fullmatch(r"\d+:", known[0]):
        return f"its ratings are in blocks, one an item; {of_blocks(table)}"
    is_nameless = any(_IS_NUMBER.fullmatch(name) for name in known)
    if len(known) > WIDE and (is_nameless or "user" in columns):
        told = f"its {len(known):,} columns seem to be a user's ratings, one an item"
        return f"{told}; {of_wide_table(table, columns.get('user'))}"
    if is_nameless and not is_parquet(table):
        _, separator, _ = read_header(table, ())
        cure = without_names(table, separator, len(known))
        return f"its first line names no columns; {cure}"
    return ""


def _split(dataset: DatasetConfig) -> tuple[DatasetConfig, SplitConfig, DatasetDescription]:
    """As a column says; else by time where there are times; by their order where a range would
    leave a part almost empty."""
    assert dataset.path is not None
    free = [name for name in column_names(dataset.path) if name not in dataset.columns.values()]
    if (part := best_match(free, "part")) is not None:
        parted = replace(dataset, columns={**dataset.columns, "part": part})
        split = SplitConfig("column")
        with contextlib.suppress(DataError):  # its words are no parts, or something else is wrong
            return parted, split, load_dataset(parted, split).description
    if "time" not in dataset.columns:
        split = SplitConfig("random", train=0.8, validation=0.1)
        return dataset, split, load_dataset(dataset, split).description
    by_range, by_order = SplitConfig("time-range"), SplitConfig("time-fraction")
    with contextlib.suppress(DataError):  # what is wrong with more than the split is told below
        description = load_dataset(dataset, by_range).description
        least = min(part.n_rows for part in description.parts.values())
        if least >= _LEAST_SHARE * description.n_ratings:
            return dataset, by_range, description
    return dataset, by_order, load_dataset(dataset, by_order).description


_SWEEP = """\
# recsweep run {file}
# {table}: plain or DCN v2, and how is it trained best?
name = {name}
seed = 42                           # every random choice follows from it

[dataset]
path = {path}
columns = {columns}
{sides}features = {features}
duplicates = {duplicates}               # of pairs that are rated more than once; or "refuse"
# rating_range = {range}            # what a rating can be; unsaid: what was seen

[split]
{split}

[compare]
dimension = "architecture"          # each arm gets the same number of trials

[space]
use = "ranking"                     # see it: recsweep spaces ranking
# [space.NAME] with low and high, or choices, replaces one of its dimensions

[model]                             # what does not vary
{model}

[search]
trials = 30
max_epochs = 30
patience = 4                        # epochs without progress before a trial ends
sampler = "tpe"
pruner = "median"
"""
_METHODS = {
    "time-range": '"time-range"               # the first 60 % of the time',
    "time-fraction": '"time-fraction"            # the first 60 % of the rows in order of time',
    "random": '"random"                   # no column was taken for times',
    "column": '"column"                   # the table says so; its test rows are sealed',
}
_SHARES = """
train = {train}
validation = {validation}                    # the rest is the test: sealed"""
_MODEL = "batch_size = {batch_size:<22} # {n_steps:,} steps an epoch"
_LARGE_MODEL = """\
batch_size = 8192
jit_compile = true                  # compiled by XLA: pays where epochs are long"""


def _text(
    table: Path,
    target: Path,
    dataset: DatasetConfig,
    split: SplitConfig,
    description: DatasetDescription,
) -> str:
    def beside(path: Path) -> str:
        return Path(os.path.relpath(path, target.absolute().parent)).as_posix()

    sides = ""
    for of, side in dataset.sides.items():
        kinds = {kind: getattr(side, kind) for kind in KINDS}
        features = {kind: names for kind, names in kinds.items() if names}
        entries = {"path": beside(side.path), "key": side.key, **features}
        sides += f"{of}s = {toml_value(entries)}\n"
    by = f"method = {_METHODS[split.method]}"
    if split.method != "column":
        by += _SHARES.format(train=split.train, validation=split.validation)
    low, high = description.rating_range
    return _SWEEP.format(
        file=shlex.quote(target.name),
        table=" ".join(table.name.split()),
        name=toml_value(study_name(target.stem)),
        path=toml_value(beside(table)),
        columns=toml_value(dict(dataset.columns)),
        sides=sides,
        duplicates=toml_value(dataset.duplicates),
        features=toml_value(description.features),
        range=f"[{low:g}, {high:g}]",
        split=by,
        model=_model(description.train.n_rows),
    )


def _model(n_rows: int) -> str:
    if n_rows >= _LARGE:
        return _LARGE_MODEL
    size = 2 ** round(math.log2(n_rows / _STEPS))
    size = min(max(size, _BATCHES[0]), _BATCHES[1])
    return _MODEL.format(batch_size=size, n_steps=-(-n_rows // size))


def study_name(text: str) -> str:
    """What of a file's name can be a study's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "sweep"
