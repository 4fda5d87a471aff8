from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from recommender.datasets.config import DatasetConfig, ItemsConfig, SplitConfig
from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.datasets.loading import load_dataset
from recommender.errors import DataError
from tests.recommender.datasets.tables import NAMES, load_table
from tests.synthetic import synthetic_items, synthetic_ratings

RATINGS = synthetic_ratings()


def arrays_of(encoded: EncodedDataset) -> dict[str, object]:
    arrays: dict[str, object] = {}
    for field in fields(encoded):
        value = getattr(encoded, field.name)
        if isinstance(value, Rows):
            arrays |= {f"{field.name}.{f.name}": getattr(value, f.name) for f in fields(value)}
        elif isinstance(value, dict):
            arrays |= {name: table.matrix for name, table in value.items()}
        else:
            arrays[field.name] = value
    return arrays


def test_no_test_label_is_in_what_is_returned(tmp_path) -> None:
    is_test = RATINGS["time"] > RATINGS["time"].min() + 0.8 * np.ptp(RATINGS["time"])
    other = RATINGS.assign(rating=RATINGS["rating"].where(~is_test, 6 - RATINGS["rating"]))
    one, two = load_table(tmp_path, RATINGS), load_table(tmp_path, other)
    for (name, a), b in zip(
        arrays_of(one.encoded).items(), arrays_of(two.encoded).values(), strict=True
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)
    plain, other_plain = one.description.to_json(), two.description.to_json()
    changed = {key for key in plain if plain[key] != other_plain[key]}
    assert changed == {"fingerprint", "split_fingerprint"}


def test_encoded_rows_decode_to_the_ratings_of_their_part(tmp_path) -> None:
    loaded = load_table(tmp_path, RATINGS)
    encoded, train = loaded.encoded, loaded.encoded.train
    decoded = pd.DataFrame(
        {
            "user": encoded.user_vocabulary[train.user - 1],
            "item": encoded.item_vocabulary[train.item - 1],
            "rating": train.rating,
        }
    )
    expected = RATINGS[RATINGS["time"] <= RATINGS["time"].min() + 0.6 * np.ptp(RATINGS["time"])]
    columns = ["user", "item", "rating"]
    assert set(decoded.itertuples(index=False, name=None)) == set(
        expected[columns].itertuples(index=False, name=None)
    )
    assert encoded.train_mean == pytest.approx(expected["rating"].mean())


def test_ids_that_train_does_not_show_are_0_but_items_keep_their_features(tmp_path) -> None:
    ratings = RATINGS.copy()
    late = ratings.index[-80:-60]  # in validation
    ratings.loc[late, "item"] = [f"new{k}" for k in range(20)]
    ratings.loc[late, "user"] = "newcomer"
    items_path = tmp_path / "items.csv"
    news = pd.DataFrame({"item": [f"new{k}" for k in range(20)], "genres": "Drama"})
    pd.concat([synthetic_items(), news]).to_csv(items_path, index=False)
    items = ItemsConfig(items_path, "item", list=("genres",))
    encoded = load_table(tmp_path, ratings, items=items).encoded
    rows = encoded.validation
    is_new = np.char.startswith(np.append("", encoded.catalog)[rows.catalog], "new")
    assert is_new.any()
    assert not rows.item[is_new].any()
    assert not rows.user[is_new].any()
    assert not encoded.catalog_item[rows.catalog[is_new]].any()
    genres = encoded.side_tables["genres"]
    drama = genres.columns.index("Drama")
    assert genres.matrix[rows.catalog[is_new], drama].all()
    np.testing.assert_array_equal(encoded.catalog_item[rows.catalog], rows.item)


