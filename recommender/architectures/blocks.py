"""What the architectures share: embeddings, side features, biases, penalties, the loss.

All that is random while training comes from the step's `Noise`, and all numeric hyperparameters
are handed in anew each epoch, so that one traced graph serves every seed, learning rate, dropout
and penalty. Training sees batches of one size, so that every shape is known when the graph is
traced: a gradient of unknown shape takes twice as many operations.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from recommender.architectures.noise import CountedNoise, Noise
from recommender.config import PENALTIES, RATES, RankingConfig
from recommender.datasets.encoded import EncodedDataset, Floats, Ints, SideTable
from recommender.own import OwnDefinition, Value
from recommender.runtime import tf, tfrs

Tensor = Any
Layer = Any
Inputs = Mapping[str, Tensor]
"""`Rows.ids` (n_rows,), `context` (n_rows, n_context), and to train on `rating` and `weight`
(n_rows,)."""
StepNoise = Noise | CountedNoise

_INITIALISERS = {"tanh": "glorot_uniform", "selu": "lecun_normal"}


@dataclass(frozen=True, slots=True)
class Structure:
    """The part of a configuration that shapes the graph; equal structures share one."""

    architecture: str
    embedding_size: int
    layer_sizes: tuple[int, ...]
    activation: str
    kernel_initializer: str
    biases: bool
    side_features: bool
    optimizer: str
    batch_size: int
    jit_compile: bool
    cross_layers: int
    cross_rank: int
    cross_placement: str
    own: OwnDefinition | None
    own_arguments: tuple[tuple[str, Value], ...]
    active: frozenset[str]
    """Which of the rates and penalties are not 0: the others are left out of the graph."""

    @classmethod
    def of(cls, config: RankingConfig) -> Self:
        active = frozenset(name for name in (*RATES, *PENALTIES) if getattr(config, name))
        values = {
            field.name: getattr(config, field.name)
            for field in fields(cls)
            if field.name != "active"
        } | {"active": active}
        if config.architecture != "dcn":
            values |= {"cross_layers": 0, "cross_rank": 0, "cross_placement": "stacked"}
        if config.kernel_initializer == "activation":
            values["kernel_initializer"] = _INITIALISERS.get(config.activation, "he_uniform")
        if config.own is not None:
            values |= {"layer_sizes": (), "activation": "", "kernel_initializer": ""}
            values["active"] = active - {"dropout", "dense_l2"}
        return cls(**values)


class RankingModel(tfrs.Model, abc.ABC):
    """Predicts a rating in stars from a user, an item and what is known about both.

    Subclasses say what lies between the concatenated features and the linear output. Within, and
    in the loss, ratings are counted in `unit`, so that learning rates and penalties suit any scale.
    """

    def __init__(self, structure: Structure, dataset: EncodedDataset) -> None:
        super().__init__()
        self._structure = structure
        self.unit = dataset.rating_unit
        self._rarities = [
            tf.constant(_rarity(dataset.train.user, dataset.n_users)),
            tf.constant(_rarity(dataset.train.item, dataset.n_items)),
        ]
        size = structure.embedding_size
        self.task = tfrs.tasks.Ranking(
            loss=tf.keras.losses.MeanSquaredError(),
            metrics=[tf.keras.metrics.RootMeanSquaredError()],
        )
        self.user_embedding, self.item_embedding = (
            tf.keras.layers.Embedding(n + 1, size, embeddings_initializer=UnknownAtZero())
            for n in (dataset.n_users, dataset.n_items)
        )
        self.side_features = SideFeatures(dataset, size) if structure.side_features else None
        self.biases = (
            [
                tf.keras.layers.Embedding(n + 1, 1, embeddings_initializer="zeros")
                for n in (dataset.n_users, dataset.n_items)
            ]
            if structure.biases
            else []
        )
        self.output_layer = tf.keras.layers.Dense(
            1, bias_initializer=tf.keras.initializers.Constant(dataset.train_mean / self.unit)
        )

    @abc.abstractmethod
    def network(self, features: Tensor, noise: StepNoise | None) -> Tensor:
        """From (n_rows, width) to what the linear output sees; with noise while training."""

    @abc.abstractmethod
    def kernels(self) -> Sequence[Tensor]:
        """The kernels that `dense_l2` penalises."""

    def rating(self, network: Tensor) -> Tensor:
        """From what the network gives to ratings in `unit`, (n_rows, 1), before the biases."""
        return applied(self.output_layer, network)

    def penalties(self) -> Sequence[Tensor]:
        """Further terms of the loss while training, of the network's last call."""
        return ()

    def statistics(self) -> Sequence[Any]:
        """Variables that training changes without a gradient."""
        return ()

    def check(self, inputs: Inputs, is_trained: bool) -> None:
        """Raises ModelError where the network's outputs cannot be those of a model.

        Args:
            is_trained: after an epoch of training; else with fresh weights.
        """

    @property
    def trained_variables(self) -> list[Any]:
        """All that training changes, those with a gradient first."""
        return [without_cast(v) for v in (*self.trainable_variables, *self.statistics())]

    @property
    def tables(self) -> list[Any]:
        """The variables with a row an id: users, items, and where there are biases theirs."""
        return [
            layer.embeddings for layer in (self.user_embedding, self.item_embedding, *self.biases)
        ]

    def ids(self, inputs: Inputs, noise: StepNoise | None = None) -> list[Tensor]:
        """The row of each of `tables` that belongs to each of the inputs."""
        pair = [inputs["user"], inputs["item"]]
        if noise is not None:
            pair = [
                noise.some_unknown(ids, rate)
                for ids, rate in zip(pair, ("user_oov_rate", "item_oov_rate"), strict=True)
            ]
        return pair * (2 if self.biases else 1)

    def call(self, inputs: Inputs, training: bool = False) -> Tensor:  # noqa: ARG002  # Keras's
        """Ratings in stars, not clipped, shape (n_rows,); without noise."""
        return self.ratings(self.rows(self.ids(inputs)), inputs)

    def compute_loss(self, inputs: Inputs, training: bool = False) -> Tensor:  # noqa: ARG002
        """The mean squared error by Keras, whose metric hears of it; without noise."""
        return self.task(inputs["rating"], self(inputs))

    def ratings(
        self, rows: Sequence[Tensor], inputs: Inputs, noise: StepNoise | None = None
    ) -> Tensor:
        """Ratings, shape (n_rows,), from the rows of the tables."""
        features = self._concatenated(rows[:2], inputs)
        if noise is not None:
            features = noise.dropped(features, "input_dropout")
        ratings = self.rating(self.network(features, noise))
        # Not `add_n`: from three terms on the order in which it adds them up is left to chance.
        for bias in rows[2:]:
            ratings += bias
        if self.unit != 1:
            ratings *= self.unit
        return tf.squeeze(ratings, axis=1)

    def training_penalties(
        self,
        rows: Sequence[Tensor],
        ids: Sequence[Tensor],
        inputs: Inputs,
        numbers: Mapping[str, Tensor],
    ) -> list[Tensor]:
        """The terms of the loss beside the squared errors.

        Args:
            inputs: with the `weight` of each row: what it counts for in a mean.
            numbers: the numeric hyperparameters.

        An id that noise has replaced by the unknown one is not penalised.
        """
        terms = list(self.penalties())
        if "embedding_l2" in self._structure.active:
            roots = [
                tf.sqrt(inputs["weight"] * tf.gather(rarity, ids_of))[:, tf.newaxis]
                for rarity, ids_of in zip(self._rarities, ids[:2], strict=True)
            ]
            squares = [tf.nn.l2_loss(row * roots[i % 2]) for i, row in enumerate(rows)]
            terms.append(2.0 * numbers["embedding_l2"] * tf.add_n(squares))
        if "dense_l2" in self._structure.active and (kernels := self.kernels()):
            squares = [tf.nn.l2_loss(kernel) for kernel in kernels]
            terms.append(2.0 * numbers["dense_l2"] * tf.add_n(squares))
        return terms

    def features(self, inputs: Inputs) -> Tensor:
        """What the network is given, without noise, shape (n_rows, width)."""
        return self._concatenated(self.rows(self.ids(inputs))[:2], inputs)

    def rows(self, ids: Sequence[Tensor]) -> list[Tensor]:
        """The rows of `tables`."""
        # By the layers, which make their tables when they are first called.
        layers = (self.user_embedding, self.item_embedding, *self.biases)
        return [layer(ids_of) for layer, ids_of in zip(layers, ids, strict=True)]

    def _concatenated(self, embedded: Sequence[Tensor], inputs: Inputs) -> Tensor:
        side = [] if self.side_features is None else self.side_features.call(inputs)
        return tf.concat([*embedded, *side], axis=1)


