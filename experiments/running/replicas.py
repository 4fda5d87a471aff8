"""Models of a study's trials, taken from their kept weights in this process.

TensorFlow is imported when the first model is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.files import read_json
from experiments.machine.machine import read_machine
from experiments.records import PROVENANCE_NAME, TrialRecord
from experiments.records.conditions import UNCOMMITTED, conditions_of
from experiments.running.sessions import other_than_now
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
    """The models of trials of one study, one after another.

    Args:
        say: hears of a model that came out otherwise when it was trained again.
    """

    def __init__(
        self,
        folder: Path,
        sweep: SweepConfig,
        encoded: EncodedDataset,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._say = say
        self.apart: dict[str, float] = {}
        """By trial, how much higher its validation RMSE came out when it was trained again."""
        self._folder = folder
        self._sweep = sweep
        self._provenance = read_json(folder / PROVENANCE_NAME)
        self._resources: Mapping[str, Any] = {}
        self._trainer = Trainer(encoded, lambda: configure_as_worker(self._resources))

    def run_of(self, trial: TrialRecord) -> Run:
        """A run with the weights of the trial's best epoch.

        Trained again where the weights are gone or damaged: to the same numbers, or nearly so where
        versions or the processor are others, which is said.

        Raises:
            OwnCodeError: it diverged; or a whole model of the researcher's own became another one,
                and nothing but itself explains that.
        """
        from recommender.checkpoints import CheckpointError

        run = self.new_run(trial, len(trial.epochs))
        try:
            run.load_saved_best(self._folder / "trials" / trial.name / "best")
        except CheckpointError:
            _train(run)
            self._look_whether_again(run, trial)
            run.load_best()
        return run

    def _look_whether_again(self, run: Run, trial: TrialRecord) -> None:
        """Holds a run that was trained again against the record, as `run_of` tells."""
        before, now = trial.best_rmse, run.best_rmse
        if _is_near(before, now):
            return
        told = (
            f"trained again, its validation RMSE is {_six_decimals(now)} and the record says "
            f"{_six_decimals(before)}"
        )
        changes = other_than_now(conditions_of(self._provenance, trial))
        is_whole = run.config.own is not None and run.config.own.is_whole
        is_excused = not is_whole
        if is_whole and changes.keys() - {"commit", UNCOMMITTED}:
            # Versions and processors explain nothing of one that does not follow its seed.
            once_more = self.new_run(trial, len(trial.epochs))
            _train(once_more)
            is_excused = _is_near(once_more.best_rmse, now)
        if now is None or not is_excused:
            raise OwnCodeError(
                f"{told}: another model. One without `save` must follow its seed alone"
            )
        if before is not None:
            self.apart[trial.name] = now - before
        why = (
            "; ".join(f"{name} {is_now}" for name, is_now in changes.items())
            or "versions, processor and GPUs are as they were"
        )
        self._say(f"{trial.name}, whose weights are gone: {told} ({why})")

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


def _train(run: Run) -> None:
    while run.stop_reason is None:
        run.step()


def _is_near(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= SAME_RMSE


def _six_decimals(rmse: float | None) -> str:
    return "none" if rmse is None else f"{rmse:.6f}"


def configure_as_worker(resources: Mapping[str, Any] | None = None) -> None:
    """Have this process train as a worker does: the same numbers to the bit.

    Args:
        resources: of a study, as its provenance has them; none: a GPU where there is one, and one
            thread.
    """
    from recommender.runtime import configure_devices

    taken = resources or {"gpus": read_machine().n_gpus, "cpus": 1}
    configure_devices(gpu=bool(taken["gpus"]), threads=max(1, int(taken["cpus"])))
