"""One model with its optimizer and traced functions, reset and reused from trial to trial.

Building and tracing cost as much as several epochs of a small model. What shapes the graph is its
`Structure`; everything else (rates, penalties, seed) reaches it as a variable or an argument. A
fresh graph goes through the same reset as a reused one, so both train alike to the bit.
"""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.architectures.blocks import Knobs, RankingModel, Structure
from recommender.architectures.noise import CountedNoise, Noise
from recommender.architectures.own import OwnRanking
from recommender.architectures.registry import ARCHITECTURES
from recommender.config import RATES, RankingConfig
from recommender.datasets.base import EncodedDataset
from recommender.device import DeviceData, PackedRows, Tensors
from recommender.epochs import derive_seed
from recommender.errors import OwnCodeError
from recommender.optimizers import Optimizer
from recommender.runtime import tf

Array = npt.NDArray[Any]
Initialiser = Any
Variable = Any

MAX_GRAPHS = 24
"""Graphs kept for one data set, about 8 MB each beside their variables; the one longest unused goes
first."""
MAX_VARIABLE_BYTES = 1 << 29
"""Of all graphs that are kept, but for the last."""


class RankingGraph:
    """A model and its optimizer, traced once."""

    def __init__(self, structure: Structure, data: DeviceData) -> None:
        self._data = data
        self._knobs = Knobs()
        self.model, self._initialisers, noise_sizes = build_model(structure, data.dataset)
        self.weights: list[Variable] = self.model.trained_variables
        self._optimizer = Optimizer(structure.optimizer, self.model.trainable_variables)
        self._batch_size = min(structure.batch_size, len(data.dataset.train))
        step = functools.partial(
            _step,
            model=self.model,
            optimizer=self._optimizer,
            knobs=self._knobs,
            rates=[name for name in RATES if name in structure.active],
            noise_sizes=[size * self._batch_size for size in noise_sizes],
        )
        int32 = tf.TensorSpec([], tf.int32)
        self._train = tf.function(
            functools.partial(_train, step, data.train, self._batch_size),
            input_signature=[tf.TensorSpec([None], tf.int64), int32, int32, int32],
            autograph=False,
        )
        self._predict = tf.function(
            functools.partial(_predict, self.model),
            input_signature=[data.signature],
            autograph=False,
        )
        self.borrower: weakref.ref[object] | None = None

    @property
    def state(self) -> list[Variable]:
        """All that training changes: the weights, then the optimizer's variables."""
        return [*self.weights, *self._optimizer.variables]

    @property
    def n_bytes(self) -> int:
        """Of its variables."""
        return sum(v.dtype.size * v.shape.num_elements() for v in self.state)

    @property
    def is_free(self) -> bool:
        return self.borrower is None or self.borrower() is None

    def reset(self, config: RankingConfig, seed: int) -> None:
        """Fresh weights of this seed, a fresh optimizer, and the configuration's numbers."""
        self._knobs.set(config)
        for i, (weight, initialiser) in enumerate(
            zip(self.weights, self._initialisers, strict=True)
        ):
            reseeded = _reseeded(initialiser, derive_seed(seed, "weights", i))
            weight.assign(reseeded(weight.shape, dtype=weight.dtype))
        self._optimizer.reset()

    def train(self, order: Array, seed: int, first_step: int) -> float:
        """One step a batch over the train rows in this order; the sum of the batches' losses."""
        # The last batch is filled up with rows that do not count in its loss.
        n_filled = -(-len(order) // self._batch_size) * self._batch_size
        loss = self._train(
            tf.constant(np.resize(order, n_filled), tf.int64),
            tf.constant(len(order), tf.int32),
            tf.constant(derive_seed(seed, "steps"), tf.int32),
            tf.constant(first_step, tf.int32),
        )
        return float(loss)

    def predict(self, batches: Sequence[Tensors]) -> npt.NDArray[np.float32]:
        """Ratings in stars, not clipped."""
        names = self._data.signature
        return np.concatenate(
            [self._predict({name: batch[name] for name in names}).numpy() for batch in batches]
        )

    def keras_rmse(self, batches: Sequence[Tensors]) -> float:
        """The RMSE that the ranking task's Keras metric computes."""
        (metric,) = self.model.task.metrics
        metric.reset_state()
        for batch in batches:
            self.model.compute_loss(batch)
        return float(metric.result())


def borrow_graph(structure: Structure, data: DeviceData, borrower: object) -> RankingGraph:
    """A graph for `borrower` alone, for as long as that object lives.

    It comes from the graphs kept with the data where one of this structure is free.
    """
    graph = data.graphs.pop(structure, None)
    if graph is None or not graph.is_free:
        graph = RankingGraph(structure, data)
    graph.borrower = weakref.ref(borrower)
    data.graphs[structure] = graph
    n_bytes = sum(kept.n_bytes for kept in data.graphs.values())
    is_over = False
    while len(data.graphs) > MAX_GRAPHS or (n_bytes > MAX_VARIABLE_BYTES and len(data.graphs) > 1):
        n_bytes -= data.graphs.popitem(last=False)[1].n_bytes
        is_over = True
    if is_over:
        gc.collect()  # A traced function and its graph refer to each other.
    return graph


def most_kept_bytes(data: DeviceData) -> int:
    """What the graphs beside the largest of those here may hold, when none is larger."""
    largest = max((graph.n_bytes for graph in data.graphs.values()), default=0)
    return max(0, min(MAX_GRAPHS * largest, MAX_VARIABLE_BYTES) - largest)


def build_model(
    structure: Structure, dataset: EncodedDataset
) -> tuple[RankingModel, list[Initialiser], list[int]]:
    """An architecture with all its variables, the initialiser of each that training changes, and
    how many numbers of a row its noise may drop each time.

    The weights hold zeros until they are assigned.
    """
    architecture = ARCHITECTURES[structure.architecture] if structure.own is None else OwnRanking
    model = architecture(structure, dataset)
    noise = CountedNoise(structure.active)
    inputs = {
        "user": tf.zeros([1], tf.int32),
        "item": tf.zeros([1], tf.int32),
        "catalog": tf.zeros([1], tf.int32),
        "context": tf.zeros([1, len(dataset.context_columns)]),
    }
    with _recorded_initialisers() as initialisers:
        # Not `model(...)`, which would put Keras's words around an error in the model's code.
        model.ratings(model.rows(model.ids(inputs, noise)), inputs, noise)
    weights = model.trained_variables
    if unseeded := [weight.name for weight in weights if weight.ref() not in initialisers]:
        names = ", ".join(unseeded)
        raise OwnCodeError(
            f"{structure.architecture}: no seed reaches the start of {names}; give it "
            "a Keras initializer: self.add_weight(shape=..., initializer=...)"
        )
    return model, [initialisers[weight.ref()] for weight in weights], noise.sizes


def _train(
    step: Callable[[Tensors, Any, Any], Any],
    rows: PackedRows,
    batch_size: int,
    order: Any,
    n_rows: Any,
    seed: Any,
    first_step: Any,
) -> Any:
    """The sum of the losses of one step a batch; `order` fills the last one up."""
    shuffled = rows.taken(order)

    def one_step(i: Any, total: Any) -> tuple[Any, Any]:
        start = i * batch_size
        batch = shuffled.batch(start, batch_size)
        return i + 1, total + step(batch, n_rows - start, tf.stack([seed, first_step + i]))

    return tf.while_loop(
        lambda i, _: i * batch_size < n_rows, one_step, (0, 0.0), parallel_iterations=1
    )[1]


def _step(
    batch: Tensors,
    n_left: Any,
    key: Any,
    *,
    model: RankingModel,
    optimizer: Optimizer,
    knobs: Knobs,
    rates: Sequence[str],
    noise_sizes: Sequence[int],
) -> Any:
    """The loss before one step on the first `n_left` rows of a batch."""
    values = knobs.read()
    noise = Noise(key, {name: values[name] for name in rates}, noise_sizes)
    ids, tables = model.ids(batch, noise), model.tables
    # The gradients of the rows that were looked up, not of the tables: those take long to trace.
    rows = [tf.gather(table, ids_of) for table, ids_of in zip(tables, ids, strict=True)]
    names = [table.ref() for table in tables]
    others = [w for w in model.trainable_variables if w.ref() not in names]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        n_rows = tf.minimum(n_left, batch["rating"].shape[0])
        loss = model.training_loss(rows, ids, batch, noise, values, n_rows)
    found = tape.gradient(loss, [*rows, *others])
    gradients = dict(zip((w.ref() for w in others), found[len(rows) :], strict=True))
    for table, ids_of, gradient in zip(tables, ids, found, strict=False):
        is_used = gradient is not None
        gradients[table.ref()] = tf.IndexedSlices(gradient, ids_of) if is_used else None
    optimizer.apply(
        [gradients[weight.ref()] for weight in model.trainable_variables],
        values["learning_rate"],
        values["weight_decay"],
    )
    return loss


def _predict(model: RankingModel, inputs: Tensors) -> Any:
    return model(inputs)


@contextmanager
def _recorded_initialisers() -> Iterator[dict[Any, Initialiser]]:
    """Creates variables as zeros and keeps, for each, what Keras would have drawn it from."""
    recorded: dict[Any, Initialiser] = {}

    def create(next_creator: Any, **kwargs: Any) -> Variable:
        draw = kwargs["initial_value"]
        if not isinstance(draw, functools.partial) or not hasattr(draw.func, "get_config"):
            return next_creator(**kwargs)  # A counter of Keras's, or a mistake that is told later.
        initialiser, (shape,), dtype = draw.func, draw.args, draw.keywords["dtype"]
        kwargs["initial_value"] = lambda: tf.zeros(shape, dtype)
        variable = next_creator(**kwargs)
        recorded[variable.ref()] = initialiser
        return variable

    with tf.variable_creator_scope(create):
        yield recorded


def _reseeded(initialiser: Initialiser, seed: int) -> Initialiser:
    config = initialiser.get_config()
    return type(initialiser).from_config(config | {"seed": seed} if "seed" in config else config)
