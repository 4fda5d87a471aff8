from __future__ import annotations

import numpy as np
import pytest

from recommender.datasets.config import SplitConfig
from recommender.datasets.mending import as_table, mended
from recommender.errors import DataError
from tests.recommender.datasets.tables import NAMES, load_text

ROWS = [f"u{i % 5},x{i % 4},{1 + i % 5},{100 + i}" for i in range(20)]


def text_of(*rows: str) -> str:
    return "\n".join(["user,item,rating,time", *rows, ""])


def test_damaged_rows_are_left_out_with_what_they_are(tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text_of(*ROWS[:10], "u0,x9,,1", ",x9,3,1", *ROWS[10:]))
    found = mended(path, NAMES)
    assert (found.n_rows, len(found.ratings)) == (22, 20)
    assert found.left_out == (
        "1 user id is missing (line 13)",
        "1 rating is missing (line 12)",
    )


def test_what_is_written_is_read_as_the_same_ratings(tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text_of(*ROWS, "u0,x9,9,1", "u1,x1,2,999"))
    found = mended(path, NAMES, rating_range=(1, 5), duplicates="latest")
    written = as_table(found.ratings, NAMES).to_csv(index=False)
    again = load_text(tmp_path, written, SplitConfig("random"), name="c.csv")
    path.write_text(text_of(*(row for row in ROWS if not row.startswith("u1,x1")), "u1,x1,2,999"))
    by_hand = load_text(tmp_path, path.read_text(), SplitConfig("random"))
    assert again.description.fingerprint == by_hand.description.fingerprint


def test_a_row_that_only_shows_once_others_are_gone_is_left_out_too(tmp_path) -> None:
    path = tmp_path / "r.csv"
    # A number beside it made the column one of text, in which `3,5` is no number either.
    path.write_text(text_of(*ROWS, 'u0,x9,"3,5",1', "u1,x9,inf,1"))
    found = mended(path, NAMES)
    assert len(found.ratings) == 20


def test_a_table_of_which_more_than_a_tenth_is_damaged_is_refused(tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text_of(*ROWS, "u0,x9,?,1", "u1,x9,?,1", "u2,x9,?,1"))
    with pytest.raises(DataError) as refused:
        mended(path, NAMES)
    assert refused.value.problems[0] == (
        "r.csv: 3 of 23 rows cannot be used, more than 10%: mend them where they come from"
    )
    assert "3 ratings are no numbers" in refused.value.problems[1]


def test_ratings_outside_a_range_that_is_asked_for_go_however_many_they_are(tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text_of(*ROWS, *(f"u{i},y{i},0,1" for i in range(30))))
    found = mended(path, NAMES, rating_range=(1, 5))
    assert (found.n_rows, len(found.ratings)) == (50, 20)
    assert found.left_out[0].startswith("30 ratings lie outside 1 to 5, such as '0'")


def test_what_is_wrong_with_the_whole_table_is_told_as_it_is(tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating,time\n")
    with pytest.raises(DataError, match=r"r\.csv: holds no ratings"):
        mended(path, NAMES)


def test_users_and_items_with_few_ratings_go_until_there_are_none(tmp_path) -> None:
    path = tmp_path / "r.csv"
    # Once u9 is gone, x8 has a single rating, and then u8.
    chain = ["u8,x8,1,1", "u8,x0,1,1", "u9,x8,1,1"]
    path.write_text(text_of(*ROWS, *chain))
    found = mended(path, NAMES, at_least=2)
    assert found.left_out == ("3 ratings of users or items that have fewer than 2",)
    counts = np.unique(as_table(found.ratings, NAMES)["user"], return_counts=True)
    assert (counts[0].tolist(), counts[1].min()) == ([f"u{i}" for i in range(5)], 4)
    with pytest.raises(DataError, match="no rating is left: 23 ratings of users or items"):
        mended(path, NAMES, at_least=7)