class UnknownAtZero(tf.keras.initializers.RandomUniform):
    """Keras's start of embeddings, but row 0, the unknown id, starts at the mean of the others.

    Where training never meets unknown ids it stays there; a random row would move the ratings of
    all unseen users together, by another amount for every seed.
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        values = super().__call__(shape, dtype=dtype, **kwargs)
        return tf.concat([tf.zeros_like(values[:1]), values[1:]], axis=0)


class SideFeatures(tf.keras.layers.Layer):
    """Features of item, user and moment; known for items and users whose ratings are not."""

    def __init__(self, dataset: EncodedDataset, embedding_size: int) -> None:
        super().__init__()
        tables = dataset.side_tables.values()
        self._words = [
            (tf.constant(_mean_of_words(t)), t.index) for t in tables if t.kind != "number"
        ]
        self._numbers = [(tf.constant(t.matrix), t.index) for t in tables if t.kind == "number"]
        self._has_context = bool(dataset.context_columns)
        self._embeddings = [
            tf.keras.layers.Dense(embedding_size, use_bias=False, kernel_initializer="uniform")
            for _ in self._words
        ]

    def call(self, inputs: Inputs) -> list[Tensor]:
        """The mean embedding of the words for each word feature, then the numbers."""
        embedded = [
            applied(embedding, tf.gather(words, inputs[index]))
            for (words, index), embedding in zip(self._words, self._embeddings, strict=True)
        ]
        plain = [tf.gather(numbers, inputs[index]) for numbers, index in self._numbers]
        context = [inputs["context"]] if self._has_context else []
        return [*embedded, *plain, *context]


class DenseStack(tf.keras.layers.Layer):
    """Dense layers with one activation, each followed by dropout."""

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self.layers = [
            tf.keras.layers.Dense(
                size,
                activation=structure.activation,
                kernel_initializer=structure.kernel_initializer,
            )
            for size in structure.layer_sizes
        ]

    def call(self, features: Tensor, noise: StepNoise | None = None) -> Tensor:
        for layer in self.layers:
            features = applied(layer, features)
            if noise is not None:
                features = noise.dropped(features, "dropout")
        return features

    def kernels(self) -> list[Tensor]:
        return [layer.kernel for layer in self.layers]


def applied(layer: Layer, *inputs: Tensor) -> Tensor:
    """What a layer gives. Once it is built, without Keras's `__call__`: that costs more to trace
    than the layer does."""
    return layer.call(*inputs) if layer.built else layer(*inputs)


def without_cast(variable: Any) -> Any:
    """The variable itself, where a layer of mixed precision holds one that it casts."""
    return getattr(variable, "_variable", variable)


def _rarity(ids: Ints, n_ids: int) -> Floats:
    """How much rarer than the average id each is in train; 0 for the unknown one.

    So weighted, the mean over train rows of a penalty is its mean over ids, and a batch, which
    gives gradients to its own rows only, estimates that without bias.
    """
    counts = np.bincount(ids, minlength=n_ids + 1)
    weights = len(ids) / n_ids / np.maximum(counts, 1)
    weights[0] = 0
    return weights.astype(np.float32)


def _mean_of_words(table: SideTable) -> Floats:
    n_words: Floats = np.maximum(table.matrix.sum(axis=1, keepdims=True), 1)
    return table.matrix / n_words
