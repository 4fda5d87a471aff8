"""The one way to the ratings of the validation users that a search never sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.encoded import EncodedDataset, Ints, Rows
from recommender.datasets.encoding import encode_confirm
from recommender.datasets.loading import read_and_split
from recommender.datasets.splits import CONFIRM


@dataclass(frozen=True, slots=True, eq=False)
class ConfirmRows:
    """What a verdict judges on where `split.confirm` asks for it."""

    rows: Rows
    users: Ints
    """Whose each row is, a number a user."""

    def to_predict_in(self, encoded: EncodedDataset) -> EncodedDataset:
        """The data with these rows to be predicted, without their ratings."""
        hidden = replace(self.rows, rating=np.full_like(self.rows.rating, np.nan))
        return replace(encoded, confirm=hidden)

    def judged_in(self, encoded: EncodedDataset) -> EncodedDataset:
        """The data with these rows in the place of validation, to cut errors into segments."""
        return replace(encoded, validation=self.rows, validation_users=self.users, confirm=None)


def load_with_confirm(
    dataset: DatasetConfig, split: SplitConfig, *, before: Callable[[LoadedDataset], object]
) -> tuple[LoadedDataset, ConfirmRows | None]:
    """What a search had, and the rows kept for a verdict with their ratings; None where none are.

    Args:
        before: is given what a search had, to freeze what will be judged; where it fails, no rating
            of the rows kept is taken.

    Raises:
        DataError: as `load_dataset`.
    """
    it = read_and_split(dataset, split)
    loaded = it.loaded()
    before(loaded)
    if not split.confirm:
        return loaded, None
    return loaded, ConfirmRows(
        rows=encode_confirm(it.ratings, it.parts, loaded.encoded, it.features),
        users=it.ratings.user[it.parts == CONFIRM],
    )
