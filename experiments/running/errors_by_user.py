"""How far each trial of the search was off for each validation user: the evidence of its luck.

The best of many trials is too good on the users who chose it; how much shows when other users of
them choose (`reports.judging.optimism`). How far two trials are apart is luck with these users,
too. Four bytes a user, kept for every trial that was trained to its end, long after its predictions
are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.files import write_json
from experiments.records import StudyRecord, TrialRecord
from experiments.records.derived_records import NOISE_NAME, NoiseRecord
from experiments.running.orders import predictions_folder
from recommender.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from recommender.datasets.encoded import EncodedDataset

if TYPE_CHECKING:
    from recommender.baselines import Baseline

Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]]

N_BEST = 10
"""Models whose differences are taken for those of equal models."""
MIN_USERS = 10
"""Fewer say too little of others."""


def write_errors(trial_folder: Path, predicted: Floats, encoded: EncodedDataset) -> None:
    """Keep the squared errors of a trial's best epoch, summed over each user's validation rows."""
    sums = _sums(predicted, encoded).astype(np.float32)
    write_checkpoint(_place(trial_folder), {"sums": sums}, {})


def read_errors(
    folder: Path, trials: Iterable[TrialRecord], encoded: EncodedDataset
) -> tuple[Floats, Counts] | None:
    """Sums of squared errors, (n_trials, n_users), and the rows of each user.

    From a trial's predictions where its errors did not travel along. None where one has neither:
    of the others alone other numbers would follow.
    """
    codes, n_users = _codes(encoded)
    trials = tuple(trials)
    rows = np.empty((len(trials), n_users))
    for i, trial in enumerate(trials):
        sums = _array(_place(folder / "trials" / trial.name), "sums", n_users)
        if sums is None:
            place = predictions_folder(folder, trial)
            predicted = _array(place, "predicted", len(encoded.validation))
            if predicted is None:
                return None
            sums = _sums(predicted, encoded).astype(np.float32)
        rows[i] = sums
    return rows, np.bincount(codes, minlength=n_users)


def write_noise(study: StudyRecord, encoded: EncodedDataset, baselines: Sequence[Baseline]) -> None:
    """Keep how far other users would move the differences of the best models; what was kept before
    stays where fewer than two models or ten users tell it, or one's errors are gone."""
    errors = read_errors(study.folder, study.ranked_models[:N_BEST], encoded)
    if errors is None or len(errors[0]) < 2 or len(errors[1]) < MIN_USERS:
        return
    sums, counts = errors
    of_baselines = {
        baseline.name: moved_by_users(
            sums[0], _sums(baseline.model(encoded.validation), encoded), counts
        )
        for baseline in baselines
    }
    pairs = [moved_by_users(one, other, counts) for one, other in combinations(sums, 2)]
    record = NoiseRecord(float(np.median(pairs)), len(sums), of_baselines)
    write_json(study.folder / NOISE_NAME, asdict(record))


def moved_by_users(one: Floats, other: Floats, counts: Counts) -> float:
    """The standard deviation of the difference of two models' RMSE over other draws of users.

    To first order it is the difference of their mean squared errors over twice their RMSE, a ratio
    of sums over users, who are drawn whole (Cochran 1977, chapter 6).

    Args:
        one: squared errors summed by user, shape (n_users,).
        other: those of the other model.
        counts: rows of each user.
    """
    n_users, n_rows = len(counts), counts.sum()
    apart = one - other
    rmse = np.sqrt((one + other).sum() / 2 / n_rows)
    if rmse == 0:
        return 0.0
    others = np.maximum(1 - counts / n_rows, 0.5)  # a user with many rows pulls the mean along
    moved = (apart - counts * apart.sum() / n_rows) / (2 * rmse * n_rows * others)
    return float(np.sqrt(n_users / (n_users - 1) * (moved**2).sum()))


def _array(place: Path, name: str, size: int) -> Floats | None:
    try:
        array = read_checkpoint(place)[0][name]
    except (CheckpointError, KeyError):
        return None
    return array if array.shape == (size,) else None


def _place(trial_folder: Path) -> Path:
    return trial_folder / "errors"


def _sums(predicted: Floats, encoded: EncodedDataset) -> Floats:
    """Squared errors of the validation rows, summed by user."""
    codes, n_users = _codes(encoded)
    squares = (predicted.astype(np.float64) - encoded.validation.rating) ** 2
    sums: Floats = np.bincount(codes, squares, n_users).astype(np.float64)
    return sums


def _codes(encoded: EncodedDataset) -> tuple[npt.NDArray[np.intp], int]:
    """For each validation row the number of its user, counted from 0; and how many users."""
    users, codes = np.unique(encoded.validation_users, return_inverse=True)
    return codes, len(users)
