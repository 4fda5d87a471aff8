"""From ratings and their split to the arrays that a model trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.base import EncodedDataset, FeatureKind, Ints, Rows, Strings
from recommender.datasets.cleaning import Ratings
from recommender.datasets.features import context, context_columns, item_tables
from recommender.datasets.splits import CONFIRM, TEST, TRAIN, VALIDATION, Parts


def encode(
    ratings: Ratings,
    parts: Parts,
    item_frame: pd.DataFrame,
    kinds: Mapping[str, FeatureKind],
    features: Sequence[str],
    rating_range: tuple[float, float],
    *,
    is_refit: bool = False,
) -> EncodedDataset:
    """Train and validation rows under vocabularies of train; the test part's labels end here.

    Args:
        is_refit: the validation rows are in train, too, and those of `confirm`.
    """
    is_train = parts != TEST if is_refit else parts == TRAIN
    item_index, item_vocabulary = _vocabulary(ratings.item, ratings.item_ids, is_train)
    known_items = item_frame.index.to_numpy(dtype=ratings.item_ids.dtype.type)
    catalog = np.union1d(ratings.item_ids, known_items)
    catalog_item = np.zeros(len(catalog) + 1, np.int32)
    catalog_item[np.searchsorted(catalog, ratings.item_ids) + 1] = item_index
    train = _rows(ratings, is_train, is_train, catalog, features)
    return EncodedDataset(
        train=train,
        validation=_rows(ratings, parts == VALIDATION, is_train, catalog, features),
        user_vocabulary=_vocabulary(ratings.user, ratings.user_ids, is_train)[1],
        item_vocabulary=item_vocabulary,
        catalog=catalog,
        catalog_item=catalog_item,
        item_tables=item_tables(item_frame, kinds, catalog, train.catalog),
        context_columns=context_columns(features),
        rating_range=rating_range,
        train_mean=float(ratings.rating[is_train].mean()),
        validation_users=ratings.user[parts == VALIDATION],
    )


def encode_test(
    ratings: Ratings, parts: Parts, encoded: EncodedDataset, features: Sequence[str], is_refit: bool
) -> Rows:
    """The sealed rows as `encoded` would have them; for `recommender.datasets.unsealing` alone."""
    is_train = parts != TEST if is_refit else parts == TRAIN
    return _rows(ratings, parts == TEST, is_train, encoded.catalog, features)


def encode_confirm(
    ratings: Ratings, parts: Parts, encoded: EncodedDataset, features: Sequence[str]
) -> Rows:
    """The rows kept for a verdict; for `recommender.datasets.confirming` alone."""
    return _rows(ratings, parts == CONFIRM, parts == TRAIN, encoded.catalog, features)


def _rows(
    ratings: Ratings,
    chosen: npt.NDArray[np.bool_],
    is_train: npt.NDArray[np.bool_],
    catalog: Strings,
    features: Sequence[str],
) -> Rows:
    user_index, _ = _vocabulary(ratings.user, ratings.user_ids, is_train)
    item_index, _ = _vocabulary(ratings.item, ratings.item_ids, is_train)
    catalog_row = (np.searchsorted(catalog, ratings.item_ids) + 1).astype(np.int32)
    time = None if ratings.time is None else ratings.time[chosen]
    return Rows(
        user=user_index[ratings.user[chosen]],
        item=item_index[ratings.item[chosen]],
        catalog=catalog_row[ratings.item[chosen]],
        context=context(time, int(chosen.sum()), features),
        rating=ratings.rating[chosen].astype(np.float32),
    )


def _vocabulary(codes: Ints, ids: Strings, is_train: npt.NDArray[np.bool_]) -> tuple[Ints, Strings]:
    """For each id its index in the vocabulary of train (from 1; 0: not in it); the vocabulary."""
    in_train = np.zeros(len(ids), bool)
    in_train[codes[is_train]] = True
    index = np.where(in_train, np.cumsum(in_train), 0).astype(np.int32)
    return index, ids[in_train]
