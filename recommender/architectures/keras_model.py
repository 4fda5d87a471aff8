"""A whole model of Keras: a subclassed `tfrs.Model`, a `tf.keras.Model`, a `HyperModel`'s.

Trained by its own `fit`, an epoch a call, on batches of named columns; asked by calling it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recommender.checkpoints import numbered, numbered_arrays, read_checkpoint, write_checkpoint
from recommender.config import KERAS_OPTIMIZERS, RankingConfig
from recommender.epochs import derive_seed
from recommender.errors import Interrupted, OwnCodeError
from recommender.model_data import ModelData, ModelRows
from recommender.own import Value
from recommender.own_loading import blamed_on, without_colours
from recommender.runtime import tf, tfrs
from recommender.steps import MOMENTUM

Tensor = Any

PREDICTION_ROWS = 16_384
"""Rows that the model is called with at once."""
LOOKS_EVERY = 50
"""Batches between two signs of life."""


class KerasModel:
    """Feeds a Keras model and keeps its weights with those of its optimizer."""

    def __init__(self, config: RankingConfig, data: ModelData, made: Callable[..., Any]) -> None:
        assert config.own is not None
        self._own = config.own
        self._config = config
        self._data = data
        self.n_updates = 0
        self._columns = _Columns(data)
        with blamed_on(self._own), quiet_keras():
            model, self._fit = self._made(made, dict(config.own_arguments))
        if not callable(model) or not hasattr(model, "fit"):
            raise OwnCodeError(f"{self._own.where} must give a Keras model, got {model!r}")
        self._model: Any = model
        self._is_tfrs = isinstance(model, tfrs.Model)
        is_compiled = getattr(model, "optimizer", None) is not None
        if is_compiled and self._own.kind == "keras" and not self._own.compiles:
            raise OwnCodeError(
                f"{self._own.where} comes compiled by code outside its class, where recsweep took "
                "optimizer and learning_rate for its own to set; call compile in the class, or "
                "leave it out"
            )
        with blamed_on(self._own):
            self._given: Any = None
            if not is_compiled:
                loss = {} if self._is_tfrs else {"loss": "mse"}
                self._given = self._optimizer()
                model.compile(optimizer=self._given, **loss)
        if getattr(model, "jit_compile", None) is True:
            self._columns.leave_out_text()
        self._names = self._wanted_columns()
        self.predict(data.train[:2])  # makes its weights
        self._noise = _seedable_noise(model)

    def _made(
        self, made: Callable[..., Any], arguments: dict[str, Value]
    ) -> tuple[Any, Callable[..., Any]]:
        """The model, and what fits it."""
        model = made(self._data, **arguments)
        return model, getattr(model, "fit", model)

    @property
    def can_save(self) -> bool:
        """Old optimizers make their variables in the first step, too late for `load`."""
        return hasattr(self._model.optimizer, "build")

    @property
    def n_parameters(self) -> int | None:
        return sum(math.prod(weight.shape) for weight in self._model.trainable_variables)

    def fit_epoch(self, epoch: int, keep_going: Callable[[], bool] | None) -> None:
        order = np.random.default_rng(derive_seed(self._data.seed, "order", epoch)).permutation(
            len(self._data.train)
        )
        batches = self._batches(order)
        for i, generator in enumerate(self._noise):
            generator.reset_from_seed(derive_seed(self._data.seed, "noise", epoch, i))
        looking = self._keras().callbacks.LambdaCallback(
            on_train_batch_end=functools.partial(_look, keep_going)
        )
        decay = self._config.learning_rate_decay
        if decay != 1 and self._given is not None:
            self._given.learning_rate = self._config.learning_rate * decay**epoch
        try:
            with blamed_on(self._own), quiet_keras(), self._known_columns():
                self._fit(batches, epochs=1, verbose=0, callbacks=[looking])
        except OwnCodeError as error:
            if isinstance(error.__cause__, Interrupted):
                raise Interrupted from error
            raise
        self.n_updates += -(-len(order) // self._config.batch_size)

    def predict(self, rows: ModelRows) -> Any:
        numbers = rows.numbers()
        parts = []
        for start in range(0, len(rows), PREDICTION_ROWS):
            part = {n: tf.constant(v[start : start + PREDICTION_ROWS]) for n, v in numbers.items()}
            ratings = self._call(self._wanted(self._columns.of(part)))
            if not tf.is_tensor(ratings):
                told = f"must give a tensor of ratings, got {type(ratings).__name__}"
                if self._is_tfrs:
                    told += "; what compute_loss needs besides, have another method give"
                raise OwnCodeError(f"{self._own.where}.call {told}")
            parts.append(np.asarray(ratings))
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        arrays = numbered("state", [np.asarray(variable) for variable in self._state()])
        write_checkpoint(folder, arrays, {})

    def load(self, folder: Path) -> None:
        arrays, _ = read_checkpoint(folder)
        state, saved = self._state(), numbered_arrays("state", arrays)
        if len(state) != len(saved):
            raise OwnCodeError(f"{folder}: weights of another model")
        for variable, value in zip(state, saved, strict=True):
            variable.assign(value)

    def _call(self, inputs: dict[str, Tensor]) -> Tensor:
        with blamed_on(self._own), self._known_columns():
            return self._model(inputs, training=False)

    @contextlib.contextmanager
    def _known_columns(self) -> Iterator[None]:
        """A column that there is not is told with those there are."""
        try:
            yield
        except KeyError as error:
            text = without_colours(str(error.args[0]))
            # Keras puts words around it; TensorFlow, while it traces, a whole report.
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            while_tracing = re.search(r"KeyError: '(.+?)'", text)
            is_wrapped = lines[0].startswith("Exception encountered") and len(lines) > 1
            name = while_tracing[1] if while_tracing else lines[1] if is_wrapped else lines[0]
            rated = ", and rating in compute_loss" if self._is_tfrs else ""
            raise OwnCodeError(
                f"{self._own.where} asks for {name!r}; the columns are "
                f"{', '.join(self._columns.names)}{rated}"
            ) from error

    def _state(self) -> list[Any]:
        optimizer = self._model.optimizer
        optimizer.build(self._model.trainable_variables)
        # Keras 2 counts the tables of look-ups that were adapted among them: the constructor's.
        own = [variable for variable in self._model.variables if hasattr(variable, "assign")]
        return [*own, *optimizer.variables]

    def _keras(self) -> Any:
        """The Keras that the model is of: KerasTuner's users have version 3, TFRS's version 2."""
        if any(base.__module__.startswith("keras.") for base in type(self._model).__mro__):
            return importlib.import_module("keras")
        return tf.keras

    def _optimizer(self) -> Any:
        """The trial's: its optimizer, learning rate and weight decay."""
        config = self._config
        optimizers = self._keras().optimizers
        if config.optimizer not in KERAS_OPTIMIZERS:
            raise OwnCodeError(
                f"optimizer {config.optimizer!r} is recsweep's own and not one of Keras's, which "
                f"{self._own.where} trains with; take one of {', '.join(KERAS_OPTIMIZERS)}"
            )
        further = {"sgd": {"momentum": MOMENTUM}, "adamw": {"weight_decay": config.weight_decay}}
        kind = getattr(optimizers, KERAS_OPTIMIZERS[config.optimizer])
        return kind(learning_rate=config.learning_rate, **further.get(config.optimizer, {}))

    def _wanted_columns(self) -> tuple[str, ...] | None:
        """The names of a functional model's inputs; None: it takes a dictionary of them all."""
        model = self._model
        inputs = getattr(model, "inputs", None)
        if not inputs:
            return None
        names = tuple(getattr(model, "input_names", None) or [tensor.name for tensor in inputs])
        strangers = [name for name in names if name not in self._columns.names]
        if strangers:
            raise OwnCodeError(
                f"{self._own.where}: the model has inputs called {', '.join(strangers)}; "
                f"name each after what it is to get: {', '.join(self._columns.names)}"
            )
        return names

    def _wanted(self, columns: dict[str, Tensor]) -> Any:
        if self._names is None:
            return columns
        return {name: columns[name] for name in self._names}

    def _batches(self, order: Any) -> Any:
        """The train rows in this order; text is looked up batch by batch."""
        with tf.device("CPU"):
            rated = {**self._data.train.numbers(), "rating": self._data.train.rating}
            rated = {name: tf.constant(values) for name, values in rated.items()}

            def batch(rows: Tensor) -> Any:
                found = {name: tf.gather(values, rows) for name, values in rated.items()}
                rating = found.pop("rating")
                columns = self._columns.of(found)
                if self._is_tfrs:
                    return {**columns, "rating": rating}
                return self._wanted(columns), rating

            numbers = tf.data.Dataset.from_tensor_slices(order)
            return numbers.batch(self._config.batch_size).map(batch).prefetch(2)


