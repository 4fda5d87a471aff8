"""Large tables: a step moves the rows of its batch, and makes up for the steps they missed.

Momentum moves a row on after the last batch that held it, so that a step of Adam passes over all
users and items, however few are in the batch. What happens to the others depends on nothing that is
yet to come: it can wait until they are looked up, or until the chunk of steps is over. Rounding
aside, all rows end where they do if every step moves each of them.

Of a row that n steps pass by Adam takes, with d what weight decay leaves of a weight in one step,

    sum over j = 1..n of  d^(n-j) * rate[j] * b1^j * mean / (sqrt(b2^j * variance) + epsilon)

and leaves d^n of the weight. With a = b1 / sqrt(b2) and an epsilon that is divided by sqrt(b2)^j
this is mean / (sqrt(variance) + epsilon) times the sum of d^(n-j) * rate[j] * a^j, for any steps of
a chunk two numbers that one pass over it finds beforehand. That power of b2 hardly differs from 1
where a^j does from 0, and is taken at the mean j.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.row_sums import row_sums
from recommender.runtime import tf
from recommender.steps import BETA_1, BETA_2, EPSILON, MOMENTUM, RHO, Step

Tensor = Any
Variable = Any
Doubles = npt.NDArray[np.float64]
Slots = Sequence[Tensor]

_BLOCK_ROWS = 16_384
"""Rows brought up to date at once; bounds the memory that it takes."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Steps that follow one another, with the rates that all of them have."""

    learning_rate: float
    weight_decay: float
    first_step: int
    """How many were before."""
    n_steps: int


@dataclass(frozen=True, slots=True)
class Idle:
    """Steps that passed rows by: `RowRule.numbers` of each row, columns of shape (n_rows, 1)."""

    then: Sequence[Tensor]
    """After the last step that moved the row."""
    now: Sequence[Tensor]
    """Scalars."""
    between: Sequence[Tensor]
    """At the number of steps that passed it by."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """How an optimizer moves some rows of a table; tensors in and out, the weight and its slots."""

    move: Callable[[Tensor, Slots, Tensor, Step], tuple[Tensor, Slots]]
    """By one step, given the sum of each row's gradients."""
    idle: Callable[[Tensor, Slots, Idle], tuple[Tensor, Slots]] | None = None
    """By steps without a gradient; None: they stay as they are."""
    numbers: Callable[[Chunk], Doubles] = lambda _: np.empty((0, 0))
    """What `idle` takes, shape (n_steps + 1, n_columns)."""


