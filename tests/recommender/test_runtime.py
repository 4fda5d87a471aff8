"""What holds where a GPU is asked for, as far as a machine without one can show it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, os
from recommender.runtime import configure_devices, tf
from tensorflow.python.framework.config import is_op_determinism_enabled

is_on = {}
for said in ("0", None):
    if said is None:
        del os.environ["TF_DETERMINISTIC_OPS"]
    configure_devices(gpu=True, threads=1)
    is_on[str(said)] = is_op_determinism_enabled()

from recommender.config import ARCHITECTURES, OPTIMIZERS, RankingConfig, TrainingConfig
from recommender.training import train_ranking
from tests.synthetic import synthetic_encoded

data = synthetic_encoded()
trained = {}
for architecture, optimizer in [
    *((architecture, "adam") for architecture in ARCHITECTURES),
    *(("dcn", optimizer) for optimizer in OPTIMIZERS),
]:
    config = RankingConfig(
        architecture, embedding_size=2, layer_sizes=(4, 2), batch_size=64, optimizer=optimizer
    )
    result = train_ranking(config, TrainingConfig(max_epochs=1), data)
    trained[f"{architecture} {optimizer}"] = result.best_rmse is not None
tf.random.uniform([])  # without a seed, as a researcher's model may
print(json.dumps({"is_on": is_on, "trained": trained}))
"""


@pytest.mark.slow
def test_on_a_gpu_operations_repeat_to_the_bit_unless_that_is_given_up() -> None:
    """And nothing of ours is refused for it, whatever the architecture and optimizer."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"TF_DETERMINISTIC_OPS": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["is_on"] == {"0": False, "None": True}
    assert len(told["trained"]) >= 8
    assert all(told["trained"].values())
