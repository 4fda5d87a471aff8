"""What a trial's model predicts for the validation rows, row by row beside the ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.data.study_data import read_data
from experiments.errors import RequestError, StateError
from experiments.folder.folders import refuse_changed_data
from experiments.records import StudyRecord, TrialRecord
from experiments.request.frozen import frozen_sweep
from experiments.running.orders import predictions_folder
from experiments.running.replicas import SAME_RMSE, Replicas
from experiments.sweep import SweepConfig
from experiments.trials.choosing import trial_of
from recommender.checkpoints import CheckpointError, has_checkpoint, read_checkpoint
from recommender.datasets.encoded import EncodedDataset
from recommender.datasets.validation import load_with_validation

if TYPE_CHECKING:
    import pandas as pd

PREDICTION_COLUMNS = {
    "user": "The user's id, as in the data.",
    "item": "The item's id, as in the data.",
    "rating": "In stars.",
    "predicted": "By the model of the trial's best epoch, in stars, not clipped.",
    "time": "When it was rated (UTC); empty where the data has no times.",
    "user_is_known": "Whether the user has a rating in train.",
    "item_is_known": "Whether the item has a rating in train.",
}
"""What stands in each column of `validation_predictions`."""


def validation_predictions(
    study: StudyRecord, which: int | str, *, train_again: bool = False
) -> pd.DataFrame:
    """One row a validation rating; columns as `PREDICTION_COLUMNS` tells.

    The predictions are those that the trial's worker stored, else those of its kept weights.

    Args:
        which: a trial's number, or its name (`0007-v1`: a finalist under a verdict's first seed).
        train_again: where neither was kept, train the trial once more, in this process.

    Raises:
        RequestError: there is no such trial, it has no result, or nothing of its model was kept.
        StateError: data or code changed, or the predictions are not those of the record.
    """
    trial = trial_of(study, which)
    if trial.best_rmse is None:
        raise RequestError(f"trial {which} of {study.name} has no result ({trial.state})")
    sweep = frozen_sweep(study.folder)
    loaded, frame = read_data(sweep, load_with_validation)
    refuse_changed_data(study, loaded.description)
    predicted = _stored(study.folder, trial)
    if predicted is None or len(predicted) != len(loaded.encoded.validation):
        predicted = _computed(study, trial, sweep, loaded.encoded, train_again)

    frame.insert(3, "predicted", predicted)
    _refuse_strange(study, trial, frame["rating"].to_numpy(), frame["predicted"].to_numpy())
    return frame


def _stored(folder: Path, trial: TrialRecord) -> npt.NDArray[Any] | None:
    try:
        arrays, _ = read_checkpoint(predictions_folder(folder, trial))
    except CheckpointError:
        return None
    return arrays.get("predicted")


def _computed(
    study: StudyRecord,
    trial: TrialRecord,
    sweep: SweepConfig,
    encoded: EncodedDataset,
    train_again: bool,
) -> npt.NDArray[Any]:
    if not (train_again or has_checkpoint(study.folder / "trials" / trial.name / "best")):
        raise RequestError(
            f"trial {trial.number} of {study.name} kept neither predictions nor weights (the best "
            f"trials keep theirs): predictions({trial.number}, train_again=True) trains it once "
            f"more, about {trial.seconds:.0f} s"
        )
    return Replicas(study.folder, sweep, encoded).run_of(trial).predict_validation()


def _refuse_strange(
    study: StudyRecord, trial: TrialRecord, actual: npt.NDArray[Any], predicted: npt.NDArray[Any]
) -> None:
    rmse = float(np.sqrt(np.mean((predicted.astype(np.float64) - actual) ** 2)))
    if trial.best_rmse is not None and not abs(rmse - trial.best_rmse) <= SAME_RMSE:
        raise StateError(
            f"trial {trial.number} of {study.name}: its predictions have RMSE {rmse:.6f}, the "
            f"record says {trial.best_rmse:.6f}; its files were changed, or packages since then"
        )
