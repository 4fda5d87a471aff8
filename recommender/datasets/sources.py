"""What a data set's reader hands over, before anything is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recommender.datasets.config import DatasetConfig, FeatureKind, Of

if TYPE_CHECKING:  # pandas takes seconds to import, and checking a sweep file needs none of it
    import pandas as pd

Problem = tuple[str, str]
"""The key in the sweep file (`dataset.columns`), and what is wrong with its cure."""

TIME_FEATURES = ("hour_of_day", "day_of_week")
NAME_TIME = "name their column: columns = { time = ... }"

N_PLACES_SHOWN = 5
"""How many lines a message about bad rows names."""


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """Columns of one file as they were read."""

    frame: pd.DataFrame
    """Its index counts the rows of the file from 0; rows left out leave gaps."""
    name: str
    """Of the file, for messages."""
    unit: Literal["line", "row"]
    """What a reader of the file counts."""
    first: int
    """The line or row number of index 0."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RawSide:
    """Items or users and their features: a column `item` or `user`, and one a feature."""

    of: Of
    table: RawTable
    kinds: Mapping[str, FeatureKind]


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of data set: how it is checked and read."""

    rating_range: tuple[float, float] | None
    """None: known only once the ratings are read."""
    features: Callable[[DatasetConfig], tuple[str, ...]]
    """All features it can give."""
    problems: Callable[[DatasetConfig, Mapping[str, Path]], list[Problem]]
    """What is wrong before reading; with the files of the split by part, where there are any."""
    read_ratings: Callable[[DatasetConfig, Path | None], RawTable]
    """Columns `user`, `item`, `rating`, where there are times `time`, and `part` where the table
    says it; of a file of the split, where one is given."""
    read_sides: Callable[[DatasetConfig], Sequence[RawSide]]
    """Of the items, of the users, of both, or none."""


def counted(n: int, one: str, many: str) -> str:
    """`1 rating is`, `2 ratings are`."""
    return f"{n:,} {one if n == 1 else many}"
