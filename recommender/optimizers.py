"""The optimizers, each as one TensorFlow kernel a variable.

Keras builds an optimizer from hundreds of small operations, which is most of the time it takes to
trace a model. These compute the same updates (a test holds each against Keras's, which has no
`lazy_adam`) and keep all their state in variables that can be reset, saved and restored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.datasets.encoded import Floats
from recommender.exact_sums import exact_sums
from recommender.runtime import tf

Tensor = Any
Variable = Any

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
MOMENTUM = 0.9
RHO = 0.9

_SMALL_TABLE = 100_000
"""Numbers that take less time to update than to choose among."""
_HYPERPARAMETERS = ("learning_rate", "weight_decay")
_POWERS = ("beta_1_power", "beta_2_power")


@dataclass(frozen=True, slots=True)
class Step:
    """What one update needs beside the variable."""

    learning_rate: Tensor
    weight_decay: Tensor
    beta_1: Tensor
    beta_2: Tensor
    beta_1_power: Tensor
    """To the power of the step's number, which starts at 1."""
    beta_2_power: Tensor
    epsilon: Tensor
    """Tensors, all of them: a number becomes another node of the graph at each use."""
    is_compiled: bool
    """By XLA, which has to know every shape beforehand."""


Update = Callable[[Variable, Sequence[Variable], Tensor, Step], None]
"""Moves a variable, given its slots, its gradient (maybe `IndexedSlices`) and the step."""


@dataclass(frozen=True, slots=True)
class Rule:
    slots: Mapping[str, float]
    """Name of each slot, and the value it starts at."""
    update: Update
    is_lazy: bool = False
    """Whether rows of a table that the gradient does not name stay as they are, where a gradient of
    0 would move them."""


def optimizer_numbers(first_step: int, n_steps: int) -> dict[str, Floats]:
    """What changes from step to step, a number for each.

    Args:
        first_step: how many steps were before.
    """
    numbers = np.arange(first_step + 1, first_step + n_steps + 1)
    powers = (np.power(beta, numbers).astype(np.float32) for beta in (BETA_1, BETA_2))
    return dict(zip(_POWERS, powers, strict=True))


class Optimizer:
    """Applies one of `RULES`. Its state is in `variables`; it is told the number of the step."""

    def __init__(self, name: str, weights: Sequence[Variable], is_compiled: bool = False) -> None:
        self._rule = RULES[name]
        self._is_compiled = is_compiled
        self._weights = list(weights)
        self._slots = [
            [
                tf.Variable(tf.fill(w.shape, start), trainable=False, name=slot)
                for slot, start in self._rule.slots.items()
            ]
            for w in self._weights
        ]

    @property
    def is_lazy(self) -> bool:
        return self._rule.is_lazy

    @property
    def variables(self) -> list[Variable]:
        return [slot for slots in self._slots for slot in slots]

    def reset(self) -> None:
        """Back to the state before the first step."""
        for slots in self._slots:
            for slot, start in zip(slots, self._rule.slots.values(), strict=True):
                slot.assign(tf.fill(slot.shape, start))

    def apply(self, gradients: Sequence[Tensor | None], numbers: Mapping[str, Tensor]) -> None:
        """One step; a weight whose gradient is None stays.

        Args:
            numbers: of the step: learning_rate, weight_decay and those of `optimizer_numbers`.
        """
        step = Step(
            **{name: numbers[name] for name in (*_HYPERPARAMETERS, *_POWERS)},
            beta_1=tf.constant(BETA_1),
            beta_2=tf.constant(BETA_2),
            epsilon=tf.constant(EPSILON),
            is_compiled=self._is_compiled,
        )
        for weight, slots, gradient in zip(self._weights, self._slots, gradients, strict=True):
            if gradient is not None:
                self._rule.update(weight, slots, gradient, step)


def _adam(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step, *,
          use_nesterov: bool = False) -> None:  # fmt: skip
    """Kingma & Ba 2014, algorithm 1 with the epsilon of section 2.

    Rows without a gradient move too. With `use_nesterov` it is Nadam (Dozat 2016), its momentum
    constant.
    """
    mean, variance = slots
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle, m=mean.handle, v=variance.handle,
        beta1_power=step.beta_1_power, beta2_power=step.beta_2_power,
        lr=step.learning_rate, beta1=step.beta_1, beta2=step.beta_2, epsilon=step.epsilon,
        grad=_dense(gradient, weight, step), use_nesterov=use_nesterov,
    )  # fmt: skip


