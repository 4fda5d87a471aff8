from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.datasets.cleaning import Ratings
from recommender.datasets.config import SplitConfig
from recommender.datasets.encoded import Ints
from recommender.datasets.splits import TEST, TRAIN, VALIDATION, notes_on, split_ratings
from recommender.errors import DataError
from tests.recommender.datasets.tables import NAMES, load_table, load_text
from tests.synthetic import synthetic_ratings


def ratings_at(times: list[int], parts: list[int] | None = None) -> Ratings:
    n = len(times)
    codes: Ints = np.arange(n, dtype=np.int32)
    ids = np.array([f"{i:04}" for i in range(n)])
    return Ratings(
        user=codes,
        item=codes,
        user_ids=ids,
        item_ids=ids,
        rating=np.ones(n),
        time=np.array(times, np.int64),
        part=np.array(parts or [TRAIN] * n, np.int8),
        notes=(),
    )


def test_the_time_range_is_cut_not_the_rows_and_bounds_belong_to_the_earlier_part() -> None:
    times = [0, 60, 61, 80, 81, 100]
    parts = split_ratings(ratings_at(times), SplitConfig("time-range", 0.6, 0.2))
    assert parts.tolist() == [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST]


def test_a_time_fraction_cuts_rows_in_order_of_time() -> None:
    times = [50, 10, 40, 20, 30, 5, 6, 7, 8, 9]
    parts = split_ratings(ratings_at(times), SplitConfig("time-fraction", 0.6, 0.2))
    assert np.bincount(parts).tolist() == [6, 2, 2]
    assert parts[[0, 2]].tolist() == [TEST, TEST]
    assert parts[[3, 4]].tolist() == [VALIDATION, VALIDATION]


def _of_users(user: list[int], times: list[int]) -> Ratings:
    n_users = max(user) + 1
    return replace(
        ratings_at(times),
        user=np.array(user, np.int32),
        user_ids=np.array([f"u{u}" for u in range(n_users)]),
    )


def test_the_last_rating_of_each_user_is_left_out_and_the_one_before_validates() -> None:
    ratings = _of_users([0, 0, 0, 0, 1, 1, 2, 2, 2], [7, 9, 1, 8, 5, 6, 3, 2, 1])
    split = SplitConfig("leave-last-out")
    parts = split_ratings(ratings, split)
    assert parts.tolist() == [
        TRAIN, TEST, TRAIN, VALIDATION, TRAIN, TRAIN, TEST, VALIDATION, TRAIN,
    ]  # fmt: skip
    (note,) = notes_on(ratings, parts, split)
    assert note == "in train alone are users with fewer than three ratings: 1"


def test_which_of_a_user_s_ratings_of_one_moment_is_last_does_not_follow_the_item_s_id() -> None:
    n_users = 400
    ratings = _of_users(list(np.repeat(np.arange(n_users), 3)), [5] * 3 * n_users)
    parts = split_ratings(ratings, SplitConfig("leave-last-out")).reshape(n_users, 3)
    assert (np.sort(parts, axis=1) == [TRAIN, VALIDATION, TEST]).all()
    shares = (parts == TEST).mean(axis=0)
    assert (abs(shares - 1 / 3) < 0.1).all()


def test_without_a_user_of_three_ratings_nothing_can_be_left_out() -> None:
    ratings = _of_users([0, 0, 1], [1, 2, 3])
    with pytest.raises(DataError, match=r"leave-last-out leaves no row for validation and test"):
        split_ratings(ratings, SplitConfig("leave-last-out"))


def test_a_random_split_is_the_seed_s() -> None:
    ratings = ratings_at([0] * 50)
    parts = split_ratings(ratings, SplitConfig("random", seed=1))
    assert np.bincount(parts).tolist() == [30, 10, 10]
    of_seven = split_ratings(ratings_at([0] * 7), SplitConfig("random"))
    assert np.bincount(of_seven).tolist() == [4, 2, 1]  # 4.2 and 5.6, to whole rows
    again = split_ratings(ratings, SplitConfig("random", seed=1))
    other = split_ratings(ratings, SplitConfig("random", seed=2))
    assert parts.tolist() == again.tolist() != other.tolist()


