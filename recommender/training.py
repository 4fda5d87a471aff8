"""Trains one ranking model: the same code for a notebook, a worker and a test.

    result = train_ranking(RankingConfig(), TrainingConfig(), dataset)
    result.best_rmse

`TrainingRun` is the same, an epoch at a time, and can be saved and restored between epochs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.architectures.blocks import Structure
from recommender.architectures.dcn import DcnRanking
from recommender.checkpoints import (
    CheckpointError,
    numbered,
    numbered_arrays,
    read_checkpoint,
    write_checkpoint,
)
from recommender.config import RankingConfig, TrainingConfig
from recommender.crossing import Crossing, crossing_of
from recommender.datasets.encoded import EncodedDataset, Floats, Rows
from recommender.device import DeviceData
from recommender.epochs import CHUNK_ROWS, Run, StopReason, check_checkpoint_is_of, derive_seed
from recommender.epochs import EpochResult as EpochResult
from recommender.errors import Interrupted, ModelError
from recommender.graph import borrow_graph
from recommender.metrics import rmse
from recommender.sizes import feature_widths


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a whole training came to."""

    best_rmse: float | None
    """Validation RMSE of the best epoch; None where the first epoch diverged."""
    best_epoch: int | None
    epochs: tuple[EpochResult, ...]
    stop_reason: StopReason
    n_parameters: int
    run: TrainingRun
    """With the best epoch's weights."""