def _nadam(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    _adam(weight, slots, gradient, step, use_nesterov=True)


def _lazy_adam(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Adam on the rows that have a gradient; the others keep their momentum and stay.

    Not Adam: there a row goes on moving after the last batch that held it. A step costs what the
    batch's rows do, whatever the size of the table; compiled it passes over all of it.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        _adam(weight, slots, gradient, step)
        return

    def moved(slots: Sequence[Tensor], values: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Both slots after the step, and what the weight loses."""
        mean = slots[0] + (values - slots[0]) * (1.0 - step.beta_1)
        variance = slots[1] + (tf.square(values) - slots[1]) * (1.0 - step.beta_2)
        rate = step.learning_rate * tf.sqrt(1.0 - step.beta_2_power) / (1.0 - step.beta_1_power)
        return (mean, variance), rate * mean / (tf.sqrt(variance) + step.epsilon)

    if step.is_compiled:
        n_rows = weight.shape[0]
        places = gradient.indices
        counts = tf.math.unsorted_segment_sum(tf.ones_like(places), places, n_rows)
        is_there = counts[:, tf.newaxis] > 0
        after, loss = moved(slots, _sums(gradient.values, places, n_rows, step))
        for slot, value in zip(slots, after, strict=True):
            slot.assign(tf.where(is_there, value, slot))
        weight.assign_sub(tf.where(is_there, loss, 0.0))
        return
    rows, places = tf.unique(gradient.indices)
    values = _sums(gradient.values, places, tf.size(rows), step)
    after, loss = moved([tf.gather(slot, rows) for slot in slots], values)
    for slot, value in zip(slots, after, strict=True):
        slot.scatter_update(tf.IndexedSlices(value, rows))
    weight.scatter_sub(tf.IndexedSlices(loss, rows))


def _adamw(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Loshchilov & Hutter 2019: decay beside the gradient. Dense biases do not decay."""
    if len(weight.shape) > 1:
        weight.assign_sub(weight * (step.weight_decay * step.learning_rate))
    _adam(weight, slots, gradient, step)


def _adagrad(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Duchi et al. 2011. Rows without a gradient do not move; a large table's are left out."""
    (accumulator,) = slots
    is_large = weight.shape.num_elements() > _SMALL_TABLE
    # XLA does not know the sparse operation.
    if isinstance(gradient, tf.IndexedSlices) and is_large and not step.is_compiled:
        rows, places = tf.unique(gradient.indices)
        tf.raw_ops.ResourceSparseApplyAdagradV2(
            var=weight.handle, accum=accumulator.handle, lr=step.learning_rate,
            epsilon=step.epsilon, grad=_sums(gradient.values, places, tf.size(rows), step),
            indices=rows,
        )  # fmt: skip
    else:
        tf.raw_ops.ResourceApplyAdagradV2(
            var=weight.handle, accum=accumulator.handle, lr=step.learning_rate,
            epsilon=step.epsilon, grad=_dense(gradient, weight, step),
        )  # fmt: skip


def _sgd(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    (velocity,) = slots
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=weight.handle, accum=velocity.handle, lr=step.learning_rate, momentum=MOMENTUM,
        grad=_dense(gradient, weight, step),
    )  # fmt: skip


def _rmsprop(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    mean_square, momentum = slots
    tf.raw_ops.ResourceApplyRMSProp(
        var=weight.handle, ms=mean_square.handle, mom=momentum.handle, lr=step.learning_rate,
        rho=RHO, momentum=0.0, epsilon=step.epsilon, grad=_dense(gradient, weight, step),
    )  # fmt: skip


def _dense(gradient: Tensor, weight: Variable, step: Step) -> Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        return _sums(gradient.values, gradient.indices, weight.shape[0], step)
    return gradient


def _sums(values: Tensor, places: Tensor, n_places: Tensor | int, step: Step) -> Tensor:
    """The sum of the rows of each place, shape (n_places, width).

    On a CPU as the product with a sparse matrix of ones: the same sums in the same order, in half
    the time of TensorFlow's operation for them. Its products are quick below 32 columns, so that a
    wider row counts as several.
    """
    n_rows, width = values.shape
    piece = next((n for n in range(min(width, 31), 7, -1) if width % n == 0), None)
    is_on_gpu = bool(tf.config.list_logical_devices("GPU"))
    if step.is_compiled and is_on_gpu:
        return exact_sums(values, places, n_places)
    if piece is None or step.is_compiled or is_on_gpu:
        return tf.math.unsorted_segment_sum(values, places, n_places)
    n_pieces = width // piece
    if n_pieces > 1:
        places = tf.reshape(places[:, tf.newaxis] * n_pieces + np.arange(n_pieces), [-1])
    n_ones = n_rows * n_pieces
    shape = [n_places * n_pieces, n_ones]
    sums = tf.raw_ops.SparseTensorDenseMatMul(
        a_indices=tf.stack([places, np.arange(n_ones)], axis=1),
        a_values=np.ones(n_ones, np.float32),
        a_shape=np.array(shape) if isinstance(n_places, int) else tf.cast(shape, tf.int64),
        b=tf.reshape(values, [n_ones, piece]),
    )
    return tf.reshape(sums, [n_places, width])


_MOMENTS = {"mean": 0.0, "variance": 0.0}

RULES: dict[str, Rule] = {
    "adam": Rule(_MOMENTS, _adam),
    "lazy_adam": Rule(_MOMENTS, _lazy_adam, is_lazy=True),
    "adamw": Rule(_MOMENTS, _adamw),
    "nadam": Rule(_MOMENTS, _nadam),
    "adagrad": Rule({"accumulator": 0.1}, _adagrad),
    "sgd": Rule({"velocity": 0.0}, _sgd),
    "rmsprop": Rule({"mean_square": 0.0, "momentum": 0.0}, _rmsprop),
}
