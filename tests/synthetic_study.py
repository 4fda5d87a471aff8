"""A made-up study folder with everything in it that a report or a board has to cope with.

It is written through the real journals and ledger, in milliseconds and without TensorFlow or Ray.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.files import atomic_write, write_json
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.records import (
    BASELINES_NAME,
    COLUMNS_NAME,
    IMPORTANCE_NAME,
    JOURNAL_NAME,
    LEDGER_NAME,
    PROVENANCE_NAME,
    SWEEP_NAME,
    BaselineRecord,
    ColumnRecord,
    ImportanceRecord,
    StopReason,
    Value,
)
from recommender.datasets.description import DatasetDescription, LongTail, PartDescription

STARTED_AT = 1_760_000_000.0
ARMS = ("plain", "dcn")
MAX_EPOCHS = 12
PATIENCE = 3
N_UPDATES_AN_EPOCH = 64

COLUMNS = (
    ColumnRecord("architecture", "choice", None, None, False, ARMS),
    ColumnRecord("optimizer", "choice", None, None, False, ("adam", "adamw", "adagrad")),
    ColumnRecord("learning_rate", "float", 3e-4, 0.3, True, ()),
    ColumnRecord("embedding_size", "choice", None, None, False, (8, 16, 32, 64)),
    ColumnRecord("n_layers", "int", 1.0, 3.0, False, ()),
    ColumnRecord("layer_size_0", "choice", None, None, False, (32, 64, 128)),
    ColumnRecord("layer_size_1", "choice", None, None, False, (32, 64, 128)),
    ColumnRecord("layer_size_2", "choice", None, None, False, (32, 64, 128)),
    ColumnRecord("dropout", "float", 0.0, 0.5, False, ()),
    ColumnRecord("side_features", "choice", None, None, False, (True, False)),
    ColumnRecord("cross_layers", "int", 1.0, 3.0, False, ()),
)
"""The union of the space; without a comparison `architecture` is a dimension like any other."""

BASELINES = (
    BaselineRecord("train_mean", "train mean", 1.1374, 0.001),
    BaselineRecord("item_mean", "item mean", 1.0751, 0.002),
    BaselineRecord("bias", "user + item bias", 1.0400, 0.05),
    BaselineRecord("matrix_factorisation", "matrix factorisation", 1.0384, 2.1),
)

SWEEP = """# recsweep run made-up
name = "made-up"
seed = {seed}
note = "a made-up study, <b>not</b> a result"

[dataset]
name = "ml-100k"
path = "/data/ml-100k"
features = ["user_id", "item_id", "genres", "year"]

[split]
method = "time-range"
train = 0.6
validation = 0.2
{compare}
[space.architecture]
choices = ["plain", "dcn"]

[space.optimizer]
choices = ["adam", "adamw", "adagrad"]

[[space.learning_rate]]
when = {{ optimizer = ["adam", "adamw"] }}
low = 3e-4
high = 5e-3
log = true
[[space.learning_rate]]
when = {{ optimizer = "adagrad" }}
low = 0.03
high = 0.3
log = true

[space.embedding_size]
choices = [8, 16, 32, 64]

[space.n_layers]
low = 1
high = 3

[space.layer_size]
choices = [32, 64, 128]
each = "n_layers"

[space.dropout]
low = 0.0
high = 0.5

[space.side_features]
choices = [true, false]

[space.cross_layers]
when = {{ architecture = "dcn" }}
low = 1
high = 3

[model]
batch_size = 1024

[search]
trials = {trials}
max_epochs = {max_epochs}
patience = {patience}
sampler = "random"
pruner = "median"