def train_ranking(
    config: RankingConfig,
    training: TrainingConfig,
    dataset: EncodedDataset | DeviceData,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> TrainingResult:
    """Trains until the epochs or the patience are over, or a value is not finite.

    Raises:
        ModelError: an argument is of another kind.
    """
    _refuse_others(config, training, dataset)
    data = dataset if isinstance(dataset, DeviceData) else DeviceData(dataset)
    run = TrainingRun(config, training, data)
    epochs = []
    while run.stop_reason is None:
        epochs.append(run.step())
        if on_epoch is not None:
            on_epoch(epochs[-1])
    if run.best_epoch is not None:
        run.load_best()
    return TrainingResult(
        best_rmse=run.best_rmse,
        best_epoch=run.best_epoch,
        epochs=tuple(epochs),
        stop_reason=run.stop_reason,
        n_parameters=run.n_parameters,
        run=run,
    )


def _refuse_others(config: object, training: object, dataset: object) -> None:
    told = [
        f"{what} must be {rule}, got {value if isinstance(value, str) else type(value).__name__}"
        for what, value, kinds, rule in (
            ("config", config, RankingConfig, "a RankingConfig"),
            ("training", training, TrainingConfig, "a TrainingConfig"),
            (
                "dataset",
                dataset,
                EncodedDataset | DeviceData,
                "the encoded part of what load_dataset gives: data.encoded",
            ),
        )
        if not isinstance(value, kinds)
    ]
    if told:
        raise ModelError("; ".join(told))


class TrainingRun(Run):
    """One model in training. Runs of one process on the same data share traced graphs.

    Everything random follows from `training.seed` and the number of the epoch or step, so a run
    that was saved and restored ends where an uninterrupted one does, to the bit.
    """

    def __init__(self, config: RankingConfig, training: TrainingConfig, data: DeviceData) -> None:
        super().__init__(config, training)
        self._best_weights: list[npt.NDArray[Any]] = []
        self._is_torn = False
        self._data = data
        self._graph = borrow_graph(Structure.of(config), data, borrower=self)
        self._graph.reset(config, training.seed)
        self._check_outputs(is_trained=False)

    @property
    def n_parameters(self) -> int:
        return sum(math.prod(weight.shape) for weight in self._graph.weights)

    def step(self, keep_going: Callable[[], bool] | None = None) -> EpochResult:
        """Trains and evaluates one epoch.

        Args:
            keep_going: asked between chunks of 2 million rows, and called before the evaluation.

        Raises:
            Interrupted: `keep_going` said no; the run is good for `restore` only.
        """
        self._refuse_torn()
        assert self.stop_reason is None, f"the run is over: {self.stop_reason}"
        started = time.monotonic()
        self._is_torn = True
        is_finite = self._train_epoch(keep_going)
        if keep_going is not None:
            keep_going()  # a sign of life; what is trained is evaluated in any case
        self.epoch += 1
        self._is_torn = False
        self.last_predictions = self.predict_validation()
        val_rmse = _rmse(self.last_predictions, self._data.dataset.validation.rating)
        train_rmse = _rmse(
            self._graph.predict(self._data.train_sample), self._data.train_sample_ratings
        )
        if self.epoch == 1:
            self._check_outputs(is_trained=True)
        self._is_diverged = not (is_finite and math.isfinite(val_rmse + train_rmse))
        if not self._is_diverged and (self.best_rmse is None or val_rmse < self.best_rmse):
            self.best_epoch, self.best_rmse = self.epoch, val_rmse
            self._best_weights = [weight.numpy() for weight in self._graph.weights]
        seconds = time.monotonic() - started
        return EpochResult(self.epoch, val_rmse, train_rmse, self.n_updates, seconds)

    def predict_validation(self) -> Floats:
        return self._graph.predict(self._data.validation)

    def predict(self, rows: Rows) -> Floats:
        return self._graph.predict(self._data.batches(rows))

    def keras_rmse(self) -> float:
        """What Keras's metric makes of the validation rows, for comparison with our own."""
        return self._graph.keras_rmse(self._data.validation)

    def load_best(self) -> None:
        assert self.best_epoch is not None, "no epoch was finite"
        _assign(self._graph.weights, self._best_weights)
        self._is_torn = True

    def save_best(self, folder: Path, extra: Mapping[str, Any]) -> None:
        assert self.best_epoch is not None, "no epoch was finite"
        metadata = self._best_metadata(extra)
        write_checkpoint(folder, numbered("weight", self._best_weights), metadata)

    def load_saved_best(self, folder: Path) -> None:
        arrays, metadata = read_checkpoint(folder)
        check_checkpoint_is_of(self.config, metadata, folder)
        weights = numbered_arrays("weight", arrays)
        if [w.shape for w in weights] != [v.shape for v in self._graph.weights]:
            raise CheckpointError(f"{folder}: a checkpoint of a model on other data")
        self._best_weights = weights
        self.best_epoch, self.best_rmse = metadata["epoch"], metadata["val_rmse"]
        self.load_best()

    def save(self, folder: Path) -> None:
        self._refuse_torn()
        state = [variable.numpy() for variable in self._graph.state]
        arrays = numbered("state", state) | numbered("best", self._best_weights)
        write_checkpoint(folder, arrays, self._metadata())

    def restore(self, folder: Path) -> None:
        arrays, metadata = read_checkpoint(folder)
        self._check_metadata(metadata, folder)
        state, best = numbered_arrays("state", arrays), numbered_arrays("best", arrays)
        for variables, values in ((self._graph.state, state), (self._graph.weights, best or None)):
            if values is not None and [v.shape for v in values] != [v.shape for v in variables]:
                raise CheckpointError(f"{folder}: a checkpoint of a model on other data")
        _assign(self._graph.state, state)
        self._best_weights = best
        self._take_metadata(metadata)
        self._is_torn = False

    def _train_epoch(self, keep_going: Callable[[], bool] | None) -> bool:
        """Whether the losses stayed finite."""
        seed, batch_size = self.training.seed, self.config.batch_size
        key = derive_seed(seed, "order", self.epoch)
        order = np.random.default_rng(key).permutation(len(self._data.dataset.train))
        chunk_rows = max(1, CHUNK_ROWS // batch_size) * batch_size
        for start in range(0, len(order), chunk_rows):
            if start and keep_going is not None and not keep_going():
                raise Interrupted
            chunk = order[start : start + chunk_rows]
            loss = self._graph.train(chunk, seed, self.n_updates, self.epoch)
            self.n_updates += -(-len(chunk) // batch_size)
            if not math.isfinite(loss):
                return False
        return True

    def crossing(self) -> Crossing | None:
        model = self._graph.model
        if not isinstance(model, DcnRanking):
            return None
        trained = model.cross_kernels()
        weights = [weight.numpy() for weight in self._graph.weights]
        self._graph.reset(self.config, self.training.seed)
        start = model.cross_kernels()
        _assign(self._graph.weights, weights)
        return crossing_of(feature_widths(self.config, self._data.dataset), trained, start)

    def _check_outputs(self, is_trained: bool) -> None:
        if self._data.validation:
            self._graph.model.check(self._data.validation[0], is_trained)

    def _refuse_torn(self) -> None:
        assert not self._is_torn, "the weights are not those of the last epoch: restore the run"


def _rmse(predicted: Floats, actual: Floats) -> float:
    return rmse(predicted, actual) if np.isfinite(predicted).all() else math.nan


def _assign(variables: Sequence[Any], values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
