"""The train rows that `train_rmse` is evaluated on."""

from __future__ import annotations

import numpy as np

from recommender.datasets.encoded import Rows

TRAIN_SAMPLE_ROWS = 16_384
"""At most so many; a fixed sample where there are more."""


def train_sample(rows: Rows) -> Rows:
    if len(rows) <= TRAIN_SAMPLE_ROWS:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), TRAIN_SAMPLE_ROWS, replace=False)
    chosen.sort()
    return rows[chosen]
