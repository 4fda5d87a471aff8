"""The exported model: plain TensorFlow, ids as strings, the same ratings."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recommender.checkpoints import CheckpointError
from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.datasets.features import context
from recommender.export import export_model
from recommender.runtime import tf
from recommender.training import train_ranking
from tests.synthetic import synthetic_encoded

pytestmark = pytest.mark.slow

SMALL = RankingConfig(architecture="dcn", embedding_size=2, n_layers=1, layer_sizes=(4,))
TIMES = 1_000_000_000 + 7919 * np.arange(200)


def _with_times(dataset: EncodedDataset) -> EncodedDataset:
    """The same, the context of the first validation rows that of `TIMES`."""
    features = ("hour_of_day", "day_of_week")
    rows = dataset.validation
    values = rows.context.copy()
    values[:] = context(TIMES[: len(values)], len(values), features)
    return dataclasses.replace(dataset, validation=dataclasses.replace(rows, context=values))


def _exported(dataset: EncodedDataset, config: RankingConfig, folder: Path) -> np.ndarray:
    result = train_ranking(config, TrainingConfig(max_epochs=2), dataset)
    result.run.save_best(folder / "best", {})
    export_model(folder / "best", config, dataset, folder / "model")
    return result.run.predict_validation()


def _ids(dataset: EncodedDataset) -> tuple[list[str], list[str]]:
    rows = dataset.validation
    users = ["nobody", *dataset.user_vocabulary]
    return [users[i] for i in rows.user], [dataset.catalog[i - 1] for i in rows.catalog]


def test_the_exported_model_repeats_the_validation_ratings(tmp_path: Path) -> None:
    dataset = _with_times(synthetic_encoded())
    predicted = _exported(dataset, SMALL, tmp_path)
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    users, items = _ids(dataset)
    times = tf.constant(TIMES[: len(users)], tf.int64)
    served = serve(user_id=tf.constant(users), item_id=tf.constant(items), timestamp=times)
    np.testing.assert_allclose(served["raw"].numpy(), predicted, atol=1e-5)
    np.testing.assert_allclose(served["rating"].numpy(), predicted.clip(1, 5), atol=1e-5)


def test_plain_tensorflow_serves_unseen_ids_without_keras_2_or_tfrs(tmp_path: Path) -> None:
    dataset = synthetic_encoded(side_features=False)
    _exported(dataset, SMALL, tmp_path)
    script = """
import json, sys
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
out = serve(user_id=tf.constant(["u1", b"u1", "nobody"]), item_id=tf.constant(["i1", b"i1", "x"]))
loaded = [m for m in ("tf_keras", "tensorflow_recommenders", "recommender") if m in sys.modules]
print(json.dumps({"rating": out["rating"].numpy().tolist(), "loaded": loaded}))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "model")]
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["loaded"] == []
    first, second, unseen = answer["rating"]
    assert first == second
    assert 1 <= unseen <= 5


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    dataset = synthetic_encoded()
    result = train_ranking(SMALL, TrainingConfig(max_epochs=1), dataset)
    result.run.save_best(tmp_path / "best", {})
    other = dataclasses.replace(SMALL, embedding_size=3)
    with pytest.raises(CheckpointError, match="embedding_size"):
        export_model(tmp_path / "best", other, dataset, tmp_path / "model")
    more_users = synthetic_encoded(n_users=31)
    with pytest.raises(CheckpointError, match="other data"):
        export_model(tmp_path / "best", SMALL, more_users, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError, match="remove it"):
        export_model(tmp_path / "best", SMALL, synthetic_encoded(), tmp_path / "model")


def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_served: object, folder: str, **_: object) -> None:
        Path(folder).mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{folder}; No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match="No space left on device"):
        _exported(synthetic_encoded(), SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
