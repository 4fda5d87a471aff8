from __future__ import annotations

from dataclasses import replace

import pytest

from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.device import DeviceData
from recommender.sizes import feature_widths, n_parameters, plain_as_large
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

PLAIN = RankingConfig(embedding_size=5, layer_sizes=(8, 4))
DCN = replace(PLAIN, architecture="dcn")
CONFIGS = {
    "plain": PLAIN,
    "without biases": replace(PLAIN, biases=False),
    "without side features": replace(PLAIN, side_features=False),
    "without dense layers": replace(PLAIN, n_layers=0, layer_sizes=()),
    "dcn": DCN,
    "three layers": replace(DCN, cross_layers=3, n_layers=3, layer_sizes=(8, 8, 2)),
    "low rank": replace(DCN, cross_layers=2, cross_rank=3),
    "parallel": replace(DCN, cross_placement="parallel"),
    "parallel, low rank, without dense layers": replace(
        DCN, cross_placement="parallel", cross_rank=2, n_layers=0, layer_sizes=()
    ),
}


@pytest.fixture(scope="module", params=[True, False], ids=["with items", "ids only"])
def dataset(request: pytest.FixtureRequest) -> EncodedDataset:
    return synthetic_encoded(side_features=request.param)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_the_count_is_that_of_the_real_model(
    config: RankingConfig, dataset: EncodedDataset
) -> None:
    run = TrainingRun(config, TrainingConfig(), DeviceData(dataset))
    assert n_parameters(config, dataset) == run.n_parameters


@pytest.mark.parametrize(
    "config",
    [
        replace(DCN, cross_layers=layers, cross_rank=rank, cross_placement=place,
                embedding_size=32, n_layers=len(sizes), layer_sizes=sizes)
        for layers in (1, 3)
        for rank in (0, 8)
        for place in ("stacked", "parallel")
        for sizes in ((32,), (256, 32), (64, 128, 32))
    ],
)  # fmt: skip
def test_the_plain_model_is_as_large_as_the_dcn(config: RankingConfig) -> None:
    dataset = synthetic_encoded()
    plain = plain_as_large(config, dataset)
    assert plain == replace(config, architecture="plain", layer_sizes=plain.layer_sizes)
    wanted = n_parameters(config, dataset)
    unit = 1 + max(sum(feature_widths(config, dataset).values()), *plain.layer_sizes)
    assert abs(n_parameters(plain, dataset) - wanted) <= unit / 2 + 1
    # Wider by one factor: no layer is left behind.
    factors = [b / a for a, b in zip(config.layer_sizes, plain.layer_sizes, strict=True)]
    assert min(factors) >= 1 and max(factors) / min(factors) < 1.2


def test_no_single_layer_of_another_width_comes_nearer() -> None:
    dataset = synthetic_encoded()
    config = replace(DCN, n_layers=1, layer_sizes=(8,))
    wanted = n_parameters(config, dataset)

    def off(width: int) -> int:
        plain = replace(config, architecture="plain", layer_sizes=(width,))
        return abs(n_parameters(plain, dataset) - wanted)

    (found,) = plain_as_large(config, dataset).layer_sizes
    assert off(found) == min(off(width) for width in range(1, 300))


def test_without_a_dense_layer_there_is_nothing_to_widen() -> None:
    with pytest.raises(ValueError, match="without dense layers"):
        plain_as_large(replace(DCN, n_layers=0, layer_sizes=()), synthetic_encoded())


def test_features_stand_in_the_order_of_the_networks_input() -> None:
    widths = feature_widths(DCN, synthetic_encoded())
    assert widths == {
        "user_id": 5, "item_id": 5, "genres": 5, "year": 1, "hour_of_day": 2, "day_of_week": 2,
    }  # fmt: skip
    assert list(feature_widths(replace(DCN, side_features=False), synthetic_encoded())) == [
        "user_id",
        "item_id",
    ]
