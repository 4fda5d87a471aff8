"""Rows that are moved when they are looked up, against steps that move all of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender import optimizers
from recommender.config import RankingConfig, TrainingConfig
from recommender.device import DeviceData
from recommender.optimizers import Optimizer, optimizer_numbers
from recommender.runtime import tf
from recommender.table_rows import ROW_RULES, Chunk
from recommender.training import TrainingRun
from tests.synthetic import synthetic_encoded

N_ROWS, WIDTH, N_STEPS = 40, 3, 60
MOVING = sorted(name for name, rule in ROW_RULES.items() if rule.idle is not None)


@pytest.fixture(autouse=True)
def _every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "_LARGE_TABLE", 0)


def _table() -> Any:
    start = np.random.default_rng(0).normal(size=(N_ROWS, WIDTH)).astype(np.float32)
    return tf.Variable(start)


def _trained(
    name: str,
    *,
    in_rows: bool,
    weight_decay: float = 0.1,
    scale: float = 1.0,
    is_used: bool = True,
) -> list[Any]:
    """What two chunks of steps see of a table, and the table and its slots in the end.

    The second has half the rate. Most rows are in a few batches, some in none.
    """
    rng = np.random.default_rng(1)
    table = _table()
    optimizer = Optimizer(name, [table], [table] if in_rows else [])
    seen = []

    def step(first_step: int, i: int, rate: float) -> None:
        ids = tf.constant(np.minimum(rng.geometric(0.1, 6) - 1, N_ROWS - 5), tf.int32)
        values = tf.constant(scale * rng.normal(size=(6, WIDTH)), tf.float32)
        numbers = optimizer_numbers(first_step + i, 1)
        given = {key: tf.constant(column[0]) for key, column in numbers.items()}
        rates = {"learning_rate": tf.constant(rate), "weight_decay": tf.constant(weight_decay)}
        seen.append(optimizer.rows(table, ids, tf.constant(i)).numpy())
        gradient = tf.IndexedSlices(values, ids, tf.constant([N_ROWS, WIDTH]))
        optimizer.apply([gradient if is_used else None], given | rates)

    for first_step, rate in ((0, 0.02), (N_STEPS, 0.01)):
        chunk = Chunk(rate, weight_decay, first_step, N_STEPS)
        optimizer.begin(tf.constant(optimizer.idle_numbers(chunk)))
        for i in range(N_STEPS):
            step(first_step, i, rate)
        optimizer.end(N_STEPS)
    return [np.stack(seen), table.numpy(), *(slot.numpy() for slot in optimizer.variables)]


@pytest.mark.parametrize("scale", [1.0, 1e-7])  # there epsilon outweighs the root of the variance
@pytest.mark.parametrize("name", MOVING)
def test_rows_end_where_they_do_if_every_step_moves_all_of_them(name: str, scale: float) -> None:
    mine, all_of_them = (_trained(name, in_rows=x, scale=scale) for x in (True, False))
    n_compared = 3 if name == "rmsprop" else 4  # the slot of a momentum that it has not
    for a, b in zip(mine[:n_compared], all_of_them[:n_compared], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=3e-6 * np.abs(b).max())


def test_a_decay_that_takes_more_than_momentum_does_is_made_up_for_too() -> None:
    mine, all_of_them = (_trained("adamw", in_rows=x, weight_decay=20.0) for x in (True, False))
    for a, b in zip(mine[:2], all_of_them[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decay", [1.0, 0.95, 0.8])
def test_what_a_row_missed_is_exact_in_a_chunk_of_any_length(decay: float) -> None:
    chunk = Chunk(0.1, (1 - decay) / 0.1, first_step=3, n_steps=3000)
    sums, kept, left = ROW_RULES["adamw"].numbers(chunk)[:, :3].T
    steps = np.arange(4, 3004)
    rates = 0.1 * np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
    for then, now in ((0, 1), (0, 3000), (1000, 1040), (2990, 3000), (7, 7)):
        n = now - then
        j = np.arange(1, n + 1)
        expected = np.sum(decay ** (n - j) * rates[then:now] * (0.9 / 0.999**0.5) ** j)
        got = kept[n] * sums[then] - left[n] * sums[now]
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_row_sees_the_steps_it_missed_when_it_is_looked_up() -> None:
    table = _table()
    optimizer = Optimizer("sgd", [table], [table])
    optimizer.begin(tf.constant(optimizer.idle_numbers(Chunk(1.0, 0.0, 0, 3))))
    rates = {"learning_rate": tf.constant(1.0), "weight_decay": tf.constant(0.0)}
    powers = {key: tf.constant(column[0]) for key, column in optimizer_numbers(0, 1).items()}
    seen = []
    for i, row in enumerate((7, 2, 7)):
        ids = tf.constant([row], tf.int32)
        seen.append(optimizer.rows(table, ids, tf.constant(i)).numpy()[0])
        optimizer.apply([tf.IndexedSlices(tf.ones([1, WIDTH]), ids)], rates | powers)
    # Moved by -1 itself, then by -.9 when row 2 was in the batch.
    np.testing.assert_allclose(seen[2], seen[0] - 1.9, rtol=1e-5)
    optimizer.end(3)
    last = table.numpy()
    np.testing.assert_allclose(last[7], seen[2] - 0.81 - 1, rtol=1e-5)
    np.testing.assert_allclose(last[2], seen[1] - 1.9, rtol=1e-5)


def test_a_table_without_a_gradient_does_not_decay() -> None:
    mine, all_of_them = (_trained("adamw", in_rows=x, is_used=False) for x in (True, False))
    for a, b in zip(mine, all_of_them, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(mine[1], _table().numpy())


def test_a_table_that_is_not_trained_is_looked_up_all_the_same() -> None:
    table = _table()
    rows = Optimizer("adam", [], [table]).rows(table, tf.constant([3, 3]), tf.constant(0))
    np.testing.assert_array_equal(rows.numpy(), table.numpy()[[3, 3]])


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "is_compiled"),
    [(10_000, 100, False), (20_000, 1000, False), (20_000, 2000, False), (20_000, 1000, True)],
)
def test_a_step_moves_all_rows_where_that_is_quicker(
    monkeypatch: pytest.MonkeyPatch, n_rows: int, batch_size: int, is_compiled: bool
) -> None:
    monkeypatch.setattr(optimizers, "_LARGE_TABLE", 25_000)
    table = tf.Variable(tf.zeros([n_rows, 2]))
    optimizer = Optimizer("adam", [table], [table], batch_size, is_compiled=is_compiled)
    is_picked = optimizer.idle_numbers(Chunk(0.1, 0.0, 0, 1)).size > 0
    assert is_picked == ((n_rows, batch_size, is_compiled) == (20_000, 1000, False))


def _run(optimizer: str, data: DeviceData) -> TrainingRun:
    config = RankingConfig(
        embedding_size=4, n_layers=1, layer_sizes=(8,), batch_size=4, optimizer=optimizer,
        learning_rate=0.01, learning_rate_decay=0.5,
    )  # fmt: skip
    return TrainingRun(config, TrainingConfig(patience=0), data)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_model_trains_alike_in_rows_and_resumes_to_the_bit(
    optimizer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset = synthetic_encoded(120, 90, 400)
    run = _run(optimizer, DeviceData(dataset))
    alone = [run.step() for _ in range(3)]
    first = _run(optimizer, run_data := DeviceData(dataset))
    assert dataclasses.replace(first.step(), seconds=0) == dataclasses.replace(alone[0], seconds=0)
    first.save(tmp_path)
    for _ in range(2):  # what a run leaves behind reaches none after it
        first.step()
    del first
    again = _run(optimizer, run_data)
    again.restore(tmp_path)
    for expected in alone[1:]:
        got = again.step()
        assert dataclasses.replace(got, seconds=0) == dataclasses.replace(expected, seconds=0)
    monkeypatch.setattr(optimizers, "_LARGE_TABLE", 10**9)
    all_rows = _run(optimizer, DeviceData(dataset))
    others = [all_rows.step() for _ in range(3)]
    assert [x.val_rmse for x in others] == pytest.approx([x.val_rmse for x in alone], abs=1e-4)
    assert [x.val_rmse for x in others] != [x.val_rmse for x in alone]
