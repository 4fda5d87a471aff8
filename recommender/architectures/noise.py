"""The noise of training: dropout, and ids replaced by the unknown one.

Each number that may be dropped gets a byte, which is compared with a threshold: the rate times 256,
rounded up or down by chance anew each step, so that the share that is dropped is the rate on
average and not its nearest 256th.

The bytes of a step are two windows of random words, one XORed with the other. Drawing all of them
anew would take a tenth of a small model's step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from recommender.datasets.encoded import Floats
from recommender.runtime import tf

Tensor = Any
Sizes = Mapping[str, Sequence[int]]
"""By the name of a rate, how many numbers it may drop in a step, each time that it is asked for."""

_UNIT_WORDS = 8
_UNIT_BYTES = 64
"""A window moves by so much, and each piece of it takes a multiple: aligned, it is not copied."""


def noise_numbers(rates: Mapping[str, float], n_steps: int, seed: int) -> dict[str, Floats]:
    """What dropping takes beside random bytes, a number a step, by the names `EpochNoise` uses."""
    rng = np.random.default_rng(seed)
    numbers: dict[str, Floats] = {}
    for name, rate in rates.items():
        numbers[_threshold(name)] = np.floor(rate * 256 + rng.random(n_steps)).astype(np.float32)
        numbers[_scale(name)] = np.full(n_steps, 1 / (1 - rate), np.float32)
    return numbers


class EpochNoise:
    """Random words from which the steps of an epoch, or of a chunk of one, take theirs: two halves.

    A step's window moves forwards in one half and backwards in the other. Within a step all bits
    are independent, and so are those of any two steps, which shift their windows by different
    distances.

    Args:
        seed: of the trial, int32, not negative.
        first_step: its number, int32.
        n_steps: int32.
        sizes: of the rates that are not 0.
    """

    def __init__(self, seed: Tensor, first_step: Tensor, n_steps: Tensor, sizes: Sizes) -> None:
        self._seed, self._first_step = seed, first_step
        self._sizes = sizes
        self._units = {
            name: [-(-size // _UNIT_BYTES) for size in of_rate] for name, of_rate in sizes.items()
        }
        if not sizes:
            return
        self._n_words = _UNIT_WORDS * sum(sum(units) for units in self._units.values())
        n_half = self._n_words + _UNIT_WORDS * n_steps
        # The key of a step holds the seed itself.
        key = tf.stack([-1 - seed, first_step])
        self._words = tf.random.stateless_uniform([2 * n_half], key, None, None, tf.int64)
        self._last_window = 2 * n_half - self._n_words

    def of_step(self, i: Tensor, numbers: Mapping[str, Tensor]) -> Noise:
        """What a step draws.

        Args:
            i: how many steps of the epoch were before it, int32.
            numbers: of the step, as `noise_numbers` gives them.
        """
        masks: dict[str, list[tuple[Tensor, int]]] = {}
        words = self._drawn(i) if self._sizes else None
        start = 0
        for name, units in self._units.items():
            n_words = _UNIT_WORDS * sum(units)
            drawn = tf.bitcast(tf.slice(words, [start], [n_words]), tf.uint8)
            start += n_words
            is_kept = drawn >= tf.cast(numbers[_threshold(name)], tf.uint8)
            mask = tf.cast(is_kept, tf.float32) * numbers[_scale(name)]
            mask = tf.reshape(mask, [-1, _UNIT_BYTES])
            pieces = tf.split(mask, units) if len(units) > 1 else [mask]
            masks[name] = list(zip(pieces, self._sizes[name], strict=True))
        return Noise(lambda: tf.stack([self._seed, self._first_step + i]), masks)

    def _drawn(self, i: Tensor) -> Tensor:
        moved = _UNIT_WORDS * i
        first, second = (
            tf.slice(self._words, [start], [self._n_words])
            for start in (moved, self._last_window - moved)
        )
        return tf.bitwise.bitwise_xor(first, second)


class Noise:
    """What one step draws.

    Args:
        key: for what is drawn elsewhere: trial seed and number of the step, two int32.
        masks: by name of the rate: 0 for each number that is dropped, 1 / (1 - rate) for the
            others, and how many of them count; what is asked for under another name stays as it is.
    """

    def __init__(
        self, key: Callable[[], Tensor], masks: Mapping[str, list[tuple[Tensor, int]]]
    ) -> None:
        self._key = key
        self._masks = masks

    @property
    def key(self) -> Tensor:
        return self._key()

    def dropped(self, features: Tensor, rate: str) -> Tensor:
        """Dropout: zeros for a share of the numbers, the others scaled so that the mean stays."""
        if rate not in self._masks:
            return features
        return features * tf.cast(self._mask(features, rate), features.dtype)

    def some_unknown(self, ids: Tensor, rate: str) -> Tensor:
        """Trains the row of unknown ids: a share of the ids becomes 0."""
        if rate not in self._masks:
            return ids
        return ids * tf.cast(self._mask(ids, rate) > 0, ids.dtype)

    def _mask(self, values: Tensor, rate: str) -> Tensor:
        mask, size = self._masks[rate].pop(0)
        if mask.shape.num_elements() != size:
            mask = tf.reshape(mask, [-1])[:size]
        return tf.reshape(mask, values.shape)


class CountedNoise:
    """Stands where a step has its noise, and finds how much of it there will be."""

    def __init__(self, rates: Collection[str]) -> None:
        self.key = tf.zeros([2], tf.int32)
        self.sizes: dict[str, list[int]] = {}
        self._rates = rates

    def dropped(self, features: Tensor, rate: str) -> Tensor:
        if rate in self._rates:
            self.sizes.setdefault(rate, []).append(features.shape.num_elements())
        return features

    def some_unknown(self, ids: Tensor, rate: str) -> Tensor:
        return self.dropped(ids, rate)


def _threshold(rate: str) -> str:
    return f"{rate}_threshold"


def _scale(rate: str) -> str:
    return f"{rate}_scale"