class TableRows:
    """A table of which a step moves no more than it looks up."""

    def __init__(self, rule: RowRule, table: Variable, slots: Sequence[Variable]) -> None:
        self._rule = rule
        self._table, self._slots = table, slots
        self._n_rows = int(table.shape[0])
        if rule.idle is not None:
            self._n_done = tf.Variable(tf.zeros([self._n_rows], tf.int32), trainable=False)
            """Steps of the chunk that each row has had."""
            self._is_used = tf.Variable(1, trainable=False, dtype=tf.int32)
            """0 once a step had no gradient of the table, which is known after its rows are."""

    def begin(self, numbers: Tensor) -> None:
        """Before a chunk of steps, with `RowRule.numbers` of it."""
        self._numbers = numbers
        if self._rule.idle is not None:
            self._n_done.assign(tf.zeros_like(self._n_done))

    def look_up(self, ids: Tensor, i: Tensor) -> Tensor:
        """The rows of a batch as the `i` steps before left them; `apply` goes on from there."""
        self._ids, self._places = tf.unique(ids)
        self._i = i
        self._values = self._up_to_date(self._ids, i)
        return tf.gather(self._values[0], self._places)

    def apply(self, gradient: Tensor | None, step: Step) -> None:
        """One step on the rows that were looked up; a table without a gradient stays as it is."""
        if gradient is None:
            if self._rule.idle is not None:
                with tf.init_scope():
                    self._is_used.assign(0)
            return
        sums = row_sums(gradient.values, self._places, tf.size(self._ids), is_compiled=False)
        weight, *slots = self._values
        moved, after = self._rule.move(weight, slots, sums, step)
        self._store(self._ids, [moved, *after])
        if self._rule.idle is not None:
            done = tf.fill(tf.shape(self._ids), self._i + 1)
            self._n_done.scatter_update(tf.IndexedSlices(done, self._ids))

    def end(self, n_steps: Tensor) -> None:
        """After the chunk."""
        if self._rule.idle is None:
            return

        def one_block(start: Tensor) -> list[Tensor]:
            stop = tf.minimum(start + _BLOCK_ROWS, self._n_rows)
            ids = tf.range(start, stop)
            self._store(ids, self._up_to_date(ids, n_steps))
            return [stop]

        tf.while_loop(lambda start: start < self._n_rows, one_block, [0], parallel_iterations=1)

    def _up_to_date(self, ids: Tensor, i: Tensor) -> list[Tensor]:
        """The weight and the slots of these rows after `i` steps of the chunk."""
        weight, *slots = (tf.gather(variable, ids) for variable in (self._table, *self._slots))
        if self._rule.idle is None:
            return [weight, *slots]
        done = tf.gather(self._n_done, ids)
        idle = Idle(
            _columns(tf.gather(self._numbers, done)),
            tf.unstack(tf.gather(self._numbers, i)),
            _columns(tf.gather(self._numbers, (i - done) * self._is_used)),
        )
        weight, after = self._rule.idle(weight, slots, idle)
        return [weight, *after]

    def _store(self, ids: Tensor, values: Sequence[Tensor]) -> None:
        for variable, value in zip((self._table, *self._slots), values, strict=True):
            variable.scatter_update(tf.IndexedSlices(value, ids))


def _adam_moments(slots: Slots, gradient: Tensor, step: Step) -> tuple[Slots, Tensor]:
    """Both slots after a step, and its rate over the root of the variance."""
    mean = slots[0] + (gradient - slots[0]) * (1.0 - step.beta_1)
    variance = slots[1] + (tf.square(gradient) - slots[1]) * (1.0 - step.beta_2)
    rate = step.learning_rate * tf.sqrt(1.0 - step.beta_2_power) / (1.0 - step.beta_1_power)
    return (mean, variance), rate / (tf.sqrt(variance) + step.epsilon)


def _adam(weight: Tensor, slots: Slots, gradient: Tensor, step: Step) -> tuple[Tensor, Slots]:
    after, rates = _adam_moments(slots, gradient, step)
    return weight - rates * after[0], after


def _adamw(weight: Tensor, slots: Slots, gradient: Tensor, step: Step) -> tuple[Tensor, Slots]:
    return _adam(weight * (1.0 - step.weight_decay * step.learning_rate), slots, gradient, step)


def _nadam(weight: Tensor, slots: Slots, gradient: Tensor, step: Step) -> tuple[Tensor, Slots]:
    after, rates = _adam_moments(slots, gradient, step)
    ahead = gradient + (after[0] - gradient) * step.beta_1
    return weight - rates * ahead, after


def _sgd(weight: Tensor, slots: Slots, gradient: Tensor, step: Step) -> tuple[Tensor, Slots]:
    velocity = MOMENTUM * slots[0] - step.learning_rate * gradient
    return weight + velocity, [velocity]


def _rmsprop(weight: Tensor, slots: Slots, gradient: Tensor, step: Step) -> tuple[Tensor, Slots]:
    mean_square = slots[0] + (tf.square(gradient) - slots[0]) * (1.0 - RHO)
    loss = step.learning_rate * gradient / tf.sqrt(mean_square + step.epsilon)
    return weight - loss, [mean_square, slots[1]]  # without momentum its slot is never read


