"""A first sweep for a table of ratings, its columns guessed from their names."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from experiments.errors import RequestError
from experiments.study_data import data_problem
from experiments.toml_text import toml_value
from experiments.waiting import waiting
from recommender.datasets.base import (
    DatasetConfig,
    DatasetDescription,
    Duplicates,
    ItemsConfig,
    SplitConfig,
)
from recommender.datasets.loading import load_dataset
from recommender.datasets.table import COLUMNS, column_names, frequent_words, read_table
from recommender.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_NAMES = {
    "user": """
        userid user uid u useridx userindex customerid customer reviewerid reviewer memberid member
        accountid profileid raterid authorid username reviewusername
        reviewprofilename profilename
    """,
    "item": """
        itemid item iid i itemidx itemindex movieid movie productid product parentasin asin bookid
        book isbn songid song trackid track artistid artist businessid sku articleid beerid
        beerbeerid gameid game recipeid animeid anime hotelid restaurantid placeid videoid workid
    """,
    "rating": """
        rating ratings stars star score r overall overallrating reviewoverall reviewrating
        reviewscore bookrating userrating grade points preference value
    """,
    "time": """
        timestamp time datetime date ts t unixreviewtime unixtime reviewtime reviewdate createdat
        created ratedat ratedon dateadded epoch
    """,
    "part": "part split set subset partition",
}
"""What columns of each role are called, in lower case and without signs; the surest first."""

_IS_ID = re.compile(r"(?:^|[\W_])[iI][dD]$|[a-z]I[dD]$")
"""`imdbId`, `store_id`, but not `paid`."""
_LEAST_SHARE = 0.05
"""Of the rows, that every part of a split by time range should have."""
_LARGE = 1_000_000
"""Train rows from which a larger batch costs no accuracy that shows, and saves time."""
_MOST_WORDS = 200
"""Different words of a column that is a category."""
_LEAST_WORDS = 2
"""That half of the values of a column of texts share with others, numbers not counted."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A sweep file, and what it was made from."""

    text: str
    description: DatasetDescription
    columns: Mapping[str, str]
    """By role."""
    items: ItemsConfig | None
    left_out: tuple[str, ...]
    """Columns of the items that are no feature."""


def draft_sweep(
    table: Path, target: Path, given: Mapping[str, str], items: Path | None = None
) -> Draft:
    """A sweep that runs as it stands.

    Args:
        target: the file it is for: paths in it are relative to that.
        given: columns by role, where the user says so.
        items: a table with a row an item.

    Raises:
        DataProblem: the table cannot be read, or its ratings cannot be used.
        RequestError: no column looks like a role that is needed, or the target is there.
    """
    try:
        with waiting(f"looking at {table.name}"):
            return _drafted(table, target, given, items)
    except DataError as error:
        raise data_problem(error, table) from error


def _drafted(table: Path, target: Path, given: Mapping[str, str], items: Path | None) -> Draft:
    if table.is_dir():
        raise RequestError(
            f"{table} is a folder; name its table of ratings. The folders of MovieLens go by name "
            'in a sweep: name = "ml-1m" and path = FOLDER under [dataset]'
        )
    if target.exists():
        raise RequestError(f"{target} is there already; name another file with -o")
    columns = guessed_columns(table, given)
    found, left_out = (None, ()) if items is None else _guessed_items(items, columns["item"])
    way: Duplicates = "latest" if "time" in columns else "mean"
    dataset = DatasetConfig(path=table, columns=columns, items=found, duplicates=way)
    dataset, split, description = _split(dataset)
    text = _text(table, target, dataset, split, description)
    return Draft(text, description, dataset.columns, found, left_out)


