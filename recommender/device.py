"""A data set where the graphs need it: as tensors, once a process."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.runtime import tf
from recommender.train_sample import train_sample

if TYPE_CHECKING:
    from recommender.architectures.blocks import Structure
    from recommender.graph import RankingGraph

Tensors = dict[str, Any]

PREDICTION_ROWS = 16_384
"""Rows predicted at once; bounds the memory of an evaluation."""


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows to train on: two matrices, so that shuffling them takes two reads."""

    names: tuple[str, ...]
    ids: Any
    """`Rows.ids` by these names, shape (n_rows, len(names))."""
    values: Any
    """The context, then the rating, shape (n_rows, n_context + 1)."""

    @classmethod
    def of(cls, rows: Rows, id_type: Any) -> PackedRows:
        ids = np.stack(list(rows.ids.values()), axis=1)
        values = np.concatenate([rows.context, rows.rating[:, np.newaxis]], axis=1)
        return cls(tuple(rows.ids), tf.constant(ids, id_type), tf.constant(values, tf.float32))

    def in_batches(self, order: Any, weight: Any) -> Batches:
        """The rows in this order, as many batches of them as `weight` has rows."""
        size, n_context = weight.shape[1], self.values.shape[1] - 1
        values = tf.gather(self.values, order)
        # Apart already here: in a step, a GPU would send the ids through the host to take them so.
        ids = tf.reshape(tf.gather(self.ids, order), [-1, size, len(self.names)])
        return Batches(
            ids=dict(zip(self.names, tf.unstack(ids, axis=2), strict=True)),
            context=tf.reshape(values[:, :-1], [-1, size, n_context]),
            rating=tf.reshape(values[:, -1], [-1, size]),
            weight=weight,
        )


@dataclass(frozen=True, slots=True)
class Batches:
    """What the steps of an epoch train on, shapes (n_batches, batch_size, ...)."""

    ids: Tensors
    context: Any
    rating: Any
    weight: Any
    """What each row counts for in the mean over its batch."""

    def at(self, index: Any) -> Tensors:
        """One batch."""
        return {name: tf.gather(ids, index) for name, ids in self.ids.items()} | {
            "context": tf.gather(self.context, index),
            "rating": tf.gather(self.rating, index),
            "weight": tf.gather(self.weight, index),
        }


def peak_gpu_bytes() -> int | None:
    """GPU memory that this process's tensors held at their most; None where it has no GPU."""
    if not tf.config.list_logical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


class DeviceData:
    """The arrays of a data set as tensors, and the graphs traced over them."""

    def __init__(self, dataset: EncodedDataset) -> None:
        self.dataset = dataset
        # TensorFlow keeps int32 in the memory of the host, also where there is a GPU.
        self._ids = tf.int64 if tf.config.list_logical_devices("GPU") else tf.int32
        self.train = PackedRows.of(dataset.train, self._ids)
        self.validation = self.batches(dataset.validation)
        sample = train_sample(dataset.train)
        self.train_sample = self.batches(sample)
        self.train_sample_ratings = sample.rating
        self.graphs: OrderedDict[Structure, RankingGraph] = OrderedDict()
        """Kept by `recommender.graph.borrow_graph`, the last used at the end."""

    @property
    def signature(self) -> dict[str, Any]:
        """What a traced function of any number of rows, without ratings, is given."""
        return {name: tf.TensorSpec([None], self._ids) for name in self.dataset.train.ids} | {
            "context": tf.TensorSpec([None, len(self.dataset.context_columns)], tf.float32)
        }

    def batches(self, rows: Rows) -> list[Tensors]:
        """Rows, in order, in pieces that can be predicted at once."""
        return [
            self._tensors(rows, slice(start, start + PREDICTION_ROWS))
            for start in range(0, len(rows), PREDICTION_ROWS)
        ]

    def _tensors(self, rows: Rows, part: slice) -> Tensors:
        values = {"context": rows.context, "rating": rows.rating}
        return {name: tf.constant(a[part], self._ids) for name, a in rows.ids.items()} | {
            name: tf.constant(a[part], tf.float32) for name, a in values.items()
        }
