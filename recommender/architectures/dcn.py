"""Deep & Cross Network, version 2 (Wang et al. 2020)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from recommender.architectures.blocks import (
    DenseStack,
    RankingModel,
    StepNoise,
    Structure,
    Tensor,
    applied,
)
from recommender.datasets.encoded import EncodedDataset, Floats
from recommender.runtime import tf, tfrs


class DcnRanking(RankingModel):
    """Cross layers (eq. 1; with a rank, eq. 2) before or beside the dense stack (figure 1)."""

    def __init__(self, structure: Structure, dataset: EncodedDataset) -> None:
        super().__init__(structure, dataset)
        self._is_stacked = structure.cross_placement == "stacked"
        self.cross = [
            tfrs.layers.dcn.Cross(projection_dim=structure.cross_rank or None)
            for _ in range(structure.cross_layers)
        ]
        self.stack = DenseStack(structure)

    def network(self, features: Tensor, noise: StepNoise | None) -> Tensor:
        crossed = features
        for layer in self.cross:
            crossed = applied(layer, features, crossed)
        if self._is_stacked:
            return self.stack.call(crossed, noise)
        return tf.concat([crossed, self.stack.call(features, noise)], axis=1)

    def cross_kernels(self) -> list[Floats]:
        """`W` of each cross layer (eq. 1), shape (width, width); of low rank, the product."""
        kernels = []
        for layer in self.cross:
            parts = [w.numpy() for w in layer.trainable_weights if len(w.shape) > 1]
            # Keras multiplies from the right, the paper from the left.
            kernels.append(functools.reduce(np.matmul, parts).T)
        return kernels

    def kernels(self) -> Sequence[Tensor]:
        crosses = [w for layer in self.cross for w in layer.trainable_weights if len(w.shape) > 1]
        return [*crosses, *self.stack.kernels()]
