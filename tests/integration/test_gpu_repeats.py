"""Training on a GPU repeats to the bit: in one process and in another, compiled by XLA or not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from recommender.config import OPTIMIZERS

TRAIN = """\
import dataclasses, hashlib, itertools, json
from recommender.runtime import configure_devices
configure_devices(gpu=True, threads=1)
from recommender.config import OPTIMIZERS, RankingConfig, TrainingConfig
from recommender.device import DeviceData
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

data = DeviceData(synthetic_encoded(300, 200, 20_000))
base = RankingConfig(architecture="dcn", embedding_size=32)
digests = []
for optimizer, jit_compile in itertools.product(OPTIMIZERS, (False, True)):
    config = dataclasses.replace(base, optimizer=optimizer, jit_compile=jit_compile)
    for _ in range(2):
        run = TrainingRun(config, TrainingConfig(patience=0), data)
        results = [run.step() for _ in range(3)]
        assert results[-1].val_rmse < 1.1, results
        state = b"".join(variable.numpy().tobytes() for variable in run._graph.state)
        digests.append(hashlib.sha256(state).hexdigest())
        del run
print(json.dumps(digests))
"""


@pytest.mark.gpu
@pytest.mark.slow
def test_training_on_a_gpu_repeats_to_the_bit(real_gpu: None) -> None:
    command = [sys.executable, "-c", TRAIN]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    seen = []
    for process in processes:
        told, errors = process.communicate()
        assert process.returncode == 0, errors
        seen.append(json.loads(told))
    assert seen[0] == seen[1]
    assert len(seen[0]) == 4 * len(OPTIMIZERS)
    assert seen[0][::2] == seen[0][1::2]
