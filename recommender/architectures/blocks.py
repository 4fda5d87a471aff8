"""What the architectures share: embeddings, side features, biases, noise, penalties, the loss.

All that is random while training is drawn statelessly from `inputs["key"]`, a tensor, so that one
traced graph serves every seed. All numeric hyperparameters are variables, so that it serves every
learning rate, dropout and penalty too.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from recommender.config import RankingConfig
from recommender.datasets.base import EncodedDataset, Floats, Ints, ItemTable
from recommender.own import OwnArchitecture, Value
from recommender.runtime import tf, tfrs

Tensor = Any
Layer = Any
Inputs = Mapping[str, Tensor]
"""`user`, `item`, `catalog` (n_rows,), `context` (n_rows, n_context), for the loss `rating`
(n_rows,), and while training `key`: (trial seed, step), two int32."""

NUMERIC = (
    "learning_rate",
    "weight_decay",
    "dropout",
    "input_dropout",
    "embedding_l2",
    "dense_l2",
    "user_oov_rate",
    "item_oov_rate",
)
"""The hyperparameters that a traced graph reads from variables."""

_INITIALISERS = {"tanh": "glorot_uniform", "selu": "lecun_normal"}
_USER_OOV, _ITEM_OOV, _INPUT_DROPOUT, _DROPOUT = 1, 2, 3, 16


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
    cross_layers: int
    cross_rank: int
    cross_placement: str
    own: OwnArchitecture | None
    own_arguments: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, config: RankingConfig) -> Self:
        values = {field.name: getattr(config, field.name) for field in fields(cls)}
        if config.architecture != "dcn":
            values |= {"cross_layers": 0, "cross_rank": 0, "cross_placement": "stacked"}
        if config.kernel_initializer == "activation":
            values["kernel_initializer"] = _INITIALISERS.get(config.activation, "he_uniform")
        if config.own is not None:
            values |= {"layer_sizes": (), "activation": "", "kernel_initializer": ""}
        return cls(**values)


class Knobs:
    """The numeric hyperparameters as variables; no Keras object, so that none tracks them."""

    def __init__(self) -> None:
        for name in NUMERIC:
            setattr(self, name, tf.Variable(0.0, trainable=False, name=name))

    def set(self, config: RankingConfig) -> None:
        for name in NUMERIC:
            getattr(self, name).assign(getattr(config, name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no numeric hyperparameter {name!r}")


class RankingModel(tfrs.Model, abc.ABC):
    """Predicts a rating in stars from a user, an item and what is known about both.

    Subclasses say what lies between the concatenated features and the linear output.
    """

    def __init__(self, structure: Structure, dataset: EncodedDataset, knobs: Knobs) -> None:
        super().__init__()
        self._knobs = knobs
        self._user_weights = tf.constant(_rarity(dataset.train.user, dataset.n_users))
        self._item_weights = tf.constant(_rarity(dataset.train.item, dataset.n_items))
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
            1, bias_initializer=tf.keras.initializers.Constant(dataset.train_mean)
        )

    @abc.abstractmethod
    def network(self, features: Tensor, key: Tensor | None) -> Tensor:
        """From (n_rows, width) to what the linear output sees; with noise where `key` is given."""

    @abc.abstractmethod
    def kernels(self) -> Sequence[Tensor]:
        """The kernels that `dense_l2` penalises."""

    def rating(self, network: Tensor) -> Tensor:
        """From what the network gives to ratings, shape (n_rows, 1), before the biases."""
        return self.output_layer(network)

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
        return [*self.trainable_variables, *self.statistics()]

    def call(self, inputs: Inputs, training: bool = False) -> Tensor:
        """Ratings in stars, not clipped, shape (n_rows,)."""
        return self._forward(inputs, training)[0]

    def compute_loss(self, inputs: Inputs, training: bool = False) -> Tensor:
        """Mean squared error; while training, with the penalties."""
        ratings, penalty = self._forward(inputs, training)
        loss = self.task(inputs["rating"], ratings, compute_metrics=not training)
        if not training:
            return loss
        loss += self._knobs.embedding_l2 * penalty
        if kernels := self.kernels():
            dense_penalty = 2.0 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
            loss += self._knobs.dense_l2 * dense_penalty
        if penalties := self.penalties():
            loss += tf.add_n(penalties)
        return loss

    def _forward(self, inputs: Inputs, training: bool) -> tuple[Tensor, Tensor | None]:
        """The ratings, and while training the penalty on the embeddings that went into them."""
        key = inputs["key"] if training else None
        user = self._some_unknown(inputs["user"], self._knobs.user_oov_rate, key, _USER_OOV)
        item = self._some_unknown(inputs["item"], self._knobs.item_oov_rate, key, _ITEM_OOV)
        users, items = [self.user_embedding(user)], [self.item_embedding(item)]
        concatenated = dropped(
            self._concatenated([*users, *items], inputs),
            self._knobs.input_dropout,
            key,
            _INPUT_DROPOUT,
        )
        ratings = self.rating(self.network(concatenated, key))
        if self.biases:
            user_bias, item_bias = self.biases
            users.append(user_bias(user))
            items.append(item_bias(item))
            ratings += users[-1] + items[-1]
        ratings = tf.squeeze(ratings, axis=1)
        if not training:
            return ratings, None
        return ratings, tf.reduce_mean(
            _squares(users) * tf.gather(self._user_weights, user)
            + _squares(items) * tf.gather(self._item_weights, item)
        )

    def features(self, inputs: Inputs) -> Tensor:
        """What the network is given, without noise, shape (n_rows, width)."""
        embedded = [self.user_embedding(inputs["user"]), self.item_embedding(inputs["item"])]
        return self._concatenated(embedded, inputs)

    def _concatenated(self, embedded: list[Tensor], inputs: Inputs) -> Tensor:
        side = [] if self.side_features is None else self.side_features(inputs)
        return tf.concat([*embedded, *side], axis=1)

    @staticmethod
    def _some_unknown(ids: Tensor, rate: Tensor, key: Tensor | None, purpose: int) -> Tensor:
        """Trains the row of unknown ids: a share of the ids is replaced by it."""
        if key is None:
            return ids
        draws = tf.random.stateless_uniform(tf.shape(ids), key_for(key, purpose))
        return tf.where(draws < rate, tf.zeros_like(ids), ids)


class UnknownAtZero(tf.keras.initializers.RandomUniform):
    """Keras's start of embeddings, but row 0, the unknown id, starts at the mean of the others.

    Where training never meets unknown ids it stays there; a random row would move the ratings of
    all unseen users together, by another amount for every seed.
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        values = super().__call__(shape, dtype=dtype, **kwargs)
        return tf.concat([tf.zeros_like(values[:1]), values[1:]], axis=0)


