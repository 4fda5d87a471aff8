from __future__ import annotations

import pytest

from recommender.datasets.base import SplitConfig
from recommender.errors import DataError
from tests.recommender.datasets.tables import load_table, load_text
from tests.synthetic import synthetic_ratings

RATINGS = synthetic_ratings().astype({"rating": object, "time": object})


def problems(tmp_path, ratings, **dataset) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        load_table(tmp_path, ratings, **dataset)
    return caught.value.problems


def damaged(column: str, values: dict[int, object]):
    ratings = RATINGS.copy()
    for row, value in values.items():
        ratings.loc[row, column] = value
    return ratings


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("rating", {0: None, 5: None}, "ratings.csv: 2 ratings are missing (lines 2, 7)"),
        ("rating", {3: "five"}, "1 ratings are no numbers, such as 'five' (line 5)"),
        ("rating", {3: "inf"}, "1 ratings are no numbers"),
        ("rating", {3: "nan"}, "1 ratings are no numbers, such as 'nan' (line 5)"),
        ("time", {3: None}, "1 times are missing (line 5)"),
        ("time", {3: "yesterday"}, "1 times are neither seconds nor dates, such as 'yesterday'"),
        ("time", {3: 99_999_999_999_999}, "1 times are neither seconds nor dates"),
        ("user", {3: None}, "1 user ids are missing (line 5)"),
        ("item", {3: "  "}, "1 item ids are missing (line 5)"),
    ],
)
def test_damaged_rows_are_refused_with_count_and_lines(tmp_path, column, values, message) -> None:
    (problem,) = problems(tmp_path, damaged(column, values))
    assert message in problem


def test_of_many_bad_rows_the_first_five_are_named(tmp_path) -> None:
    (problem,) = problems(tmp_path, damaged("rating", dict.fromkeys(range(10, 30))))
    assert "20 ratings are missing (first of them: lines 12, 13, 14, 15, 16)" in problem


def test_ratings_outside_the_range_are_refused(tmp_path) -> None:
    ratings = damaged("rating", {0: 0, 1: 6})
    (problem,) = problems(tmp_path, ratings, rating_range=(1, 5))
    assert "2 ratings lie outside 1 to 5, such as '0.0' (lines 2, 3)" in problem
    assert "dataset.rating_range" in problem


def test_both_ends_of_the_range_are_inside(tmp_path) -> None:
    ratings = damaged("rating", {0: 0.5, 1: 5.5})
    loaded = load_table(tmp_path, ratings, rating_range=(0.5, 5.5))
    assert loaded.encoded.rating_range == (0.5, 5.5)


def test_a_pair_rated_twice_is_refused_with_both_lines(tmp_path) -> None:
    ratings = RATINGS.copy()
    for column in ("user", "item", "rating"):
        ratings.loc[9, column] = ratings.loc[2, column]
    for column in ("user", "item"):
        ratings.loc[20, column] = ratings.loc[2, column]
    ratings.loc[20, "rating"] = ratings.loc[2, "rating"] + 0.5
    (problem,) = problems(tmp_path, ratings)
    assert "2 rows rate a user-item pair again, 1 of them differently" in problem
    assert "line 11 after line 4, line 22 after line 11" in problem


def test_a_pair_in_two_files_is_refused_with_the_files(tmp_path) -> None:
    for name in ("train", "test"):
        RATINGS[:100].to_csv(tmp_path / f"{name}.csv", index=False)
    split = SplitConfig("files", train_path=tmp_path / "train.csv", test_path=tmp_path / "test.csv")
    with pytest.raises(DataError) as caught:
        load_table(tmp_path, RATINGS, split, path=None)
    assert "train.csv and test.csv: 100 rows rate a user-item pair again" in str(caught.value)
    assert "test.csv line 2 after train.csv line 2" in str(caught.value)


def test_all_kinds_of_damage_are_told_at_once(tmp_path) -> None:
    ratings = damaged("rating", {0: None, 1: "x", 2: 9})
    ratings.loc[3, "user"] = None
    ratings.loc[4, "time"] = None
    assert len(problems(tmp_path, ratings, rating_range=(1, 5))) == 5


def test_blanks_around_ids_go_and_are_told_where_ids_meet(tmp_path) -> None:
    text = "user,item,rating,time\n" + "\n".join(
        f'"{u}{" " * (k % 2)}",{i},{r},{t}'
        for k, (u, i, r, t) in enumerate(RATINGS.itertuples(index=False))
    )
    description = load_text(tmp_path, text).description
    assert description.fingerprint == load_table(tmp_path, RATINGS).description.fingerprint
    assert "user ids differ from others only in blanks" in description.notes[0]


def test_equal_ratings_everywhere_are_refused(tmp_path) -> None:
    (problem,) = problems(tmp_path, RATINGS.assign(rating=3))
    assert "nothing to learn" in problem
