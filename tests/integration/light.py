"""A model without TensorFlow, for sweeps where what happens around a model is what is tried.

Their workers start in a quarter of the time. A fiftieth of a second an epoch, asleep, leaves the
cores to those who watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.sweep import SweepConfig
from recsweep import Choice, Float, Sweep, space
from tests.synthetic import ratings_table

MODELS = '''
import time

import numpy as np


class Light:
    """Draws what it rates an item, and then sleeps."""

    def __init__(self, data, *, spread=0.1):
        self.mean, self.n_epochs = data.train_mean, 0
        self.by_item = np.random.normal(0, spread, data.n_items + 1)

    def fit_epoch(self):
        time.sleep(0.02)
        self.n_epochs += 1

    def predict(self, rows):
        return self.mean + self.by_item[rows.item] * (1 + self.n_epochs / 1000)

    def save(self, folder):
        np.savez(folder / "state.npz", by_item=self.by_item, n_epochs=self.n_epochs)

    def load(self, folder):
        with np.load(folder / "state.npz") as state:
            self.by_item, self.n_epochs = state["by_item"], int(state["n_epochs"])


class Feather(Light):
    """The same for a second arm."""
'''


def light_sweep(
    folder: Path,
    ratings: Path,
    name: str = "light",
    models: Sequence[str] = ("Light",),
    **search: Any,
) -> SweepConfig:
    """A sweep of models that are written to `folder`; its trials are far too long to end, unless
    it is told otherwise."""
    (folder / "light.py").write_text(MODELS)
    return Sweep(
        name=name,
        dataset=ratings_table(ratings),
        space=space(
            architecture=Choice([f"{folder}/light.py:{model}" for model in models]),
            spread=Float(0.05, 0.2),
        ),
        compare="architecture" if len(models) > 1 else None,
        **{"trials": 2, "max_epochs": 100_000, "patience": 0, "pruner": "none", **search},
    )