class SideFeatures(tf.keras.layers.Layer):
    """Features of the item and of the moment; known for items whose ratings are not."""

    def __init__(self, dataset: EncodedDataset, embedding_size: int) -> None:
        super().__init__()
        tables = dataset.item_tables.values()
        self._words = [tf.constant(_mean_of_words(t)) for t in tables if t.kind != "number"]
        self._numbers = [tf.constant(t.matrix) for t in tables if t.kind == "number"]
        self._has_context = bool(dataset.context_columns)
        self._embeddings = [
            tf.keras.layers.Dense(embedding_size, use_bias=False, kernel_initializer="uniform")
            for _ in self._words
        ]

    def call(self, inputs: Inputs) -> list[Tensor]:
        """The mean embedding of an item's words for each word feature, then the numbers."""
        catalog = inputs["catalog"]
        embedded = [
            embedding(tf.gather(words, catalog))
            for words, embedding in zip(self._words, self._embeddings, strict=True)
        ]
        plain = [tf.gather(numbers, catalog) for numbers in self._numbers]
        context = [inputs["context"]] if self._has_context else []
        return [*embedded, *plain, *context]


class DenseStack(tf.keras.layers.Layer):
    """Dense layers with one activation, each followed by dropout."""

    def __init__(self, structure: Structure, knobs: Knobs) -> None:
        super().__init__()
        self._knobs = knobs
        self.layers = [
            tf.keras.layers.Dense(
                size,
                activation=structure.activation,
                kernel_initializer=structure.kernel_initializer,
            )
            for size in structure.layer_sizes
        ]

    def call(self, features: Tensor, key: Tensor | None = None) -> Tensor:
        for i, layer in enumerate(self.layers):
            features = dropped(layer(features), self._knobs.dropout, key, _DROPOUT + i)
        return features

    def kernels(self) -> list[Tensor]:
        return [layer.kernel for layer in self.layers]


def key_for(key: Tensor, purpose: int) -> Tensor:
    """A key of its own for each purpose within a step."""
    return key + tf.constant([purpose, 0])


def dropped(features: Tensor, rate: Tensor, key: Tensor | None, purpose: int) -> Tensor:
    """Dropout; the features as they are where there is no key."""
    if key is None:
        return features
    return tf.nn.experimental.stateless_dropout(features, rate, key_for(key, purpose))


def _squares(rows: Sequence[Tensor]) -> Tensor:
    """Squared norm of each row, over all its parts."""
    return tf.reduce_sum(tf.square(tf.concat(rows, axis=1)), axis=1)


def _rarity(ids: Ints, n_ids: int) -> Floats:
    """How much rarer than the average id each is in train; 0 for the unknown one.

    So weighted, the mean over train rows of a penalty is its mean over ids, and a batch, which
    gives gradients to its own rows only, estimates that without bias.
    """
    counts = np.bincount(ids, minlength=n_ids + 1)
    weights = len(ids) / n_ids / np.maximum(counts, 1)
    weights[0] = 0
    return weights.astype(np.float32)


def _mean_of_words(table: ItemTable) -> Floats:
    return table.matrix / np.maximum(table.matrix.sum(axis=1, keepdims=True), 1)
