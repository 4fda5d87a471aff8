"""Training runs: what an epoch gives, when they stop, and what is written."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender import training
from recommender.checkpoints import CheckpointError, read_checkpoint
from recommender.config import RATES, RankingConfig, TrainingConfig, config_to_json
from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.device import DeviceData
from recommender.epochs import check_checkpoint_is_of
from recommender.errors import Interrupted, ModelError
from recommender.metrics import rmse
from recommender.training import TrainingRun, train_ranking
from tests.synthetic import synthetic_encoded

SMALL = RankingConfig(embedding_size=4, layer_sizes=(8, 4), batch_size=32, learning_rate=0.01)


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return DeviceData(synthetic_encoded())


def test_the_rmse_of_an_epoch_is_that_of_its_predictions(data: DeviceData) -> None:
    run = TrainingRun(SMALL, TrainingConfig(), data)
    result = run.step()
    dataset = data.dataset
    assert result.val_rmse == rmse(run.predict_validation(), dataset.validation.rating)
    assert result.train_rmse == rmse(run.predict(dataset.train), dataset.train.rating)


def test_keras_makes_the_same_rmse_of_the_predictions(data: DeviceData) -> None:
    run = TrainingRun(SMALL, TrainingConfig(), data)
    result = run.step()
    assert run.keras_rmse() == pytest.approx(result.val_rmse, abs=1e-5)
    assert run.keras_rmse() == pytest.approx(result.val_rmse, abs=1e-5)


def test_training_beats_the_train_mean(data: DeviceData) -> None:
    result = train_ranking(SMALL, TrainingConfig(max_epochs=15, patience=0), data)
    actual = data.dataset.validation.rating
    mean = rmse(np.full(len(actual), data.dataset.train_mean, np.float32), actual)
    assert result.best_rmse is not None
    assert result.best_rmse < mean - 0.05


def test_the_output_starts_at_the_train_mean(data: DeviceData) -> None:
    run = TrainingRun(SMALL, TrainingConfig(), data)
    assert run._graph.model.output_layer.bias.numpy() == pytest.approx(data.dataset.train_mean)


def test_the_learning_rate_falls_by_its_decay_from_epoch_to_epoch(data: DeviceData) -> None:
    still = dataclasses.replace(SMALL, optimizer="adagrad", learning_rate=0.1)
    falling = dataclasses.replace(still, learning_rate_decay=1e-6)
    runs = [TrainingRun(config, TrainingConfig(), data) for config in (still, falling)]
    first = [run.step() for run in runs]
    assert first[0].val_rmse == first[1].val_rmse
    moved, stayed = (run.step().val_rmse for run in runs)
    assert moved != first[0].val_rmse
    assert stayed == pytest.approx(first[1].val_rmse, abs=1e-4)


def test_updates_count_the_last_and_smaller_batch(data: DeviceData) -> None:
    n_rows = len(data.dataset.train)
    run = TrainingRun(dataclasses.replace(SMALL, batch_size=n_rows - 1), TrainingConfig(), data)
    assert [run.step().n_updates, run.step().n_updates] == [2, 4]


def test_the_result_holds_the_weights_of_the_best_epoch(data: DeviceData) -> None:
    config = dataclasses.replace(SMALL, learning_rate=0.05)
    seen = []
    result = train_ranking(config, TrainingConfig(max_epochs=12), data, on_epoch=seen.append)
    assert result.epochs == tuple(seen)
    best = min(result.epochs, key=lambda epoch: epoch.val_rmse)
    assert (result.best_epoch, result.best_rmse) == (best.epoch, best.val_rmse)
    actual = data.dataset.validation.rating
    assert rmse(result.run.predict_validation(), actual) == best.val_rmse


def test_a_run_stops_when_its_epochs_are_over(data: DeviceData) -> None:
    result = train_ranking(SMALL, TrainingConfig(max_epochs=2, patience=0), data)
    assert (result.stop_reason, len(result.epochs)) == ("max_epochs", 2)


def test_a_run_stops_when_its_patience_is_over(data: DeviceData) -> None:
    config = dataclasses.replace(SMALL, learning_rate=0.3)
    result = train_ranking(config, TrainingConfig(max_epochs=100, patience=2), data)
    assert result.stop_reason == "patience"
    assert result.epochs[-1].epoch - (result.best_epoch or 0) == 2


def test_patience_zero_never_stops_early(data: DeviceData) -> None:
    config = dataclasses.replace(SMALL, learning_rate=0.3)
    result = train_ranking(config, TrainingConfig(max_epochs=12, patience=0), data)
    assert (result.stop_reason, len(result.epochs)) == ("max_epochs", 12)


def test_a_run_that_diverges_says_so_and_stops_at_once(data: DeviceData) -> None:
    config = dataclasses.replace(SMALL, optimizer="sgd", learning_rate=1000.0)
    result = train_ranking(config, TrainingConfig(), data)
    assert result.stop_reason == "diverged"
    # Where its sums are no numbers any more depends on the processor.
    assert not result.epochs[-1].val_rmse < 1e6
    assert all(math.isfinite(epoch.val_rmse) for epoch in result.epochs[:-1])
    assert len(result.epochs) < 30


def test_a_graph_is_as_good_as_new_after_a_run_that_diverged(data: DeviceData) -> None:
    before = train_ranking(SMALL, TrainingConfig(max_epochs=2), data).epochs
    broken = dataclasses.replace(SMALL, learning_rate=1000.0, embedding_l2=10.0)
    train_ranking(broken, TrainingConfig(max_epochs=2), data)
    after = train_ranking(SMALL, TrainingConfig(max_epochs=2), data).epochs
    assert [e.val_rmse for e in before] == [e.val_rmse for e in after]


def test_a_stop_request_ends_an_epoch_between_chunks(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHUNK_ROWS", 64)
    run = TrainingRun(SMALL, TrainingConfig(), data)
    asked = []

    def keep_going() -> bool:
        asked.append(True)
        return len(asked) < 2

    with pytest.raises(Interrupted):
        run.step(keep_going)
    assert len(asked) == 2
    with pytest.raises(AssertionError, match="restore"):
        run.save(Path("never-written"))


def test_an_epoch_in_chunks_equals_an_epoch_in_one(
    data: DeviceData, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Noise is drawn for a chunk at a time.
    silent = dataclasses.replace(SMALL, **dict.fromkeys(RATES, 0.0))
    whole = TrainingRun(silent, TrainingConfig(), data).step()
    monkeypatch.setattr(training, "CHUNK_ROWS", 70)
    pieces = TrainingRun(silent, TrainingConfig(), data).step(lambda: True)
    assert (whole.val_rmse, whole.n_updates) == (pieces.val_rmse, pieces.n_updates)


def test_the_best_epoch_is_written_with_what_the_caller_adds(
    data: DeviceData, tmp_path: Path
) -> None:
    run = TrainingRun(SMALL, TrainingConfig(seed=3), data)
    result = run.step()
    run.save_best(tmp_path, {"study": "x"})
    arrays, metadata = read_checkpoint(tmp_path)
    assert (metadata["study"], metadata["seed"]) == ("x", 3)
    assert (metadata["epoch"], metadata["val_rmse"]) == (1, result.val_rmse)
    assert sum(array.size for array in arrays.values()) == run.n_parameters


def test_a_restored_run_has_its_own_number_of_epochs(data: DeviceData, tmp_path: Path) -> None:
    run = TrainingRun(SMALL, TrainingConfig(max_epochs=1), data)
    run.step()
    run.save(tmp_path)
    assert run.stop_reason == "max_epochs"
    longer = TrainingRun(SMALL, TrainingConfig(max_epochs=2), data)
    longer.restore(tmp_path)
    assert longer.stop_reason is None
    assert longer.step().epoch == 2


@pytest.mark.parametrize(
    ("config", "seed", "told"),
    [
        (dataclasses.replace(SMALL, dropout=0.2), 42, "dropout"),
        (SMALL, 43, "seed 42, not 43"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    data: DeviceData, tmp_path: Path, config: RankingConfig, seed: int, told: str
) -> None:
    run = TrainingRun(SMALL, TrainingConfig(), data)
    run.step()
    run.save(tmp_path)
    with pytest.raises(CheckpointError, match=told):
        TrainingRun(config, TrainingConfig(seed=seed), data).restore(tmp_path)


def test_a_checkpoint_that_does_not_know_a_hyperparameter_has_its_default(tmp_path: Path) -> None:
    written = json.loads(json.dumps(config_to_json(SMALL)))
    del written["jit_compile"]
    check_checkpoint_is_of(SMALL, {"config": written}, tmp_path)
    compiled = dataclasses.replace(SMALL, jit_compile=True)
    with pytest.raises(CheckpointError, match=r"another model \(jit_compile\)"):
        check_checkpoint_is_of(compiled, {"config": written}, tmp_path)
    with pytest.raises(CheckpointError, match="another model"):
        check_checkpoint_is_of(SMALL, {}, tmp_path)


def test_a_checkpoint_of_other_data_is_refused(data: DeviceData, tmp_path: Path) -> None:
    run = TrainingRun(SMALL, TrainingConfig(), data)
    run.step()
    run.save(tmp_path)
    other = DeviceData(synthetic_encoded(n_users=31))
    with pytest.raises(CheckpointError, match="other data"):
        TrainingRun(SMALL, TrainingConfig(), other).restore(tmp_path)


def test_a_checkpoint_holds_plain_json(data: DeviceData, tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, optimizer="sgd", learning_rate=1000.0)
    run = TrainingRun(config, TrainingConfig(), data)
    while run.stop_reason is None:
        run.step()
    run.save(tmp_path)
    json.loads((tmp_path / "metadata.json").read_text())
    again = TrainingRun(config, TrainingConfig(), data)
    again.restore(tmp_path)
    assert again.stop_reason == "diverged"


def test_a_model_without_side_features_biases_or_layers_trains() -> None:
    config = RankingConfig(
        embedding_size=2, n_layers=0, layer_sizes=(), biases=False, side_features=False
    )
    dataset = synthetic_encoded(side_features=False)
    result = train_ranking(config, TrainingConfig(max_epochs=1), dataset)
    assert result.n_parameters == 30 * 2 + 20 * 2 + 4 + 1


def test_what_is_no_configuration_and_no_encoded_data_is_told() -> None:
    wrong: Any = {"dropout": 0.1}
    with pytest.raises(
        ModelError, match=r"config .*got dict; training .*; dataset .*data\.encoded"
    ):
        train_ranking(wrong, wrong, wrong)


@pytest.mark.parametrize("architecture", ["plain", "dcn"])
def test_a_model_learns_as_well_whatever_its_ratings_are_counted_in(
    architecture: Any, data: DeviceData
) -> None:
    config = dataclasses.replace(SMALL, architecture=architecture)
    in_stars = train_ranking(config, TrainingConfig(max_epochs=3), data)
    for factor in (1 / 64, 8192.0):
        in_others = train_ranking(
            config, TrainingConfig(max_epochs=3), DeviceData(_times(factor, data.dataset))
        )
        assert [epoch.val_rmse / factor for epoch in in_others.epochs] == pytest.approx(
            [epoch.val_rmse for epoch in in_stars.epochs], rel=1e-12
        )
        np.testing.assert_array_equal(
            in_others.run.predict_validation() / np.float32(factor),
            in_stars.run.predict_validation(),
        )


def _times(factor: float, dataset: EncodedDataset) -> EncodedDataset:
    def rows(part: Rows) -> Rows:
        return dataclasses.replace(part, rating=part.rating * np.float32(factor))

    low, high = dataset.rating_range
    return dataclasses.replace(
        dataset,
        train=rows(dataset.train),
        validation=rows(dataset.validation),
        rating_range=(low * factor, high * factor),
        train_mean=dataset.train_mean * factor,
    )
