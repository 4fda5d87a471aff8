"""Embeddings, a dense stack, a rating."""

from __future__ import annotations

from collections.abc import Sequence

from recommender.architectures.blocks import DenseStack, RankingModel, StepNoise, Structure, Tensor
from recommender.datasets.encoded import EncodedDataset


class PlainRanking(RankingModel):
    """The two-embedding ranking model of the TensorFlow Recommenders tutorials."""

    def __init__(self, structure: Structure, dataset: EncodedDataset) -> None:
        super().__init__(structure, dataset)
        self.stack = DenseStack(structure)

    def network(self, features: Tensor, noise: StepNoise | None) -> Tensor:
        return self.stack.call(features, noise)

    def kernels(self) -> Sequence[Tensor]:
        return self.stack.kernels()
