"""One model, trained in this process or taken from a study; TensorFlow is imported here."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.data.study_data import load_data, load_same_data
from experiments.errors import NoResultError, RequestError, StateError
from experiments.records import StudyRecord, TrialRecord
from experiments.records.values import plural
from experiments.request.frozen import frozen_sweep
from experiments.running.replicas import configure_as_worker
from experiments.sweep import SweepConfig, model_of
from experiments.typed import typed
from experiments.waiting import waiting
from recommender.baselines import fit_baselines
from recommender.config import RankingConfig
from recommender.further_metrics import measure
from recommender.runs import Trainer


def train_single(config: SweepConfig, save: Path | None) -> Iterator[str]:
    """Train the model of a file without `[space]`; lines to print, an epoch at a time.

    Raises:
        NoResultError: it diverged, in whatever epoch; nothing is saved, as of such a trial.
    """
    model = model_of(config, {})
    if save is not None:
        refuse_export(model)
        _refuse_taken(save, "--save")
    loaded = load_data(config)
    encoded = loaded.encoded
    yield (
        f"data     {loaded.description.name}: train {len(encoded.train):,} rows, "
        f"validation {len(encoded.validation):,}; test sealed"
    )
    with waiting("fitting the baselines"):
        baselines = {b.name: b.val_rmse for b in fit_baselines(encoded)}
    bias = baselines["bias"]
    yield "to beat  " + " · ".join(f"{n.replace('_', ' ')} {v:.4f}" for n, v in baselines.items())

    run = Trainer(encoded, configure_as_worker).begin(model, config.training)
    size = "" if run.n_parameters is None else f"{run.n_parameters:,} parameters, "
    yield f"model    {size}up to {plural(config.training.max_epochs, 'epoch')}"
    began = time.monotonic()
    while run.stop_reason is None:
        with waiting(f"training epoch {run.epoch + 1}"):
            epoch = run.step()
        yield (
            f"epoch {epoch.epoch:>3}   validation {epoch.val_rmse:.4f}   train "
            f"{epoch.train_rmse:.4f}   {time.monotonic() - began:.1f} s"
        )
    if run.stop_reason == "diverged":
        raise NoResultError(f"{config.name} diverged: {run.divergence}")
    assert run.best_rmse is not None
    gap = bias - run.best_rmse
    side = "under" if gap > 0 else "over"
    loses = "" if gap > 0 else ", which it does not beat"
    yield (
        f"best     validation RMSE {run.best_rmse:.4f} at epoch {run.best_epoch} over "
        f"{len(encoded.validation):,} rows, {abs(gap):.4f} {side} the bias baseline{loses}; "
        "one seed"
    )
    if config.metrics:
        run.load_best()
        predicted, rows = run.predict_validation(), encoded.validation
        measured = measure(config.metrics, predicted, rows.rating, encoded.validation_users)
        told = [f"{name} {value:.4f}" for name, value in measured.values.items()]
        yield "also     " + " · ".join([*told, *measured.errors.values()])
    if save is not None:
        from recommender.export import export_model

        with tempfile.TemporaryDirectory() as folder:
            best = Path(folder) / "best"
            run.save_best(best, {})
            export_model(best, run.config, encoded, save)
        yield f"saved    {save}"


def export_trial(study: StudyRecord, trial: TrialRecord, target: Path) -> Iterator[str]:
    """Write a trial's best epoch as a SavedModel; lines to print.

    Raises:
        RequestError: the trial's weights were not kept, or something is in the target's way.
        StateError: the data changed, or the weights are damaged or another version of the model's.
    """
    best = study.folder / "trials" / trial.name / "best"
    sweep = frozen_sweep(study.folder)
    refuse_export(model_of(sweep, trial.values), best)
    again = (
        f"train it again with them: recsweep best {typed(study.folder)}:{trial.number} "
        f"-o trial.toml && recsweep train trial.toml --save {shlex.quote(str(target))}"
    )
    if not best.is_dir():
        raise RequestError(
            f"{study.name}:{trial.number} has no weights (the best trials keep theirs); {again}"
        )
    _refuse_taken(target, "--to")
    encoded = load_same_data(study, sweep).encoded

    from recommender.runtime import configure_devices

    configure_devices(gpu=False, threads=1)
    from recommender.checkpoints import CheckpointError
    from recommender.export import export_model

    try:
        export_model(best, model_of(sweep, trial.values), encoded, target)
    except CheckpointError as error:
        raise StateError(f"{error}\nThe weights cannot be used; {again}") from error
    led = ", the leader of the verdict" if trial == study.leader else ""
    yield f"wrote {target}: trial {trial.number} of {study.name}{led}, epoch {trial.best_epoch}"
    yield f"validation RMSE of its `raw` output: {trial.best_rmse:.6f}"


def _refuse_taken(target: Path, option: str) -> None:
    """Raises RequestError where a SavedModel cannot be written."""
    if target.exists():
        raise RequestError(f"{target} is there already; name another folder with {option}")
    there = next(path for path in target.absolute().parents if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise RequestError(f"{there} takes no folder; name another one with {option}")


def refuse_export(model: RankingConfig, kept: Path | None = None) -> None:
    """Raises RequestError for a whole model, which recsweep cannot write as a SavedModel."""
    if model.own is None or not model.own.is_whole:
        return
    has_files = kept is not None and any(kept.glob("model-*"))
    where = ""
    if has_files and model.own.kind == "model":
        where = f"; its best epoch, as its own save wrote it, is in {kept}"
    elif has_files:
        where = (
            f"; the arrays of {kept}/model-*/arrays-*.npz are its model.variables at the best "
            "epoch, without tables of look-ups, then its optimizer's, in their order"
        )
    raise RequestError(
        f"{model.own.where} is a whole model of your own: what a SavedModel of it takes and gives, "
        f"only you can say{where}"
    )