def guessed_columns(table: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Which column plays which role; `time` only where one looks like it.

    Raises:
        DataError: the table cannot be read.
        RequestError: a column that was given is not there, or none looks like a role.
    """
    known = column_names(table, list(given.values()))
    listed = ", ".join(known)
    if all(re.fullmatch(r"[\d.:T -]*", name) for name in known):
        raise RequestError(
            f"{table.name}: its first line names no columns; write one above it, such as "
            "user,item,rating,time"
        )
    if unknown := [f"--{role} {name}" for role, name in given.items() if name not in known]:
        raise RequestError(f"{table.name} has no column for {', '.join(unknown)}; it has {listed}")
    columns = dict(given)
    for role in COLUMNS:
        free = [name for name in known if name not in columns.values()]
        if role not in columns and (name := _best_match(free, role)) is not None:
            columns[role] = name
    if missing := [role for role in COLUMNS[:3] if role not in columns]:
        which = " and which the ".join(missing)
        options = " ".join(f"--{role} COLUMN" for role in missing)
        between = "" if len(known) > 1 else " (a comma, a tab, a semicolon or | parts columns)"
        raise RequestError(
            f"{table.name}: which column is the {which}? It has {listed}{between}; say it with "
            f"{options}"
        )
    return {role: columns[role] for role in COLUMNS if role in columns}


def _best_match(names: Sequence[str], role: str) -> str | None:
    known = _NAMES[role].split()
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[name] for name in known if name in plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _guessed_items(path: Path, item: str) -> tuple[ItemsConfig, tuple[str, ...]]:
    """The item's features, and the columns that are none: ids, dates, and what never changes."""
    names = column_names(path, [item])
    key = item if item in names else _best_match(names, "item")
    key = key or next((name for name in names if _plain(name) == "id"), None)
    if key is None:
        raise RequestError(
            f"{path.name}: no column looks like the item id; it has {', '.join(names)}. Call it "
            f"{item!r}, as the ratings do"
        )
    columns = tuple(name for name in dict.fromkeys(names) if name != key)
    frame = read_table(path, (key, *columns), (key,)).frame
    kinds: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    left_out: list[str] = []
    for name in columns:
        kind = None if _IS_ID.search(name) else _kind(frame[name])
        (left_out if kind is None else kinds[kind]).append(name)
    return ItemsConfig(path, key, **{k: tuple(v) for k, v in kinds.items()}), tuple(left_out)


def _kind(column: pd.Series[Any]) -> str | None:
    import pandas as pd

    values = column.dropna()
    if values.empty or values.astype(str).nunique() < 2:
        return None
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return "number"
    texts = values.astype(str)
    if texts.str.contains("|", regex=False).mean() > 0.2:
        return "list"
    if texts.nunique() <= min(_MOST_WORDS, len(texts) / 2):
        return "category"
    # Without blanks they are addresses of pages and pictures, which share words, too.
    if texts.str.contains(" ", regex=False).mean() <= 0.5:
        return None
    n_words = [sum(not word.isdigit() for word in words) for words in frequent_words(texts)]
    return "text" if median(n_words) >= _LEAST_WORDS else None


def _split(dataset: DatasetConfig) -> tuple[DatasetConfig, SplitConfig, DatasetDescription]:
    """As a column says; else by time where there are times; by their order where a range would
    leave a part almost empty."""
    assert dataset.path is not None
    free = [name for name in column_names(dataset.path) if name not in dataset.columns.values()]
    if (part := _best_match(free, "part")) is not None:
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
{items}features = {features}
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
    "random": '"random"                   # there are no times to split by',
    "column": '"column"                   # the table says so; its test rows are sealed',
}
_SHARES = """
train = {train}
validation = {validation}                    # the rest is the test: sealed"""
_KINDS = ("category", "list", "number", "text")
_SMALL_MODEL = "batch_size = 1024"
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

    items = ""
    if (known := dataset.items) is not None:
        kinds = {kind: getattr(known, kind) for kind in _KINDS}
        features = {kind: names for kind, names in kinds.items() if names}
        entries = {"path": beside(known.path), "key": known.key, **features}
        items = f"items = {toml_value(entries)}\n"
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
        items=items,
        duplicates=toml_value(dataset.duplicates),
        features=toml_value(description.features),
        range=f"[{low:g}, {high:g}]",
        split=by,
        model=_LARGE_MODEL if description.train.n_rows >= _LARGE else _SMALL_MODEL,
    )


def study_name(text: str) -> str:
    """What of a file's name can be a study's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "sweep"
