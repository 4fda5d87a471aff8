"""What the cross layers of a DCN cross: how large the blocks of their kernels are, by feature.

NumPy only. Wang et al. 2020, "DCN V2", section 6.7 and figure 6: in `x0 * (W x + b)` the block
(i, j) of `W` says how feature i of the input is multiplied with feature j of what comes in. Beside
its norm stands what a reader needs to believe it: the norm that the random start gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class CrossLayer:
    """Frobenius norms by block: a row a feature of the input, a column one of what comes in."""

    trained: Matrix
    start: Matrix
    """Of the random weights that training began with."""
    moved: Matrix
    """Of the difference between both."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """The cross layers of one trained model."""

    features: tuple[str, ...]
    widths: tuple[int, ...]
    """Of each feature: so many inputs of the network are it."""
    layers: tuple[CrossLayer, ...]


def crossing_of(
    widths: Mapping[str, int], trained: Sequence[Array], start: Sequence[Array]
) -> Crossing:
    """The blocks of these kernels.

    Args:
        widths: of the features, in the order of the network's input.
        trained: a layer's `W` each, (width, width); where it is of low rank, the product.
        start: the same at the random start.
    """
    sizes = tuple(widths.values())
    layers = tuple(
        CrossLayer(
            trained=_block_norms(end, sizes),
            start=_block_norms(first, sizes),
            moved=_block_norms(end - first, sizes),
        )
        for end, first in zip(trained, start, strict=True)
    )
    return Crossing(tuple(widths), sizes, layers)


def _block_norms(kernel: Array, sizes: Sequence[int]) -> Matrix:
    assert kernel.shape == (sum(sizes), sum(sizes)), (kernel.shape, sizes)
    begins = np.cumsum((0, *sizes[:-1]))
    squares = np.asarray(kernel, np.float64) ** 2
    by_block = np.add.reduceat(np.add.reduceat(squares, begins, axis=0), begins, axis=1)
    return tuple(tuple(row) for row in np.sqrt(by_block).tolist())
