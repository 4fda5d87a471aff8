"""What a worker does with its orders, without Ray and without TensorFlow: its model is made up."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.ledger.journal import Event, read_journal
from experiments.running import worker
from experiments.running.orders import TrialOrder, WorkerSettings
from experiments.running.worker import GUARD_TOLERANCE, Workbench
from recommender.checkpoints import has_checkpoint, read_checkpoint, write_checkpoint
from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset, Floats, Rows
from recommender.epochs import EpochResult, Run
from recommender.errors import Interrupted, OwnCodeError, raised
from recommender.runs import Trainer
from tests.synthetic import synthetic_encoded


@dataclass
class Manner:
    """How all made-up models behave, and what was done with them."""

    values: Mapping[int, float] = field(default_factory=dict)
    """`val_rmse` by epoch; 1.0 where nothing is said."""
    keras: float | None = 1.0
    raises: Exception | None = None
    """In every step."""
    can_be_saved: bool = True
    n_asked_by_keras: int = 0
    began: list[RankingConfig] = field(default_factory=list)


class MadeUp(Run):
    """Trains nothing; goes on exactly where it was saved."""

    n_parameters = 7

    def __init__(self, config: RankingConfig, training: TrainingConfig, manner: Manner) -> None:
        super().__init__(config, training)
        self._manner = manner

    @property
    def can_be_saved(self) -> bool:
        return self._manner.can_be_saved

    def step(self, keep_going: Callable[[], bool] | None = None) -> EpochResult:
        if self._manner.raises is not None:
            raise self._manner.raises
        if keep_going is not None and not keep_going():
            raise Interrupted
        self.epoch += 1
        value = self._manner.values.get(self.epoch, 1.0)
        self._is_diverged = not math.isfinite(value)
        if not self._is_diverged and (self.best_rmse is None or value < self.best_rmse):
            self.best_epoch, self.best_rmse = self.epoch, value
        return EpochResult(self.epoch, value, value, self.epoch, 0.1)

    def keras_rmse(self) -> float | None:
        self._manner.n_asked_by_keras += 1
        return self._manner.keras

    def predict_validation(self) -> Floats:
        return np.ones(3)

    def predict(self, rows: Rows) -> Floats:
        return np.ones(3)

    def load_best(self) -> None: ...

    def load_saved_best(self, folder: Path) -> None: ...

    def save_best(self, folder: Path, extra: Mapping[str, Any]) -> None:
        write_checkpoint(folder, {}, self._best_metadata(extra))

    def save(self, folder: Path) -> None:
        write_checkpoint(folder, {}, self._metadata())

    def restore(self, folder: Path) -> None:
        _, metadata = read_checkpoint(folder)
        self._check_metadata(metadata, folder)
        self._take_metadata(metadata)


@pytest.fixture
def manner(monkeypatch: pytest.MonkeyPatch) -> Manner:
    manner = Manner()

    def begin(self: Trainer, config: RankingConfig, training: TrainingConfig) -> Run:
        self.has_begun = True
        manner.began.append(config)
        return MadeUp(config, training, manner)

    monkeypatch.setattr(Trainer, "begin", begin)
    monkeypatch.setattr(worker, "write_errors", lambda *_: None)
    return manner


@pytest.fixture(scope="module")
def encoded() -> EncodedDataset:
    return synthetic_encoded()


@pytest.fixture
def bench(manner: Manner, encoded: EncodedDataset, tmp_path: Path) -> Workbench:
    return Workbench(encoded, a_setting(tmp_path))


def a_setting(folder: Path, **more: Any) -> WorkerSettings:
    return WorkerSettings(1, 1, 1e9, folder / "stop", **more)


def an_order(folder: Path, number: int = 0, max_epochs: int = 3, **values: Any) -> TrialOrder:
    training = TrainingConfig(max_epochs=max_epochs, seed=5)
    return TrialOrder(number, f"{number:04d}", 1, values, {}, training, folder)


def told(folder: Path) -> list[Event]:
    (path,) = (folder / "journal").glob("worker-*.jsonl")
    return read_journal(path)[0]


def kinds(folder: Path) -> str:
    return " ".join(event["kind"] for event in told(folder))


def to_its_end(bench: Workbench, order: TrialOrder) -> int:
    """How many steps it took."""
    n_steps = 1
    while not bench.step(order)["done"]:
        n_steps += 1
        assert n_steps < 20
    return n_steps


def test_a_trial_is_trained_an_epoch_a_step_and_leaves_its_best_and_no_checkpoint(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FIRST_CHECKPOINT_AFTER_S", 0.0)
    order = an_order(tmp_path)
    assert bench.step(order) == {"number": 0, "done": False}
    assert has_checkpoint(order.folder / "last")
    assert to_its_end(bench, order) == 2
    # The next one is due ten seconds later, and after the last epoch there is none.
    assert kinds(tmp_path) == "take start epoch checkpoint epoch epoch end"
    *_, last, end = told(tmp_path)
    assert (last["is_last"], end["stop_reason"], end["error"]) == (True, "max_epochs", None)
    assert not (order.folder / "last").exists()
    assert has_checkpoint(order.folder / "best") and has_checkpoint(order.predictions)
    assert to_its_end(bench, an_order(tmp_path, 1, max_epochs=1)) == 1
    assert kinds(tmp_path).endswith("end take start epoch end")


@pytest.mark.parametrize("by", ["stop", "room"])
def test_a_trial_that_is_to_leave_goes_on_elsewhere_with_its_next_epoch(
    bench: Workbench, encoded: EncodedDataset, tmp_path: Path, by: str
) -> None:
    order = an_order(tmp_path)
    bench.step(order)
    file = tmp_path / "stop" if by == "stop" else order.room_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert bench.step(order)["done"]
    assert kinds(tmp_path) == "take start epoch checkpoint end"
    end = told(tmp_path)[-1]
    assert (end["stop_reason"], end["makes_room"]) == ("interrupted", by == "room")
    assert bench.step(order.again())["done"]  # while the file is there nothing is trained
    assert kinds(tmp_path).endswith("checkpoint end take end")
    assert told(tmp_path)[-1]["stop_reason"] == "interrupted"
    file.unlink()
    assert to_its_end(Workbench(encoded, a_setting(tmp_path)), order.again().again()) == 2
    starts = [event["first_epoch"] for event in told(tmp_path) if event["kind"] == "start"]
    assert starts == [1, 2]
    epochs = [event["epoch"] for event in told(tmp_path) if event["kind"] == "epoch"]
    assert epochs == [1, 2, 3]


def test_a_model_that_cannot_be_saved_leaves_and_begins_anew(
    bench: Workbench, manner: Manner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FIRST_CHECKPOINT_AFTER_S", 0.0)
    manner.can_be_saved = False
    order = an_order(tmp_path)
    bench.step(order)
    (tmp_path / "stop").touch()
    assert bench.step(order)["done"]
    assert kinds(tmp_path) == "take start epoch end"
    assert not (order.folder / "last").exists()
    (tmp_path / "stop").unlink()
    assert to_its_end(bench, order.again()) == 3


@pytest.mark.parametrize(("gpus", "seen"), [(0, ""), (1, "3")])
def test_a_worker_without_a_gpu_of_its_own_sees_none(
    manner: Manner,
    encoded: EncodedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    seen: str,
) -> None:
    """Ray leaves all of them visible to it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    Workbench(encoded, replace(a_setting(tmp_path), gpus=gpus)).step(an_order(tmp_path))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
    (start,) = (event for event in told(tmp_path) if event["kind"] == "start")
    assert start["devices"] == seen


