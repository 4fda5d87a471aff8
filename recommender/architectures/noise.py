"""The noise of one training step: dropout, and ids replaced by the unknown one.

All of a step's noise is drawn at once, a byte for each number that may be dropped, and dealt out
in the order in which it is asked for. A byte is compared with a threshold: the rate times 256,
rounded up or down by chance anew each step, so that the share that is dropped is the rate on
average and not its nearest 256th. That costs a quarter of what drawing floats does, which was a
third of a small model's step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from recommender.runtime import tf

Tensor = Any


class Noise:
    """What one step draws under its key: (trial seed, step), two int32.

    Args:
        rates: the share dropped, by name; what is asked for under another name stays as it is.
        sizes: how many numbers may be dropped each time, as `CountedNoise` finds.
    """

    def __init__(self, key: Tensor, rates: Mapping[str, Tensor], sizes: Sequence[int]) -> None:
        self.key = key
        self._thresholds: dict[str, Tensor] = {}
        self._scales: dict[str, Tensor] = {}
        if not rates:
            return
        n_bytes = len(rates) + sum(sizes)
        words = tf.random.stateless_uniform([-(-n_bytes // 4)], key, None, None, tf.uint32)
        drawn = tf.reshape(tf.bitcast(words, tf.uint8), [-1])
        first, *self._pieces, _ = tf.split(drawn, [len(rates), *sizes, -n_bytes % 4])
        shares = tf.stack(list(rates.values()))
        roundings = (tf.cast(first, tf.float32) + 0.5) / 256.0
        thresholds = tf.cast(tf.floor(shares * 256.0 + roundings), tf.uint8)
        self._thresholds = dict(zip(rates, tf.unstack(thresholds), strict=True))
        self._scales = dict(zip(rates, tf.unstack(1.0 / (1.0 - shares)), strict=True))

    def dropped(self, features: Tensor, rate: str) -> Tensor:
        """Dropout: zeros for a share of the numbers, the others scaled so that the mean stays."""
        if rate not in self._thresholds:
            return features
        return features * (self._kept(features, rate) * tf.cast(self._scales[rate], features.dtype))

    def some_unknown(self, ids: Tensor, rate: str) -> Tensor:
        """Trains the row of unknown ids: a share of the ids becomes 0."""
        return ids * self._kept(ids, rate) if rate in self._thresholds else ids

    def _kept(self, values: Tensor, rate: str) -> Tensor:
        """0 for each value to drop, 1 for the others."""
        drawn = tf.reshape(self._pieces.pop(0), values.shape)
        return tf.cast(drawn >= self._thresholds[rate], values.dtype)


class CountedNoise:
    """Stands where a step has its noise, and finds how much of it there will be."""

    def __init__(self, rates: Collection[str]) -> None:
        self.key = tf.zeros([2], tf.int32)
        self.sizes: list[int] = []
        self._rates = rates

    def dropped(self, features: Tensor, rate: str) -> Tensor:
        if rate in self._rates:
            self.sizes.append(features.shape.num_elements())
        return features

    def some_unknown(self, ids: Tensor, rate: str) -> Tensor:
        return self.dropped(ids, rate)
