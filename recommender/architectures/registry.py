"""The architectures that we ship, by the name a sweep gives them."""

from __future__ import annotations

from collections.abc import Callable

from recommender.architectures.blocks import RankingModel, Structure
from recommender.architectures.dcn import DcnRanking
from recommender.architectures.plain import PlainRanking
from recommender.datasets.encoded import EncodedDataset

ARCHITECTURES: dict[str, Callable[[Structure, EncodedDataset], RankingModel]] = {
    "plain": PlainRanking,
    "dcn": DcnRanking,
}