def _idle_adam(weight: Tensor, slots: Slots, idle: Idle) -> tuple[Tensor, Slots]:
    _, kept, left, beta_1, beta_2, epsilon = idle.between
    rates = kept * idle.then[0] - left * idle.now[0]
    kept, beta_1, beta_2, epsilon, rates = (
        tf.cast(numbers, tf.float32) for numbers in (kept, beta_1, beta_2, epsilon, rates)
    )
    mean, variance = slots
    weight = kept * weight - rates * mean / (tf.sqrt(variance) + epsilon)
    return weight, [beta_1 * mean, beta_2 * variance]


def _idle_sgd(weight: Tensor, slots: Slots, idle: Idle) -> tuple[Tensor, Slots]:
    left, moved = (tf.cast(numbers, tf.float32) for numbers in idle.between)
    return weight + moved * slots[0], [left * slots[0]]


def _idle_rmsprop(weight: Tensor, slots: Slots, idle: Idle) -> tuple[Tensor, Slots]:
    (left,) = (tf.cast(numbers, tf.float32) for numbers in idle.between)
    return weight, [left * slots[0], slots[1]]


def _adam_numbers(chunk: Chunk, decay: float = 1.0) -> Doubles:
    """Columns: the sums of `_sums_of_rates`, d^n, a^n, b1^n, b2^n, epsilon over sqrt(b2)^j."""
    ratio = BETA_1 / BETA_2**0.5
    n = np.arange(chunk.n_steps + 1)
    steps = chunk.first_step + n[1:]
    rates = chunk.learning_rate * np.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = np.where(n > 0, ratio**n, 0.0)
        total = _running_sums(terms, decay)
        mean_j = np.where(total > 0, _running_sums(n * terms, decay) / total, 0.0)
        powers = [decay**n, ratio**n, BETA_1**n, BETA_2**n, EPSILON / BETA_2 ** (mean_j / 2)]
    return np.stack([_sums_of_rates(rates, ratio, decay), *powers], axis=1)


def _adamw_numbers(chunk: Chunk) -> Doubles:
    return _adam_numbers(chunk, 1 - chunk.weight_decay * chunk.learning_rate)


def _nadam_numbers(chunk: Chunk) -> Doubles:
    numbers = _adam_numbers(chunk)
    numbers[:, 0] *= BETA_1  # a look ahead, without a gradient
    return numbers


def _sums_of_rates(rates: Doubles, ratio: float, decay: float) -> Doubles:
    """Sums s of which d^n * s[t-n] - a^n * s[t] is the sum over the n steps before step t."""
    # The recurrence holds from either end; rounding fades where its factor is below 1.
    if abs(decay) > ratio:
        factor = ratio / decay
        return np.append(_running_sums(factor * rates[::-1], factor)[::-1], 0.0)
    return np.insert(_running_sums(-rates, decay / ratio), 0, 0.0)


def _running_sums(terms: npt.NDArray[Any], factor: float) -> Doubles:
    """After each term: `factor` times the sum before it, and the term."""
    return np.array(list(itertools.accumulate(terms, lambda total, term: factor * total + term)))


def _sgd_numbers(chunk: Chunk) -> Doubles:
    left = MOMENTUM ** np.arange(chunk.n_steps + 1)
    return np.stack([left, MOMENTUM * (1 - left) / (1 - MOMENTUM)], axis=1)


def _rmsprop_numbers(chunk: Chunk) -> Doubles:
    return np.power(RHO, np.arange(chunk.n_steps + 1)[:, np.newaxis])


def _columns(numbers: Tensor) -> list[Tensor]:
    return [column[:, tf.newaxis] for column in tf.unstack(numbers, axis=1)]


ROW_RULES: dict[str, RowRule] = {
    "adam": RowRule(_adam, _idle_adam, _adam_numbers),
    "lazy_adam": RowRule(_adam),
    "adamw": RowRule(_adamw, _idle_adam, _adamw_numbers),
    "nadam": RowRule(_nadam, _idle_adam, _nadam_numbers),
    "sgd": RowRule(_sgd, _idle_sgd, _sgd_numbers),
    "rmsprop": RowRule(_rmsprop, _idle_rmsprop, _rmsprop_numbers),
}
"""By the names of `recommender.optimizers.RULES`; Adagrad has a kernel that does it."""