class _Columns:
    """From the numbers of rows to all their columns by name, as tensors."""

    def __init__(self, data: ModelData) -> None:
        with tf.device("CPU"):
            self._tables = {
                name: (tf.constant(table), key) for name, (table, key) in data.tables().items()
            }
        self._context = data.context_columns

    @property
    def names(self) -> tuple[str, ...]:
        return ("user", "item", *self._tables, *self._context)

    def leave_out_text(self) -> None:
        """XLA takes none, not even where the model does not look at it."""
        tables = self._tables.items()
        self._tables = {
            name: (table, key) for name, (table, key) in tables if table.dtype != tf.string
        }

    def of(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        looked_up = {
            name: tf.gather(table, rows[key]) for name, (table, key) in self._tables.items()
        }
        context = {name: rows["context"][:, i] for i, name in enumerate(self._context)}
        return {"user": rows["user"], "item": rows["item"], **looked_up, **context}


def _seedable_noise(model: Any) -> list[Any]:
    """The generators that random layers of Keras 2 draw from, from now on.

    What they have of their own accord counts on within a traced epoch, where no seed reaches it.
    """
    kind = tf.keras.__internal__.layers.BaseRandomLayer
    layers = [layer for layer in getattr(model, "submodules", ()) if isinstance(layer, kind)]
    for layer in layers:
        layer._random_generator = type(layer._random_generator)(1, rng_type="stateful")
        layer._random_generator._maybe_init()
    return [layer._random_generator._generator for layer in layers]


def _look(keep_going: Callable[[], bool] | None, batch: int, logs: Any = None) -> None:  # noqa: ARG001  # Keras's signature
    if keep_going is not None and batch % LOOKS_EVERY == LOOKS_EVERY - 1 and not keep_going():
        raise Interrupted


@contextlib.contextmanager
def quiet_keras() -> Iterator[None]:
    """Keras 3 warns that a data set is not shuffled again; it is shuffled already."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*shuffle=True.*")
        yield
