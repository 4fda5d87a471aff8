"""From ratings and their split to the arrays that a model trains on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.datasets.cleaning import Ratings
from recommender.datasets.encoded import EncodedDataset, Ints, Rows, SideTable, Strings
from recommender.datasets.features import Side, context, context_columns, side_tables
from recommender.datasets.splits import CONFIRM, TEST, TRAIN, VALIDATION, Parts


def encode(
    ratings: Ratings,
    parts: Parts,
    sides: Sequence[Side],
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
    catalog = _with_known(ratings.item_ids, [side for side in sides if side.of == "item"])
    of_users = [side for side in sides if side.of == "user" and len(side.frame.columns)]
    roster = _with_known(ratings.user_ids, of_users) if of_users else None
    catalog_item = np.zeros(len(catalog) + 1, np.int32)
    catalog_item[np.searchsorted(catalog, ratings.item_ids) + 1] = item_index
    train = _rows(ratings, is_train, is_train, catalog, roster, features)
    tables: dict[str, SideTable] = {}
    for side in sides:
        ids, rows = (catalog, train.catalog) if side.of == "item" else (roster, train.roster)
        if ids is not None and rows is not None:
            tables |= side_tables(side, ids, rows)
    return EncodedDataset(
        train=train,
        validation=_rows(ratings, parts == VALIDATION, is_train, catalog, roster, features),
        user_vocabulary=_vocabulary(ratings.user, ratings.user_ids, is_train)[1],
        item_vocabulary=item_vocabulary,
        catalog=catalog,
        catalog_item=catalog_item,
        side_tables={name: tables[name] for name in features if name in tables},
        context_columns=context_columns(features),
        rating_range=rating_range,
        train_mean=float(ratings.rating[is_train].mean()),
        validation_users=ratings.user[parts == VALIDATION],
        roster=roster,
    )


def encode_test(
    ratings: Ratings, parts: Parts, encoded: EncodedDataset, features: Sequence[str], is_refit: bool
) -> Rows:
    """The sealed rows as `encoded` would have them; for `recommender.datasets.unsealing` alone."""
    is_train = parts != TEST if is_refit else parts == TRAIN
    return _rows(ratings, parts == TEST, is_train, encoded.catalog, encoded.roster, features)


def encode_confirm(
    ratings: Ratings, parts: Parts, encoded: EncodedDataset, features: Sequence[str]
) -> Rows:
    """The rows kept for a verdict; for `recommender.datasets.confirming` alone."""
    return _rows(
        ratings, parts == CONFIRM, parts == TRAIN, encoded.catalog, encoded.roster, features
    )


def _rows(
    ratings: Ratings,
    chosen: npt.NDArray[np.bool_],
    is_train: npt.NDArray[np.bool_],
    catalog: Strings,
    roster: Strings | None,
    features: Sequence[str],
) -> Rows:
    user_index, _ = _vocabulary(ratings.user, ratings.user_ids, is_train)
    item_index, _ = _vocabulary(ratings.item, ratings.item_ids, is_train)
    time = None if ratings.time is None else ratings.time[chosen]
    return Rows(
        user=user_index[ratings.user[chosen]],
        item=item_index[ratings.item[chosen]],
        catalog=_numbers(ratings.item_ids, catalog)[ratings.item[chosen]],
        context=context(time, int(chosen.sum()), features),
        rating=ratings.rating[chosen].astype(np.float32),
        roster=None if roster is None else _numbers(ratings.user_ids, roster)[ratings.user[chosen]],
    )


def _with_known(rated: Strings, sides: Sequence[Side]) -> Strings:
    """The ids that are rated or rate, and those whose features are known; sorted."""
    for side in sides:
        rated = np.union1d(rated, side.frame.index.to_numpy(dtype=rated.dtype.type))
    return rated


def _numbers(ids: Strings, known: Strings) -> Ints:
    """The number of each id among all that are known, from 1."""
    return (np.searchsorted(known, ids) + 1).astype(np.int32)


def _vocabulary(codes: Ints, ids: Strings, is_train: npt.NDArray[np.bool_]) -> tuple[Ints, Strings]:
    """For each id its index in the vocabulary of train (from 1; 0: not in it); the vocabulary."""
    in_train = np.zeros(len(ids), bool)
    in_train[codes[is_train]] = True
    index = np.where(in_train, np.cumsum(in_train), 0).astype(np.int32)
    return index, ids[in_train]
