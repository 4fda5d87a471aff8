"""The bare matrix products of training: what no way of running a model can do without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from recommender.runtime import tf

Kernel = tuple[int, int]
"""Inputs and outputs of a dense layer."""


def epoch_of_products(
    kernels: Sequence[Kernel], batch: int, n_rows: int, *, at_the_input: Sequence[Kernel] = ()
) -> Callable[[], Any]:
    """The products of an epoch's steps: forward, and back to kernels and inputs.

    Args:
        at_the_input: kernels of layers whose inputs are not trained.
    """
    random = tf.random.stateless_normal
    layers = [
        (random([batch, n], [1, n]), random([n, m], [2, m]), random([batch, m], [3, m]), trained)
        for trained, of_them in ((True, kernels), (False, at_the_input))
        for n, m in of_them
    ]

    def step(i: Any, total: Any) -> Any:
        products = [tf.matmul(x, kernel) for x, kernel, _, _ in layers]
        products += [tf.matmul(x, y, transpose_a=True) for x, _, y, _ in layers]
        products += [
            tf.matmul(y, kernel, transpose_b=True) for _, kernel, y, trained in layers if trained
        ]
        # One number of each, lest they be left out; their order of evaluation is free.
        return i + 1, total + tf.add_n([product[0, 0] for product in products])

    n_steps = -(-n_rows // batch)
    return tf.function(
        lambda: tf.while_loop(lambda i, _: i < n_steps, step, (0, 0.0), parallel_iterations=1),
        autograph=False,
    )
