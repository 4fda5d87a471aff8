"""How far each trial of the search was off for each validation user: the evidence of its luck.

The best of many trials is too good on the users who chose it; how much shows when other users of
them choose (`reports.optimism`). Four bytes a user, kept for every trial that was trained to its
end, long after its predictions are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.records import TrialRecord
from recommender.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from recommender.datasets.base import EncodedDataset

Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]


def write_errors(trial_folder: Path, predicted: Floats, encoded: EncodedDataset) -> None:
    """Keep the squared errors of a trial's best epoch, summed over each user's validation rows."""
    codes, n_users = _codes(encoded)
    squares = (predicted.astype(np.float64) - encoded.validation.rating) ** 2
    sums = np.bincount(codes, squares, n_users).astype(np.float32)
    write_checkpoint(_place(trial_folder), {"sums": sums}, {})


def read_errors(
    folder: Path, trials: Iterable[TrialRecord], encoded: EncodedDataset
) -> tuple[Floats, Counts]:
    """Sums of squared errors, (n_trials, n_users), and the rows of each user.

    Trials whose errors are missing (they are older than this record) or damaged are left out.
    """
    codes, n_users = _codes(encoded)
    places = [_place(folder / "trials" / trial.name) for trial in trials]
    rows, n_rows = np.empty((len(places), n_users)), 0
    for place in places:
        try:
            sums = read_checkpoint(place)[0]["sums"]
        except (CheckpointError, KeyError):
            continue
        if sums.shape == (n_users,):
            rows[n_rows] = sums
            n_rows += 1
    return rows[:n_rows], np.bincount(codes, minlength=n_users)


def _place(trial_folder: Path) -> Path:
    return trial_folder / "errors"


def _codes(encoded: EncodedDataset) -> tuple[npt.NDArray[np.intp], int]:
    """For each validation row the number of its user, counted from 0; and how many users."""
    users, codes = np.unique(encoded.validation_users, return_inverse=True)
    return codes, len(users)
