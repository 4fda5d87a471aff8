"""Embeddings, a dense stack, a rating."""

from __future__ import annotations

from collections.abc import Sequence

from recommender.architectures.blocks import DenseStack, Knobs, RankingModel, Structure, Tensor
from recommender.datasets.base import EncodedDataset


class PlainRanking(RankingModel):
    """The two-embedding ranking model of the TensorFlow Recommenders tutorials."""

    def __init__(self, structure: Structure, dataset: EncodedDataset, knobs: Knobs) -> None:
        super().__init__(structure, dataset, knobs)
        self.stack = DenseStack(structure, knobs)

    def network(self, features: Tensor, key: Tensor | None) -> Tensor:
        return self.stack(features, key=key)

    def kernels(self) -> Sequence[Tensor]:
        return self.stack.kernels()
