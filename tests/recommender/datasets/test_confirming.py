from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommender.datasets.cleaning import Ratings
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.confirming import ConfirmRows, load_with_confirm
from recommender.datasets.describe import description_lines
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import read_and_split
from recommender.datasets.splits import CONFIRM, TEST, TRAIN, VALIDATION, split_ratings
from recommender.datasets.unsealing import open_test
from recommender.errors import DataError
from tests.recommender.datasets.tables import NAMES, load_table
from tests.recommender.datasets.test_loading import arrays_of
from tests.synthetic import synthetic_ratings

RATINGS = synthetic_ratings(60, 40, 1500)
ASKED = SplitConfig(confirm=0.25)


def load_confirm(dataset: DatasetConfig, split: SplitConfig) -> ConfirmRows | None:
    return load_with_confirm(dataset, split, before=lambda loaded: None)[1]


def load_both(folder: Path, split: SplitConfig = ASKED) -> tuple[LoadedDataset, ConfirmRows]:
    loaded = load_table(folder, RATINGS, split)
    confirm = load_confirm(DatasetConfig(path=folder / "ratings.csv", columns=NAMES), split)
    assert confirm is not None
    return loaded, confirm


def test_a_verdict_reads_once_what_a_search_had_and_the_rows_kept(tmp_path, monkeypatch) -> None:
    searched = load_table(tmp_path, RATINGS, ASKED)
    config = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES)
    n_read = count_reads(monkeypatch, "confirming")
    told: list[LoadedDataset] = []
    loaded, confirm = load_with_confirm(config, ASKED, before=told.append)
    assert n_read == ["confirming"] and confirm is not None
    assert told == [loaded] and loaded.description == searched.description
    for name, array in arrays_of(loaded.encoded).items():
        np.testing.assert_array_equal(array, arrays_of(searched.encoded)[name])


def test_no_rating_of_the_rows_kept_is_taken_before_the_list_is_frozen(
    tmp_path, monkeypatch
) -> None:
    load_table(tmp_path, RATINGS, ASKED)
    taken: list[object] = []
    monkeypatch.setattr(
        "recommender.datasets.confirming.encode_confirm", lambda *a: taken.append(a)
    )

    def fail(loaded: LoadedDataset) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        load_with_confirm(
            DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES), ASKED, before=fail
        )
    assert not taken


def count_reads(monkeypatch: pytest.MonkeyPatch, module: str) -> list[str]:
    """A word for each time that the module reads the data."""
    n_read: list[str] = []

    def read(*asked):
        n_read.append(module)
        return read_and_split(*asked)

    monkeypatch.setattr(f"recommender.datasets.{module}.read_and_split", read)
    return n_read


def test_an_opening_reads_once(tmp_path, monkeypatch) -> None:
    searched = load_table(tmp_path, RATINGS, ASKED)
    config = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES)
    n_read = count_reads(monkeypatch, "unsealing")
    told: list[object] = []
    opened = open_test(config, ASKED, record=told.append)
    assert n_read == ["unsealing"] and told == [searched.description]
    assert opened.refit is None
    for name, array in arrays_of(opened.encoded).items():
        np.testing.assert_array_equal(array, arrays_of(searched.encoded)[name])


def test_without_a_share_the_split_is_as_it_was(tmp_path) -> None:
    loaded = load_table(tmp_path, RATINGS, SplitConfig(confirm=0.0))
    config = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES)
    assert load_confirm(config, SplitConfig()) is None
    # As the version before this key had it.
    assert loaded.description.split_fingerprint.startswith("93fa09b910b9a38b")
    assert loaded.description.confirm is None
    assert "confirm" not in loaded.description.to_json()
    assert "confirm" not in loaded.description.split


def test_a_share_of_the_validation_users_is_kept_with_all_their_rows(tmp_path) -> None:
    whole = load_table(tmp_path, RATINGS, SplitConfig())
    loaded, confirm = load_both(tmp_path)
    users = set(whole.encoded.validation_users.tolist())
    kept, searched = set(confirm.users.tolist()), set(loaded.encoded.validation_users.tolist())
    assert kept | searched == users and not kept & searched
    assert len(kept) == round(len(users) / 4)
    is_kept = np.isin(whole.encoded.validation_users, list(kept))
    np.testing.assert_array_equal(whole.encoded.validation.rating[is_kept], confirm.rows.rating)
    np.testing.assert_array_equal(whole.encoded.validation.item[is_kept], confirm.rows.item)
    np.testing.assert_array_equal(
        whole.encoded.validation.rating[~is_kept], loaded.encoded.validation.rating
    )
    # Train, and the sealed rows, are nobody else's.
    for name, array in arrays_of(loaded.encoded).items():
        if name.startswith("train"):
            np.testing.assert_array_equal(array, arrays_of(whole.encoded)[name])
    assert loaded.description.train == whole.description.train
    assert loaded.description.test == whole.description.test


def test_who_is_kept_depends_on_no_row_and_no_order(tmp_path) -> None:
    _, one = load_both(tmp_path)
    again = RATINGS.sample(frac=1, random_state=1).assign(rating=6 - RATINGS["rating"])
    load_table(tmp_path, again, ASKED)
    other = load_confirm(DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES), ASKED)
    assert other is not None
    np.testing.assert_array_equal(one.users, other.users)


