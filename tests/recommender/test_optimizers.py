"""The optimizers against Keras's, and their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.config import OPTIMIZERS
from recommender.optimizers import RULES, Optimizer
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


def _apply(optimizer: Optimizer, gradients: list[Any]) -> None:
    optimizer.apply(gradients, tf.constant(0.01), tf.constant(0.1))


def test_every_optimizer_that_a_sweep_may_name_has_a_rule() -> None:
    assert set(RULES) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", sorted(KERAS))
def test_twenty_steps_move_the_weights_as_keras_does(name: str) -> None:
    ours, theirs = _weights(), _weights()
    optimizer, keras = Optimizer(name, ours), KERAS[name]()
    for step in range(20):
        _apply(optimizer, _gradients(step))
        keras.apply_gradients(zip(_gradients(step), theirs, strict=True))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6)


def test_lazy_adam_is_adam_on_the_rows_of_the_batch_and_leaves_the_others() -> None:
    lazy, adam = _weights(), _weights()
    optimizers = Optimizer("lazy_adam", lazy), Optimizer("adam", adam)
    for optimizer in optimizers:
        _apply(optimizer, _gradients(0))
    for a, b in zip(lazy, adam, strict=True):  # In a first step no row has momentum.
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-7)
    before = lazy[0].numpy(), [v.numpy() for v in optimizers[0].variables[1:3]]
    only = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([1, 1]), tf.constant([6, 3]))
    dense = tf.ones([3, 1])
    for optimizer in optimizers:
        _apply(optimizer, [only, dense])
    others = [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(lazy[0].numpy()[others], before[0][others])
    for slot, kept in zip(optimizers[0].variables[1:3], before[1], strict=True):
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
            _apply(optimizer, _gradients(step))
        ends.append([v.numpy() for v in (*weights, *optimizer.variables)])
        optimizer.reset()
        for weight, value in zip(weights, start, strict=True):
            weight.assign(value)
    for first, second in zip(*ends, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_weight_without_a_gradient_stays() -> None:
    weights = _weights()
    _apply(Optimizer("adam", weights), [None, tf.ones([3, 1])])
    np.testing.assert_array_equal(weights[0].numpy(), _weights()[0].numpy())
    assert not np.array_equal(weights[1].numpy(), _weights()[1].numpy())
