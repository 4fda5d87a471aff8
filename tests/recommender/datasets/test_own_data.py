"""Data sets and splits that a researcher's own function gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import load_dataset, read_and_split
from recommender.errors import DataError, ModelError
from recommender.own_functions import argument_problems, read_function
from tests.own_helpers import write_helpers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_helpers(tmp_path)


def loaded(
    folder: Path, load: str = "mine.py:load", split: str | None = None, **more: object
) -> LoadedDataset:
    own = read_function(load, folder, ())
    by = read_function(split, folder, ("frame",)) if split else None
    return load_dataset(
        DatasetConfig(name=own.where, own=own, **more),  # type: ignore[arg-type]
        SplitConfig(method="own", own=by) if by else SplitConfig(),
    )


def test_a_function_gives_ratings_times_and_item_features_of_every_kind(folder: Path) -> None:
    data = loaded(folder)
    assert data.description.name == "mine.py: load"
    assert data.description.features == ("user_id", "item_id", "roast", "price", "tags")
    kinds = {name: (t.kind, t.columns) for name, t in data.encoded.side_tables.items()}
    assert kinds == {
        "roast": ("category", ("dark", "light")),
        "price": ("number", ("price",)),
        "tags": ("list", ("a", "b", "c")),
    }
    assert loaded(folder).description == data.description
    few = loaded(folder, features=("user_id", "item_id", "hour_of_day", "price"))
    assert list(few.encoded.side_tables) == ["price"] and few.encoded.context_columns


def test_a_column_that_is_the_same_for_a_user_is_the_users(folder: Path) -> None:
    encoded = loaded(folder, "mine.py:with_ages").encoded
    assert encoded.side_tables["roast"].index == "catalog"
    assert encoded.side_tables["age"].index == "roster"
    assert list(encoded.side_tables)[-1] == "age"


def test_missing_values_of_pandas_own_types_are_values_like_others(folder: Path) -> None:
    (folder / "nullable.py").write_text(
        "import mine\n\n\ndef ages():\n    frame = mine.with_ages()\n"
        "    has_age = frame.user != frame.user[0]\n"
        "    return frame.assign(age=frame.age.where(has_age).astype('Int64'))\n"
        "\n\ndef prices():\n    frame = mine.load()\n"
        "    return frame.assign(price=frame.price.where(frame.index % 2 == 0).astype('Float64'))\n"
    )
    assert loaded(folder, "nullable.py:ages").encoded.side_tables["age"].index == "roster"
    with pytest.raises(DataError, match=r"price of item \d+ is .* in one row and .* in another"):
        loaded(folder, "nullable.py:prices")


def test_items_may_be_categories_and_lists_lack_words(folder: Path) -> None:
    (folder / "holes.py").write_text(
        "import mine\n\n\ndef load():\n    frame = mine.load()\n"
        "    frame['tags'] = [[*tags, float('nan')] for tags in frame['tags']]\n"
        "    return frame.astype({'item': 'category'})\n"
    )
    assert loaded(folder, "holes.py:load").encoded.side_tables["tags"].columns == ("a", "b", "c")


def test_a_path_is_handed_on_as_it_is(folder: Path) -> None:
    (folder / "ratings.csv").write_text(
        "user,item,rating,time\n"
        + "".join(f"{u},{i},{u % 9},{u + i}\n" for u in range(9) for i in range(9))
    )
    own = read_function("mine.py:from_path", folder, ("path",))
    data = load_dataset(
        DatasetConfig(name=own.where, own=own, path=folder / "ratings.csv"), SplitConfig()
    )
    assert data.description.n_ratings == 81 and data.description.rating_range[1] == 5
    assert argument_problems(own, {"best": "5", "worst": 1}) == {
        "best": "best must be a whole number, as its default 5, got '5'",
        "worst": "unknown argument of from_path 'worst'; known: best",
    }


def test_a_split_labels_the_rows_in_whatever_order_it_gives_them(folder: Path) -> None:
    data = loaded(folder, split="mine.py:latest_last")
    parts = data.description.parts
    n_rows = sum(part.n_rows for part in parts.values())
    assert parts["train"].n_rows / n_rows == pytest.approx(0.6, abs=0.03)
    assert parts["test"].n_users == parts["train"].n_users
    assert data.description.split == {"method": "mine.py: latest_last"}
    users = data.encoded.validation_users
    assert len(users) == parts["validation"].n_rows and (np.diff(users) >= 0).all()
    own, by = (
        read_function("mine.py:load", folder, ()),
        read_function("mine.py:latest_last", folder, ("frame",)),
    )
    it = read_and_split(DatasetConfig(own.where, own=own), SplitConfig("own", own=by))
    in_order = np.lexsort((it.ratings.time, it.ratings.user))
    later = np.diff(it.parts[in_order])[np.diff(it.ratings.user[in_order]) == 0]
    assert (later >= 0).all()  # of each user train before validation before test


@pytest.mark.parametrize(
    ("load", "split", "said"),
    [
        ("bad.py:no_frame", None, "bad.py: no_frame must give a pandas DataFrame, got list"),
        ("bad.py:no_rating", None, "column 'rating' is missing; there are user, item, stars"),
        ("bad.py:two_prices", None, r"price of item \d+ is .* in one row and .* in another"),
        ("bad.py:bad_price", None, r"values of price are no numbers, such as 'inf' \(.*rows 0, "),
        ("bad.py:vectors", None, "tags holds lists of ndarray; give words, or numbers as columns"),
        ("bad.py:fails", None, r'(?s)File ".*bad.py", line 43, in fails.*KeyError: .nothing.'),
        ("bad.py:two_without_items", None, "2 item ids are missing"),
        ("bad.py:one_without_item", None, "year of item c is 2000 in one row and 2001 in another"),
        ("bad.py:none_dated", None, "holds no ratings"),
        (
            "bad.py:beside",
            None,
            r"(?s)No such file .*/ratings.csv.*\nwhere bad.py: beside runs lie only the Python",
        ),
        (
            "bad.py:elsewhere",
            None,
            r"(?s)No such file .*/data/of/mine/ratings.csv.*elsewhere names this file itself: put ",
        ),
        ("mine.py:load", "bad.py:too_few", "labels, got 3"),
        ("mine.py:load", "bad.py:other_words", "train, validation or test for each .* got 'dev'"),
        ("mine.py:load", "bad.py:keeps_users", "train, validation or test for .* got 'confirm'"),
        ("mine.py:load", "bad.py:all_train", "leaves no row for validation and test"),
        ("mine.py:load", "bad.py:dice", "other labels when it is called again"),
        ("mine.py:load", "bad.py:peeks", r"bad.py:\d+: KeyError: 'rating'; the frame has user, it"),
    ],
)
def test_what_a_function_does_wrong_is_told_as_its_own(
    folder: Path, load: str, split: str | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        loaded(folder, load, split)


def test_two_spellings_of_an_item_are_one(folder: Path) -> None:
    assert loaded(folder, "bad.py:two_spellings").description.n_items == 30


def test_lists_of_arrow_are_lists(folder: Path) -> None:
    plain, arrow = loaded(folder).description, loaded(folder, "mine.py:arrow_lists").description
    assert arrow.items_fingerprint == plain.items_fingerprint


def test_features_that_it_has_not_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"dataset.features: unknown feature 'prize'; did you mean"):
        loaded(folder, features=("user_id", "item_id", "prize"))


def test_what_cannot_be_called_is_refused_unread(folder: Path) -> None:
    for reference, said in (
        ("mine.py:lode", "has no function or class 'lode'"),
        ("nowhere.py:load", "there is no file"),
        ("bad.py:wants_more", "all else must be keyword-only"),
    ):
        with pytest.raises(ModelError, match=said):
            read_function(reference, folder, ("frame",))
