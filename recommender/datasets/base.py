"""The borders of the data: what is asked for, what the model gets, what the report tells.

Plain NumPy: loading data imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from recommender.own import OwnArchitecture

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Strings = npt.NDArray[np.str_]

SplitMethod = Literal[
    "time-range", "time-fraction", "leave-last-out", "random", "folds", "files", "column"
]
SPLIT_METHODS: tuple[SplitMethod, ...] = get_args(SplitMethod)
SPLIT_KEYS: dict[SplitMethod | Literal["own"], tuple[str, ...]] = {
    "time-range": ("train", "validation"),
    "time-fraction": ("train", "validation"),
    "leave-last-out": (),
    "random": ("train", "validation", "seed"),
    "folds": ("folds", "fold", "seed"),
    "files": ("train_path", "test_path", "validation_path"),
    "column": (),
    "own": (),
}
"""What a split by each method follows from, beside `confirm`."""
FeatureKind = Literal["list", "category", "text", "number"]
Of = Literal["item", "user"]
"""Whose a side feature is."""
Duplicates = Literal["refuse", "latest", "mean"]
PARTS = ("train", "validation", "test", "confirm")
"""What a row is for; the last only where `split.confirm` asks for it."""
MANY_STRANGERS = 0.2
"""From this share of rows of users without train rows on, it is said whom models are ranked by."""


@dataclass(frozen=True, slots=True)
class SideConfig:
    """A table with a row an item or a user, and which of its columns are features."""

    path: Path
    key: str
    """The column that holds the id."""
    category: tuple[str, ...] = ()
    """Columns with one word each."""
    list: tuple[str, ...] = ()
    """Columns with several words each, separated by `|` (Parquet: lists too)."""
    number: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    """Columns with titles or descriptions, of which the most frequent words count."""

    def __post_init__(self) -> None:
        _make_paths(self, "path")

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.category, *self.list, *self.number, *self.text)


class ItemsConfig(SideConfig):
    """Of the items."""


class UsersConfig(SideConfig):
    """Of the users."""


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """The `[dataset]` table: a shipped data set by name, or a table of one's own by path."""

    name: str | None = None
    path: Path | None = None
    """The folder of a shipped data set, or the file of one's own table."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Only for a table: which column is `user`, `item`, `rating` and, if any, `time`; under the
    split method `column` also `part`: train, validation or test."""
    rating_range: tuple[float, float] | None = None
    """None: the shipped data set's own, or the lowest and highest rating outside the test part."""
    duplicates: Duplicates = "refuse"
    """What becomes of pairs that are rated more than once: `latest` keeps the last in time, of the
    same time the last in the file; `mean` their mean, at the time of the last."""
    items: ItemsConfig | None = None
    """Only for a table, and so is the next."""
    users: UsersConfig | None = None
    own: OwnArchitecture | None = None
    """The researcher's function that gives the data, which then goes by the function's name."""
    features: tuple[str, ...] = ()
    """What the model sees; empty: `recommender.datasets.registry.features_of`."""

    def __post_init__(self) -> None:
        _make_paths(self, "path")

    @property
    def sides(self) -> dict[Of, SideConfig]:
        """The tables of items and users, those that there are; their keys end in `s`."""
        both: dict[Of, SideConfig | None] = {"item": self.items, "user": self.users}
        return {of: side for of, side in both.items() if side is not None}


@dataclass(frozen=True, slots=True)
class SplitConfig:
    """The `[split]` table: which rows train, which choose, which are sealed."""

    method: SplitMethod | Literal["own"] = "time-range"
    train: float = 0.6
    """Share of the time range (`time-range`) or of the rows (`time-fraction`, `random`)."""
    validation: float = 0.2
    """The same; the rest is the test."""
    seed: int = 0
    """Only for `random` and `folds`."""
    folds: int = 5
    """Only for `folds`: parts of equal size into which the rows are dealt at random; at least 3."""
    fold: int = 1
    """Which of them is the test, from 1 to `folds`; the next one validates, and the first after
    the last."""
    confirm: float = 0.0
    """Share of the validation users whose validation rows the search never sees; only a verdict
    judges on them. 0: none, and the search's rows are the verdict's, too."""
    train_path: Path | None = None
    """Only for `files`, as are the two below."""
    test_path: Path | None = None
    validation_path: Path | None = None
    """None: the last tenth of the train file by time."""
    own: OwnArchitecture | None = None
    """The researcher's function that labels the rows; only for `own`."""

    def __post_init__(self) -> None:
        _make_paths(self, "train_path", "test_path", "validation_path")

    @property
    def needs_time(self) -> bool:
        """Whether the data must have times to be split this way."""
        if self.method == "files":
            return self.validation_path is None
        return self.method not in ("random", "folds", "column", "own")

    @property
    def files(self) -> dict[str, Path]:
        """By part, in the order train, test, validation; empty for methods other than `files`."""
        paths = {
            "train": self.train_path,
            "test": self.test_path,
            "validation": self.validation_path,
        }
        if self.method != "files":
            return {}
        return {part: path for part, path in paths.items() if path is not None}


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


def _make_paths(config: object, *names: str) -> None:
    """In Python a path may be given as text."""
    for name in names:
        if isinstance(path := getattr(config, name), str):
            object.__setattr__(config, name, Path(path))


def _require(name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name} must be {dtype.__name__} of shape {shape}, got {array.dtype} {array.shape}"
        )