[metrics]
also = ["mae"]
"""


def make_study(
    folder: Path,
    n_trials: int = 24,
    seed: int = 0,
    compare: bool = True,
    is_finished: bool = True,
) -> Path:
    """Write a study into a folder and give the folder.

    Of every eight trials one is pruned for sure, from the sixth trial on there are a diverged one,
    one that ran out of memory, one that failed before its first epoch and one that lost its worker
    and went on from its checkpoint. The others run until their patience or their epochs are over.

    Args:
        is_finished: False leaves the last trial running, the one before it interrupted and the
            study without a driver, as after its death.
    """
    rng = random.Random(seed)
    arms = ARMS if compare else (None,)
    n_trials_asked_for = n_trials if is_finished else n_trials + 2
    _write_description(folder, seed, n_trials_asked_for, compare)
    journals = folder / JOURNAL_NAME
    with (
        Journal(journals / "driver.jsonl") as driver,
        Journal(journals / "worker-host-a-101.jsonl") as one,
        Journal(journals / "worker-host-a-102.jsonl") as other,
    ):
        clock = _Clock(STARTED_AT)
        driver.append("session", at=clock.now, pid=100, host="host-a")
        bests: list[float] = []
        for number in range(n_trials):
            arm = arms[number % len(arms)]
            values = _draw(rng, arm, is_default=number < len(arms))
            driver.append(
                "ask",
                number=number,
                name=f"{number:04d}",
                purpose="search",
                arm=arm,
                arm_number=number // len(arms),
                values=values,
                seed=seed,
                is_default=number < len(arms),
                at=clock.tick(0.01),
            )
            worker = one if number % 2 == 0 else other
            fate = _fate(number)
            if not is_finished and number >= n_trials - 2:
                fate = "interrupted" if number == n_trials - 2 else "running"
            best = _train(number, fate, values, rng, driver, worker, clock)
            if best is not None:
                bests.append(best)
        if is_finished:
            driver.append("session_end", at=clock.tick(0.1), state="finished")
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.catch_up(journals)
    if is_finished and n_trials >= 12:
        _write_importance(folder, arms, n_trials)
    return folder


@dataclass
class _Clock:
    now: float

    def tick(self, seconds: float) -> float:
        self.now += seconds
        return self.now


def _fate(number: int) -> str:
    special = {5: "diverged", 6: "out_of_memory", 8: "error", 9: "lost_once"}
    return special.get(number) or ("pruned" if number % 8 == 3 else "trained")


def _draw(rng: random.Random, arm: str | None, *, is_default: bool) -> dict[str, Value]:
    """Values of one trial: only the dimensions that its other values make active."""
    architecture = arm or rng.choice(ARMS)
    if is_default:
        values: dict[str, Value] = {
            "architecture": architecture,
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "embedding_size": 16,
            "n_layers": 2,
            "layer_size_0": 64,
            "layer_size_1": 32,
            "dropout": 0.3,
            "side_features": True,
        }
    else:
        optimizer = rng.choice(("adam", "adamw", "adagrad"))
        low, high = (0.03, 0.3) if optimizer == "adagrad" else (3e-4, 5e-3)
        n_layers = rng.randint(1, 3)
        values = {
            "architecture": architecture,
            "optimizer": optimizer,
            "learning_rate": math.exp(rng.uniform(math.log(low), math.log(high))),
            "embedding_size": rng.choice((8, 16, 32, 64)),
            "n_layers": n_layers,
            **{f"layer_size_{i}": rng.choice((32, 64, 128)) for i in range(n_layers)},
            "dropout": rng.uniform(0.0, 0.5),
            "side_features": rng.random() < 0.5,
        }
    if architecture == "dcn":
        values["cross_layers"] = 1 if is_default else rng.randint(1, 3)
    return values


def _curve(values: dict[str, Value], rng: random.Random, offset: float) -> Iterator[float]:
    """Validation RMSE by epoch: falls, has its minimum after a few epochs, rises a little."""
    typical = 0.1 if values["optimizer"] == "adagrad" else 1.2e-3
    off = math.log10(float(values["learning_rate"]) / typical)
    floor = 1.030 + 0.02 * off**2 + 0.01 * abs(float(values["dropout"]) - 0.3) + offset
    floor += (0.004 if not values["side_features"] else 0.0) + rng.gauss(0, 0.001)
    fast = rng.uniform(0.5, 1.2)
    turn = rng.uniform(4, 9)
    for epoch in range(1, MAX_EPOCHS + 1):
        rise = 0.0008 * max(0.0, epoch - turn)
        yield floor + 0.12 * math.exp(-fast * epoch) + rise + rng.gauss(0, 0.0003)


def _train(
    number: int,
    fate: str,
    values: dict[str, Value],
    rng: random.Random,
    driver: Journal,
    worker: Journal,
    clock: _Clock,
) -> float | None:
    """Journal one trial as its worker and the driver would; gives the best RMSE if complete."""
    attempt = 1

    def start(first_epoch: int) -> None:
        worker.append(
            "start",
            number=number,
            attempt=attempt,
            worker=worker.path.stem.removeprefix("worker-"),
            first_epoch=first_epoch,
            n_parameters=2_600 * int(values["embedding_size"]) + 5_000 * int(values["n_layers"]),
            at=clock.tick(0.2),
        )

    def end(journal: Journal, reason: StopReason, error: str | None = None) -> None:
        journal.append(
            "end",
            sync=False,
            number=number,
            attempt=attempt,
            stop_reason=reason.value,
            error=error,
            at=clock.tick(0.05),
        )

    if fate == "error":
        end(worker, StopReason.ERROR, "ValueError: shapes (3,) and <4> do not fit & more")
        return None
    start(first_epoch=1)
    if fate == "out_of_memory":
        sizes = ", ".join(f"{name}={value}" for name, value in values.items())
        end(worker, StopReason.OUT_OF_MEMORY, f"ResourceExhaustedError: OOM ({sizes})")
        return None
    best, best_epoch = math.inf, 0
    offset = 0.05 if fate == "pruned" else 0.0
    for epoch, curve_rmse in enumerate(_curve(values, rng, offset), start=1):
        rmse = math.nan if fate == "diverged" and epoch == 3 else curve_rmse
        worker.append(
            "epoch",
            number=number,
            attempt=attempt,
            epoch=epoch,
            val_rmse=rmse,
            train_rmse=rmse - 0.01 - 0.012 * epoch,
            n_updates=N_UPDATES_AN_EPOCH * epoch,
            seconds=0.4 + 0.005 * int(values["embedding_size"]) + rng.uniform(0, 0.05),
            metrics={} if math.isnan(rmse) else {"mae": 0.78 * rmse},
            at=clock.tick(0.5),
        )
        if math.isnan(rmse):
            end(worker, StopReason.DIVERGED, f"not finite at epoch {epoch}")
            return None
        driver.append(
            "pruner",
            number=number,
            epoch=epoch,
            attrs={"median": {"reported": epoch}},
            at=clock.now,
        )
        if rmse < best:
            best, best_epoch = rmse, epoch
        if fate == "pruned" and epoch == 4:
            end(driver, StopReason.PRUNER)
            return None
        if fate == "running" and epoch == 2:
            return None
        if fate == "interrupted" and epoch == 3:
            worker.append("checkpoint", number=number, attempt=attempt, epoch=epoch, at=clock.now)
            end(worker, StopReason.INTERRUPTED)
            return None
        if fate == "lost_once" and epoch == 3:
            worker.append("checkpoint", number=number, attempt=attempt, epoch=epoch, at=clock.now)
            driver.append(
                "attempt_end",
                number=number,
                attempt=attempt,
                stop_reason=StopReason.WORKER_LOST.value,
                error=None,
                at=clock.tick(1.0),
            )
            attempt += 1
            start(first_epoch=epoch + 1)
        if epoch - best_epoch >= PATIENCE:
            end(worker, StopReason.PATIENCE)
            return best
    end(worker, StopReason.MAX_EPOCHS)
    return best


def _write_description(folder: Path, seed: int, n_trials: int, compare: bool) -> None:
    write_json(folder / COLUMNS_NAME, [asdict(column) for column in COLUMNS])
    write_json(folder / BASELINES_NAME, [asdict(baseline) for baseline in BASELINES])
    write_json(folder / PROVENANCE_NAME, _provenance(seed))
    sweep = SWEEP.format(
        seed=seed,
        trials=n_trials,
        max_epochs=MAX_EPOCHS,
        patience=PATIENCE,
        compare='\n[compare]\ndimension = "architecture"\n' if compare else "",
    )
    atomic_write(folder / SWEEP_NAME, sweep)


def _write_importance(folder: Path, arms: tuple[str | None, ...], n_trials: int) -> None:
    shares = {
        "learning_rate": 0.62,
        "dropout": 0.2,
        "side_features": 0.1,
        "embedding_size": 0.06,
        "n_layers": 0.02,
    }
    records = [
        ImportanceRecord(
            arm, name, share, n_trials // (2 * len(arms)), 0.6 * share, 1.3 * share, 200
        )
        for arm in arms
        for name, share in shares.items()
    ]
    write_json(folder / IMPORTANCE_NAME, [asdict(record) for record in records])


def _provenance(seed: int) -> dict[str, Any]:
    """The numbers of MovieLens 100K under the time-range split."""
    description = DatasetDescription(
        name="ml-100k",
        n_ratings=100_000,
        n_users=943,
        n_items=1_682,
        rating_range=(1.0, 5.0),
        step=1.0,
        split={"method": "time-range", "train": 0.6, "validation": 0.2},
        train=PartDescription(65_336, 612, 1_600, 0.0, 0.0, 1.0, 874_724_710, 885_836_967),
        validation=PartDescription(15_778, 229, 1_390, 0.82, 0.005, 0.17, 885_836_999, 889_541_052),
        test=PartDescription(18_886, 240, 1_450, 0.90, 0.012, 0.09, 889_541_100, 893_286_638),
        rating_counts=((1.0, 4_900), (2.0, 9_200), (3.0, 22_100), (4.0, 27_800), (5.0, 17_114)),
        user_tail=LongTail(20, 65.0, 737, 0.41),
        item_tail=LongTail(1, 27.0, 583, 0.49),
        features=("user_id", "item_id", "genres", "year"),
        fingerprint="a" * 64,
        items_fingerprint="b" * 64,
        split_fingerprint="c" * 64,
        notes=("Nothing had to be cleaned.",),
    )
    return {
        "recsweep": "0.1.0",
        "python": "3.11.7",
        "versions": {"tensorflow": "2.21.0", "optuna": "5.0.0", "ray": "2.60.0", "numpy": "2.3.1"},
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "command": ["recsweep", "run", "made-up"],
        "seed": seed,
        "machine": {
            "host": "host-a",
            "cpu_count": 2,
            "limited_by": "",
            "cpu": "A Processor @ 2.60GHz",
            "gpus": [],
            "memory_gb": 7.8,
            "platform": "Linux-6.1-x86_64",
        },
        "dataset": description.to_json(),
        "started_at": STARTED_AT,
        "n_workers": 2,
        "resources": {"workers": 2, "cpus": 1.0, "gpus": 0.0, "address": None},
    }
