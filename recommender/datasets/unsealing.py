"""The one way to the ratings of the test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import DatasetDescription
from recommender.datasets.encoded import EncodedDataset, Ints, Rows
from recommender.datasets.encoding import encode_test
from recommender.datasets.loading import read_and_split
from recommender.datasets.splits import TEST


@dataclass(frozen=True, slots=True, eq=False)
class RefitData:
    """What to train the leader on once more, and to score it on."""

    encoded: EncodedDataset
    """Train and validation rows together as train."""
    rows: Rows
    """The test rows under its vocabulary."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenedTest:
    """Test rows with their ratings, under the vocabulary of what models were trained on."""

    encoded: EncodedDataset
    """What they were trained on."""
    rows: Rows
    users: Ints
    """Whose each row is, a number a user."""
    refit: RefitData | None


def open_test(
    dataset: DatasetConfig,
    split: SplitConfig,
    *,
    record: Callable[[DatasetDescription], object],
    is_refit: bool = False,
) -> OpenedTest:
    """Take the ratings of the test rows, after the opening is on record.

    Args:
        record: is told what the data are, and writes down when, by whom and why their test part is
            opened; where it fails, nothing is.
        is_refit: a model is to be trained on train and validation, too.

    Raises:
        DataError: as `load_dataset`.
    """
    it = read_and_split(dataset, split)
    loaded = it.loaded()
    record(loaded.description)
    refit = None
    if is_refit:
        encoded = it.encoded(is_refit=True)
        rows = encode_test(it.ratings, it.parts, encoded, it.features, is_refit=True)
        refit = RefitData(encoded, rows)
    return OpenedTest(
        encoded=loaded.encoded,
        rows=encode_test(it.ratings, it.parts, loaded.encoded, it.features, is_refit=False),
        users=it.ratings.user[it.parts == TEST],
        refit=refit,
    )
