"""What is told of data: their size, parts, long tail and fingerprints, as a study records them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recommender.datasets.encoded import EncodedDataset

MANY_STRANGERS = 0.2
"""From this share of rows of users without train rows on, it is said whom models are ranked by."""


@dataclass(frozen=True, slots=True)
class PartDescription:
    """One part of the split, told without the ratings of the test part."""

    n_rows: int
    n_users: int
    n_items: int
    unseen_users: float
    """Share of its rows whose user is in no train row; 0 for train."""
    unseen_items: float
    both_seen: float
    """Share of its rows whose user and item are both in train."""
    first_time: int | None
    """Seconds since 1970; None where the data has no times."""
    last_time: int | None


@dataclass(frozen=True, slots=True)
class LongTail:
    """How unevenly the ratings (of all parts) fall on users or items."""

    minimum: int
    median: float
    maximum: int
    top_tenth_share: float
    """Share of the ratings that the busiest tenth has."""


@dataclass(frozen=True, slots=True)
class DatasetDescription:
    """What a study records about its data; all of it can be written as JSON."""

    name: str
    n_ratings: int
    n_users: int
    n_items: int
    """Items with at least one rating."""
    rating_range: tuple[float, float]
    step: float | None
    """Distance of neighbouring ratings where they are regular: 1.0 for whole stars."""
    split: Mapping[str, Any]
    """The method and what it was given."""
    train: PartDescription
    validation: PartDescription
    test: PartDescription
    rating_counts: tuple[tuple[float, int], ...]
    """Rating and how often it is given, in train and validation together; more than 20 different
    ratings are counted in ten equal bins, told by their lower ends."""
    user_tail: LongTail
    item_tail: LongTail
    features: tuple[str, ...]
    fingerprint: str
    """SHA-256 of all rows, whatever their order in the file."""
    items_fingerprint: str
    """SHA-256 of the side features in use."""
    split_fingerprint: str
    """SHA-256 of which row went where."""
    notes: tuple[str, ...] = ()
    """What cleaning did, a sentence each."""
    confirm: PartDescription | None = None
    """Of the validation users, those whom only a verdict sees; None: there are none."""
    whole_split_fingerprint: str | None = None
    """The split's as it is without `confirm`; None: it is `split_fingerprint`. The openings of a
    test part are counted under it, whatever became of the validation users."""
    rating_unit: float = 1.0
    """`EncodedDataset.rating_unit`."""

    @property
    def parts(self) -> dict[str, PartDescription]:
        confirm = {} if self.confirm is None else {"confirm": self.confirm}
        return {"train": self.train, "validation": self.validation} | confirm | {"test": self.test}

    @property
    def sealed_fingerprint(self) -> str:
        """What the openings of the test part are counted under."""
        return self.whole_split_fingerprint or self.split_fingerprint

    @property
    def note_on_strangers(self) -> str | None:
        """A sentence where many validation rows are of users without train rows."""
        share = self.validation.unseen_users
        if share < MANY_STRANGERS:
            return None
        is_by_time = self.split["method"] in ("time-range", "time-fraction")
        return (
            f"{100 * share:.0f} % of the validation rows belong to users never seen in training: "
            "models are ranked by how they treat strangers"
            + "; split.method leave-last-out, or random, asks about known users"
            * is_by_time
        )

    @property
    def density(self) -> float:
        """Share of all user-item pairs that are rated."""
        return self.n_ratings / (self.n_users * self.n_items)

    def to_json(self) -> dict[str, Any]:
        """The fields under their names; only dicts, lists, strings, numbers and None."""
        plain = asdict(self)
        if self.confirm is None:
            del plain["confirm"], plain["whole_split_fingerprint"]
        if self.rating_unit == 1:
            del plain["rating_unit"]
        for name in ("rating_range", "features", "notes"):
            plain[name] = list(plain[name])
        return plain | {"rating_counts": [list(pair) for pair in self.rating_counts]}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedDataset:
    """A data set, ready to train on, and what to tell about it."""

    encoded: EncodedDataset
    description: DatasetDescription
