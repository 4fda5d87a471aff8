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


def write_noise(study: StudyRecord, encoded: EncodedDataset, baselines: Sequence[Baseline]) -> None:
    """Keep how far other users would move the differences of the best models; nothing where fewer
    than two models or ten users tell it."""
    sums, counts = read_errors(study.folder, study.ranked_models[:N_BEST], encoded)
    if len(sums) < 2 or len(counts) < MIN_USERS:
        return
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