def test_words_that_no_train_item_has_are_no_columns(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    extra = pd.DataFrame({"item": ["unrated"], "genres": ["Musical"]})
    pd.concat([synthetic_items(), extra]).to_csv(items_path, index=False)
    items = ItemsConfig(items_path, "item", list=("genres",))
    encoded = load_table(tmp_path, RATINGS, items=items).encoded
    assert "Musical" not in encoded.side_tables["genres"].columns
    assert "unrated" in encoded.catalog


def test_numbers_are_standardised_over_the_train_rows_that_have_one(tmp_path) -> None:
    unrated = pd.DataFrame({"item": ["unrated"], "year": [30_000]})
    table = pd.concat([synthetic_items(), unrated], ignore_index=True).astype({"year": float})
    table.loc[3, "year"] = np.nan
    table.to_csv(tmp_path / "items.csv", index=False)
    items = ItemsConfig(tmp_path / "items.csv", "item", number=("year",))
    encoded = load_table(tmp_path, RATINGS, items=items).encoded
    years = table.set_index("item")["year"].reindex(encoded.catalog).to_numpy()
    of_train = years[encoded.train.catalog - 1]
    known = of_train[np.isfinite(of_train)]
    assert len(known) < len(of_train)
    expected = np.nan_to_num((years - known.mean()) / known.std())  # a missing one is the mean
    shown = encoded.side_tables["year"].matrix[:, 0]
    np.testing.assert_allclose(shown, np.append(0, expected), rtol=1e-5)


def test_hour_and_weekday_are_points_on_a_circle_in_utc(tmp_path) -> None:
    saturday_at_six = 946_684_800 + 6 * 3600 + 1799  # 2000-01-01 06:29:59 UTC
    ratings, split = RATINGS.assign(time=saturday_at_six), SplitConfig("random")
    assert load_table(tmp_path, ratings, split).encoded.context_columns == (), (
        "only where asked for"
    )
    features = ("user_id", "item_id", "hour_of_day", "day_of_week")
    encoded = load_table(tmp_path, ratings, split, features=features).encoded
    assert encoded.context_columns == (
        "hour_of_day_sin",
        "hour_of_day_cos",
        "day_of_week_sin",
        "day_of_week_cos",
    )
    saturday = 2 * np.pi * 5 / 7
    expected = [1, 0, np.sin(saturday), np.cos(saturday)]
    np.testing.assert_allclose(encoded.train.context[0], expected, atol=1e-6)
    assert (encoded.validation.context == encoded.train.context[0]).all()


def test_only_the_features_asked_for_are_encoded(tmp_path) -> None:
    items_path = tmp_path / "items.csv"
    synthetic_items().to_csv(items_path, index=False)
    items = ItemsConfig(items_path, "item", ("brand",), ("genres",), ("year",))
    features = ("user_id", "item_id", "year", "day_of_week")
    loaded = load_table(tmp_path, RATINGS, items=items, features=features)
    assert list(loaded.encoded.side_tables) == ["year"]
    assert loaded.encoded.context_columns == ("day_of_week_sin", "day_of_week_cos")
    assert loaded.description.features == features


def test_a_random_split_needs_no_times(tmp_path) -> None:
    loaded = load_table(tmp_path, RATINGS.drop(columns="time"), SplitConfig("random"))
    assert loaded.encoded.train.context.shape == (180, 0)
    assert loaded.description.train.first_time is None


def test_the_range_is_what_train_and_validation_show_unless_it_is_given(tmp_path) -> None:
    ratings = RATINGS.copy()
    ratings.loc[ratings["rating"] == 5, "rating"] = 4
    ratings.loc[299, "rating"] = 5  # the latest: sealed
    assert load_table(tmp_path, ratings).encoded.rating_range == (1, 4)
    assert load_table(tmp_path, ratings, rating_range=(0, 10)).encoded.rating_range == (0, 10)


def test_train_test_and_validation_files_are_read(tmp_path) -> None:
    cuts = {"train": (0, 200), "validation": (200, 250), "test": (250, 300)}
    for name, (start, end) in cuts.items():
        RATINGS[start:end].to_csv(tmp_path / f"{name}.csv", index=False)
    paths = {f"{name}_path": tmp_path / f"{name}.csv" for name in cuts}
    loaded = load_dataset(DatasetConfig(columns=NAMES), SplitConfig("files", **paths))
    assert [part.n_rows for part in loaded.description.parts.values()] == [200, 50, 50]
    assert loaded.description.split == {
        "method": "files",
        "train": "train.csv",
        "test": "test.csv",
        "validation": "validation.csv",
    }


def test_problems_of_the_configuration_come_with_their_keys() -> None:
    with pytest.raises(DataError, match="unknown data set 'ml-10k'; did you mean"):
        load_dataset(DatasetConfig("ml-10k"), SplitConfig())


def test_loading_leaves_tensorflow_alone_and_checking_leaves_pandas_alone() -> None:
    program = """
import sys
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.registry import problems_with
problems_with(DatasetConfig("movielens-small"), SplitConfig())
assert "pandas" not in sys.modules, "checking imported pandas"
import recommender.baselines, recommender.datasets.loading
heavy = {"tensorflow", "tf_keras", "keras", "ray", "optuna"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)
