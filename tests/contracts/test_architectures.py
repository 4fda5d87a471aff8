"""What every architecture and optimizer must keep: randomness and results follow from the seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recommender.architectures.registry import ARCHITECTURES
from recommender.config import ARCHITECTURES as NAMES
from recommender.config import OPTIMIZERS, RATES, RankingConfig, TrainingConfig
from recommender.device import DeviceData
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

SMALL = RankingConfig(embedding_size=3, layer_sizes=(8, 4), batch_size=64, learning_rate=0.01)
ONE_LAYER = dataclasses.replace(SMALL, n_layers=1, layer_sizes=(4,))
CONFIGS = {name: dataclasses.replace(SMALL, architecture=name) for name in ARCHITECTURES} | {
    "dcn, parallel, low rank": dataclasses.replace(
        SMALL, architecture="dcn", cross_layers=2, cross_placement="parallel", cross_rank=2
    )
}
EVERY_CONFIG = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
EVERY_OPTIMIZER = pytest.mark.parametrize("optimizer", OPTIMIZERS)

Arrays = list[np.ndarray]


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return DeviceData(synthetic_encoded())


def _trained(config: RankingConfig, data: DeviceData, seed: int, n_epochs: int = 2) -> Arrays:
    run = TrainingRun(config, TrainingConfig(seed=seed, patience=0), data)
    for _ in range(n_epochs):
        run.step()
    return _state(run)


def _state(run: TrainingRun) -> Arrays:
    return [variable.numpy() for variable in run._graph.state]


def _equal(first: Arrays, second: Arrays) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_the_registry_and_the_configuration_know_the_same_architectures() -> None:
    assert set(ARCHITECTURES) == set(NAMES)


@EVERY_CONFIG
def test_on_one_graph_two_seeds_differ_and_one_repeats(
    config: RankingConfig, data: DeviceData
) -> None:
    first, other, again = (_trained(config, data, seed) for seed in (1, 2, 1))
    assert not any(
        np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.size > 30 and a.any()
    )
    assert _equal(first, again)


@EVERY_CONFIG
def test_a_graph_used_for_other_settings_trains_as_a_fresh_one(config: RankingConfig) -> None:
    dataset = synthetic_encoded()
    used = DeviceData(dataset)
    others = {"learning_rate": 0.1, "dropout": 0.9, "embedding_l2": 9.0, "user_oov_rate": 0.9}
    _trained(dataclasses.replace(config, **others), used, seed=7)
    assert _equal(_trained(config, used, seed=1), _trained(config, DeviceData(dataset), seed=1))
    assert len(used.graphs) == 1


@pytest.mark.slow
@EVERY_OPTIMIZER
def test_every_optimizer_trains_alike_on_a_used_graph_and_a_fresh_one(
    optimizer: str, data: DeviceData
) -> None:
    config = dataclasses.replace(SMALL, architecture="dcn", optimizer=optimizer)
    _trained(dataclasses.replace(config, learning_rate=0.1, weight_decay=0.5), data, seed=7)
    fresh = DeviceData(data.dataset)
    assert _equal(_trained(config, data, seed=1), _trained(config, fresh, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "lazy_adam"])
def test_compiled_it_trains_as_uncompiled(optimizer: str, data: DeviceData) -> None:
    """Where there is no noise: XLA draws other numbers. The steps of the other optimizers are tried
    where they are."""
    silent = dict.fromkeys(RATES, 0.0)
    config = dataclasses.replace(ONE_LAYER, architecture="dcn", optimizer=optimizer, **silent)
    compiled = dataclasses.replace(config, jit_compile=True)
    for a, b in zip(*(_trained(c, data, seed=1) for c in (config, compiled)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_compiled_its_noise_follows_from_the_seed(data: DeviceData) -> None:
    config = dataclasses.replace(ONE_LAYER, jit_compile=True)
    first, other, again = (_trained(config, data, seed) for seed in (1, 2, 1))
    assert _equal(first, again)
    assert not _equal(first, other)
    silent = dataclasses.replace(config, **dict.fromkeys(RATES, 0.0))
    assert not _equal(first, _trained(silent, data, 1))
    fresh = DeviceData(data.dataset)
    assert _equal(first, _trained(config, fresh, 1))


@pytest.mark.slow
@EVERY_OPTIMIZER
def test_a_run_that_was_interrupted_and_restored_equals_one_left_alone(
    optimizer: str, data: DeviceData, tmp_path: Path
) -> None:
    config = dataclasses.replace(ONE_LAYER, optimizer=optimizer)
    alone = TrainingRun(config, TrainingConfig(), data)
    results = [alone.step() for _ in range(4)]
    state = _state(alone)
    best = alone.best_epoch, alone.best_rmse
    del alone
    for _ in range(2):
        run = TrainingRun(config, TrainingConfig(), data)
        if run_was_saved := (tmp_path / "metadata.json").exists():
            run.restore(tmp_path)
        first_epoch = run.epoch
        for expected in results[first_epoch : first_epoch + 2]:
            got = run.step()
            assert dataclasses.replace(got, seconds=0) == dataclasses.replace(expected, seconds=0)
        run.save(tmp_path)
        if not run_was_saved:
            del run
            _trained(dataclasses.replace(config, dropout=0.1), data, seed=9)
    assert run_was_saved
    assert _equal(_state(run), state)
    assert (run.best_epoch, run.best_rmse) == best


@pytest.mark.parametrize(
    "name", ["dropout", "input_dropout", "user_oov_rate", "item_oov_rate", "embedding_l2",
             "dense_l2", "learning_rate", "weight_decay"],
)  # fmt: skip
def test_every_numeric_hyperparameter_reaches_a_graph_that_is_reused(
    name: str, data: DeviceData
) -> None:
    config = dataclasses.replace(SMALL, optimizer="adamw")
    changed = dataclasses.replace(config, **{name: getattr(config, name) + 0.05})
    assert not _equal(_trained(config, data, 1, 1), _trained(changed, data, 1, 1))


def test_training_hears_nothing_of_the_global_seed(data: DeviceData) -> None:
    from recommender.runtime import tf

    tf.random.set_seed(1)
    first = _trained(SMALL, data, seed=1)
    tf.random.set_seed(2)
    np.random.seed(2)
    assert _equal(first, _trained(SMALL, data, seed=1))


@EVERY_CONFIG
def test_evaluation_has_no_noise(config: RankingConfig, data: DeviceData) -> None:
    run = TrainingRun(config, TrainingConfig(), data)
    np.testing.assert_array_equal(run.predict_validation(), run.predict_validation())
    rows = data.dataset.validation
    np.testing.assert_allclose(run.predict(rows), run.predict_validation(), atol=1e-6)
