"""A data set by its configuration: read, cleaned, split, sealed, encoded and described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recommender.datasets.base import (
    DatasetConfig,
    EncodedDataset,
    FeatureKind,
    LoadedDataset,
    SplitConfig,
)
from recommender.datasets.cleaning import Ratings, clean
from recommender.datasets.describe import describe
from recommender.datasets.encoding import encode
from recommender.datasets.features import item_features
from recommender.datasets.odd_ratings import note_on_spread, note_on_stand_in, note_on_tail
from recommender.datasets.registry import (
    feature_problems,
    features_of,
    problems_with,
    source_of,
)
from recommender.datasets.sources import RawTable
from recommender.datasets.splits import Parts, is_open, notes_on, split_ratings
from recommender.errors import DataError


def load_dataset(dataset: DatasetConfig, split: SplitConfig) -> LoadedDataset:
    """Everything a search needs of its data, without the labels of the test and confirm parts.

    Raises:
        DataError: every problem found, each with its cure; those of the configuration come as
            `dataset.path: ...`.
    """
    it = read_and_split(dataset, split)
    encoded = it.encoded()
    return LoadedDataset(
        encoded=encoded,
        description=describe(
            name=it.name,
            ratings=it.ratings,
            parts=it.parts,
            item_frame=it.item_frame,
            split=split,
            features=it.features,
            rating_range=it.rating_range,
            notes=it.notes,
            rating_unit=encoded.rating_unit,
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SplitData:
    """Clean ratings and the part of each; the labels of all parts are still in it."""

    name: str
    ratings: Ratings
    parts: Parts
    item_frame: pd.DataFrame
    kinds: Mapping[str, FeatureKind]
    features: tuple[str, ...]
    rating_range: tuple[float, float]
    notes: tuple[str, ...]

    def encoded(self, *, is_refit: bool = False) -> EncodedDataset:
        """What models are trained on; `is_refit`: on validation rows, too."""
        return encode(
            self.ratings,
            self.parts,
            self.item_frame,
            self.kinds,
            self.features,
            self.rating_range,
            is_refit=is_refit,
        )


def read_and_split(dataset: DatasetConfig, split: SplitConfig) -> SplitData:
    """For this module, `unsealing` and `confirming`; everybody else takes `load_dataset`.

    Raises:
        DataError: as `load_dataset`.
    """
    problems = problems_with(dataset, split)
    if problems:
        raise DataError([f"{key}: {problem}" for key, problem in problems])
    source = source_of(dataset)
    features = features_of(dataset, source)
    if dataset.own is not None and (missing := feature_problems(dataset, source.features(dataset))):
        raise DataError([f"{key}: {problem}" for key, problem in missing])
    found: list[str] = []
    tables, ratings = [], None
    for part, path in split.files.items() or ((None, None),):
        with _gathered(found):
            table = source.read_ratings(dataset, path)
            tables.append(table if part is None else _of_part(table, part, split))
    with _gathered(found):
        if tables:
            known_range = dataset.rating_range or source.rating_range
            ratings = clean(tables, known_range, dataset.duplicates)
    items, item_frame, item_notes = None, pd.DataFrame(), list[str]()
    with _gathered(found):
        items = source.read_items(dataset)
        if items is not None:
            item_frame, item_notes = item_features(items, features)
    if found or ratings is None:
        raise DataError(list(dict.fromkeys(found)))
    if ratings.time is None and split.needs_time:
        raise DataError([f"split.method: {split.method} needs times; give them as column time"])
    parts = split_ratings(ratings, split)
    if items is not None:
        item_notes += _coverage(items.table.name, item_frame, ratings)
    known_range = dataset.rating_range or source.rating_range
    open_ratings = ratings.rating[is_open(parts)]
    odd = [
        *note_on_tail(tables[0].name, open_ratings),
        *note_on_spread(tables[0].name, open_ratings),
    ]
    if known_range is None:
        odd += note_on_stand_in(tables[0].name, open_ratings)
    return SplitData(
        name=dataset.name or tables[0].name,
        ratings=ratings,
        parts=parts,
        item_frame=item_frame,
        kinds=items.kinds if items else {},
        features=features,
        rating_range=known_range or _observed(ratings, parts),
        notes=(*ratings.notes, *odd, *notes_on(ratings, parts, split), *item_notes),
    )


@contextmanager
def _gathered(problems: list[str]) -> Iterator[None]:
    """Has the block's problems told with the others."""
    try:
        yield
    except DataError as error:
        problems += error.problems


def _of_part(table: RawTable, part: str, split: SplitConfig) -> RawTable:
    """A file of the split; by its path where another one has the same name."""
    is_shared = [path.name for path in split.files.values()].count(table.name) > 1
    name = str(split.files[part]) if is_shared else table.name
    words = pd.Series(part, table.frame.index, dtype="category")
    return replace(table, name=name, frame=table.frame.assign(part=words))


def _coverage(name: str, item_frame: pd.DataFrame, ratings: Ratings) -> list[str]:
    """A note where rated items have no features."""
    is_known = np.isin(ratings.item_ids, item_frame.index.to_numpy(dtype=str))
    if not is_known.any():
        asked, there = ratings.item_ids[0], item_frame.index[0]
        raise DataError(
            [
                f"{name}: none of its items is rated; the ids, such as {str(there)!r} here and "
                f"{str(asked)!r} in the ratings, must be the same"
            ]
        )
    n_unknown = int((~is_known).sum())
    if not n_unknown:
        return []
    return [f"{name} lacks {n_unknown:,} of {len(is_known):,} rated items"]


def _observed(ratings: Ratings, parts: Parts) -> tuple[float, float]:
    """Lowest and highest rating of train and validation."""
    rating = ratings.rating[is_open(parts)]
    low, high = float(rating.min()), float(rating.max())
    if low == high:
        raise DataError([f"all ratings of train and validation are {low:g}: nothing to learn"])
    return low, high
