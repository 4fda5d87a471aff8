"""What holds where a GPU is asked for, as far as a machine without one can show it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import itertools, json
from recommender.runtime import configure_devices, tf

configure_devices(gpu=True, threads=1)

from recommender.config import ARCHITECTURES, OPTIMIZERS, RankingConfig, TrainingConfig
from recommender.training import train_ranking
from tests.synthetic import synthetic_encoded
from tensorflow.python.framework.config import is_op_determinism_enabled

data = synthetic_encoded()
trained = {}
for architecture, optimizer in itertools.product(ARCHITECTURES, OPTIMIZERS):
    config = RankingConfig(
        architecture, embedding_size=2, layer_sizes=(4, 2), batch_size=64, optimizer=optimizer
    )
    result = train_ranking(config, TrainingConfig(max_epochs=1), data)
    trained[f"{architecture} {optimizer}"] = result.best_rmse is not None
tf.random.uniform([])  # without a seed, as a researcher's model may
print(json.dumps({"is_on": is_op_determinism_enabled(), "trained": trained}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("said", "is_on"), [({}, True), ({"TF_DETERMINISTIC_OPS": "0"}, False)])
def test_on_a_gpu_operations_repeat_to_the_bit_unless_that_is_given_up(
    said: dict[str, str], is_on: bool
) -> None:
    """And nothing of ours is refused for it, whatever the architecture and optimizer."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_DETERMINISTIC_OPS"} | said
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["is_on"] is is_on
    assert len(told["trained"]) >= 14
    assert all(told["trained"].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("touched", "is_refused"), [("tf.keras.Model", True), ("tf.Module", False)]
)
def test_keras_3_is_refused_by_name_once_it_is_chosen(touched: str, is_refused: bool) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    script = f"import tensorflow as tf; {touched}; import recsweep; recsweep.train_ranking"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert (done.returncode != 0) is is_refused, done.stderr
    assert ("ImportError: TensorFlow was imported with Keras 3" in done.stderr) is is_refused
