"""`recsweep data clean`: a table of ratings written anew without what cannot be used."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from experiments.data.drafts import guessed_columns
from experiments.data.study_data import data_problems
from experiments.errors import RequestError
from experiments.files import atomic_write
from experiments.records.values import plural
from experiments.waiting import waiting
from recommender.datasets.config import Duplicates
from recommender.datasets.mending import Mended, as_table, mended
from recommender.datasets.table import column_names
from recommender.errors import unknown

if TYPE_CHECKING:
    import pandas as pd

_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class CleanTable:
    """What was written, and what there is to say of it."""

    target: Path
    lines: tuple[str, ...]


def write_clean(
    table: Path,
    target: Path,
    given: Mapping[str, str],
    *,
    rating_range: tuple[float, float] | None,
    duplicates: str | None,
    at_least: int,
) -> CleanTable:
    """Read a table, leave out what is damaged, and write the rest; whole or not at all.

    Args:
        given: columns by role, where the user says so.
        duplicates: `latest` or `mean`; None: `latest` where there are times.

    Raises:
        DataProblem: the table cannot be read, or too much of it is damaged.
        RequestError: an option is wrong, or the target is there.
    """
    if not target.name.lower().endswith(_ENDINGS):
        raise RequestError(f"{target}: call it by one of {', '.join(_ENDINGS)}")
    if target.exists():
        raise RequestError(f"{target} is there already; name another file with -o")
    ways = [way for way in get_args(Duplicates) if way != "refuse"]
    if duplicates is not None and duplicates not in ways:
        raise RequestError(f"--duplicates: {unknown('way', duplicates, ways)}")
    if rating_range is not None and not rating_range[0] < rating_range[1]:
        low, high = rating_range
        raise RequestError(f"--range must be two numbers going up, got {low:g} and {high:g}")
    with data_problems():
        columns = guessed_columns(table, given)
        way: Duplicates = "latest" if "time" in columns else "mean"
        if duplicates is not None:
            way = "latest" if duplicates == "latest" else "mean"
        with waiting(f"reading {table.name}"):
            found = mended(
                table, columns, rating_range=rating_range, duplicates=way, at_least=at_least
            )
    frame = as_table(found.ratings, columns)
    with waiting(f"writing {target.name}"):
        atomic_write(target, _as_bytes(frame, target.name.lower()))
    return CleanTable(target, (*_lines(table, columns, found), _written(target, found)))


def _as_bytes(frame: pd.DataFrame, name: str) -> bytes:
    if name.endswith(".parquet"):
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    text = frame.to_csv(index=False, sep="\t" if ".tsv" in name else ",").encode()
    return gzip.compress(text, mtime=0) if name.endswith(".gz") else text


def _lines(table: Path, columns: Mapping[str, str], found: Mended) -> list[str]:
    roles = " · ".join(f"{role} {name}" for role, name in columns.items())
    others = [name for name in column_names(table) if name not in columns.values()]
    return [
        f"columns  {roles}",
        *([f"dropped  {', '.join(others)}"] if others else []),
        f"read     {table.name}: {found.n_rows:,} rows",
        *(f"left out {line}" for line in found.left_out),
        *(f"note     {note.partition(': ')[2]}" for note in found.ratings.notes),
    ]


def _written(target: Path, found: Mended) -> str:
    ratings = found.ratings
    n_users, n_items = (len(np.unique(ids)) for ids in (ratings.user, ratings.item))
    counts = ((len(ratings), "rating"), (n_users, "user"), (n_items, "item"))
    return f"wrote    {target}: {', '.join(plural(n, noun) for n, noun in counts)}"
