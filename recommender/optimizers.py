"""The optimizers, each as one TensorFlow kernel a variable.

Keras builds an optimizer from hundreds of small operations, which is most of the time it takes to
trace a model. These compute the same updates (a test holds each against Keras's, which has no
`lazy_adam`) and keep all their state in variables that can be reset, saved and restored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recommender.runtime import tf

Tensor = Any
Variable = Any

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
MOMENTUM = 0.9
RHO = 0.9


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


Update = Callable[[Variable, Sequence[Variable], Tensor, Step], None]
"""Moves a variable, given its slots, its gradient (maybe `IndexedSlices`) and the step."""


@dataclass(frozen=True, slots=True)
class Rule:
    slots: Mapping[str, float]
    """Name of each slot, and the value it starts at."""
    update: Update


class Optimizer:
    """Applies one of `RULES`; all of its state is in `variables`: steps done, then the slots."""

    def __init__(self, name: str, weights: Sequence[Variable]) -> None:
        self._rule = RULES[name]
        self._weights = list(weights)
        self._n_steps = tf.Variable(0, dtype=tf.int64, trainable=False, name="n_steps")
        self._slots = [
            [
                tf.Variable(tf.fill(w.shape, start), trainable=False, name=slot)
                for slot, start in self._rule.slots.items()
            ]
            for w in self._weights
        ]

    @property
    def variables(self) -> list[Variable]:
        return [self._n_steps, *(slot for slots in self._slots for slot in slots)]

    def reset(self) -> None:
        """Back to the state before the first step."""
        self._n_steps.assign(0)
        for slots in self._slots:
            for slot, start in zip(slots, self._rule.slots.values(), strict=True):
                slot.assign(tf.fill(slot.shape, start))

    def apply(
        self, gradients: Sequence[Tensor | None], learning_rate: Tensor, weight_decay: Tensor
    ) -> None:
        """One step; a weight whose gradient is None stays."""
        number = tf.cast(self._n_steps.assign_add(1, read_value=True), tf.float32)
        beta_1, beta_2 = tf.constant(BETA_1), tf.constant(BETA_2)
        step = Step(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            beta_1=beta_1,
            beta_2=beta_2,
            beta_1_power=tf.pow(beta_1, number),
            beta_2_power=tf.pow(beta_2, number),
            epsilon=tf.constant(EPSILON),
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
        grad=_dense(gradient, weight), use_nesterov=use_nesterov,
    )  # fmt: skip


def _nadam(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    _adam(weight, slots, gradient, step, use_nesterov=True)


def _lazy_adam(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Adam on the rows that have a gradient; the others keep their momentum and stay.

    Not Adam: there a row goes on moving after the last batch that held it. A step costs what the
    batch's rows do, whatever the size of the table.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        _adam(weight, slots, gradient, step)
        return
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    mean, variance = (tf.gather(slot, rows) for slot in slots)
    mean += (values - mean) * (1.0 - step.beta_1)
    variance += (tf.square(values) - variance) * (1.0 - step.beta_2)
    rate = step.learning_rate * tf.sqrt(1.0 - step.beta_2_power) / (1.0 - step.beta_1_power)
    for variable, of_rows in zip(slots, (mean, variance), strict=True):
        variable.scatter_update(tf.IndexedSlices(of_rows, rows))
    weight.scatter_sub(tf.IndexedSlices(rate * mean / (tf.sqrt(variance) + step.epsilon), rows))


def _adamw(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Loshchilov & Hutter 2019: decay beside the gradient. Dense biases do not decay."""
    if len(weight.shape) > 1:
        weight.assign_sub(weight * (step.weight_decay * step.learning_rate))
    _adam(weight, slots, gradient, step)


def _adagrad(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    """Duchi et al. 2011. Rows without a gradient do not move, so they are not touched."""
    (accumulator,) = slots
    if isinstance(gradient, tf.IndexedSlices):
        rows, places = tf.unique(gradient.indices)
        tf.raw_ops.ResourceSparseApplyAdagradV2(
            var=weight.handle, accum=accumulator.handle, lr=step.learning_rate,
            epsilon=step.epsilon,
            grad=tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows)),
            indices=rows,
        )  # fmt: skip
    else:
        tf.raw_ops.ResourceApplyAdagradV2(
            var=weight.handle, accum=accumulator.handle, lr=step.learning_rate,
            epsilon=step.epsilon,
            grad=gradient,
        )  # fmt: skip


def _sgd(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    (velocity,) = slots
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=weight.handle, accum=velocity.handle, lr=step.learning_rate, momentum=MOMENTUM,
        grad=_dense(gradient, weight),
    )  # fmt: skip


def _rmsprop(weight: Variable, slots: Sequence[Variable], gradient: Tensor, step: Step) -> None:
    mean_square, momentum = slots
    tf.raw_ops.ResourceApplyRMSProp(
        var=weight.handle, ms=mean_square.handle, mom=momentum.handle, lr=step.learning_rate,
        rho=RHO, momentum=0.0, epsilon=step.epsilon, grad=_dense(gradient, weight),
    )  # fmt: skip


def _dense(gradient: Tensor, weight: Variable) -> Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, weight.shape[0])
    return gradient


_MOMENTS = {"mean": 0.0, "variance": 0.0}

RULES: dict[str, Rule] = {
    "adam": Rule(_MOMENTS, _adam),
    "lazy_adam": Rule(_MOMENTS, _lazy_adam),
    "adamw": Rule(_MOMENTS, _adamw),
    "nadam": Rule(_MOMENTS, _nadam),
    "adagrad": Rule({"accumulator": 0.1}, _adagrad),
    "sgd": Rule({"velocity": 0.0}, _sgd),
    "rmsprop": Rule({"mean_square": 0.0, "momentum": 0.0}, _rmsprop),
}
