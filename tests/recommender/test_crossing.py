from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.config import RankingConfig, TrainingConfig
from recommender.crossing import crossing_of
from recommender.device import DeviceData
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

DCN = RankingConfig(
    architecture="dcn", embedding_size=3, layer_sizes=(8, 4), cross_layers=2, learning_rate=0.02
)


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return DeviceData(synthetic_encoded())


def test_a_worked_number() -> None:
    kernel = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, 0.0], [0.0, 2.0, -6.0]])
    crossing = crossing_of({"user_id": 2, "year": 1}, [kernel], [np.zeros((3, 3))])
    (layer,) = crossing.layers
    assert crossing.features == ("user_id", "year") and crossing.widths == (2, 1)
    assert layer.trained == ((5.0, 1.0), (2.0, 6.0))
    assert layer.start == ((0.0, 0.0), (0.0, 0.0))
    assert layer.moved == layer.trained


@pytest.mark.parametrize("rank", [0, 2])
def test_rows_are_the_input_and_columns_what_comes_in(data: DeviceData, rank: int) -> None:
    """x0 * (W x + b) + x with one feature of x left: only its column of W speaks."""
    config = replace(DCN, cross_rank=rank, cross_layers=1)
    run = TrainingRun(config, TrainingConfig(), data)
    model = run._graph.model
    (kernel,) = model.cross_kernels()
    width = len(kernel)
    x = np.zeros((1, width), np.float32)
    x[0, 4] = 1.0
    crossed = model.cross[0](np.ones((1, width), np.float32), x).numpy()[0] - x[0]
    np.testing.assert_allclose(crossed, kernel[:, 4], atol=1e-6)


@pytest.mark.parametrize("rank", [0, 2])
def test_training_is_told_from_the_random_start(data: DeviceData, rank: int) -> None:
    run = TrainingRun(replace(DCN, cross_rank=rank), TrainingConfig(patience=0), data)
    fresh = run.crossing()
    assert fresh is not None and len(fresh.layers) == 2
    assert fresh.features == ("user_id", "item_id", "genres", "year", "hour_of_day", "day_of_week")
    for _ in range(3):
        run.step()
    run.load_best()
    before = run.predict_validation()
    crossing = run.crossing()
    assert crossing is not None
    for layer, first in zip(crossing.layers, fresh.layers, strict=True):
        assert np.max(first.moved) == 0.0 and first.trained == first.start == layer.start
        assert np.min(layer.moved) > 0.0 and layer.trained != layer.start
    assert np.array_equal(run.predict_validation(), before)


def test_a_model_without_cross_layers_crosses_nothing(data: DeviceData) -> None:
    run = TrainingRun(replace(DCN, architecture="plain"), TrainingConfig(), data)
    assert run.crossing() is None