def test_a_stop_in_the_midst_of_an_epoch_forgets_that_epoch(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order(tmp_path)
    bench.step(order)
    answers = iter([True, False])
    monkeypatch.setattr(Workbench, "_keep_going", lambda _: next(answers))
    assert bench.step(order)["done"]
    assert kinds(tmp_path) == "take start epoch end"
    assert told(tmp_path)[-1]["stop_reason"] == "interrupted"


def test_the_next_order_begins_a_trial_of_its_own_though_the_last_has_not_ended(
    bench: Workbench, manner: Manner, tmp_path: Path
) -> None:
    bench.step(an_order(tmp_path))  # the driver prunes it
    assert to_its_end(bench, an_order(tmp_path, 1, dropout=0.1)) == 3
    assert [config.dropout for config in manner.began] == [RankingConfig().dropout, 0.1]
    assert {e["number"] for e in told(tmp_path) if e["kind"] == "end"} == {1}
    warm = [event["is_warm"] for event in told(tmp_path) if event["kind"] == "take"]
    assert warm == [False, True]


def test_an_order_that_is_void_or_given_up_trains_nothing(
    bench: Workbench, manner: Manner, tmp_path: Path
) -> None:
    order = an_order(tmp_path)
    assert bench.step(order.voided())["done"]
    assert not (tmp_path / "journal").exists()
    assert bench.step(order.again("its worker was lost 3 times"))["done"]
    end = told(tmp_path)[-1]
    assert (end["stop_reason"], end["error"]) == ("worker_lost", "its worker was lost 3 times")
    assert manner.began == []


def test_an_error_ends_its_trial_and_the_worker_goes_on(
    bench: Workbench, manner: Manner, tmp_path: Path
) -> None:
    manner.raises = KeyError("rating")
    assert bench.step(an_order(tmp_path))["done"]
    end = told(tmp_path)[-1]
    assert (end["stop_reason"], end["error"]) == ("error", "KeyError: 'rating'")
    assert "Traceback" in (tmp_path / "trials" / "0000" / "error.log").read_text()
    manner.raises = None
    assert to_its_end(bench, an_order(tmp_path, 1)) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_nothing_is_told_to_the_driver_and_is_no_trials_fault(
    bench: Workbench, manner: Manner, tmp_path: Path, number: int
) -> None:
    manner.raises = OSError(number, os.strerror(number))
    is_disk = number == errno.ENOSPC  # of a file of the researcher's one may be kept out
    result = bench.step(an_order(tmp_path))
    assert result["done"] and ("disk" in result) is is_disk
    assert (told(tmp_path)[-1]["kind"] == "end") is not is_disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_that_a_model_of_ones_own_ran_into_is_no_trials_fault(
    bench: Workbench, manner: Manner, tmp_path: Path, number: int
) -> None:
    exhausted = type("ResourceExhaustedError", (Exception,), {})
    full = f"[Errno {number}] {os.strerror(number)}"
    for cause in (
        shutil.Error([("/tmp/model/w.npy", "last/w.npy", full)]),
        exhausted(f"variables.data-00000-of-00001; {os.strerror(number)} [Op:SaveV2]"),
        OSError("400000 requested and 131056 written"),
    ):
        for manner.raises in (cause, OwnCodeError("mf.py:7: Error: it was not saved")):
            manner.raises.__cause__ = None if manner.raises is cause else cause
            said = bench.step(an_order(tmp_path))["disk"]
            assert raised(manner.raises) in said and "make room there and resume" in said
    assert "end" not in {event["kind"] for event in told(tmp_path)}


def test_a_diverged_trial_says_where_and_keeps_nothing(
    bench: Workbench, manner: Manner, tmp_path: Path
) -> None:
    manner.values = {2: math.nan}
    order = an_order(tmp_path)
    assert to_its_end(bench, order) == 2
    end = told(tmp_path)[-1]
    assert (end["stop_reason"], end["error"]) == ("diverged", "not finite at epoch 2")
    assert not has_checkpoint(order.folder / "best") and not has_checkpoint(order.predictions)


@pytest.mark.parametrize(
    ("ours", "keras", "is_trusted"),
    [
        (1.0, 1.0 + GUARD_TOLERANCE / 2, True),
        (1.0, 1.0 + GUARD_TOLERANCE * 2, False),
        (1.0, 1.0 - GUARD_TOLERANCE * 2, False),
        (0.1, 0.1 + GUARD_TOLERANCE / 2, True),
        (50.0, 50.0 * (1 + GUARD_TOLERANCE / 2), True),
        (50.0, 50.0 * (1 + GUARD_TOLERANCE * 2), False),
        (1.0, math.nan, False),
        (1e25, math.inf, True),
        (1.0, None, True),
    ],
)
def test_a_number_that_keras_does_not_find_too_is_not_trusted(
    bench: Workbench,
    manner: Manner,
    tmp_path: Path,
    ours: float,
    keras: float | None,
    is_trusted: bool,
) -> None:
    manner.values, manner.keras = {1: ours}, keras
    assert bench.step(an_order(tmp_path, max_epochs=1))["done"]
    end = told(tmp_path)[-1]
    assert end["stop_reason"] == ("max_epochs" if is_trusted else "error")
    if not is_trusted:
        assert "metric guard" in end["error"]
        assert "epoch" not in kinds(tmp_path)  # no number of it is told


def test_the_first_finite_number_of_a_worker_is_compared_and_no_other(
    bench: Workbench, manner: Manner, tmp_path: Path
) -> None:
    manner.values = {1: math.nan}
    bench.step(an_order(tmp_path, 0, max_epochs=1))
    manner.values, manner.keras = {}, 2.0
    bench.step(an_order(tmp_path, 1, max_epochs=1))
    manner.keras = 1.0
    bench.step(an_order(tmp_path, 2, max_epochs=1))
    manner.keras = 2.0
    bench.step(an_order(tmp_path, 3, max_epochs=1))
    ends = [event["stop_reason"] for event in told(tmp_path) if event["kind"] == "end"]
    assert ends == ["diverged", "error", "max_epochs", "max_epochs"]
    assert manner.n_asked_by_keras == 2


class Left(BaseException):
    """The process is gone."""


def test_a_worker_that_has_grown_leaves_before_its_next_trial(
    manner: Manner, encoded: EncodedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr("experiments.running.worker.os._exit", leave)
    bench = Workbench(encoded, replace(a_setting(tmp_path), recycle_above_mb=1.0))
    assert to_its_end(bench, an_order(tmp_path)) == 3  # a fresh one trains, however large it is
    with pytest.raises(Left, match="0"):
        bench.step(an_order(tmp_path, 1))
    end = told(tmp_path)[-1]
    assert (end["number"], end["stop_reason"]) == (1, "recycled")
    assert len(manner.began) == 1


@pytest.mark.parametrize("damage", ["torn", "another seed"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_told_and_the_trial_begins_anew(
    bench: Workbench, tmp_path: Path, damage: str
) -> None:
    order = an_order(tmp_path)
    if damage == "torn":
        (order.folder / "last").mkdir(parents=True)
        (order.folder / "last" / "metadata.json").write_text("{")
    else:
        other = MadeUp(order.model, replace(order.training, seed=6), Manner())
        other.epoch = 2
        other.save(order.folder / "last")
    assert to_its_end(bench, order) == 3
    start = next(event for event in told(tmp_path) if event["kind"] == "start")
    assert start["first_epoch"] == 1
    assert str(order.folder / "last") in start["damaged"]
