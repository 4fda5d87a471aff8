"""The validation rows as the data set has them, to lay predictions beside."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import SplitData, read_and_split
from recommender.datasets.splits import TRAIN, VALIDATION


def load_with_validation(
    dataset: DatasetConfig, split: SplitConfig
) -> tuple[LoadedDataset, pd.DataFrame]:
    """What `load_dataset` gives, and user, item, rating, time (empty without times),
    user_is_known, item_is_known: one row a rating, in the order of `EncodedDataset.validation`.

    Raises:
        DataError: as `load_dataset`.
    """
    it = read_and_split(dataset, split)
    return it.loaded(), _frame(it)


def _frame(it: SplitData) -> pd.DataFrame:
    ratings, is_row = it.ratings, it.parts == VALIDATION
    in_train = it.parts == TRAIN
    seconds = np.full(len(ratings), np.nan) if ratings.time is None else ratings.time
    return pd.DataFrame(
        {
            "user": pd.Series(ratings.user_ids[ratings.user[is_row]], dtype="string"),
            "item": pd.Series(ratings.item_ids[ratings.item[is_row]], dtype="string"),
            "rating": ratings.rating[is_row],
            "time": pd.to_datetime(seconds[is_row], unit="s", utc=True),
            "user_is_known": np.isin(ratings.user[is_row], ratings.user[in_train]),
            "item_is_known": np.isin(ratings.item[is_row], ratings.item[in_train]),
        }
    )
