"""The optimizers, each as one TensorFlow kernel a variable.

Keras builds an optimizer from hundreds of small operations, which is most of the time it takes to
trace a model. These compute the same updates (a test holds each against Keras's, which has no
`lazy_adam`) and keep all their state in variables that can be reset, saved and restored.

Large tables are moved by `recommender.table_rows`, a batch's rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.datasets.encoded import Floats
from recommender.row_sums import has_gpu, row_sums
from recommender.runtime import tf
from recommender.steps import BETA_1, BETA_2, EPSILON, MOMENTUM, RHO, Step
from recommender.table_rows import ROW_RULES, Chunk, Doubles, TableRows

Tensor = Any
Variable = Any

_SMALL_TABLE = 100_000
"""Numbers that take less time to update than to choose among."""
_LARGE_TABLE = 250_000
"""Numbers that take longer to move, under momentum, than a batch's rows with what they missed."""
_HYPERPARAMETERS = ("learning_rate", "weight_decay")
_POWERS = ("beta_1_power", "beta_2_power")

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
    """Applies one of `RULES`. Its state is in `variables`; it is told the number of the step.

    A chunk of steps begins with `begin` and ends with `end`; between them rows of `tables` may lag
    behind, so that a step has to ask for them.

    Args:
        weights: all that it may move.
        tables: those of them that have a row an id.
        batch_size: ids of each that a step looks up.
    """

    def __init__(
        self,
        name: str,
        weights: Sequence[Variable],
        tables: Sequence[Variable] = (),
        batch_size: int = 0,
        *,
        is_compiled: bool = False,
    ) -> None:
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
        slots = {w.ref(): of_w for w, of_w in zip(self._weights, self._slots, strict=True)}
        self._row_rule = None if is_compiled else ROW_RULES.get(name)
        self._rows = {
            table.ref(): TableRows(self._row_rule, table, slots[table.ref()])
            for table in tables
            if table.ref() in slots
            and self._row_rule is not None
            and (self.is_lazy or _pays(table, batch_size))
        }

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

    def idle_numbers(self, chunk: Chunk) -> Doubles:
        """What `begin` takes of a chunk."""
        if self._row_rule is None or not self._rows:
            return np.empty((0, 0))
        return self._row_rule.numbers(chunk)

    def begin(self, idle_numbers: Tensor) -> None:
        for rows in self._rows.values():
            rows.begin(idle_numbers)

    def end(self, n_steps: Tensor) -> None:
        """Brings all rows up to date."""
        for rows in self._rows.values():
            rows.end(n_steps)

    def rows(self, table: Variable, ids: Tensor, i: Tensor) -> Tensor:
        """The rows of a table for a step, shape (n_ids, width).

        Args:
            i: how many steps of the chunk were before it, int32.
        """
        rows = self._rows.get(table.ref())
        return tf.gather(table, ids) if rows is None else rows.look_up(ids, i)

    def apply(self, gradients: Sequence[Tensor | None], numbers: Mapping[str, Tensor]) -> None:
        """One step; a weight whose gradient is None stays.

        Args:
            gradients: of a table, `IndexedSlices` of the rows that the step has looked up.
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
            rows = self._rows.get(weight.ref())
            if rows is not None:
                rows.apply(gradient, step)
            elif gradient is not None:
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

    Not Adam: there a row goes on moving after the last batch that held it. Compiled it passes over
    all of a table, else `table_rows` moves it.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        _adam(weight, slots, gradient, step)
        return
    n_rows, places = weight.shape[0], gradient.indices
    counts = tf.math.unsorted_segment_sum(tf.ones_like(places), places, n_rows)
    is_there = counts[:, tf.newaxis] > 0
    moved, after = ROW_RULES["lazy_adam"].move(
        weight, slots, row_sums(gradient.values, places, n_rows, step.is_compiled), step
    )
    for variable, value in zip((weight, *slots), (moved, *after), strict=True):
        variable.assign(tf.where(is_there, value, variable))


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
            epsilon=step.epsilon, indices=rows,
            grad=row_sums(gradient.values, places, tf.size(rows), is_compiled=False),
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


def _pays(table: Variable, batch_size: int) -> bool:
    """Whether a step is sooner done with the rows of its batch than with all (`bench-tables`)."""
    n_rows, width = table.shape
    return n_rows * width > _LARGE_TABLE and n_rows > 16 * batch_size and not has_gpu()


def _dense(gradient: Tensor, weight: Variable, step: Step) -> Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        return row_sums(gradient.values, gradient.indices, weight.shape[0], step.is_compiled)
    return gradient


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
