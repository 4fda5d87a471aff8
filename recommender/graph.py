"""One model with its optimizer and traced functions, reset and reused from trial to trial.

Building and tracing cost as much as several epochs of a small model. What shapes the graph is its
`Structure`; everything else (rates, penalties, seed) reaches it as a variable or an argument. A
fresh graph goes through the same reset as a reused one, so both train alike to the bit.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import math
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.architectures.blocks import RankingModel, Structure
from recommender.architectures.noise import CountedNoise, EpochNoise, Noise, Sizes, noise_numbers
from recommender.architectures.own import OwnRanking
from recommender.architectures.registry import ARCHITECTURES
from recommender.config import NUMERIC, RankingConfig
from recommender.datasets.encoded import EncodedDataset, Floats
from recommender.device import DeviceData, PackedRows, Tensors
from recommender.epochs import derive_seed, seed_everything
from recommender.errors import OwnCodeError
from recommender.optimizers import Optimizer, optimizer_numbers
from recommender.own_loading import blamed_on
from recommender.runtime import tf
from recommender.table_rows import Chunk

Array = npt.NDArray[Any]
Initialiser = Any
Variable = Any

MAX_GRAPHS = 24
"""Graphs kept for one data set, about 8 MB each beside their variables; with one more a quarter of
them go, those longest unused: what it takes to free one frees several."""
MAX_VARIABLE_BYTES = 1 << 29
"""Of all graphs that are kept, but for the last."""


class RankingGraph:
    """A model and its optimizer, traced once."""

    def __init__(self, structure: Structure, data: DeviceData) -> None:
        self._data = data
        self._own = structure.own
        self.model, self._initialisers, sizes = build_model(structure, data.dataset)
        self.weights: list[Variable] = self.model.trained_variables
        self._batch_size = min(structure.batch_size, len(data.dataset.train))
        self._optimizer = Optimizer(
            structure.optimizer,
            self.model.trainable_variables,
            self.model.tables,
            self._batch_size,
            is_compiled=structure.jit_compile,
        )
        self._noise_sizes = {rate: [n * self._batch_size for n in ns] for rate, ns in sizes.items()}
        self._hyperparameters = dict.fromkeys(NUMERIC, 0.0)
        names = list(self._numbers(1, 0, 0, 0))
        idle_numbers = self._optimizer.idle_numbers(Chunk(0.0, 0.0, 0, 1))
        int32 = tf.TensorSpec([], tf.int32)
        self._train = tf.function(
            functools.partial(
                _train, self.model, self._optimizer, data.train, names, self._noise_sizes
            ),
            input_signature=[
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([None, self._batch_size]),
                tf.TensorSpec([None, len(names)]),
                tf.TensorSpec([None, idle_numbers.shape[1]], tf.float64),
                int32,
                int32,
            ],
            autograph=False,
            jit_compile=structure.jit_compile or None,
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
        self._hyperparameters = {name: float(getattr(config, name)) for name in NUMERIC}
        pairs = zip(self.weights, self._initialisers, strict=True)
        with self._blamed():
            for i, (weight, initialiser) in enumerate(pairs):
                weight.assign(_drawn(initialiser, weight, derive_seed(seed, "weights", i)))
        self._optimizer.reset()

    def train(self, order: Array, seed: int, first_step: int, epoch: int) -> float:
        """One step a batch over the train rows in this order; the sum of the batches' losses.

        Args:
            epoch: from 0.
        """
        n_steps = -(-len(order) // self._batch_size)
        numbers = self._numbers(n_steps, seed, first_step, epoch)
        rate, decay = (float(numbers[name][0]) for name in ("learning_rate", "weight_decay"))
        idle_numbers = self._optimizer.idle_numbers(Chunk(rate, decay, first_step, n_steps))
        # The last batch is filled up with rows that do not count in its loss.
        shape = (n_steps, self._batch_size)
        counts = (np.arange(math.prod(shape)) < len(order)).reshape(shape)
        with self._blamed():
            loss = self._train(
                tf.constant(np.resize(order, math.prod(shape)), tf.int64),
                tf.constant(counts / counts.sum(axis=1, keepdims=True), tf.float32),
                tf.constant(np.stack(list(numbers.values()), axis=1), tf.float32),
                tf.constant(idle_numbers, tf.float64),
                tf.constant(derive_seed(seed, "steps"), tf.int32),
                tf.constant(first_step, tf.int32),
            )
        return float(loss)

    def _blamed(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._own is None else blamed_on(self._own)

    def _numbers(self, n_steps: int, seed: int, first_step: int, epoch: int) -> dict[str, Floats]:
        """All that steps need to know beside rows and weights, a number for each."""
        values = dict(self._hyperparameters)
        values["learning_rate"] *= values.pop("learning_rate_decay") ** epoch
        rates = {name: values[name] for name in self._noise_sizes}
        return {
            **{name: np.full(n_steps, value, np.float32) for name, value in values.items()},
            **optimizer_numbers(first_step, n_steps),
            **noise_numbers(rates, n_steps, derive_seed(seed, "thresholds", first_step)),
        }

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
    n_before = len(data.graphs)
    most = MAX_GRAPHS if n_before <= MAX_GRAPHS else MAX_GRAPHS - MAX_GRAPHS // 4
    n_bytes = sum(kept.n_bytes for kept in data.graphs.values())
    while len(data.graphs) > most or (n_bytes > MAX_VARIABLE_BYTES and len(data.graphs) > 1):
        n_bytes -= data.graphs.popitem(last=False)[1].n_bytes
    if len(data.graphs) < n_before:
        gc.collect()  # A traced function and its graph refer to each other.
    return graph


def most_kept_bytes(data: DeviceData) -> int:
    """What the graphs beside the largest of those here may hold, when none is larger."""
    largest = max((graph.n_bytes for graph in data.graphs.values()), default=0)
    return max(0, min(MAX_GRAPHS * largest, MAX_VARIABLE_BYTES) - largest)


def build_model(
    structure: Structure, dataset: EncodedDataset
) -> tuple[RankingModel, list[Initialiser], Sizes]:
    """An architecture with all its variables, the initialiser of each that training changes, and
    how many numbers of a row its noise may drop each time.

    The weights hold zeros until they are assigned.
    """
    architecture = ARCHITECTURES[structure.architecture] if structure.own is None else OwnRanking
    model = architecture(structure, dataset)
    noise = CountedNoise(structure.active)
    inputs = {name: tf.zeros([1], tf.int32) for name in dataset.train.ids}
    inputs["context"] = tf.zeros([1, len(dataset.context_columns)])
    with _recorded_initialisers() as initialisers:
        # Not `model(...)`, which would put Keras's words around an error in the model's code.
        model.ratings(model.rows(model.ids(inputs, noise)), inputs, noise)
    weights = model.trained_variables
    if unseeded := [weight.name for weight in weights if weight.ref() not in initialisers]:
        names = ", ".join(unseeded)
        raise OwnCodeError(
            f"{structure.architecture}: no seed reaches the start of {names}; give it "
            "a Keras initializer: self.add_weight(shape=..., initializer=...), and do not call "
            "tf.keras.backend.clear_session"
        )
    return model, [initialisers[weight.ref()] for weight in weights], noise.sizes


def _train(
    model: RankingModel,
    optimizer: Optimizer,
    rows: PackedRows,
    names: Sequence[str],
    noise_sizes: Sizes,
    order: Any,
    weight: Any,
    numbers: Any,
    idle_numbers: Any,
    seed: Any,
    first_step: Any,
) -> Any:
    """The sum of the losses of one step a batch.

    Args:
        order: of the rows, shape (n_steps * batch_size,).
        weight: of each in the mean over its batch, shape (n_steps, batch_size).
        numbers: the `names` of each step, shape (n_steps, n_names).
        idle_numbers: as the optimizer gives them.
    """
    batches = rows.in_batches(order, weight)
    n_steps = tf.shape(numbers)[0]
    noise = EpochNoise(seed, first_step, n_steps, noise_sizes)
    optimizer.begin(idle_numbers)

    # A GPU looks up its tables with an index that is in its memory, but keeps int32 in the host's:
    # there the counter of the loop and the index are two.
    def one_step(i: Any, index: Any, total: Any) -> tuple[Any, Any, Any]:
        of_step = dict(zip(names, tf.unstack(tf.gather(numbers, index)), strict=True))
        loss = _step(model, optimizer, batches.at(index), noise.of_step(i, of_step), of_step, i)
        return i + 1, index + 1, total + loss

    start = (0, tf.zeros([], rows.ids.dtype), 0.0)
    *_, total = tf.while_loop(lambda i, *_: i < n_steps, one_step, start, parallel_iterations=1)
    optimizer.end(n_steps)
    return total


def _step(
    model: RankingModel,
    optimizer: Optimizer,
    batch: Tensors,
    noise: Noise,
    numbers: Mapping[str, Any],
    i: Any,
) -> Any:
    """The loss before one step on a batch, which has `i` before it in its chunk."""
    ids, tables = model.ids(batch, noise), model.tables
    if optimizer.is_lazy:
        # It moves the rows of a batch, and what only fills one up is not of it.
        ids = [tf.where(batch["weight"] > 0, of_table, of_table[0]) for of_table in ids]
    # The gradients of the rows that were looked up, not of the tables: those take long to trace.
    rows = [optimizer.rows(table, of_table, i) for table, of_table in zip(tables, ids, strict=True)]
    names = [table.ref() for table in tables]
    others = [w for w in model.trainable_variables if w.ref() not in names]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        ratings = model.ratings(rows, batch, noise)
        penalties = model.training_penalties(rows, ids, batch, numbers)
    errors = ratings - batch["rating"]
    if model.unit != 1:
        errors /= model.unit
    weighted = batch["weight"] * errors
    loss = tf.add_n([tf.reduce_sum(weighted * errors), *penalties])
    slopes = [2.0 / model.unit * weighted, *(tf.ones([]) for _ in penalties)]
    found = tape.gradient([ratings, *penalties], [*rows, *others], slopes)
    gradients = dict(zip((w.ref() for w in others), found[len(rows) :], strict=True))
    for table, ids_of, gradient in zip(tables, ids, found, strict=False):
        is_used = gradient is not None
        gradients[table.ref()] = tf.IndexedSlices(gradient, ids_of) if is_used else None
    optimizer.apply([gradients[weight.ref()] for weight in model.trainable_variables], numbers)
    return loss


def _predict(model: RankingModel, inputs: Tensors) -> Any:
    return model.call(inputs)


@contextlib.contextmanager
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


def _drawn(initialiser: Initialiser, weight: Variable, seed: int) -> Any:
    config = initialiser.get_config()
    if "seed" in config:
        initialiser = type(initialiser).from_config(config | {"seed": seed})
    elif not type(initialiser).__module__.startswith("tf_keras."):
        seed_everything(seed)  # Not for each: TensorFlow then prepares its graphs anew.
    return initialiser(weight.shape, dtype=weight.dtype)
