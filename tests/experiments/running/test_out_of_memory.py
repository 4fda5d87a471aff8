"""Memory that runs out fails one trial, with the sizes; on a shared GPU only when it is alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.ledger.journal import read_journal
from experiments.records import StopReason, TrialState
from experiments.running.orders import TrialOrder, WorkerSettings
from experiments.running.worker import Workbench
from recommender.config import RankingConfig, TrainingConfig
from recommender.footprint import least_bytes, refuse_what_cannot_fit, sizes_text
from recommender.runtime import tf
from tests.experiments.running.test_conductor import a_sweep, bumpy, trials_of
from tests.fake_workers import FakeStudy, FakeWorker, Fuse
from tests.synthetic import synthetic_encoded

WIDE = {"n_layers": 2, "layer_size_0": 65_536, "layer_size_1": 65_536}


def _order(tmp_path: Path, **values: Any) -> TrialOrder:
    fixed = {"embedding_size": 2, "layer_size": 4, "batch_size": 64}
    return TrialOrder(0, "0000", 1, values, fixed, TrainingConfig(max_epochs=1), tmp_path)


def _bench(tmp_path: Path, gpus: float) -> Workbench:
    settings = WorkerSettings(cpus=1, gpus=gpus, recycle_above_mb=1e9, stop_file=tmp_path / "stop")
    return Workbench(synthetic_encoded(), settings)


def _ends(tmp_path: Path) -> list[dict[str, Any]]:
    (path,) = (tmp_path / "journal").glob("worker-*.jsonl")
    return [dict(e) for e in read_journal(path)[0] if e["kind"] == "end"]


def test_a_layer_too_wide_fails_its_trial_with_the_sizes_and_the_worker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
    bench = _bench(tmp_path, gpus=0)
    assert bench.step(_order(tmp_path, **WIDE))["done"]
    (end,) = _ends(tmp_path)
    assert end["stop_reason"] == "out_of_memory"
    assert "MemoryError: training needs at least 86." in end["error"]
    assert "batch 64 × width 65,536, 4,29" in end["error"]
    assert "layer_size_0=65536" in end["error"]
    assert bench.step(_order(tmp_path))["done"]
    assert _ends(tmp_path)[1]["stop_reason"] == "max_epochs"


def test_an_error_that_says_nothing_fails_its_trial_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(*_: Any) -> None:
        raise RuntimeError("\n")

    monkeypatch.setattr("recommender.runs.Trainer.begin", speechless)
    assert _bench(tmp_path, gpus=0).step(_order(tmp_path))["done"]
    (end,) = _ends(tmp_path)
    assert (end["stop_reason"], end["error"]) == ("error", "RuntimeError")


def test_what_training_takes_at_least_is_refused_above_what_is_free() -> None:
    data = synthetic_encoded()
    config = RankingConfig(embedding_size=2, batch_size=10, layer_sizes=(4, 3))
    needed = least_bytes(config, data)
    refuse_what_cannot_fit(config, data, needed)
    with pytest.raises(MemoryError, match="needs at least"):
        refuse_what_cannot_fit(config, data, needed - 1)
    adagrad = RankingConfig(
        embedding_size=2, batch_size=10, layer_sizes=(4, 3), optimizer="adagrad"
    )
    assert least_bytes(adagrad, data) < needed
    assert sizes_text(config, data).startswith("batch 10 × width ")


@pytest.mark.parametrize(("gpus", "reason"), [(0.5, "interrupted"), (1.0, "out_of_memory")])
def test_on_a_shared_gpu_memory_that_ran_out_is_not_yet_an_end(
    gpus: float, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating [64,65536]")

    monkeypatch.setattr("recommender.runs.Trainer.begin", no_room)
    bench = _bench(tmp_path, gpus)
    order = _order(tmp_path)
    bench.step(order)
    bench.step(order.again(is_alone=True))
    first, alone = _ends(tmp_path)
    assert first["stop_reason"] == reason
    assert first.get("wants_to_be_alone", False) is (reason == "interrupted")
    assert alone["stop_reason"] == "out_of_memory"
    assert "batch 64 × width" in alone["error"]


def test_a_trial_that_ran_out_of_memory_is_tried_once_more_alone(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path, a_sweep(4, sampler="random", pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        first, second = (FakeWorker(study, i, Fuse()) for i in range(2))
        first.take(conductor.next_order())
        second.take(order := conductor.next_order())
        assert order is not None
        assert not conductor.is_held
        second._write(
            "end", sync=True, stop_reason="interrupted", error="OOM", wants_to_be_alone=True
        )
        conductor.pump()
        conductor.leave(order.number)
        assert conductor.is_held  # until the other has ended
        while first.order is not None:
            first.step(conductor)
        assert not conductor.is_held
        again = conductor.next_order()
        assert again is not None
        assert (again.number, again.attempt, again.is_alone) == (order.number, 2, True)
        assert conductor.is_held  # as long as it trains
        second.take(again)
        second._write("end", sync=True, stop_reason="out_of_memory", error="OOM (batch 64)")
        conductor.pump()
        assert not conductor.is_held
        first.take(conductor.next_order())
    trial = trials_of(tmp_path)[order.number]
    assert (trial.state, trial.stop_reason) == (TrialState.FAIL, StopReason.OUT_OF_MEMORY)
    assert trial.error == "OOM (batch 64)"
    assert len(trial.attempts) == 2


def test_a_trial_alone_gets_a_fresh_worker_without_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(BaseException):
        pass

    def leave(_: int) -> None:
        raise Left

    caps: list[Any] = []
    monkeypatch.setattr(
        "recommender.runtime.configure_devices",
        lambda **settings: caps.append(settings["memory_limit_mb"]),
    )
    monkeypatch.setattr("experiments.running.worker.os._exit", leave)
    order = _order(tmp_path)
    settings = WorkerSettings(1, 0.5, 1e9, tmp_path / "stop", gpu_memory_mb=1000)
    shared, alone = (Workbench(synthetic_encoded(), settings) for _ in range(2))
    assert shared.step(order)["done"]
    with pytest.raises(Left):
        shared.step(order.again(is_alone=True))
    assert alone.step(order.again().again(is_alone=True))["done"]
    with pytest.raises(Left):
        alone.step(_order(tmp_path, dropout=0.1))
    assert caps == [1000, None]
    assert [end["stop_reason"] for end in _ends(tmp_path)] == [
        "max_epochs", "recycled", "max_epochs", "recycled",
    ]  # fmt: skip
