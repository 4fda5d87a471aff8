"""What is known of users: a user whose ratings no model has seen still has an age."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.config import DatasetConfig, ItemsConfig, SplitConfig, UsersConfig
from recommender.datasets.confirming import load_with_confirm
from recommender.datasets.encoded import EncodedDataset
from recommender.datasets.unsealing import open_test
from recommender.errors import DataError
from recommender.export import export_model
from recommender.model_data import ModelData, ModelRows
from recommender.runtime import tf
from recommender.sizes import n_parameters
from recommender.training import train_ranking
from tests.recommender.datasets.tables import NAMES, load_table
from tests.synthetic import synthetic_items, synthetic_ratings

RATINGS = synthetic_ratings()
SPLIT = SplitConfig(confirm=0.3)


def users() -> pd.DataFrame:
    """A row a user, one who never rated among them."""
    numbers = np.arange(31)
    return pd.DataFrame(
        {
            "uid": [f"u{n}" for n in numbers],
            "age": 20 + numbers,
            "gender": np.where(numbers % 2, "F", "M"),
            "likes": np.where(numbers % 3, "tea|rain", "tea"),
        }
    )


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """The data set, but its path."""
    users().to_csv(tmp_path / "users.csv", index=False)
    synthetic_items().to_csv(tmp_path / "items.csv", index=False)
    return {
        "users": UsersConfig(tmp_path / "users.csv", "uid", ("gender",), ("likes",), ("age",)),
        "items": ItemsConfig(tmp_path / "items.csv", "item", list=("genres",)),
    }


@pytest.fixture
def data(tmp_path: Path, config: dict[str, Any]) -> EncodedDataset:
    """User 3 has no train row."""
    ratings = RATINGS.copy()
    late = ratings.index[-80:-60]  # in validation
    ratings.loc[ratings["user"] == "u3", "user"] = "u4"
    ratings = ratings.drop_duplicates(["user", "item"])
    ratings.loc[ratings.index.isin(late), "user"] = "u3"
    ratings = ratings.drop_duplicates(["user", "item"])
    return load_table(tmp_path, ratings, **config).encoded


def test_features_follow_their_user_into_every_part(data: EncodedDataset) -> None:
    assert list(data.side_tables) == ["genres", "gender", "likes", "age"]
    assert data.roster is not None and {"u3", "u30"} <= {*data.roster}
    assert "u3" not in data.user_vocabulary
    age = data.side_tables["age"]
    rows = data.validation
    assert rows.roster is not None
    told = np.array([int(user[1:]) for user in data.roster])[rows.roster - 1]
    assert (3 in told) and (rows.user[told == 3] == 0).all()
    values = age.matrix[rows.roster, 0]
    order = np.argsort(told)
    assert (np.diff(values[order]) >= 0).all() and len(set(values)) == len(set(told))
    train = data.train
    assert train.roster is not None
    assert age.matrix[train.roster].mean() == pytest.approx(0, abs=1e-5)
    known = data.user_vocabulary[train.user - 1]
    np.testing.assert_array_equal(known, data.roster[train.roster - 1])


def test_so_they_do_where_a_verdict_and_a_test_are_scored(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    load_table(tmp_path, RATINGS, SPLIT, **config)
    dataset = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES, **config)
    loaded, confirm = load_with_confirm(dataset, SPLIT, before=lambda _: None)
    assert confirm is not None and confirm.rows.roster is not None
    assert len(confirm.to_predict_in(loaded.encoded).confirm or ()) == len(confirm.rows)
    opened = open_test(dataset, SPLIT, record=lambda _: None, is_refit=True)
    assert opened.refit is not None and opened.refit.rows.roster is not None
    assert opened.rows.roster is not None
    roster = loaded.encoded.roster
    assert roster is not None
    users_of = {f"u{n}": n for n in range(31)}
    late = RATINGS[RATINGS["time"] > RATINGS["time"].min() + 0.8 * np.ptp(RATINGS["time"])]
    got = sorted(users_of[str(user)] for user in roster[opened.rows.roster - 1])
    assert got == sorted(users_of[user] for user in late["user"])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["plain", "dcn"])
def test_a_model_that_was_trained_on_them_is_served_with_them(
    data: EncodedDataset, tmp_path: Path, architecture: str
) -> None:
    config = RankingConfig(
        architecture=architecture, embedding_size=2, n_layers=1, layer_sizes=(4,)
    )
    result = train_ranking(config, TrainingConfig(max_epochs=2), data)
    assert result.n_parameters == n_parameters(config, data)
    predicted = result.run.predict_validation()
    result.run.save_best(tmp_path / "best", {})
    export_model(tmp_path / "best", config, data, tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    rows = data.validation
    assert data.roster is not None and rows.roster is not None
    served = serve(
        user_id=tf.constant(data.roster[rows.roster - 1]),
        item_id=tf.constant(data.catalog[rows.catalog - 1]),
    )
    np.testing.assert_allclose(served["raw"].numpy(), predicted, atol=1e-5)


def test_a_model_of_ones_own_is_given_them(data: EncodedDataset) -> None:
    given, rows = ModelData(data, seed=1), ModelRows(data, data.validation)
    assert given.features == ("genres", "gender", "likes", "age")
    assert data.roster is not None and data.validation.roster is not None
    numbers = np.array([int(user[1:]) for user in data.roster[data.validation.roster - 1]])
    assert rows.feature("gender").tolist() == np.where(numbers % 2, "F", "M").tolist()
    assert rows[:3].feature("likes").shape == (3, 2)
    table, index = given.tables()["gender"]
    np.testing.assert_array_equal(table[rows.numbers()[index]], rows.feature("gender"))


def test_what_a_user_gave_on_average_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    kind = RATINGS.groupby("user")["rating"].mean().rename("kindness").reset_index()
    kind.to_csv(tmp_path / "users.csv", index=False)
    told = UsersConfig(tmp_path / "users.csv", "user", number=("kindness",))
    with pytest.raises(DataError, match="kindness is the mean of each user's ratings, test rows"):
        load_table(tmp_path, RATINGS, users=told)


def test_their_fingerprint_is_the_datas(tmp_path: Path, config: dict[str, Any]) -> None:
    one = load_table(tmp_path, RATINGS, **config).description
    older = users().assign(age=users()["age"] * 2)
    older.to_csv(tmp_path / "users.csv", index=False)
    two = load_table(tmp_path, RATINGS, **config).description
    assert one.fingerprint == two.fingerprint
    assert one.items_fingerprint != two.items_fingerprint


def test_mistakes_name_the_table_of_users(tmp_path: Path, config: dict[str, Any]) -> None:
    strangers = users().assign(uid=[f"x{n}" for n in range(31)])
    strangers.to_csv(tmp_path / "users.csv", index=False)
    with pytest.raises(DataError, match=r"users\.csv: none of its users rates"):
        load_table(tmp_path, RATINGS, **config)
    pd.concat([users(), users()[:1]]).to_csv(tmp_path / "users.csv", index=False)
    with pytest.raises(DataError, match=r"user id appears a second time.*keep one row a user"):
        load_table(tmp_path, RATINGS, **config)
    twice = replace(config["items"], number=("age",))
    with pytest.raises(DataError, match=r"dataset\.users: the feature name 'age' is taken"):
        load_table(tmp_path, RATINGS, items=twice, users=config["users"])
    for name in ("user", "rating"):
        users().assign(**{name: 1.5}).to_csv(tmp_path / "users.csv", index=False)
        named = replace(config["users"], number=(name,))
        with pytest.raises(DataError, match=f"feature name '{name}' is taken; rename the column"):
            load_table(tmp_path, RATINGS, items=config["items"], users=named)
    users()[:20].to_csv(tmp_path / "users.csv", index=False)
    (note,) = load_table(tmp_path, RATINGS, **config).description.notes
    assert note == "users.csv lacks 10 of 30 users who rate"
