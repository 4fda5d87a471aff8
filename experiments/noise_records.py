"""How far other validation users would move a difference of RMSE, as the study folder keeps it.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.files import read_record

NOISE_NAME = "noise.json"


@dataclass(frozen=True, slots=True)
class NoiseRecord:
    """Standard deviations over draws of as many other users, of differences between two RMSE."""

    of_trials: float
    """Of two of the best trials: the median over all pairs."""
    n_trials: int
    """So many of the best, at least two."""
    of_baselines: Mapping[str, float]
    """Of the best trial and a baseline, by its name."""


def read_noise(folder: Path) -> NoiseRecord | None:
    """None until a driver ended, and where its trials or users were too few.

    Raises:
        StateError: the file is damaged; names it.
    """
    return read_record(folder / NOISE_NAME, lambda plain: NoiseRecord(**plain), "noise")
