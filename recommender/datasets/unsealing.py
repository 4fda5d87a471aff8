"""The one way to the ratings of the test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recommender.datasets.base import DatasetConfig, EncodedDataset, Ints, Rows, SplitConfig
from recommender.datasets.encoding import encode_test
from recommender.datasets.loading import read_and_split
from recommender.datasets.splits import TEST


@dataclass(frozen=True, slots=True, eq=False)
class OpenedTest:
    """Test rows with their ratings, under the vocabulary of what models were trained on."""

    rows: Rows
    users: Ints
    """Whose each row is, a number a user."""
    refit: EncodedDataset
    """Train and validation rows together as train."""
    refit_rows: Rows
    """The test rows under the vocabulary of `refit`."""


def open_test(
    dataset: DatasetConfig, split: SplitConfig, *, record: Callable[[], object]
) -> OpenedTest:
    """Read the ratings of the test rows, after the opening is on record.

    Args:
        record: writes down when, by whom and why; where it fails, nothing is opened.

    Raises:
        DataError: as `load_dataset`.
    """
    record()
    it = read_and_split(dataset, split)
    refit = it.encoded(is_refit=True)
    return OpenedTest(
        rows=encode_test(it.ratings, it.parts, it.encoded(), it.features, is_refit=False),
        users=it.ratings.user[it.parts == TEST],
        refit=refit,
        refit_rows=encode_test(it.ratings, it.parts, refit, it.features, is_refit=True),
    )
