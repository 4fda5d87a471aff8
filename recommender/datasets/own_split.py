"""A split by a function of the researcher's own: a label for each rating.

It is given `user`, `item` and `time` (where there are times) of every rating, sorted by user and
item, and gives `train`, `validation` or `test` for each. Ratings are not among what it sees: a test
part that was chosen by them would not be sealed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.cleaning import Ratings
from recommender.datasets.config import PARTS
from recommender.errors import DataError, OwnCodeError
from recommender.own import OwnDefinition
from recommender.own_loading import blamed_on, load


def labelled(own: OwnDefinition, ratings: Ratings) -> npt.NDArray[np.int8]:
    """The part of each rating.

    Raises:
        DataError: the function fails, gives other than a label a row, or other ones each time.
    """
    first, second = (_labels(own, ratings) for _ in range(2))
    if not np.array_equal(first, second):
        raise DataError(
            [
                f"{own.where} gives other labels when it is called again, so that a resumed study "
                "would have another split; seed its random numbers: np.random.default_rng(0)"
            ]
        )
    return first


def _labels(own: OwnDefinition, ratings: Ratings) -> npt.NDArray[np.int8]:
    frame = pd.DataFrame(
        {"user": ratings.user_ids[ratings.user], "item": ratings.item_ids[ratings.item]}
    )
    if ratings.time is not None:
        frame["time"] = pd.to_datetime(ratings.time, unit="s", utc=True)
    try:
        function = load(own)
        with blamed_on(own):
            labels = function(frame)
    except OwnCodeError as error:
        if isinstance(error.__cause__, KeyError):
            columns = ", ".join(map(str, frame))
            told = f"{error}; the frame has {columns} (ids are text), and no ratings"
            raise DataError([told]) from error
        raise DataError([error.in_full]) from error
    return _as_parts(own, labels, frame.index)


def _as_parts(own: OwnDefinition, labels: Any, index: pd.Index[Any]) -> npt.NDArray[np.int8]:
    known = PARTS[:3]
    rule = f"{own.where} must give {', '.join(known[:2])} or {known[2]} for each of the rows"
    if isinstance(labels, pd.Series) and labels.index.sort_values().equals(index):
        labels = labels.reindex(index)  # sorted or grouped in between
    try:
        given = pd.Series(list(labels), dtype=object)
    except TypeError:
        raise DataError([f"{rule}, got {type(labels).__name__}"]) from None
    if len(given) != len(index):
        raise DataError([f"{rule}: {len(index):,} labels, got {len(given):,}"])
    is_known = given.isin(known).to_numpy()
    if not is_known.all():
        row = int((~is_known).argmax())
        raise DataError([f"{rule}, got {given.iloc[row]!r} for row {row}"])
    return np.asarray(given.map({part: i for i, part in enumerate(known)}), np.int8)