def test_files_keep_their_parts(tmp_path) -> None:
    path = tmp_path / "x.csv"
    split = SplitConfig("files", train_path=path, test_path=path, validation_path=path)
    parts = split_ratings(ratings_at([0] * 4, [TRAIN, TEST, VALIDATION, TRAIN]), split)
    assert parts.tolist() == [TRAIN, TEST, VALIDATION, TRAIN]


def test_without_a_validation_file_the_latest_tenth_of_train_validates(tmp_path) -> None:
    path = tmp_path / "x.csv"
    split = SplitConfig("files", train_path=path, test_path=path)
    times = [*range(30, 0, -1), 100]
    parts = split_ratings(ratings_at(times, [TRAIN] * 30 + [TEST]), split)
    assert parts.tolist() == [*[VALIDATION] * 3, *[TRAIN] * 27, TEST]


def test_each_row_is_the_test_of_one_fold_and_validates_in_one() -> None:
    ratings = ratings_at([0] * 11)
    folds = np.array(
        [split_ratings(ratings, SplitConfig("folds", folds=4, fold=n)) for n in (1, 2, 3, 4)]
    )
    for part in (VALIDATION, TEST):
        assert ((folds == part).sum(axis=0) == 1).all()
        assert set((folds == part).sum(axis=1)) == {2, 3}
    assert np.array_equal(folds[0] == VALIDATION, folds[1] == TEST)
    assert np.array_equal(folds[3] == VALIDATION, folds[0] == TEST)
    other = split_ratings(ratings, SplitConfig("folds", folds=4, seed=1))
    assert other.tolist() != folds[0].tolist()


WITH_PART = NAMES | {"part": "set"}
BY_COLUMN = SplitConfig("column")


def test_a_column_says_the_part_of_each_row(tmp_path) -> None:
    text = "user,item,rating,time,set\na,x,1,9,train\nb,x,2,8, Val\na,y,3,7,TEST\nb,y,4,6,train\n"
    loaded = load_text(tmp_path, text, BY_COLUMN, columns=WITH_PART)
    assert sorted(loaded.encoded.train.rating) == [1, 4]
    assert loaded.encoded.validation.rating.tolist() == [2]
    assert loaded.description.split == {"method": "column"}
    assert loaded.description.test.n_rows == 1


def test_where_a_column_names_no_validation_rows_the_latest_of_train_are(tmp_path) -> None:
    rows = [f"u{i},x{i},{1 + i % 5},{i},{'test' if i == 3 else 'train'}" for i in range(11)]
    text = "\n".join(["user,item,rating,time,set", *rows])
    loaded = load_text(tmp_path, text, BY_COLUMN, columns=WITH_PART)
    assert (loaded.encoded.validation.rating.tolist(), loaded.description.test.n_rows) == ([1], 1)
    told = {"method": "column", "validation": "the last tenth of train by time"}
    assert loaded.description.split == told
    without = {role: name for role, name in WITH_PART.items() if role != "time"}
    with pytest.raises(DataError, match=r"columns\.part names no validation rows"):
        load_text(tmp_path, text, BY_COLUMN, columns=without)


def test_other_words_than_parts_are_refused_with_their_lines(tmp_path) -> None:
    text = "user,item,rating,time,set\na,x,1,9,confirm\nb,x,2,8,train\na,y,3,7,\n"
    with pytest.raises(DataError) as refused:
        load_text(tmp_path, text, BY_COLUMN, columns=WITH_PART)
    assert list(refused.value.problems) == [
        "ratings.csv: 1 part is missing (line 4); mend them where they come from",
        "ratings.csv: 1 part is neither train, validation nor test, such as 'confirm' (line 2); "
        "mend them where they come from",
    ]


def test_a_column_without_test_rows_is_refused(tmp_path) -> None:
    text = "user,item,rating,time,set\na,x,1,9,train\nb,x,2,8,validation\n"
    with pytest.raises(DataError, match=r"column leaves no row for test .*; it must say train and"):
        load_text(tmp_path, text, BY_COLUMN, columns=WITH_PART)


def test_a_part_without_rows_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="no row for validation and test out of 3"):
        split_ratings(ratings_at([7, 7, 7]), SplitConfig("time-range"))


