"""A process of a probe, in this one: no Ray, no GPU, and a peak that is made up."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.machine.packing import Measured
from experiments.running.orders import WorkerSettings
from experiments.running.probe import Errand, Prober, read_peak
from recommender.config import RankingConfig, TrainingConfig
from recommender.errors import OwnCodeError
from recommender.own import read_own
from recommender.runtime import tf
from tests.synthetic import synthetic_encoded

SMALL = RankingConfig(embedding_size=2, n_layers=1, layer_sizes=(4,), batch_size=64)

RAMP = """\
class Ramp:
    def __init__(self, data):
        self.data = data

    def fit_epoch(self):
        pass

    def predict(self, rows):
        import numpy as np

        return 3 + 1e-2 * np.arange(len(rows))
"""


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The settings that a process would give TensorFlow."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **to: calls.append(to))
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, "before")
    return calls


def an_errand(tmp_path: Path, *models: RankingConfig, peak: int | None = 1 << 30) -> Errand:
    settings = WorkerSettings(1, 0.5, 1e9, tmp_path / "stop", gpu_memory_mb=1000)
    training = TrainingConfig(max_epochs=10**9, patience=0)
    return Errand(models, training, "3", settings, lambda: peak)


def test_a_process_trains_under_the_cap_of_its_trials_and_tells_speed_and_peak(
    settled: list[dict[str, Any]], tmp_path: Path
) -> None:
    prober = Prober()
    assert prober.prepare(synthetic_encoded(), an_errand(tmp_path, SMALL)) is None
    assert settled == [{"gpu": True, "threads": 1, "memory_limit_mb": 1000}]
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"]) == (
        "3",
        "PCI_BUS_ID",
    )
    seen = prober.train(0.0)
    assert isinstance(seen, Measured)
    assert seen.epochs_per_s > 0
    # The tensors, and the small graphs that a worker may keep beside this one.
    assert seen.memory_mb is not None
    assert 1024 < seen.memory_mb < 1025


def test_a_model_that_diverges_is_begun_anew(settled: list[dict[str, Any]], tmp_path: Path) -> None:
    wild = replace(SMALL, optimizer="sgd", learning_rate=1000.0)
    prober = Prober()
    assert prober.prepare(synthetic_encoded(), an_errand(tmp_path, wild)) is None
    first = prober._runs[0]
    assert isinstance(prober.train(0.3), Measured)
    assert first.stop_reason == "diverged"
    assert prober._runs[0] is not first


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), "memory ran out"),
        (ValueError("no\nmore"), "ValueError: no"),
        (RuntimeError(), "RuntimeError"),
        (OwnCodeError("gated.py:3: KeyError: 'x'"), "gated.py:3: KeyError: 'x'"),
    ],
)
def test_what_goes_wrong_is_told_in_words(
    error: Exception,
    told: str,
    settled: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    prober = Prober()
    with monkeypatch.context() as patch:
        patch.setattr("recommender.runs.Trainer.begin", fail)
        assert prober.prepare(synthetic_encoded(), an_errand(tmp_path, SMALL)) == told
    assert prober.prepare(synthetic_encoded(), an_errand(tmp_path, SMALL)) is None
    monkeypatch.setattr("recommender.training.TrainingRun.step", fail)
    assert prober.train(0.0) == told


def test_what_a_model_without_tensorflow_takes_is_not_read(
    settled: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "ramp.py").write_text(RAMP)
    own = read_own("ramp.py:Ramp", tmp_path)
    prober = Prober()
    errand = an_errand(tmp_path, SMALL, RankingConfig(architecture="Ramp", own=own))
    assert prober.prepare(synthetic_encoded(), errand) is None
    seen = prober.train(0.0)
    assert isinstance(seen, Measured)
    assert seen.memory_mb is None


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU here")
def test_without_a_gpu_there_is_no_peak() -> None:
    assert read_peak() is None
