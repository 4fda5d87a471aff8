"""What models get: rated pairs as arrays, with vocabularies and side features.

Plain NumPy: loading data imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recommender.datasets.config import FeatureKind

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Strings = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rated pairs of one part, encoded. All arrays have one entry a row."""

    user: Ints
    """0: unseen in train; i: `user_vocabulary[i - 1]`."""
    item: Ints
    """0: unseen in train; i: `item_vocabulary[i - 1]`."""
    catalog: Ints
    """Row of the item in the item tables; i: `catalog[i - 1]`."""
    context: Floats
    """Shape (n_rows, len(context_columns))."""
    rating: Floats
    """In stars."""
    roster: Ints | None = None
    """Row of the user in the user tables; i: `roster[i - 1]`. None where there are none."""

    def __post_init__(self) -> None:
        n_rows = len(self.rating)
        for name, ids in self.ids.items():
            _require(name, ids, np.int32, (n_rows,))
        _require("rating", self.rating, np.float32, (n_rows,))
        _require("context", self.context, np.float32, (n_rows, self.context.shape[-1]))

    def __len__(self) -> int:
        return len(self.rating)

    def __getitem__(self, part: slice | npt.NDArray[np.intp]) -> Rows:
        """Some of the rows."""
        return Rows(
            self.user[part],
            self.item[part],
            self.catalog[part],
            self.context[part],
            self.rating[part],
            None if self.roster is None else self.roster[part],
        )

    @property
    def ids(self) -> dict[str, Ints]:
        """What embeddings and side features are looked up by."""
        ids = {"user": self.user, "item": self.item, "catalog": self.catalog}
        return ids if self.roster is None else ids | {"roster": self.roster}


@dataclass(frozen=True, slots=True, eq=False)
class SideTable:
    """One side feature of the items, or of the users: a row each, row 0 zeros."""

    kind: FeatureKind
    columns: tuple[str, ...]
    """The words (`list`, `category`: those of train rows) or the feature's name (`number`)."""
    matrix: Floats
    """Shape (n_catalog + 1, len(columns)), or n_roster. 0 or 1 for words; numbers are standardised
    over the train rows, unknown ones 0."""
    index: Literal["catalog", "roster"] = "catalog"
    """Which of a row's ids says the row of the matrix: its item's or its user's."""

    def __post_init__(self) -> None:
        _require("matrix", self.matrix, np.float32, (len(self.matrix), len(self.columns)))
        if self.matrix[0].any():
            raise ValueError("row 0 of a side table, of what is unknown, must be zeros")


@dataclass(frozen=True, slots=True, eq=False)
class EncodedDataset:
    """All that a model is trained and validated on. It holds no test row and no test label."""

    train: Rows
    validation: Rows
    user_vocabulary: Strings
    """Ids of the users of train rows, sorted."""
    item_vocabulary: Strings
    """Ids of the items of train rows, sorted."""
    catalog: Strings
    """Ids of all items whose side features are known or that any part rates, sorted."""
    catalog_item: Ints
    """Shape (n_catalog + 1,): `item` index of each catalog row; 0: unseen in train, and row 0."""
    side_tables: Mapping[str, SideTable]
    """By feature, in the order asked for; empty without side features."""
    context_columns: tuple[str, ...]
    """`hour_of_day_sin`, `hour_of_day_cos`, `day_of_week_sin`, `day_of_week_cos`, or fewer."""
    rating_range: tuple[float, float]
    """Lowest and highest rating there is; for clipping what is served."""
    train_mean: float
    validation_users: Ints
    """Whose each validation row is, a number a user; the model cannot tell unseen ones apart."""
    confirm: Rows | None = None
    """Rows that a verdict judges on, to be predicted only: their ratings are NaN."""
    roster: Strings | None = None
    """Ids of all users whose side features are known or whom any part has, sorted; None: no feature
    is the users'."""

    def __post_init__(self) -> None:
        _require("validation_users", self.validation_users, np.int32, (len(self.validation),))
        if self.confirm is not None and not np.isnan(self.confirm.rating).all():
            raise ValueError("no rating of a confirm row may be in the data of a model")
        limits = {
            "user": len(self.user_vocabulary),
            "item": len(self.item_vocabulary),
            "catalog": len(self.catalog),
        } | ({} if self.roster is None else {"roster": len(self.roster)})
        for part in (self.train, self.validation):
            if not len(part):
                raise ValueError("train and validation must hold at least one row each")
            _require("context", part.context, np.float32, (len(part), len(self.context_columns)))
            for name, limit in limits.items():
                array = part.ids[name]
                if array.min() < 0 or array.max() > limit:
                    raise ValueError(f"{name} must lie in 0 to {limit}")
        _require("catalog_item", self.catalog_item, np.int32, (len(self.catalog) + 1,))
        for name, table in self.side_tables.items():
            n_rows = limits[table.index] + 1
            _require(name, table.matrix, np.float32, (n_rows, len(table.columns)))
        if not self.rating_range[0] < self.rating_range[1]:
            raise ValueError(f"rating_range must go up, got {self.rating_range}")

    @property
    def n_users(self) -> int:
        return len(self.user_vocabulary)

    @property
    def n_items(self) -> int:
        return len(self.item_vocabulary)

    @property
    def rating_unit(self) -> float:
        """What models count ratings in: the power of 2 next to their standard deviation in train.

        1 for stars, of which there are some five; 8192 for thousands of plays. A power of 2
        changes no digit.
        """
        spread = float(self.train.rating.std(dtype=np.float64))
        return 2.0 ** round(np.log2(spread)) if spread > 0 else 1.0


def _require(name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name} must be {dtype.__name__} of shape {shape}, got {array.dtype} {array.shape}"
        )
