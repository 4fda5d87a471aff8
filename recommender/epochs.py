"""A training run as those who drive one see it: an epoch at a time, whatever the model is.

Imports no TensorFlow: a researcher's own model may do without it.
"""

from __future__ import annotations

import abc
import hashlib
import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recommender.checkpoints import CheckpointError
from recommender.config import HYPERPARAMETERS, RankingConfig, TrainingConfig, config_to_json
from recommender.crossing import Crossing
from recommender.datasets.encoded import Floats, Rows

StopReason = Literal["max_epochs", "patience", "diverged"]

CHUNK_ROWS = 2_000_000
"""Train rows between two looks at `keep_going`: a longer epoch can be stopped in its midst."""


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one epoch came to."""

    epoch: int
    """From 1."""
    val_rmse: float
    """Over all validation rows, predictions not clipped; NaN or infinite when diverged."""
    train_rmse: float
    """Over at most 16,384 fixed train rows, without dropout."""
    n_updates: int
    """Optimizer steps since the run began."""
    seconds: float
    """Training and evaluation."""


class Run(abc.ABC):
    """One model in training: it can be saved and restored between epochs."""

    def __init__(self, config: RankingConfig, training: TrainingConfig) -> None:
        self.config = config
        self.training = training
        self.epoch = 0
        self.n_updates = 0
        self.best_epoch: int | None = None
        self.best_rmse: float | None = None
        self._is_diverged = False
        self.last_predictions: Floats | None = None
        """Ratings of the validation rows after the last epoch, not clipped."""

    @property
    def stop_reason(self) -> StopReason | None:
        """Why there is no further epoch; None while there is one."""
        if self._is_diverged:
            return "diverged"
        if self.epoch >= self.training.max_epochs:
            return "max_epochs"
        patience = self.training.patience
        if patience and self.epoch - (self.best_epoch or 0) >= patience:
            return "patience"
        return None

    @property
    def divergence(self) -> str:
        """Where the values are not finite, for the record."""
        return f"not finite at epoch {self.epoch}"

    @property
    def can_be_saved(self) -> bool:
        """Whether `save` writes a state from which the run can go on."""
        return True

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int | None:
        """How many numbers training fits; None where the model does not say."""

    @abc.abstractmethod
    def step(self, keep_going: Callable[[], bool] | None = None) -> EpochResult:
        """Trains and evaluates one epoch.

        Args:
            keep_going: asked now and then while the epoch lasts.

        Raises:
            Interrupted: `keep_going` said no; the run is good for `restore` only.
        """

    @abc.abstractmethod
    def predict_validation(self) -> Floats:
        """Ratings of all validation rows under the current weights, not clipped."""

    @abc.abstractmethod
    def predict(self, rows: Rows) -> Floats:
        """Ratings of any encoded rows under the current weights, not clipped."""

    @abc.abstractmethod
    def keras_rmse(self) -> float | None:
        """What Keras's metric makes of the validation rows, for comparison with our own.

        None where the model has no such metric.
        """

    @abc.abstractmethod
    def load_best(self) -> None:
        """Gives the model the weights of its best epoch; training cannot go on after that."""

    @abc.abstractmethod
    def save_best(self, folder: Path, extra: Mapping[str, Any]) -> None:
        """Writes the weights of the best epoch, with `extra` (JSON) in the metadata."""

    @abc.abstractmethod
    def load_saved_best(self, folder: Path) -> None:
        """Gives the model the weights that `save_best` wrote; training cannot go on after that.

        Raises:
            CheckpointError: nothing is there, it is damaged, or it is of another model or data.
        """

    @abc.abstractmethod
    def save(self, folder: Path) -> None:
        """Writes all that the run needs to go on; whole or not at all.

        Raises:
            OSError: the folder keeps what it held.
        """

    @abc.abstractmethod
    def restore(self, folder: Path) -> None:
        """Takes on the state that `save` wrote; epochs and patience are this run's own.

        Raises:
            CheckpointError: nothing is there, it is damaged, or it is of another model or seed.
        """

    def crossing(self) -> Crossing | None:
        """What the cross layers cross under the current weights; None where there are none.

        Training cannot go on after that.
        """
        return None

    def _best_metadata(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **extra,
            "config": config_to_json(self.config),
            "seed": self.training.seed,
            "epoch": self.best_epoch,
            "val_rmse": self.best_rmse,
            "n_parameters": self.n_parameters,
        }

    def _metadata(self) -> dict[str, Any]:
        return {
            "config": config_to_json(self.config),
            "seed": self.training.seed,
            "epoch": self.epoch,
            "n_updates": self.n_updates,
            "best_epoch": self.best_epoch,
            "best_rmse": self.best_rmse,
            "is_diverged": self._is_diverged,
        }

    def _check_metadata(self, metadata: Mapping[str, Any], folder: Path) -> None:
        check_checkpoint_is_of(self.config, metadata, folder)
        if metadata["seed"] != self.training.seed:
            raise CheckpointError(
                f"{folder}: a checkpoint of seed {metadata['seed']}, not {self.training.seed}"
            )

    def _take_metadata(self, metadata: Mapping[str, Any]) -> None:
        self.epoch, self.n_updates = metadata["epoch"], metadata["n_updates"]
        self.best_epoch, self.best_rmse = metadata["best_epoch"], metadata["best_rmse"]
        self._is_diverged = metadata["is_diverged"]


def check_checkpoint_is_of(
    config: RankingConfig, metadata: Mapping[str, Any], folder: Path
) -> None:
    """Raises CheckpointError if a checkpoint was written for another configuration."""
    here = json.loads(json.dumps(config_to_json(config)))
    written = metadata.get("config")
    # What the build that wrote it did not know yet had its default.
    unsaid = {name: value for name, value in HYPERPARAMETERS.items() if name in here}
    there = unsaid | written if isinstance(written, dict) else {}
    if here != there:
        differing = [k for k, v in here.items() if there.get(k) != v]
        raise CheckpointError(f"{folder}: a checkpoint of another model ({', '.join(differing)})")


def derive_seed(seed: int, *purpose: object) -> int:
    """A seed of 31 bits for one purpose of a trial."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_everything(seed: int) -> None:
    """Seeds what a model may draw from without being told; of the libraries only those in use."""
    random.seed(seed)
    np.random.seed(seed)
    if (tensorflow := sys.modules.get("tensorflow")) is not None:
        tensorflow.random.set_seed(seed)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)
