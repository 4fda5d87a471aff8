"""A table of ratings without the rows that cannot be used, and what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.cleaning import Ratings, clean, findings_of
from recommender.datasets.config import DatasetConfig, Duplicates
from recommender.datasets.encoded import Ints
from recommender.datasets.findings import MOST_LEFT_OUT, Mask
from recommender.datasets.sources import RawTable, counted
from recommender.datasets.table import COLUMNS, TABLE
from recommender.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """Clean ratings, and how they came of a table."""

    ratings: Ratings
    n_rows: int
    """Of the table."""
    left_out: tuple[str, ...]
    """A sentence for each kind of damage, then for what `at_least` took away."""


def mended(
    path: Path,
    columns: Mapping[str, str],
    *,
    rating_range: tuple[float, float] | None = None,
    duplicates: Duplicates = "refuse",
    at_least: int = 1,
) -> Mended:
    """What a table gives without its damaged rows.

    Args:
        columns: by role, as in `DatasetConfig`.
        rating_range: ratings outside are left out, however many they are.
        at_least: users and items with fewer ratings are left out, again and again until there are
            none (the k-core of the ratings).

    Raises:
        DataError: the table cannot be read, more than `MOST_LEFT_OUT` of its rows are damaged, or
            nothing is left.
    """
    table = TABLE.read_ratings(DatasetConfig(path=path, columns=dict(columns)), None)
    sound, left_out = _without_damage(table, None)
    n_damaged = len(table.frame) - len(sound.frame)
    if n_damaged > MOST_LEFT_OUT * len(table.frame):
        raise DataError(
            [
                f"{table.name}: {n_damaged:,} of {len(table.frame):,} rows cannot be used, more "
                f"than {MOST_LEFT_OUT:.0%}: mend them where they come from",
                *left_out,
            ]
        )
    if rating_range is not None:
        sound, outside = _without_damage(sound, rating_range)
        left_out += outside
    ratings = clean([sound], rating_range, duplicates)
    is_kept = _core(ratings.user, ratings.item, at_least)
    if n_few := int((~is_kept).sum()):
        few = counted(n_few, "rating", "ratings")
        left_out.append(f"{few} of users or items that have fewer than {at_least:,}")
        ratings = _only(ratings, is_kept)
    if not len(ratings):
        raise DataError([f"{table.name}: no rating is left: {'; '.join(left_out)}"])
    return Mended(ratings, len(table.frame), tuple(left_out))


def as_table(ratings: Ratings, columns: Mapping[str, str]) -> pd.DataFrame:
    """A row a rating, sorted by user and item, times as seconds since 1970."""
    by_role = {
        "user": ratings.user_ids[ratings.user],
        "item": ratings.item_ids[ratings.item],
        "rating": _whole_where_all_are(ratings.rating),
        "time": ratings.time,
    }
    return pd.DataFrame({columns[role]: by_role[role] for role in COLUMNS if role in columns})


def _whole_where_all_are(rating: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    return rating.astype(np.int64) if (rating % 1 == 0).all() else rating


def _without_damage(
    table: RawTable, rating_range: tuple[float, float] | None
) -> tuple[RawTable, list[str]]:
    left_out: list[str] = []
    while True:
        found = findings_of(table, rating_range)
        if len(found.left_out) < len(found.problems):  # something is wrong with more than rows
            raise DataError(found.problems)
        if not found.left_out:
            return table, left_out
        left_out += found.left_out
        table = replace(table, frame=table.frame[~found.is_damaged])


def _core(user: Ints, item: Ints, at_least: int) -> Mask:
    is_kept = np.ones(len(user), bool)
    while True:
        is_frequent = [np.bincount(ids[is_kept], minlength=ids.max() + 1) >= at_least
                       for ids in (user, item)]  # fmt: skip
        still = is_kept & is_frequent[0][user] & is_frequent[1][item]
        if still.sum() == is_kept.sum():
            return is_kept
        is_kept = still


def _only(ratings: Ratings, is_kept: Mask) -> Ratings:
    """Ids of nobody stay in the vocabularies."""
    return replace(
        ratings,
        user=ratings.user[is_kept],
        item=ratings.item[is_kept],
        rating=ratings.rating[is_kept],
        time=None if ratings.time is None else ratings.time[is_kept],
        part=ratings.part[is_kept],
    )
