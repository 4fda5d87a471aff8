"""The MovieLens data sets since 1M, from folders in their formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import load_dataset
from recommender.datasets.movielens_releases import N_RATINGS
from recommender.errors import DataError

N_USERS, N_ITEMS = 8, 6
TITLES = (
    "Am\xe9lie (1991)", "American President, The (1992)", 'Say "Hi" (1993)', "Heat: Part 4 (1994) ",
    "Series, The (1995-1999)", "Nobody knows when",
)  # fmt: skip
ROWS = [
    (u, i, 1 + (u * i) % 5, 874_724_710 + 9_000 * (u * N_ITEMS + i))
    for u in range(1, N_USERS + 1)
    for i in range(1, N_ITEMS + 1)
]
GENRES = ["Action|Children's", *["Drama"] * 4, "(no genres listed)"]


def _lines(rows: list[tuple[int, int, int, int]], between: str) -> str:
    return "".join(between.join(map(str, row)) + "\n" for row in rows)


def _dat(folder: Path) -> Path:
    folder.mkdir()
    (folder / "ratings.dat").write_text(_lines(ROWS, "::"))
    movies = [f"{i}::{t}::{g}" for i, (t, g) in enumerate(zip(TITLES, GENRES, strict=True), 1)]
    (folder / "movies.dat").write_bytes(("\n".join(movies) + "\n").encode("latin-1"))
    return folder


def _csv(folder: Path) -> Path:
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + _lines(ROWS, ","))
    movies = [
        '{},"{}",{}'.format(i, title.replace('"', '""'), genres)
        for i, (title, genres) in enumerate(zip(TITLES, GENRES, strict=True), 1)
    ]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]) + "\n")
    return folder


def _folder(name: str, tmp_path: Path) -> Path:
    return (_dat if name in ("ml-1m", "ml-10m") else _csv)(tmp_path / name)


def _load(name: str, folder: Path, split: SplitConfig | None = None) -> LoadedDataset:
    return load_dataset(DatasetConfig(name, folder), split or SplitConfig())


@pytest.mark.parametrize("name", N_RATINGS)
def test_each_is_read_from_its_folder(name: str, tmp_path: Path) -> None:
    loaded = _load(name, _folder(name, tmp_path))
    description, encoded = loaded.description, loaded.encoded
    counts = (description.n_ratings, description.n_users, description.n_items)
    assert counts == (len(ROWS), N_USERS, N_ITEMS)
    assert encoded.rating_range == (1.0 if name == "ml-1m" else 0.5, 5)
    genres, year = (encoded.side_tables[column] for column in ("genres", "year"))
    assert genres.columns == ("Action", "Children's", "Drama")
    assert not genres.matrix[N_ITEMS].any()
    assert (np.diff(year.matrix[1:N_ITEMS, 0]) > 0).all()
    assert year.matrix[N_ITEMS, 0] == 0  # where no year is known, the mean
    assert description.parts["train"].first_time == ROWS[0][3]


def test_1m_alone_tells_of_users(tmp_path: Path) -> None:
    folder = _dat(tmp_path / "ml-1m")
    users = [f"{u}::{'FM'[u % 2]}::{20 + u}::{u % 3}::0210{u}" for u in range(1, N_USERS + 1)]
    (folder / "users.dat").write_text("\n".join(users) + "\n")
    features = ("user_id", "item_id", "gender", "age", "occupation")
    encoded = load_dataset(DatasetConfig("ml-1m", folder, features=features), SplitConfig()).encoded
    assert encoded.side_tables["gender"].columns == ("F", "M")
    assert (np.diff(encoded.side_tables["age"].matrix[1:, 0]) > 0).all()
    assert encoded.side_tables["occupation"].columns == ("0", "1", "2")
    with pytest.raises(DataError, match="unknown feature 'gender'"):
        load_dataset(DatasetConfig("ml-10m", folder, features=features), SplitConfig())


def test_another_number_of_ratings_than_the_name_says_is_told(tmp_path: Path) -> None:
    notes = _load("ml-1m", _dat(tmp_path / "mine")).description.notes
    assert "ratings.dat holds 48 ratings, and ml-1m has 1,000,209" in notes
    notes = _load("ml-latest", _csv(tmp_path / "other")).description.notes
    assert not any("holds" in note for note in notes)


@pytest.mark.parametrize("name", ["ml-10m", "ml-25m"])
def test_a_split_of_files_in_the_same_format_is_read(name: str, tmp_path: Path) -> None:
    folder = _folder(name, tmp_path)
    source = next(folder.glob("ratings.*"))
    head = "userId,movieId,rating,timestamp\n" if source.suffix == ".csv" else ""
    lines = source.read_text().removeprefix(head).splitlines(keepends=True)
    parts = [folder / f"{part}{source.suffix}" for part in ("train", "test")]
    parts[0].write_text(head + "".join(lines[:40]))
    parts[1].write_text(head + "".join(lines[40:]))
    source.unlink()
    split = SplitConfig("files", train_path=parts[0], test_path=parts[1])
    description = _load(name, folder, split).description
    assert [part.n_rows for part in description.parts.values()] == [36, 4, 8]
    assert not any("holds" in note for note in description.notes)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("ratings.dat", "1::2::3::", "1::2::3:", "ratings.dat: line 2 is not user::item::"),
        ("ratings.dat", "1::2::3::", "1::2::3::4::5::6::", "ratings.dat: cannot be read"),
        ("ratings.dat", "1::2::3::", "1::2::3:x:", "ratings.dat: line 2 is not user::item"),
        ("ratings.dat", "1::2::3::", "1::2::::", "ratings.dat: line 2 is not user::item::"),
        ("ratings.dat", "1::2::3::", "1::2::9::", "lies outside 1 to 5, such as '9' (line 2)"),
        (
            "movies.dat",
            "::Drama",
            "",
            "movies.dat: line 2 has 2 columns instead of 3 (item::title::genres); is it ml-1m?",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    folder = _dat(tmp_path / "ml")
    path = folder / file
    path.write_text(path.read_text("latin-1").replace(old, new, 1), encoding="latin-1")
    with pytest.raises(DataError) as caught:
        _load("ml-1m", folder)
    assert told in str(caught.value)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    folder = _dat(tmp_path / "ml")
    (folder / "ratings.dat").write_text("")
    with pytest.raises(DataError, match=r"ratings\.dat: holds no ratings"):
        _load("ml-1m", folder)


def test_the_folder_of_another_one_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        _load("ml-25m", _dat(tmp_path / "ml-1m"))
    assert "has no file ratings.csv; ml-25m needs its unpacked folder" in str(caught.value)
    assert "has no file movies.csv" in str(caught.value)
    with pytest.raises(DataError, match=r"ml-1m needs dataset\.path, its unpacked folder"):
        load_dataset(DatasetConfig("ml-1m"), SplitConfig())
