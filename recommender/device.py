"""A data set where the graphs need it: as tensors, once a process."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from recommender.datasets.base import EncodedDataset, Rows
from recommender.runtime import tf
from recommender.sampling import train_sample

if TYPE_CHECKING:
    from recommender.architectures.blocks import Structure
    from recommender.graph import RankingGraph

Tensors = dict[str, Any]

PREDICTION_ROWS = 16_384
"""Rows predicted at once; bounds the memory of an evaluation."""


class DeviceData:
    """The arrays of a data set as tensors, and the graphs traced over them."""

    def __init__(self, dataset: EncodedDataset) -> None:
        self.dataset = dataset
        # TensorFlow keeps int32 in the memory of the host, also where there is a GPU.
        self._ids = tf.int64 if tf.config.list_logical_devices("GPU") else tf.int32
        self.train = self._tensors(dataset.train, slice(None))
        self.validation = self.batches(dataset.validation)
        sample = train_sample(dataset.train)
        self.train_sample = self.batches(sample)
        self.train_sample_ratings = sample.rating
        self.graphs: OrderedDict[Structure, RankingGraph] = OrderedDict()
        """Kept by `recommender.graph.borrow_graph`, the last used at the end."""

    @property
    def signature(self) -> dict[str, Any]:
        """What a traced function of any number of rows, without ratings, is given."""
        shapes = {"user": [None], "item": [None], "catalog": [None]}
        return {name: tf.TensorSpec(shape, self._ids) for name, shape in shapes.items()} | {
            "context": tf.TensorSpec([None, len(self.dataset.context_columns)], tf.float32)
        }

    def batches(self, rows: Rows) -> list[Tensors]:
        """Rows, in order, in pieces that can be predicted at once."""
        return [
            self._tensors(rows, slice(start, start + PREDICTION_ROWS))
            for start in range(0, len(rows), PREDICTION_ROWS)
        ]

    def _tensors(self, rows: Rows, part: slice) -> Tensors:
        ids = {"user": rows.user, "item": rows.item, "catalog": rows.catalog}
        values = {"context": rows.context, "rating": rows.rating}
        return {name: tf.constant(a[part], self._ids) for name, a in ids.items()} | {
            name: tf.constant(a[part], tf.float32) for name, a in values.items()
        }