def test_a_random_split_of_another_seed_keeps_others(tmp_path) -> None:
    kept = [
        set(load_both(tmp_path, SplitConfig("random", seed=seed, confirm=0.25))[1].users.tolist())
        for seed in (0, 1)
    ]
    assert kept[0] != kept[1]


def test_no_confirm_label_is_in_what_a_search_loads(tmp_path) -> None:
    """All stars of the users kept are 4.5, which no other row has."""
    _, confirm = load_both(tmp_path)
    ids = np.unique(RATINGS["user"])[np.unique(confirm.users)]
    first, last = RATINGS["time"].min(), RATINGS["time"].max()
    is_validation = RATINGS["time"].between(
        first + 0.6 * (last - first), first + 0.8 * (last - first), inclusive="right"
    )
    is_confirm = RATINGS["user"].isin(ids) & is_validation
    marked = RATINGS.assign(rating=RATINGS["rating"].where(~is_confirm, 4.5))
    loaded = load_table(tmp_path, marked, ASKED)
    for name, array in arrays_of(loaded.encoded).items():
        assert not np.any(np.asarray(array) == 4.5), name
    assert 4.5 not in dict(loaded.description.rating_counts)
    read = load_confirm(DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES), ASKED)
    assert (
        read is not None and len(read.rows) == is_confirm.sum() and (read.rows.rating == 4.5).all()
    )
    # Handed on for a model to predict, they have no rating.
    handed = read.to_predict_in(loaded.encoded)
    assert handed.confirm is not None and np.isnan(handed.confirm.rating).all()
    with pytest.raises(ValueError, match="no rating of a confirm row"):
        replace(loaded.encoded, confirm=read.rows)


def test_the_split_and_its_description_say_who_is_kept(tmp_path) -> None:
    loaded, confirm = load_both(tmp_path)
    description = loaded.description
    assert description.confirm is not None
    assert description.confirm.n_rows == len(confirm.rows)
    assert description.confirm.n_users == len(np.unique(confirm.users))
    assert description.split["confirm"] == 0.25
    text = "\n".join(description_lines(description))
    assert f"confirm    {len(confirm.rows):>9,}" in text
    # Another split, whose test part is the same: its openings are counted together.
    whole = load_table(tmp_path, RATINGS, SplitConfig()).description
    assert description.split_fingerprint != whole.split_fingerprint
    assert description.sealed_fingerprint == whole.sealed_fingerprint == whole.split_fingerprint


def test_errors_on_the_rows_kept_are_cut_as_those_of_validation(tmp_path) -> None:
    loaded, confirm = load_both(tmp_path)
    judged = confirm.judged_in(confirm.to_predict_in(loaded.encoded))
    assert judged.validation is confirm.rows and judged.validation_users is confirm.users
    assert judged.confirm is None and judged.train is loaded.encoded.train


def test_a_refit_trains_on_the_users_kept_too(tmp_path) -> None:
    load_both(tmp_path)
    config = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES)
    with_confirm, without = (
        open_test(config, split, record=lambda description: None, is_refit=True)
        for split in (ASKED, SplitConfig())
    )
    assert with_confirm.refit is not None and without.refit is not None
    assert len(with_confirm.refit.encoded.train) == len(without.refit.encoded.train)
    np.testing.assert_array_equal(with_confirm.rows.rating, without.rows.rating)


def test_two_users_on_either_side_are_enough_and_only_validation_users_are_kept() -> None:
    """Users 0 to 3 have all their rows in validation, 4 to 9 none."""
    part = np.repeat([VALIDATION, TRAIN, TEST], [8, 20, 2]).astype(np.int8)
    user = np.concatenate([np.repeat(range(4), 2), np.arange(22) % 6 + 4]).astype(np.int32)
    names = np.array([f"u{i}" for i in range(10)])
    ratings = Ratings(user, np.arange(30, dtype=np.int32), names, np.arange(30).astype(str),
                      np.ones(30), None, part, ())  # fmt: skip
    parts = split_ratings(ratings, SplitConfig("column", confirm=0.5))
    kept = parts == CONFIRM
    assert len(np.unique(user[kept])) == 2 and kept.sum() == 4
    np.testing.assert_array_equal(parts[~kept], part[~kept])
    for share in (0.25, 0.75):
        with pytest.raises(DataError, match="both need at least 2"):
            split_ratings(ratings, SplitConfig("column", confirm=share))


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_too_few_users_on_either_side_are_refused(tmp_path, share: float) -> None:
    with pytest.raises(DataError, match=r"split\.confirm .* both need at least 2"):
        load_table(tmp_path, RATINGS, SplitConfig(confirm=share))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(tmp_path, share: float) -> None:
    with pytest.raises(DataError, match=r"split\.confirm: must be at least 0 and below 1"):
        load_table(tmp_path, RATINGS, SplitConfig(confirm=share))


def test_files_may_keep_users_too(tmp_path) -> None:
    RATINGS[:1000].to_csv(tmp_path / "train.csv", index=False)
    RATINGS[1000:].to_csv(tmp_path / "test.csv", index=False)
    split = SplitConfig(
        "files", train_path=tmp_path / "train.csv", test_path=tmp_path / "test.csv", confirm=0.5
    )
    confirm = load_confirm(DatasetConfig(columns=NAMES), split)
    assert confirm is not None
    assert set(pd.unique(confirm.users)) and len(confirm.rows) < 100
