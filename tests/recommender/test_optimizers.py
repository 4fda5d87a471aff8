"""The optimizers against Keras's, and their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.config import OPTIMIZERS
from recommender.optimizers import RULES, Optimizer, optimizer_numbers
from recommender.runtime import tf

KERAS = {
    "adam": lambda: tf.keras.optimizers.Adam(0.01),
    "adamw": lambda: tf.keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "adagrad": lambda: tf.keras.optimizers.Adagrad(0.01),
    "sgd": lambda: tf.keras.optimizers.SGD(0.01, momentum=0.9),
    "rmsprop": lambda: tf.keras.optimizers.RMSprop(0.01),
}


def _weights() -> list[Any]:
    rng = np.random.default_rng(0)
    return [tf.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((6, 3), (3, 1))]


def _gradients(step: int) -> list[Any]:
    """A sparse one with a repeated row, and a dense one."""
    rng = np.random.default_rng(step)
    rows = tf.constant(rng.integers(0, 4, 5), tf.int32)
    values = tf.constant(rng.normal(size=(5, 3)), tf.float32)
    return [
        tf.IndexedSlices(values, rows, tf.constant([6, 3])),
        tf.constant(rng.normal(size=(3, 1)), tf.float32),
    ]


def _apply(optimizer: Optimizer, gradients: list[Any], step: int = 0) -> None:
    """One step, which has `step` others before it."""
    powers = optimizer_numbers(step, 1).items()
    numbers = {name: tf.constant(values[0]) for name, values in powers}
    rates = {"learning_rate": tf.constant(0.01), "weight_decay": tf.constant(0.1)}
    optimizer.apply(gradients, rates | numbers)


def test_every_optimizer_that_a_sweep_may_name_has_a_rule() -> None:
    assert set(RULES) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", sorted(KERAS))
def test_twenty_steps_move_the_weights_as_keras_does(name: str) -> None:
    ours, theirs = _weights(), _weights()
    optimizer, keras = Optimizer(name, ours), KERAS[name]()
    for step in range(20):
        _apply(optimizer, _gradients(step), step)
        keras.apply_gradients(zip(_gradients(step), theirs, strict=True))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6)


@pytest.mark.parametrize("name", ["adam", "lazy_adam", "adagrad"])
@pytest.mark.parametrize("n_rows", [9, 20_000])  # small tables and large ones go different ways
@pytest.mark.parametrize("width", [1, 7, 8, 16, 24, 31, 32, 37, 96])
@pytest.mark.parametrize("is_compiled", [False, True])
def test_steps_of_rows_that_repeat_in_a_batch_add_up(
    name: str, n_rows: int, width: int, is_compiled: bool
) -> None:
    rng = np.random.default_rng(0)
    ids, values = rng.integers(0, 9, 50), rng.normal(size=(50, width)).astype(np.float32)
    summed = np.zeros((n_rows, width), np.float32)
    np.add.at(summed, ids, values)
    weights = [tf.Variable(tf.ones([n_rows, width])) for _ in range(2)]
    rows = tf.IndexedSlices(values, tf.constant(ids, tf.int32))
    _apply(Optimizer(name, weights[:1], is_compiled=is_compiled), [rows])
    _apply(Optimizer(name, weights[1:]), [tf.constant(summed)])
    np.testing.assert_allclose(*(weight.numpy() for weight in weights), atol=1e-5)
    assert (weights[0].numpy()[:9] != 1).all()
    assert (weights[0].numpy()[9:] == 1).all()


@pytest.mark.parametrize("is_compiled", [False, True])
def test_lazy_adam_is_adam_on_the_rows_of_the_batch_and_leaves_the_others(
    is_compiled: bool,
) -> None:
    lazy, adam = _weights(), _weights()
    optimizers = Optimizer("lazy_adam", lazy, is_compiled=is_compiled), Optimizer("adam", adam)
    for optimizer in optimizers:
        _apply(optimizer, _gradients(0))
    for a, b in zip(lazy, adam, strict=True):  # In a first step no row has momentum.
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-7)
    before = lazy[0].numpy(), [v.numpy() for v in optimizers[0].variables[:2]]
    only = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([1, 1]), tf.constant([6, 3]))
    dense = tf.ones([3, 1])
    for optimizer in optimizers:
        _apply(optimizer, [only, dense], 1)
    others = [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(lazy[0].numpy()[others], before[0][others])
    for slot, kept in zip(optimizers[0].variables[:2], before[1], strict=True):
        np.testing.assert_array_equal(slot.numpy()[others], kept[others])
    assert not np.array_equal(adam[0].numpy()[others], before[0][others])
    np.testing.assert_allclose(lazy[0].numpy()[1], adam[0].numpy()[1], atol=1e-6)
    np.testing.assert_allclose(lazy[1].numpy(), adam[1].numpy(), atol=1e-7)


def test_nadam_looks_ahead_by_one_momentum_step() -> None:
    weight, gradient = tf.Variable([[1.0]]), 0.5
    _apply(Optimizer("nadam", [weight]), [tf.constant([[gradient]])])
    mean, variance = 0.1 * gradient, 0.001 * gradient**2
    rate = 0.01 * np.sqrt(1 - 0.999) / (1 - 0.9)
    expected = 1.0 - rate * (0.9 * mean + 0.1 * gradient) / (np.sqrt(variance) + 1e-7)
    np.testing.assert_allclose(weight.numpy(), [[expected]], rtol=1e-5)


def test_weight_decay_spares_the_biases_of_dense_layers() -> None:
    kernel, bias = tf.Variable([[1.0]]), tf.Variable([1.0])
    _apply(Optimizer("adamw", [kernel, bias]), [tf.zeros([1, 1]), tf.zeros([1])])
    assert kernel.numpy() == pytest.approx(1 - 0.1 * 0.01)
    assert bias.numpy() == 1.0


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_reset_optimizer_repeats_its_steps_to_the_bit(name: str) -> None:
    weights = _weights()
    start = [weight.numpy() for weight in weights]
    optimizer = Optimizer(name, weights)
    ends = []
    for _ in range(2):
        for step in range(3):
            _apply(optimizer, _gradients(step), step)
        ends.append([v.numpy() for v in (*weights, *optimizer.variables)])
        optimizer.reset()
        for weight, value in zip(weights, start, strict=True):
            weight.assign(value)
    for first, second in zip(*ends, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", sorted(RULES))
def test_compiled_by_xla_its_steps_are_the_same(name: str) -> None:
    """In a loop, as those of an epoch are."""
    rng = np.random.default_rng(0)
    rows = tf.constant(rng.integers(0, 4, (3, 5)), tf.int32)
    values = tf.constant(rng.normal(size=(3, 5, 3)), tf.float32)
    powers = {name: tf.constant(column) for name, column in optimizer_numbers(0, 3).items()}
    rates = {"learning_rate": tf.constant(0.01), "weight_decay": tf.constant(0.1)}

    def trained(is_compiled: bool) -> list[np.ndarray]:
        weights = _weights()
        optimizer = Optimizer(name, weights, is_compiled=is_compiled)

        def step(i: Any) -> Any:
            numbers = {name: column[i] for name, column in powers.items()}
            sparse = tf.IndexedSlices(values[i], rows[i], tf.constant([6, 3]))
            optimizer.apply([sparse, values[i, :3, :1]], rates | numbers)
            return i + 1

        @tf.function(jit_compile=is_compiled)
        def train() -> None:
            tf.while_loop(lambda i: i < 3, step, [tf.constant(0)])

        train()
        return [variable.numpy() for variable in (*weights, *optimizer.variables)]

    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_weight_without_a_gradient_stays() -> None:
    weights = _weights()
    _apply(Optimizer("adam", weights), [None, tf.ones([3, 1])])
    np.testing.assert_array_equal(weights[0].numpy(), _weights()[0].numpy())
    assert not np.array_equal(weights[1].numpy(), _weights()[1].numpy())
