"""How many numbers a model of ours trains, counted without building it, and a plain one as large.

NumPy and the standard library only: the driver counts without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from recommender.config import RankingConfig
from recommender.datasets.encoded import EncodedDataset

_MAX_WIDTH = 1 << 16
_NEAR = 2
"""Widths of the widest layer that are tried on either side, each with the last that fits best."""


def feature_widths(config: RankingConfig, dataset: EncodedDataset) -> dict[str, int]:
    """Features in the order in which the network sees them, and how many inputs each has."""
    widths = dict.fromkeys(("user_id", "item_id"), config.embedding_size)
    if not config.side_features:
        return widths
    tables = dataset.side_tables
    widths |= {n: config.embedding_size for n, table in tables.items() if table.kind != "number"}
    widths |= {n: len(table.columns) for n, table in tables.items() if table.kind == "number"}
    for column in dataset.context_columns:
        feature = column.rpartition("_")[0]
        widths[feature] = widths.get(feature, 0) + 1
    return widths


def n_parameters(config: RankingConfig, dataset: EncodedDataset) -> int:
    """Trainable numbers of a `plain` or `dcn` model."""
    assert config.own is None, "what an architecture of one's own trains is known once it is built"
    width = sum(feature_widths(config, dataset).values())
    total = n_of_ids(config, dataset)
    if config.side_features:
        tables = dataset.side_tables.values()
        n_words = sum(len(table.columns) for table in tables if table.kind != "number")
        total += n_words * config.embedding_size
    sizes = (width, *config.layer_sizes)
    total += _between(sizes)
    n_outputs = sizes[-1]
    if config.architecture == "dcn":
        kernel = 2 * width * config.cross_rank if config.cross_rank else width * width
        total += config.cross_layers * (kernel + width)
        if config.cross_placement == "parallel":
            n_outputs += width
    return total + n_outputs + 1


def n_of_ids(config: RankingConfig, dataset: EncodedDataset) -> int:
    """Those of them in the tables with a row a user or item."""
    return (dataset.n_users + dataset.n_items + 2) * (config.embedding_size + config.biases)


def plain_as_large(config: RankingConfig, dataset: EncodedDataset) -> RankingConfig:
    """The `plain` model that trains as many numbers as this `dcn` one, as nearly as possible.

    All else is the same; every dense layer is wider by one factor, the last one to the number.

    Raises:
        ValueError: the model has no dense layer that could be wider.
    """
    if not config.layer_sizes:
        raise ValueError("a model without dense layers has none to widen")
    target = n_parameters(config, dataset)
    widest = max(config.layer_sizes)

    def of(sizes: Sequence[int]) -> RankingConfig:
        return replace(config, architecture="plain", layer_sizes=tuple(sizes))

    def scaled(width: int) -> list[int]:
        return [max(1, round(size * width / widest)) for size in config.layer_sizes]

    def off(sizes: Sequence[int]) -> int:
        return n_parameters(of(sizes), dataset) - target

    low, high = widest, _MAX_WIDTH
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if off(scaled(middle)) <= 0 else (low, middle - 1)
    candidates = []
    for width in range(max(1, low - _NEAR), min(_MAX_WIDTH, low + _NEAR) + 1):
        sizes = scaled(width)
        one_more = off([*sizes[:-1], sizes[-1] + 1]) - off(sizes)
        sizes[-1] = min(_MAX_WIDTH, max(1, sizes[-1] - round(off(sizes) / one_more)))
        candidates.append(sizes)
    return of(min(candidates, key=lambda sizes: abs(off(sizes))))


def _between(sizes: Sequence[int]) -> int:
    """Kernels and biases of dense layers of these widths, the input's first."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
