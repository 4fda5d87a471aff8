"""The MovieLens data sets since 1M, each from its unpacked folder.

1M and 10M hold `ratings.dat` and `movies.dat` with `::` between columns and no header; the others
`ratings.csv` and `movies.csv`.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import replace
from pathlib import Path

from recommender.datasets.config import DatasetConfig
from recommender.datasets.movielens import (
    FEATURES,
    ITEM_KINDS,
    USER_KINDS,
    folder_problems,
    noted_if_cut,
    read_plain,
    tells_of_users,
)
from recommender.datasets.sources import RawSide, RawTable, Source
from recommender.datasets.table import read_table
from recommender.errors import DataError

N_RATINGS = {
    "ml-1m": 1_000_209,
    "ml-10m": 10_000_054,
    "ml-20m": 20_000_263,
    "ml-25m": 25_000_095,
    "ml-32m": 32_000_204,
    "ml-latest": None,
    "ml-latest-small": None,
}
"""As GroupLens has them; what is called latest changes."""

_COLUMNS = ("user", "item", "rating", "time")
_CSV_COLUMNS = ("userId", "movieId", "rating", "timestamp")
_YEAR = r"\((\d{4})(?:[-–]\d*)?\)\s*$"
"""At the end of a title, of a series the first."""


def _read_ratings(dataset: DatasetConfig, path: Path | None) -> RawTable:
    assert dataset.name is not None and dataset.path is not None
    of_split = path
    path = of_split or dataset.path / _file("ratings", dataset.name)
    if path.suffix == ".csv":
        raw = read_table(path, _CSV_COLUMNS, _CSV_COLUMNS[:2])
        raw = replace(raw, frame=raw.frame.set_axis(list(_COLUMNS), axis=1))
    else:
        raw = _read_ratings_dat(path, dataset.name)
    return raw if of_split else noted_if_cut(raw, dataset.name, N_RATINGS[dataset.name])


def _read_ratings_dat(path: Path, name: str) -> RawTable:
    import pandas as pd

    # Between two colons lies an empty column, and an eighth one shows lines that are too long.
    try:
        frame = pd.read_csv(
            path,
            sep=":",
            header=None,
            names=list(range(8)),
            index_col=False,
            dtype=dict.fromkeys((0, 1, 2, 3, 5, 7), str),
            quoting=csv.QUOTE_NONE,
            encoding="latin-1",
            skip_blank_lines=False,
        )
    except pd.errors.EmptyDataError:
        frame = pd.DataFrame(columns=list(range(8)))
    except (pd.errors.ParserError, OSError) as error:
        raise DataError([f"{path.name}: cannot be read: {error}; is it {name}?"]) from error
    is_wrong = frame[[0, 2, 4, 6]].isna().any(axis=1) | frame[[1, 3, 5, 7]].notna().any(axis=1)
    if is_wrong.any():
        line = int(is_wrong.to_numpy().argmax()) + 1
        raise DataError(
            [f"{path.name}: line {line} is not user::item::rating::time; is it {name}?"]
        )
    return RawTable(frame[[0, 2, 4, 6]].set_axis(list(_COLUMNS), axis=1), path.name, "line", 1)


def _read_sides(dataset: DatasetConfig) -> list[RawSide]:
    assert dataset.name is not None and dataset.path is not None
    items = _read_items(dataset.name, dataset.path)
    return [items, _read_users(dataset.path)] if tells_of_users(dataset) else [items]


def _read_users(folder: Path) -> RawSide:
    """Of 1M: id, gender, the lowest of a group's ages, occupation by number, zip code."""
    path = folder / "users.dat"
    layout = "user::gender::age::occupation::zip"
    raw = read_plain(path, "ml-1m", sep="::", n_columns=5, layout=layout)
    frame = raw[[0, 1, 2, 3]].set_axis(["user", "gender", "age", "occupation"], axis=1)
    return RawSide("user", RawTable(frame, path.name, "line", 1), USER_KINDS)


def _read_items(name: str, folder: Path) -> RawSide:
    path = folder / _file("movies", name)
    if path.suffix == ".csv":
        columns = ("movieId", "title", "genres")
        raw = read_table(path, columns, columns)
    else:
        # Of a title the year alone is used, so that its encoding, Latin-1 in 1M and UTF-8 in 10M,
        # does not matter.
        layout = "item::title::genres"
        frame = read_plain(path, name, sep="::", n_columns=3, layout=layout)
        raw = RawTable(frame, path.name, "line", 1)
    item, title, genres = (raw.frame[column] for column in raw.frame)
    frame = raw.frame.iloc[:, :0].assign(
        item=item,
        genres=genres.replace("(no genres listed)", ""),
        year=title.str.extract(_YEAR, expand=False),
    )
    return RawSide("item", replace(raw, frame=frame), ITEM_KINDS)


def _features(dataset: DatasetConfig) -> tuple[str, ...]:
    return (*FEATURES, *USER_KINDS) if dataset.name == "ml-1m" else FEATURES


def _file(stem: str, name: str) -> str:
    return f"{stem}.dat" if name in ("ml-1m", "ml-10m") else f"{stem}.csv"


RELEASES = {
    name: Source(
        rating_range=(1.0 if name == "ml-1m" else 0.5, 5.0),
        features=_features,
        problems=functools.partial(
            folder_problems,
            ratings=_file("ratings", name),
            items=_file("movies", name),
            users="users.dat",
        ),
        read_ratings=_read_ratings,
        read_sides=_read_sides,
    )
    for name in N_RATINGS
}
