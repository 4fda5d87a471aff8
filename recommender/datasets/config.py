"""What is asked for: the `[dataset]` and `[split]` tables as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from recommender.own import OwnDefinition

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
    own: OwnDefinition | None = None
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
    own: OwnDefinition | None = None
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


def _make_paths(config: object, *names: str) -> None:
    """In Python a path may be given as text."""
    for name in names:
        if isinstance(path := getattr(config, name), str):
            object.__setattr__(config, name, Path(path))
