"""The models on the real MovieLens 100K: as good as they should be, and no better."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.device import DeviceData
from recommender.training import train_ranking

pytestmark = pytest.mark.slow

ARTICLE = {
    "embedding_size": 32, "layer_sizes": (256, 64), "biases": False, "side_features": False,
    "user_oov_rate": 0.0, "item_oov_rate": 0.0, "dropout": 0.0, "input_dropout": 0.0,
    "embedding_l2": 0.0, "optimizer": "adagrad", "learning_rate": 0.1, "batch_size": 8192,
}  # fmt: skip


@pytest.fixture(scope="module")
def data(ml100k_path: Path) -> DeviceData:
    features = ("user_id", "item_id", "genres", "year")
    config = DatasetConfig(name="ml-100k", path=ml100k_path, features=features)
    return DeviceData(load_dataset(config, SplitConfig()).encoded)


def _best_rmse(config: RankingConfig, training: TrainingConfig, data: DeviceData) -> float:
    best = train_ranking(config, training, data).best_rmse
    assert best is not None
    return best


@pytest.mark.parametrize("architecture", ["plain", "dcn"])
def test_the_defaults_beat_the_bias_model_clearly(architecture: str, data: DeviceData) -> None:
    """The bias model has 1.040; a value under 1.02 on this split would be a leak."""
    config = RankingConfig(architecture=architecture)
    found = [_best_rmse(config, TrainingConfig(seed=seed), data) for seed in range(3)]
    assert 1.02 < statistics.mean(found) < 1.034


def test_the_basic_model_of_the_article_comes_out_as_it_should(data: DeviceData) -> None:
    config = RankingConfig(**ARTICLE, dense_l2=0.0)
    assert 1.10 < _best_rmse(config, TrainingConfig(max_epochs=3, patience=0), data) < 1.16


def test_the_tuned_model_of_the_article_comes_out_as_it_should(data: DeviceData) -> None:
    config = RankingConfig(**ARTICLE, dense_l2=0.01)
    assert 1.02 < _best_rmse(config, TrainingConfig(max_epochs=50, patience=0), data) < 1.05
