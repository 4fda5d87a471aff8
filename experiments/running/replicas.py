"""Models of a study's trials, taken from their kept weights in this process.

TensorFlow is imported when the first model is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.files import read_json
from experiments.machine.machine import read_machine
from experiments.records import PROVENANCE_NAME, TrialRecord
from experiments.records.conditions import conditions_of
from experiments.sweep import SweepConfig, model_of
from recommender.config import TrainingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.errors import OwnCodeError
from recommender.runs import Trainer

if TYPE_CHECKING:
    from recommender.epochs import Run

SAME_RMSE = 1e-4
"""Of one model on the same rows, worked out in other ways or on another machine."""

Floats = npt.NDArray[np.floating[Any]]


def keep_predictions(run: Run, encoded: EncodedDataset, folder: Path) -> Floats:
    """Write what the best epoch predicts for the validation rows; the run is over after that.

    For the rows of `encoded.confirm`, too, where there are any; and of a DCN what it crosses.
    """
    from recommender.checkpoints import write_checkpoint

    run.load_best()
    arrays = {"predicted": run.predict_validation()}
    if encoded.confirm is not None:
        arrays["confirm"] = run.predict(encoded.confirm)
    crossing = run.crossing()
    metadata = {
        "val_rmse": run.best_rmse,
        "epoch": run.best_epoch,
        "crossing": None if crossing is None else asdict(crossing),
    }
    write_checkpoint(folder, arrays, metadata)
    return arrays["predicted"]


class Replicas:
    """The models of trials of one study, one after another."""

    def __init__(self, folder: Path, sweep: SweepConfig, encoded: EncodedDataset) -> None:
        self._folder = folder
        self._sweep = sweep
        self._provenance = read_json(folder / PROVENANCE_NAME)
        self._resources: Mapping[str, Any] = {}
        self._trainer = Trainer(encoded, lambda: configure_as_worker(self._resources))

    def run_of(self, trial: TrialRecord) -> Run:
        """A run with the weights of the trial's best epoch.

        Trained again, to the same numbers, where the weights are gone or damaged.

        Raises:
            OwnCodeError: a model of the researcher's own became another one when trained again.
        """
        from recommender.checkpoints import CheckpointError

        run = self.new_run(trial, len(trial.epochs))
        try:
            run.load_saved_best(self._folder / "trials" / trial.name / "best")
        except CheckpointError:
            while run.stop_reason is None:
                run.step()
            if not _is_again(run, trial):
                again = "none" if run.best_rmse is None else f"{run.best_rmse:.6f}"
                raise OwnCodeError(
                    f"trained again, its validation RMSE is {again} and the record says "
                    f"{trial.best_rmse:.6f}: another model. One without `save` must follow its "
                    "seed alone"
                ) from None
            run.load_best()
        return run

    def new_run(self, trial: TrialRecord, n_epochs: int) -> Run:
        """The trial's model, untrained; to be trained for exactly so many epochs.

        The first that is asked for says what this process trains on: the same as then.
        """
        self._resources = conditions_of(self._provenance, trial).resources
        training = TrainingConfig(max_epochs=n_epochs, patience=0, seed=trial.seed)
        model = model_of(self._sweep, trial.values)
        return self._trainer.begin(model, training)

    def keep_predictions(self, trial: TrialRecord, folder: Path) -> None:
        """Write a trial's predictions from its weights, as its worker did."""
        keep_predictions(self.run_of(trial), self._trainer.dataset, folder)


def _is_again(run: Run, trial: TrialRecord) -> bool:
    """Whether training made of the trial what it did before; ours is known to."""
    if run.best_rmse is None or trial.best_rmse is None:
        return False
    return run.config.own is None or abs(run.best_rmse - trial.best_rmse) <= SAME_RMSE


def configure_as_worker(resources: Mapping[str, Any] | None = None) -> None:
    """Have this process train as a worker does: the same numbers to the bit.

    Args:
        resources: of a study, as its provenance has them; none: a GPU where there is one, and one
            thread.
    """
    from recommender.runtime import configure_devices

    taken = resources or {"gpus": read_machine().n_gpus, "cpus": 1}
    configure_devices(gpu=bool(taken["gpus"]), threads=max(1, int(taken["cpus"])))