@settings(max_examples=30, deadline=None)
@given(
    method=st.sampled_from(["time-range", "time-fraction", "random"]),
    train=st.floats(0.2, 0.7),
    validation=st.floats(0.1, 0.25),
)
def test_every_row_has_one_part_and_time_runs_forward(method, train, validation) -> None:
    times = np.random.default_rng(0).integers(0, 1000, 300).tolist()
    parts = split_ratings(ratings_at(times), SplitConfig(method, train, validation))
    assert set(parts) == {TRAIN, VALIDATION, TEST}
    if method != "random":
        latest = [max(np.array(times)[parts == part]) for part in (TRAIN, VALIDATION)]
        earliest = [min(np.array(times)[parts == part]) for part in (VALIDATION, TEST)]
        assert latest[0] <= earliest[0]
        assert latest[1] <= earliest[1]


@pytest.mark.parametrize("method", ["time-range", "time-fraction", "random"])
def test_the_order_of_the_file_changes_neither_split_nor_fingerprint(tmp_path, method) -> None:
    ratings = synthetic_ratings()
    shuffled = ratings.sample(frac=1, random_state=1)
    one, other = (load_table(tmp_path, r, SplitConfig(method)) for r in (ratings, shuffled))
    assert one.description == other.description
    np.testing.assert_array_equal(one.encoded.train.item, other.encoded.train.item)
    np.testing.assert_array_equal(one.encoded.train.rating, other.encoded.train.rating)


def test_another_seed_is_another_split_of_the_same_data(tmp_path) -> None:
    one, other = (
        load_table(tmp_path, synthetic_ratings(), SplitConfig("random", seed=s)).description
        for s in (1, 2)
    )
    assert one.fingerprint == other.fingerprint
    assert one.split_fingerprint != other.split_fingerprint


def test_what_is_sealed_stays_sealed_in_the_next_version(tmp_path) -> None:
    """Else a split that was opened would be another one under the same sweep, never opened."""
    ratings = synthetic_ratings(60, 40, 1500)
    ratings["time"] = ratings["time"] // 604_800 * 604_800  # many rows of one moment
    splits = {
        SplitConfig("time-range"): "85392fe2a33e",
        SplitConfig("time-fraction"): "7d88baac738a",
        SplitConfig("leave-last-out"): "d536f055a868",
        SplitConfig("random", seed=1): "ab27469512a5",
        SplitConfig("folds", fold=2, seed=1): "1e5a307ac821",
        SplitConfig(confirm=0.25): "9cba06cbd09f",
    }
    found = {
        split: load_table(tmp_path, ratings, split).description.split_fingerprint[:12]
        for split in splits
    }
    assert found == splits


def test_rows_of_one_moment_are_divided_by_chance_and_that_is_told() -> None:
    ratings = ratings_at([0] * 40 + [86_400] * 40 + [2 * 86_400] * 20)
    split = SplitConfig("time-fraction", 0.6, 0.3)
    parts = split_ratings(ratings, split)
    of_train, of_validation = notes_on(ratings, parts, split)
    assert "40 ratings have the time 1970-01-02 00:00:00 and lie on both sides" in of_train
    assert "20 ratings have the time 1970-01-03 00:00:00 and lie on both sides" in of_validation
    in_train = np.flatnonzero(parts[40:80] == TRAIN)
    assert len(in_train) == 20 and in_train.max() - in_train.min() > 25
    given = ratings_at([7] * 3, [TRAIN, VALIDATION, TEST])
    assert not notes_on(given, given.part, SplitConfig("column"))  # which is which is no chance
    apart = ratings_at(list(range(100)))
    assert not notes_on(apart, split_ratings(apart, split), split)


def test_an_empty_part_is_told_with_the_times() -> None:
    timeless = replace(ratings_at([0, 0]), time=None)
    with pytest.raises(DataError, match=r"validation out of 2 ratings; change split\.train"):
        split_ratings(timeless, SplitConfig("random", 0.5, 0.1))
    with pytest.raises(DataError, match="from 1970-01-01 00:00:00 to 2001-09-09 01:46:40; change"):
        split_ratings(ratings_at([0, 10**9, 10**9, 10**9]), SplitConfig())
