"""Trains a whole model of the researcher's own; recsweep makes the RMSE of its predictions.

    class MF:
        def __init__(self, data, *, n_factors=8): ...
        def fit_epoch(self): ...
        def predict(self, rows): ...      # (n_rows,) in stars
        def save(self, folder): ...       # optional, together with
        def load(self, folder): ...

Imports no TensorFlow: only models that need it pay for it.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recommender.checkpoints import CheckpointError, read_checkpoint, write_checkpoint
from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset, Floats, Rows
from recommender.epochs import (
    EpochResult,
    Run,
    check_checkpoint_is_of,
    derive_seed,
    seed_everything,
)
from recommender.errors import OwnCodeError
from recommender.metrics import rmse
from recommender.model_data import ModelData, ModelRows
from recommender.own import OwnDefinition
from recommender.own_loading import blamed_on, load
from recommender.train_sample import train_sample

PREDICTION_ROWS = 1 << 20
"""Rows that a model is asked for at once."""
LARGEST_CHANGE = 0.01
"""Of predictions between saving and loading, as a share of their spread: another processor adds up
in another order."""


class Model(Protocol):
    """What a run asks of a model, of whatever kind it is."""

    n_updates: int
    """Optimizer steps since it was made; 0 where it does not count them."""

    @property
    def can_save(self) -> bool: ...
    @property
    def n_parameters(self) -> int | None: ...
    def fit_epoch(self, epoch: int, keep_going: Callable[[], bool] | None) -> None: ...
    def predict(self, rows: ModelRows) -> Any: ...
    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...


class WholeRun(Run):
    """A model of the researcher's own in training.

    It starts from the trial's seed, and each epoch is seeded anew, so that a model that draws only
    from generators seeded here goes on from a checkpoint as if it had never stopped.
    """

    def __init__(
        self, config: RankingConfig, training: TrainingConfig, dataset: EncodedDataset
    ) -> None:
        super().__init__(config, training)
        assert config.own is not None
        self._own = config.own
        self._dataset = dataset
        self._sample = train_sample(dataset.train)
        self._model = self._new_model()
        self._is_best = False
        self._best_predictions: Floats | None = None
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._n_bad = 0

    @property
    def can_be_saved(self) -> bool:
        return self._model.can_save

    @property
    def n_parameters(self) -> int | None:
        return self._model.n_parameters

    @property
    def divergence(self) -> str:
        n_rows = len(self._dataset.validation)
        told = f"{self._n_bad:,} of {n_rows:,} validation rows" if self._n_bad else "train rows"
        return (
            f"not finite at epoch {self.epoch}: {_asked_method(self._own)} gives NaN or infinity "
            f"for {told}"
        )

    def step(self, keep_going: Callable[[], bool] | None = None) -> EpochResult:
        assert self.stop_reason is None, f"the run is over: {self.stop_reason}"
        started = time.monotonic()
        self._fit_epoch(self.epoch, keep_going)
        if keep_going is not None:
            keep_going()  # a sign of life; what is trained is evaluated in any case
        self.epoch += 1
        predicted = self._predict(self._dataset.validation)
        self.last_predictions = predicted
        sampled = self._predict(self._sample)
        # Validation rows of unknown ids alone may be all the same to it; those of train are not.
        is_constant = len(sampled) > 1 and np.ptp(np.concatenate([predicted, sampled])) == 0
        if self.epoch == 1 and is_constant:
            raise OwnCodeError(
                f"{_asked_method(self._own)} gives {predicted.flat[0]:.4g} for every row after an "
                "epoch of training: it does not use its rows"
            )
        self._n_bad = int(np.count_nonzero(~np.isfinite(predicted)))
        self._is_diverged = bool(self._n_bad) or not bool(np.isfinite(sampled).all())
        val_rmse = math.nan if self._n_bad else rmse(predicted, self._dataset.validation.rating)
        train_rmse = math.nan if self._is_diverged else rmse(sampled, self._sample.rating)
        if not self._is_diverged and (self.best_rmse is None or val_rmse < self.best_rmse):
            self.best_epoch, self.best_rmse = self.epoch, val_rmse
            self._best_predictions = predicted
            if self._model.can_save:
                self._save_model(self._best_folder)
        seconds = time.monotonic() - started
        self.n_updates = self._model.n_updates
        return EpochResult(self.epoch, val_rmse, train_rmse, self.n_updates, seconds)

    def predict_validation(self) -> Floats:
        if self._is_best and self._best_predictions is not None:
            return self._best_predictions
        return self._predict(self._dataset.validation)

    def predict(self, rows: Rows) -> Floats:
        if self._is_best:
            self._bring_back_best()
        return self._predict(rows)

    def keras_rmse(self) -> float | None:
        return None

    def load_best(self) -> None:
        assert self.best_epoch is not None, "no epoch was finite"
        self._is_best = True

    def save_best(self, folder: Path, extra: Mapping[str, Any]) -> None:
        assert self._best_predictions is not None, "no epoch was finite"
        source = self._best_folder if self._model.can_save else None
        arrays = {"predicted": self._best_predictions}
        self._write(folder, arrays, self._best_metadata(extra), source)

    def load_saved_best(self, folder: Path) -> None:
        arrays, metadata = read_checkpoint(folder)
        check_checkpoint_is_of(self.config, metadata, folder)
        if len(arrays["predicted"]) != len(self._dataset.validation):
            raise CheckpointError(f"{folder}: a checkpoint of a model on other data")
        self._load_model(folder, metadata, arrays["predicted"])
        self._best_predictions = arrays["predicted"]
        self.best_epoch, self.best_rmse = metadata["epoch"], metadata["val_rmse"]
        self.epoch = metadata["epoch"]

    def save(self, folder: Path) -> None:
        """Writes all that the run needs to go on; nothing where the model cannot be saved."""
        if not self._model.can_save:
            return
        kept = {"predicted": self._best_predictions, "last": self.last_predictions}
        arrays = {name: array for name, array in kept.items() if array is not None}
        with tempfile.TemporaryDirectory(prefix="recsweep-last-") as temporary:
            source = Path(temporary) / "model"
            self._save_model(source)
            best = self._best_folder if self.best_epoch is not None else None
            self._write(folder, arrays, self._metadata(), source, best)

    def restore(self, folder: Path) -> None:
        arrays, metadata = read_checkpoint(folder)
        self._check_metadata(metadata, folder)
        self._load_model(folder, metadata, arrays.get("last"))
        self._take_metadata(metadata)
        self._model.n_updates = self.n_updates
        self._best_predictions = arrays.get("predicted")
        if (name := metadata.get("best_model")) is not None:
            shutil.copytree(folder / Path(name).name, self._best_folder, dirs_exist_ok=True)

    @property
    def _best_folder(self) -> Path:
        """Where the model's own files of its best epoch lie; goes with this object."""
        if self._kept is None:
            _remove_left_behind()
            self._kept = tempfile.TemporaryDirectory(prefix=f"{_KEPT}{os.getpid()}-")
        return Path(self._kept.name) / "model"

    def _new_model(self) -> Model:
        return build_model(self.config, ModelData(self._dataset, self.training.seed))

    def _fit_epoch(self, epoch: int, keep_going: Callable[[], bool] | None = None) -> None:
        seed_everything(derive_seed(self.training.seed, "epoch", epoch))
        self._model.fit_epoch(epoch, keep_going)

    def _bring_back_best(self) -> None:
        """The model as it was after its best epoch: loaded, or trained once more."""
        if self.epoch == self.best_epoch:
            return
        assert self.best_epoch is not None
        self._model = self._new_model()
        if self._model.can_save:
            self._load(self._best_folder, self._best_predictions)
        else:
            for epoch in range(self.best_epoch):
                self._fit_epoch(epoch)
        self.epoch = self.best_epoch

    def _predict(self, rows: Rows) -> Floats:
        parts = []
        for start in range(0, len(rows), PREDICTION_ROWS):
            part = rows[start : start + PREDICTION_ROWS]
            with blamed_on(self._own):
                ratings = self._model.predict(ModelRows(self._dataset, part))
            parts.append(_checked(ratings, len(part), self._own))
        return np.concatenate(parts)

    def _save_model(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with blamed_on(self._own):
            self._model.save(folder)
        if not folder.is_dir():
            raise OwnCodeError(f"{self._own.where}.save must leave the folder that it is given")

    def _load_model(self, folder: Path, metadata: Mapping[str, Any], saved: Floats | None) -> None:
        name = metadata.get("model")
        if name is None or not self._model.can_save:
            raise CheckpointError(f"{folder}: {self._own.where} cannot be loaded")
        try:
            self._load(folder / Path(name).name, saved)
        except OwnCodeError as error:
            raise CheckpointError(f"{folder}: cannot be loaded: {error}") from error

    def _load(self, folder: Path, saved: Floats | None) -> None:
        """Load the model, which must predict for the validation rows what it did when `saved`."""
        with blamed_on(self._own):
            self._model.load(folder)
        if saved is None:
            return
        error = self._predict(self._dataset.validation) - saved
        spread = max(np.std(saved), 1e-3 * np.abs(saved).max())
        if not np.sqrt(np.mean(error**2)) <= LARGEST_CHANGE * spread:
            raise OwnCodeError(
                f"{self._own.where} predicts other ratings after load than before save; save must "
                "write, and load bring back, all that predict uses"
            )

    def _write(
        self,
        folder: Path,
        arrays: Mapping[str, Floats],
        metadata: dict[str, Any],
        model: Path | None,
        best: Path | None = None,
    ) -> None:
        """The model's own files first, then the metadata that names them, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        old = [path for path in folder.iterdir() if path.name.startswith("model-")]
        for key, source in (("model", model), ("best_model", best)):
            if source is not None:
                name = f"model-{key}-{self.epoch:06}-{os.getpid()}-{time.monotonic_ns()}"
                shutil.copytree(source, folder / name)
                _sync(folder / name)
                metadata[key] = name
        write_checkpoint(folder, arrays, metadata)
        for path in old:
            shutil.rmtree(path, ignore_errors=True)


def build_model(config: RankingConfig, data: ModelData) -> Model:
    """The model that a configuration names, made for this data under the trial's seed."""
    own = config.own
    assert own is not None
    kind: Callable[[RankingConfig, ModelData, Callable[..., Any]], Model] = _OwnModel
    if own.kind == "keras":
        from recommender.architectures.keras_model import KerasModel

        kind = KerasModel
    elif own.kind == "hypermodel":
        from recommender.architectures.hypermodel import TunedModel

        kind = TunedModel
    elif own.uses_tensorflow:
        import recommender.runtime  # noqa: F401  # chooses the Keras before they import it
    made = load(own)
    # After all imports: they draw, too.
    seed_everything(derive_seed(data.seed, "model"))
    return kind(config, data, made)


class _OwnModel:
    """A class with `fit_epoch` and `predict`."""

    def __init__(self, config: RankingConfig, data: ModelData, made: Callable[..., Any]) -> None:
        assert config.own is not None
        self._own = own = config.own
        lacking = [m for m in ("fit_epoch", "predict") if not callable(getattr(made, m, None))]
        if lacking:
            raise OwnCodeError(f"{own.where} has no method {' and no '.join(lacking)}")
        with blamed_on(own):
            self._it: Any = made(data, **dict(config.own_arguments))
        self._n_updates = 0

    @property
    def can_save(self) -> bool:
        return all(callable(getattr(self._it, m, None)) for m in ("save", "load"))

    @property
    def n_parameters(self) -> int | None:
        count = getattr(self._it, "n_parameters", None)
        return int(count) if isinstance(count, int | np.integer) else None

    @property
    def n_updates(self) -> int:
        count = getattr(self._it, "n_updates", self._n_updates)
        return int(count) if isinstance(count, int | np.integer) else 0

    @n_updates.setter
    def n_updates(self, count: int) -> None:
        self._n_updates = count

    def fit_epoch(self, epoch: int, keep_going: Callable[[], bool] | None) -> None:  # noqa: ARG002  # its epoch is one call
        with blamed_on(self._own):
            self._it.fit_epoch()

    def predict(self, rows: ModelRows) -> Any:
        return self._it.predict(rows)

    def save(self, folder: Path) -> None:
        self._it.save(folder)

    def load(self, folder: Path) -> None:
        self._it.load(folder)


def _asked_method(own: OwnDefinition) -> str:
    """What is asked for ratings: `mf.py: MF.predict`."""
    return f"{own.where}.{'predict' if own.kind == 'model' else 'call'}"


def _checked(ratings: Any, n_rows: int, own: OwnDefinition) -> Floats:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(ratings, pandas.Series):
        rows = pandas.RangeIndex(n_rows)
        if ratings.index.sort_values().equals(rows):
            ratings = ratings.reindex(rows)  # sorted or grouped in between
    try:
        if np.ma.is_masked(ratings):
            ratings = np.ma.filled(ratings, np.nan)
        array = np.asarray(ratings)
        numbers = array.astype(np.float32) if array.dtype.kind in "fiub" else None
    except (TypeError, ValueError):
        numbers = None
    where = _asked_method(own)
    if numbers is None:
        of = f" of {ratings.dtype}" if isinstance(ratings, np.ndarray) else ""
        told = f"{type(ratings).__name__}{of}"
        raise OwnCodeError(f"{where} must give an array of ratings (numbers), got {told}")
    if own.kind != "model" and numbers.shape == (n_rows, 1):
        numbers = numbers[:, 0]
    if numbers.shape != (n_rows,):
        wanted = f"({n_rows},)" + (f" or ({n_rows}, 1)" if own.kind != "model" else "")
        raise OwnCodeError(f"{where} must give ratings of shape {wanted}, got {numbers.shape}")
    return numbers


_KEPT = "recsweep-best-"


def _remove_left_behind() -> None:
    """What processes that were killed kept of their best epochs."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_KEPT}*"):
        process = folder.name.removeprefix(_KEPT).partition("-")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, OSError):
            continue  # another user's, or no process's


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
