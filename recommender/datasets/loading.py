"""A data set by its configuration: read, cleaned, split, sealed, encoded and described."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recommender.datasets.cleaning import Ratings, clean
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.describe import describe
from recommender.datasets.description import LoadedDataset
from recommender.datasets.encoded import EncodedDataset
from recommender.datasets.encoding import encode
from recommender.datasets.features import Side, notes_on_sameness, side_features
from recommender.datasets.leaks import leaks, notes_on_names
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
    return read_and_split(dataset, split).loaded()


@dataclass(frozen=True, slots=True, eq=False)
class SplitData:
    """Clean ratings and the part of each; the labels of all parts are still in it."""

    name: str
    ratings: Ratings
    split: SplitConfig
    parts: Parts
    sides: tuple[Side, ...]
    features: tuple[str, ...]
    rating_range: tuple[float, float]
    notes: tuple[str, ...]

    def encoded(self, *, is_refit: bool = False) -> EncodedDataset:
        """What models are trained on; `is_refit`: on validation rows, too."""
        return encode(
            self.ratings,
            self.parts,
            self.sides,
            self.features,
            self.rating_range,
            is_refit=is_refit,
        )

    def loaded(self) -> LoadedDataset:
        """What `load_dataset` gives."""
        encoded = self.encoded()
        return LoadedDataset(
            encoded=encoded,
            description=describe(
                name=self.name,
                ratings=self.ratings,
                parts=self.parts,
                sides=self.sides,
                split=self.split,
                features=self.features,
                rating_range=self.rating_range,
                notes=(
                    *self.notes,
                    *notes_on_sameness(encoded.side_tables, encoded.train.ids),
                ),
                rating_unit=encoded.rating_unit,
            ),
        )


def read_and_split(dataset: DatasetConfig, split: SplitConfig) -> SplitData:
    """For this module, `validation`, `confirming` and `unsealing`; others take `load_dataset`.

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
    sides: list[Side] = []
    side_notes: list[str] = []
    with _gathered(found):
        for raw in source.read_sides(dataset):
            side, notes = side_features(raw, features)
            sides.append(side)
            side_notes += notes
    if found or ratings is None:
        raise DataError(list(dict.fromkeys(found)))
    if ratings.time is None and split.needs_time:
        raise DataError([f"split.method: {split.method} needs times; give them as column time"])
    parts = split_ratings(ratings, split)
    for side in sides:
        side_notes += [*_coverage(side, ratings), *notes_on_names(side)]
    if leaking := [problem for side in sides for problem in leaks(side, ratings, parts)]:
        raise DataError(leaking)
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
        split=split,
        parts=parts,
        sides=tuple(sides),
        features=features,
        rating_range=known_range or _observed(ratings, parts),
        notes=(*ratings.notes, *odd, *notes_on(ratings, parts, split), *side_notes),
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


def _coverage(side: Side, ratings: Ratings) -> list[str]:
    """A note where rated items, or users who rate, have no features."""
    ids = ratings.item_ids if side.of == "item" else ratings.user_ids
    is_known = np.isin(ids, side.frame.index.to_numpy(dtype=str))
    if not is_known.any():
        asked, there = ids[0], side.frame.index[0]
        told = "items is rated" if side.of == "item" else "users rates"
        raise DataError(
            [
                f"{side.name}: none of its {told}; the ids, such as {str(there)!r} here and "
                f"{str(asked)!r} in the ratings, must be the same"
            ]
        )
    n_unknown = int((~is_known).sum())
    if not n_unknown:
        return []
    whom = "rated items" if side.of == "item" else "users who rate"
    return [f"{side.name} lacks {n_unknown:,} of {len(is_known):,} {whom}"]


def _observed(ratings: Ratings, parts: Parts) -> tuple[float, float]:
    """Lowest and highest rating of train and validation."""
    rating = ratings.rating[is_open(parts)]
    low, high = float(rating.min()), float(rating.max())
    if low == high:
        raise DataError([f"all ratings of train and validation are {low:g}: nothing to learn"])
    return low, high
