"""A data set by its configuration: read, cleaned, split, sealed, encoded and described."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recommender.datasets.base import DatasetConfig, LoadedDataset, SplitConfig
from recommender.datasets.cleaning import Ratings, clean
from recommender.datasets.describe import describe
from recommender.datasets.encoding import encode
from recommender.datasets.features import item_features
from recommender.datasets.registry import known_features, problems_with, source_of
from recommender.datasets.splits import TEST, VALIDATION, Parts, split_ratings
from recommender.errors import DataError


def load_dataset(dataset: DatasetConfig, split: SplitConfig) -> LoadedDataset:
    """Everything a study needs of its data, without the labels of the test part.

    Raises:
        DataError: every problem found, each with its cure; those of the configuration come as
            `dataset.path: ...`.
    """
    problems = problems_with(dataset, split)
    if problems:
        raise DataError([f"{key}: {problem}" for key, problem in problems])
    source = source_of(dataset)
    features = dataset.features or known_features(dataset)
    tables = [source.read_ratings(dataset, path) for path in split.files.values() or (None,)]
    ratings = clean(tables, dataset.rating_range or source.rating_range)
    parts = split_ratings(ratings, split)
    rating_range = dataset.rating_range or source.rating_range or _observed(ratings, parts)

    items = source.read_items(dataset)
    item_frame, item_notes = pd.DataFrame(), list[str]()
    if items is not None:
        item_frame, item_notes = item_features(items, features)
        item_notes += _coverage(items.table.name, item_frame, ratings)
    return LoadedDataset(
        encoded=encode(
            ratings, parts, item_frame, items.kinds if items else {}, features, rating_range
        ),
        description=describe(
            name=dataset.name or tables[0].name,
            ratings=ratings,
            parts=parts,
            item_frame=item_frame,
            split=split,
            features=features,
            rating_range=rating_range,
            notes=(*ratings.notes, *item_notes),
        ),
        validation_users=ratings.user[parts == VALIDATION],
    )


def _coverage(name: str, item_frame: pd.DataFrame, ratings: Ratings) -> list[str]:
    """A note where rated items have no features."""
    is_known = np.isin(ratings.item_ids, item_frame.index.to_numpy(dtype=str))
    if not is_known.any():
        raise DataError([f"{name}: none of its items is rated; do the item ids match?"])
    n_unknown = int((~is_known).sum())
    if not n_unknown:
        return []
    return [f"{name}: {n_unknown:,} of {len(is_known):,} rated items are not in it"]


def _observed(ratings: Ratings, parts: Parts) -> tuple[float, float]:
    """Lowest and highest rating outside the sealed part."""
    rating = ratings.rating[parts != TEST]
    low, high = float(rating.min()), float(rating.max())
    if low == high:
        raise DataError([f"all ratings of train and validation are {low:g}: nothing to learn"])
    return low, high
