"""Architectures as a researcher brings them, as source."""

from __future__ import annotations

from pathlib import Path

GATED = """\
import tensorflow as tf

from parts import mixed

WIDTH = 3


def gated(inputs, *, n_heads=2, gate_l2=1e-4, noise=0.1, width=WIDTH):
    l2 = tf.keras.regularizers.l2(gate_l2)
    gate = tf.keras.layers.Dense(inputs.shape[1], "sigmoid", kernel_regularizer=l2)(inputs)
    x = mixed([inputs * gate] * n_heads)
    x = tf.keras.layers.BatchNormalization(momentum=0.9)(x)
    x = tf.keras.layers.Dropout(noise)(x)
    layers = [tf.keras.layers.Dense(width, "relu"), tf.keras.layers.Dense(1)]
    return tf.keras.Sequential(layers)(x)
"""

PARTS = """\
import tensorflow as tf


def mixed(heads):
    return tf.concat(heads, axis=1)
"""

BAD = """\
import numpy as np, tensorflow as tf

Dense = tf.keras.layers.Dense


def wrong_shape(inputs, *, units=3):
    return Dense(units)(inputs)


def constant(inputs):
    return inputs[:, :1] * 0.0 + 3.5


def not_a_number(inputs):
    return Dense(1)(inputs) / 0.0


def nothing(inputs):
    Dense(1)(inputs)


def raises(inputs, *, rate=0.1):
    x = Dense(4)(inputs)
    raise ValueError(f"rate {rate} is not for me")


def stray(inputs):
    return tf.matmul(inputs, tf.Variable(tf.ones([int(inputs.shape[1]), 1])))


def doubles(inputs):
    return tf.cast(Dense(1)(inputs), tf.float64)


def draws(inputs):
    return Dense(1)(inputs + tf.random.normal(tf.shape(inputs)))


def sparse(inputs):
    eye = tf.sparse.eye(int(inputs.shape[1]))
    product = tf.keras.layers.Lambda(lambda x: tf.sparse.sparse_dense_matmul(x, eye))
    return Dense(1)(product(inputs))


def layer(inputs):
    return tf.keras.Sequential([Dense(4), Dense(1)])


def numpys(inputs):
    return Dense(1)(np.sqrt(inputs))


def asks(data):
    return tf.keras.layers.Embedding(data.n_users, 4)


@tf.function
def noisy(x):
    return x + tf.random.normal(tf.shape(x))


def within(inputs):
    return Dense(1)(tf.keras.layers.Lambda(noisy)(inputs))


class Generator(tf.keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.numbers = tf.random.Generator.from_seed(1)

    def call(self, x):
        return x + self.numbers.normal(tf.shape(x))


def generates(inputs):
    return Dense(1)(Generator()(inputs))


class Start(tf.keras.initializers.Initializer):
    def __init__(self, spread):
        self.spread = spread

    def __call__(self, shape, dtype=None, **kwargs):
        drawn = tf.random.normal(shape, stddev=self.spread) + np.random.normal()
        return tf.cast(drawn, dtype)


def starts(inputs):
    some = tf.gather(inputs, np.random.permutation(6)[:3], axis=1)
    return Dense(1, kernel_initializer=Start(0.1))(some)


def twice(inputs):
    drop = tf.keras.layers.Dropout(0.5)
    apart = Dense(7)(drop(inputs) - drop(inputs))
    return Dense(1)(tf.concat([inputs, apart], axis=1))


def recurrent(inputs):
    steps = tf.reshape(inputs, [-1, inputs.shape[1], 1])
    return Dense(1)(tf.keras.layers.GRU(4)(steps))


def mixed(inputs):
    return Dense(1, dtype="float32")(Dense(4, "relu", dtype="mixed_float16")(inputs))


def clears(inputs):
    tf.keras.backend.clear_session()
    return Dense(1)(inputs)


class Narrow(tf.keras.initializers.RandomNormal):
    def __init__(self, spread):
        super().__init__(stddev=spread)


def narrow(inputs):
    return Dense(1, kernel_initializer=Narrow(0.1))(inputs)
"""

LATE = """\
import only_on_some_other_machine


def late(inputs):
    return only_on_some_other_machine.model(inputs)
"""


def write_models(folder: Path) -> Path:
    """`gated.py`, which imports `parts.py`, `bad.py`, and `late.py`, which cannot be imported."""
    for name, text in {"gated": GATED, "parts": PARTS, "bad": BAD, "late": LATE}.items():
        (folder / f"{name}.py").write_text(text)
    return folder
