from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recommender.datasets.config import SplitConfig
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
        ("rating", {3: "five"}, "1 rating is no number, such as 'five' (line 5)"),
        ("rating", {3: "inf"}, "1 rating is no number"),
        ("rating", {3: "nan"}, "1 rating is no number, such as 'nan' (line 5)"),
        ("time", {3: None}, "1 time is missing (line 5)"),
        ("time", {3: "yesterday"}, "1 time is neither seconds nor a date, such as 'yesterday'"),
        ("time", {3: 99_999_999_999_999}, "1 time is neither seconds nor a date"),
        ("user", {3: None}, "1 user id is missing (line 5)"),
        ("item", {3: "  "}, "1 item id is missing (line 5)"),
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


def test_the_latest_or_the_mean_of_a_pair_stands_for_all_its_ratings(tmp_path) -> None:
    again = RATINGS.iloc[[2, 2, 7]].copy()
    again["time"] = [int(RATINGS["time"].max()) + 50, int(RATINGS["time"][2]), RATINGS["time"][7]]
    again["rating"] = [1.0, 4.5, 2.5]  # later, at the same time, and at the same time
    twice = pd.concat([RATINGS, again], ignore_index=True)
    for duplicates, expected in (
        ("latest", {2: (1.0, again["time"].iloc[0]), 7: (2.5, RATINGS["time"][7])}),
        (
            "mean",
            {
                2: ((RATINGS["rating"][2] + 5.5) / 3, again["time"].iloc[0]),
                7: ((RATINGS["rating"][7] + 2.5) / 2, RATINGS["time"][7]),
            },
        ),
    ):
        once = RATINGS.copy()
        for row, (rating, time) in expected.items():
            once.loc[row, ["rating", "time"]] = rating, time
        seen = load_table(tmp_path, twice, duplicates=duplicates)
        wanted = load_table(tmp_path, once)
        assert seen.description.fingerprint == wanted.description.fingerprint
        assert seen.description.split_fingerprint == wanted.description.split_fingerprint
        (note,) = seen.description.notes
        assert note.startswith("ratings.csv: 3 rows rate a user-item pair again; the ")
        at_once = "kept, of 1 at one moment the last row"
        assert note.endswith(at_once if duplicates == "latest" else "taken")
    assert load_table(tmp_path, RATINGS, duplicates="latest").description.notes == ()


def test_without_times_no_rating_of_a_pair_is_the_latest(tmp_path) -> None:
    twice = pd.concat([RATINGS, RATINGS[:1]]).drop(columns="time")
    split = SplitConfig("random")
    with pytest.raises(DataError, match=r"dataset\.duplicates: latest needs times"):
        load_table(tmp_path, twice, split, duplicates="latest")
    assert load_table(tmp_path, twice, split, duplicates="mean").description.n_ratings == 300


def test_a_pair_in_two_files_is_refused_whatever_becomes_of_duplicates(tmp_path) -> None:
    RATINGS[:200].to_csv(tmp_path / "train.csv", index=False)
    RATINGS[199:].to_csv(tmp_path / "test.csv", index=False)
    split = SplitConfig("files", train_path=tmp_path / "train.csv", test_path=tmp_path / "test.csv")
    with pytest.raises(DataError, match="in more than one part"):
        load_table(tmp_path, RATINGS, split, path=None, duplicates="mean")


def test_an_unknown_way_with_duplicates_is_refused(tmp_path) -> None:
    (problem,) = problems(tmp_path, RATINGS, duplicates="first")
    assert problem == ("dataset.duplicates: unknown way 'first'; known: latest, mean, refuse")


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


@pytest.mark.parametrize("word", ["now", "today"])
def test_no_time_is_that_of_the_reading(tmp_path: Path, word: str) -> None:
    days = [f"2020-01-{day:02}" for day in range(1, 29)] + [word]
    rows = "".join(f"u{i % 5},i{i},4,{day}\n" for i, day in enumerate(days))
    with pytest.raises(DataError, match=f"time is neither seconds nor a date, such as '{word}'"):
        load_text(tmp_path, "user,item,rating,time\n" + rows)
