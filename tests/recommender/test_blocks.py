"""The pieces of the models: penalties by hand, noise by key, features of unseen items."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.architectures.blocks import (
    RankingModel,
    SideFeatures,
    Structure,
    UnknownAtZero,
)
from recommender.architectures.noise import CountedNoise, EpochNoise, Noise, Sizes, noise_numbers
from recommender.config import NUMERIC, RankingConfig
from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.graph import build_model
from recommender.runtime import tf
from tests.synthetic import synthetic_encoded

SILENT = RankingConfig(
    embedding_size=3, n_layers=1, layer_sizes=(4,), dropout=0, input_dropout=0,
    user_oov_rate=0, item_oov_rate=0, embedding_l2=0, dense_l2=0,
)  # fmt: skip


def _model(config: RankingConfig, dataset: EncodedDataset) -> RankingModel:
    model, _, _ = build_model(Structure.of(config), dataset)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    return model


def _inputs(rows: Rows) -> dict[str, Any]:
    names = ("user", "item", "catalog", "context", "rating")
    return {name: tf.constant(getattr(rows, name)) for name in names}


def _step_noise(
    rates: Mapping[str, float], sizes: Sizes, seed: int = 1, i: int = 0, first_step: int = 0
) -> Noise:
    """What the i-th step of an epoch draws."""
    numbers = noise_numbers(rates, i + 1, seed)
    epoch = EpochNoise(tf.constant(seed), tf.constant(first_step), tf.constant(10_000), sizes)
    return epoch.of_step(tf.constant(i), {name: tf.constant(v[i]) for name, v in numbers.items()})


def _loss(
    config: RankingConfig, dataset: EncodedDataset, step: int = 0, n_rows: int | None = None
) -> float:
    """Of the first `n_rows` of a batch that holds all train rows."""
    model, inputs = _model(config, dataset), _inputs(dataset.train)
    n_rows = n_rows or len(dataset.train)
    weight = (np.arange(len(dataset.train)) < n_rows) / n_rows
    inputs["weight"] = tf.constant(weight, tf.float32)
    counted = CountedNoise(Structure.of(config).active)
    model.ratings(model.rows(model.ids(inputs, counted)), inputs, counted)
    rates = {name: getattr(config, name) for name in counted.sizes}
    noise = _step_noise(rates, counted.sizes, i=step)
    ids = model.ids(inputs, noise)
    rows = model.rows(ids)
    errors = model.ratings(rows, inputs, noise) - inputs["rating"]
    numbers = {name: tf.constant(float(getattr(config, name))) for name in NUMERIC}
    penalties = model.training_penalties(rows, ids, inputs, numbers)
    return float(tf.reduce_sum(inputs["weight"] * errors**2) + sum(penalties))


def test_without_penalties_the_loss_is_the_mean_squared_error() -> None:
    dataset = synthetic_encoded()
    model = _model(SILENT, dataset)
    errors = model(_inputs(dataset.train)).numpy() - dataset.train.rating
    assert _loss(SILENT, dataset) == pytest.approx(np.mean(errors**2), rel=1e-5)


def test_the_embedding_penalty_is_the_mean_squared_norm_of_users_and_of_items() -> None:
    dataset = synthetic_encoded()
    model = _model(SILENT, dataset)
    tables = (model.user_embedding, model.item_embedding, *model.biases)
    # Row 0, the unknown id, is not held back.
    expected = sum(np.sum(t.embeddings.numpy()[1:] ** 2) / (t.input_dim - 1) for t in tables)
    penalised = dataclasses.replace(SILENT, embedding_l2=2.0)
    difference = _loss(penalised, dataset) - _loss(SILENT, dataset)
    assert difference == pytest.approx(2 * expected, rel=1e-4)


@pytest.mark.parametrize("architecture", ["plain", "dcn"])
def test_the_dense_penalty_is_the_sum_of_squares_without_the_output(architecture: str) -> None:
    dataset = synthetic_encoded()
    config = dataclasses.replace(SILENT, architecture=architecture, cross_rank=2)
    model = _model(config, dataset)
    layers = [model.stack, *getattr(model, "cross", [])]
    kernels = [w for layer in layers for w in layer.trainable_variables if len(w.shape) == 2]
    assert len(kernels) == (1 if architecture == "plain" else 3)
    expected = sum(float(np.sum(kernel.numpy() ** 2)) for kernel in kernels)
    penalised = dataclasses.replace(config, dense_l2=0.5)
    difference = _loss(penalised, dataset) - _loss(config, dataset)
    assert difference == pytest.approx(0.5 * expected, rel=1e-4)


def test_the_unknown_id_starts_at_zero_and_the_others_do_not() -> None:
    values = UnknownAtZero(seed=1)((5, 3), dtype=tf.float32).numpy()
    assert not values[0].any()
    assert values[1:].all()
    assert (np.abs(values) <= 0.05).all()


@pytest.mark.parametrize("name", ["dropout", "input_dropout", "user_oov_rate", "item_oov_rate"])
def test_noise_changes_with_the_step_and_repeats_with_it(name: str) -> None:
    dataset = synthetic_encoded()
    config = dataclasses.replace(SILENT, **{name: 0.4})
    first, second, again = (_loss(config, dataset, step) for step in (1, 2, 1))
    assert first == again != second


def test_rows_that_fill_up_a_batch_do_not_count() -> None:
    dataset = synthetic_encoded()
    config = dataclasses.replace(SILENT, embedding_l2=2.0, dense_l2=0.5)
    model = _model(config, dataset)
    ratings = model(_inputs(dataset.train)).numpy()
    some = _loss(dataclasses.replace(config, embedding_l2=0, dense_l2=0), dataset, n_rows=7)
    assert some == pytest.approx(np.mean((ratings - dataset.train.rating)[:7] ** 2), rel=1e-5)
    filled = Rows(*(np.concatenate([a[:7], a[-1:]]) for a in _arrays(dataset.train)))
    first = Rows(*(a[:7] for a in _arrays(dataset.train)))
    penalties = []
    for rows in (filled, first):
        inputs, ids = _inputs(rows), model.ids(_inputs(rows))
        inputs["weight"] = tf.constant((np.arange(len(rows)) < 7) / 7, tf.float32)
        numbers = {"embedding_l2": tf.constant(2.0), "dense_l2": tf.constant(0.5)}
        terms = model.training_penalties(model.rows(ids), ids, inputs, numbers)
        penalties.append([float(term) for term in terms])
    assert penalties[0] == pytest.approx(penalties[1], rel=1e-6)


def _arrays(rows: Rows) -> list[np.ndarray]:
    return [rows.user, rows.item, rows.catalog, rows.context, rows.rating]


def test_each_piece_of_a_steps_noise_is_another() -> None:
    ones = tf.ones([10, 10])
    noise = _step_noise({"dropout": 0.5}, {"dropout": [100, 100]})
    first, second = (noise.dropped(ones, "dropout").numpy() for _ in range(2))
    assert (first != second).any()


def test_the_noise_of_any_two_steps_agrees_as_often_as_chance_has_it() -> None:
    n, ones = 20_000, tf.ones([20_000])
    steps = [(0, 0), (1, 0), (2, 0), (63, 0), (4_095, 0), (4_096, 0), (8_193, 0), (0, 64), (1, 64)]
    masks = [
        _step_noise({"dropout": 0.5}, {"dropout": [n]}, 3, i, first)
        .dropped(ones, "dropout")
        .numpy()
        for i, first in steps
    ]
    for k, first in enumerate(masks):
        for second in masks[:k]:
            assert np.mean(first == second) == pytest.approx(0.5, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0, 0.95), seed=st.integers(0, 2**31 - 1))
def test_dropout_keeps_the_mean_and_drops_the_share_asked_for(rate: float, seed: int) -> None:
    noise = _step_noise({"dropout": rate}, {"dropout": [20_000]}, seed)
    kept = noise.dropped(tf.ones([20_000]), "dropout").numpy()
    assert np.mean(kept == 0) == pytest.approx(rate, abs=0.02)
    np.testing.assert_allclose(kept[kept != 0], 1 / (1 - rate), rtol=1e-5)


def test_over_many_steps_the_share_is_finer_than_a_byte() -> None:
    # .02 is 5.12 of 256: always 5 would drop .01953, always 6 would drop .02344.
    rate, n = 0.02, 4_000
    zeros = 0
    for step in range(600):
        noise = _step_noise({"item_oov_rate": rate}, {"item_oov_rate": [n]}, i=step)
        zeros += n - int(tf.reduce_sum(noise.some_unknown(tf.ones([n], tf.int32), "item_oov_rate")))
    assert zeros / (600 * n) == pytest.approx(rate, abs=3e-4)


def test_a_rate_that_is_not_asked_for_changes_nothing() -> None:
    noise = _step_noise({}, {})
    ones = tf.ones([3])
    assert noise.dropped(ones, "dropout") is ones


def test_an_item_that_train_does_not_know_keeps_its_side_features() -> None:
    dataset = synthetic_encoded()
    features = SideFeatures(dataset, 2)
    rows = dataset.validation
    is_unseen = rows.item == 0
    assert is_unseen.any()
    genres, year, context = features(_inputs(rows))
    assert genres.shape == (len(rows), 2)
    expected = dataset.side_tables["year"].matrix[rows.catalog]
    np.testing.assert_array_equal(year.numpy(), expected)
    assert year.numpy()[is_unseen].all()
    np.testing.assert_array_equal(context.numpy(), rows.context)


def test_words_of_an_item_are_averaged() -> None:
    dataset = synthetic_encoded()
    features = SideFeatures(dataset, 2)
    rows = dataset.train
    genres = features(_inputs(rows))[0].numpy()
    kernel = features.trainable_variables[0].numpy()
    words = dataset.side_tables["genres"].matrix[rows.catalog]
    some = words.sum(axis=1) > 1
    mean = words[some] @ kernel / words[some].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(genres[some], mean, rtol=1e-5)
