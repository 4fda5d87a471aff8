"""A researcher's own architecture keeps what ours keep, and its mistakes are told as its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recommender.config import RankingConfig, TrainingConfig, ranking_config
from recommender.device import DeviceData
from recommender.errors import OwnCodeError
from recommender.export import export_model
from recommender.own import read_own
from recommender.runtime import tf
from recommender.training import TrainingRun
from tests.own_models import write_models
from tests.synthetic import synthetic_encoded, validated_on_strangers

pytestmark = pytest.mark.slow

SMALL = {"embedding_size": 3, "batch_size": 64, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def data() -> DeviceData:
    return DeviceData(synthetic_encoded())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("own"))


def _config(models: Path, file: str, name: str, **values: float) -> RankingConfig:
    own = read_own(f"{file}.py:{name}", models)
    return ranking_config({"architecture": name, **SMALL, **values}, {name: own})


def _run(config: RankingConfig, data: DeviceData, seed: int = 1, n_epochs: int = 2) -> TrainingRun:
    run = TrainingRun(config, TrainingConfig(seed=seed, patience=0), data)
    for _ in range(n_epochs):
        run.step()
    return run


def _state(run: TrainingRun) -> list[bytes]:
    return [variable.numpy().tobytes() for variable in run._graph.state]


def test_its_seeds_repeat_to_the_bit_and_its_values_have_graphs_of_their_own(
    models: Path, data: DeviceData
) -> None:
    config = _config(models, "gated", "gated")
    states = [_state(_run(config, data, seed)) for seed in (1, 2, 1)]
    assert states[0] == states[2] != states[1]
    assert len(data.graphs) == 1
    fresh = DeviceData(data.dataset)
    assert _state(_run(config, fresh)) == states[0]
    for name, value in {"noise": 0.5, "gate_l2": 0.5, "n_heads": 1}.items():
        assert _state(_run(_config(models, "gated", "gated", **{name: value}), data)) != states[0]
    assert len(data.graphs) == 4


def test_what_it_draws_itself_as_it_is_made_follows_from_the_seed(
    models: Path, data: DeviceData
) -> None:
    config = _config(models, "bad", "starts")
    first, other = (_state(_run(config, data, seed, n_epochs=1)) for seed in (1, 2))
    assert first == _state(_run(config, DeviceData(data.dataset), n_epochs=1))
    assert first != other


def test_a_layer_that_is_called_twice_draws_twice(models: Path, data: DeviceData) -> None:
    run = _run(_config(models, "bad", "twice"), data, n_epochs=0)
    kernel = next(v for v in run._graph.state if v.shape.rank == 2 and v.shape[1] == 7)
    before = kernel.numpy()
    run.step()
    assert (kernel.numpy() != before).all()  # with one mask for both the two are always equal


def test_recurrent_layers_are_no_random_ones(models: Path, data: DeviceData) -> None:
    run = _run(_config(models, "bad", "recurrent"), data, n_epochs=1)
    assert np.isfinite(run.best_rmse or np.nan)


def test_its_layers_may_be_of_mixed_precision(models: Path, data: DeviceData) -> None:
    untrained, trained = (
        _run(_config(models, "bad", "mixed"), data, n_epochs=n).predict_validation() for n in (0, 2)
    )
    assert np.ptp(trained - untrained) > 0


def test_it_goes_on_from_a_checkpoint_as_if_left_alone(
    models: Path, data: DeviceData, tmp_path: Path
) -> None:
    config = _config(models, "gated", "gated")
    alone = _state(_run(config, data, n_epochs=3))
    _run(config, data, n_epochs=1).save(tmp_path)
    _run(config, data, seed=9)
    run = _run(config, data, n_epochs=0)
    run.restore(tmp_path)
    run.step()
    run.step()
    assert _state(run) == alone


def test_its_export_gives_the_same_ratings(models: Path, data: DeviceData, tmp_path: Path) -> None:
    run = _run(_config(models, "gated", "gated", side_features=False), data)
    run.save_best(tmp_path / "best", {})
    run.load_best()
    export_model(tmp_path / "best", run.config, data.dataset, tmp_path / "model")
    rows = data.dataset.validation
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    users = ["nobody", *data.dataset.user_vocabulary]
    served = serve(
        user_id=tf.constant([users[i] for i in rows.user]),
        item_id=tf.constant([data.dataset.catalog[i - 1] for i in rows.catalog]),
    )
    np.testing.assert_allclose(served["raw"].numpy(), run.predict_validation(), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("bad", "wrong_shape", "wrong_shape must give ratings of shape (batch, 1), got (batch, 3)"),
        ("bad", "constant", "constant gives 3.5 for every row after an epoch of training"),
        ("bad", "not_a_number", "not_a_number gives NaN or infinity before any training"),
        ("bad", "nothing", "nothing must compute a tensor from its inputs, got None"),
        ("bad", "raises", "bad.py:24: ValueError: rate 0.1 is not for me"),
        (
            "bad",
            "layer",
            "layer gives a layer or model; have it give what that makes of its inputs",
        ),
        (
            "bad",
            "numpys",
            "TypeError: what is called here takes no KerasTensor; a function is given",
        ),
        (
            "bad",
            "asks",
            "no attribute 'n_users'; a function is given the embeddings, which have no",
        ),
        ("bad", "stray", "stray makes a tf.Variable that no layer holds"),
        ("bad", "doubles", "doubles must give float32, got float64; end with tf.cast(..., "),
        ("bad", "draws", "random numbers that no seed reaches (RandomStandardNormal)"),
        ("bad", "within", "random numbers that no seed reaches (RandomStandardNormal)"),
        ("bad", "narrow", "narrow: TypeError: Narrow.__init__() got an unexpected keyword arg"),
        ("bad", "clears", ", and do not call tf.keras.backend.clear_session"),
        ("bad", "generates", "random numbers that no seed reaches (RngReadAndSkip)"),
        ("late", "late", "late.py:1: ModuleNotFoundError: No module named 'only_on_some_other"),
    ],
)
def test_its_mistakes_are_told_by_file_and_line(
    models: Path, data: DeviceData, file: str, name: str, told: str
) -> None:
    with pytest.raises(OwnCodeError) as caught:
        _run(_config(models, file, name), data)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "recommender" not in caught.value.log


def test_one_that_is_shown_only_unknown_ids_may_give_one_rating(models: Path) -> None:
    strangers = DeviceData(validated_on_strangers())
    predicted = _run(_config(models, "gated", "gated"), strangers).predict_validation()
    assert np.ptp(predicted) == 0


def test_what_xla_cannot_compile_is_told_with_the_cure(models: Path, data: DeviceData) -> None:
    with pytest.raises(OwnCodeError) as caught:
        _run(_config(models, "bad", "sparse", jit_compile=True), data)
    assert str(caught.value) == (
        "bad.py: sparse: XLA cannot compile SparseTensorDenseMatMul; leave out jit_compile"
    )


def test_a_file_that_changes_the_folder_does_not_move_ours(models: Path, data: DeviceData) -> None:
    (models / "moves.py").write_text(
        "import os\nimport tensorflow as tf\nos.chdir('/')\n"
        "def moves(x):\n    os.chdir('/')\n    return tf.keras.layers.Dense(1)(x)\n"
    )
    before = Path.cwd()
    _run(_config(models, "moves", "moves"), data, n_epochs=0)
    assert Path.cwd() == before


def test_a_name_that_it_shares_with_recsweep_gives_it_the_same_value(
    models: Path, data: DeviceData
) -> None:
    (models / "deep.py").write_text(
        "import tensorflow as tf\n"
        "def deep(x, *, n_layers=1):\n"
        "    for _ in range(n_layers):\n"
        "        x = tf.keras.layers.Dense(4)(x)\n"
        "    return tf.keras.layers.Dense(1)(x)\n"
    )
    plain = _config(models, "deep", "deep")
    counts = [
        _run(config, data, n_epochs=0).n_parameters
        for config in (plain, _config(models, "deep", "deep", n_layers=3))
    ]
    assert counts[1] - counts[0] == 2 * (4 * 4 + 4)
    wide = dataclasses.replace(plain, n_layers=1, layer_sizes=(512,))
    assert _run(wide, data, n_epochs=0).n_parameters == counts[0]
