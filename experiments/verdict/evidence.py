"""What a verdict rests on: the finalists' predictions for the rows that judge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from experiments.records import Purpose, StudyRecord, TrialRecord, TrialState
from experiments.records.verdict_records import VerdictRecord
from experiments.running.errors_by_user import read_errors
from experiments.running.orders import predictions_folder
from experiments.running.replicas import Replicas
from experiments.verdict.scores import finite_ratings
from experiments.watcher import StudyWatcher
from recommender.baselines import BASELINES
from recommender.checkpoints import CheckpointError, read_checkpoint
from recommender.datasets.description import LoadedDataset
from recommender.metrics import rmse

if TYPE_CHECKING:
    from recommender.datasets.confirming import ConfirmRows

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the finalists predict for the rows that judge them."""

    predicted: Mapping[str, Floats]
    """By finalist, (n_seeds, n_rows); one row for a baseline. Those that did not complete under
    every seed are left out."""
    rmse_by_seed: Mapping[str, tuple[float | None, ...]]
    actual: Floats
    users: npt.NDArray[np.integer[Any]]
    on_searched: Mapping[str, tuple[float | None, ...]] | None = None
    """RMSE by seed on the rows of the search; None where these judge."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """RMSE on the rows that judge; empty where these are the search's."""
    searched: tuple[Floats, npt.NDArray[np.integer[Any]]] | None = None
    """Of all complete trials of the search, where its rows judge: squared errors summed by user,
    (n_trials, n_users), and the rows of each user; None, too, where those of one are gone."""


def judged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that were trained for the verdict, by number."""
    return [trial for trial in trials if trial.purpose is Purpose.VERDICT]


def read_evidence(
    study: StudyRecord,
    frozen: VerdictRecord,
    loaded: LoadedDataset,
    confirm: ConfirmRows | None,
    replicas: Replicas,
    watcher: StudyWatcher,
) -> Evidence:
    """The finalists' predictions from their files; a damaged one is made again and said."""
    encoded = loaded.encoded
    rows, what = (encoded.validation, "predicted") if confirm is None else (confirm.rows, "confirm")

    @cache
    def by_baseline(name: str) -> Floats:
        _, fit = BASELINES[name]
        return fit(encoded)(rows)

    predicted: dict[str, Floats] = {}
    rmse_by_seed: dict[str, tuple[float | None, ...]] = {}
    on_confirm: dict[str, tuple[float | None, ...]] = {}
    for finalist in frozen.finalists:
        if finalist.is_baseline:
            predicted[finalist.name] = by_baseline(finalist.name)[None, :]
            on_confirm[finalist.name] = (rmse(predicted[finalist.name][0], rows.rating),)
            baseline = study.baseline(finalist.name)
            rmse_by_seed[finalist.name] = (baseline.val_rmse if baseline else None,)
            continue
        trials = study.replicates(finalist)
        complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
        searched = {trial.name: trial.best_rmse for trial in complete}
        rmse_by_seed[finalist.name] = tuple(searched.get(trial.name) for trial in trials)
        if confirm is None and len(complete) < len(trials):
            continue
        kept: dict[str, Floats] = {}
        for trial in complete:
            predict = partial(_predictions, study.folder, trial, what, replicas, watcher)
            if (row := finite_ratings(predict, trial.name, watcher)) is not None:
                kept[trial.name] = row
        if confirm is not None:
            scores = {name: rmse(row, rows.rating) for name, row in kept.items()}
            on_confirm[finalist.name] = tuple(scores.get(trial.name) for trial in trials)
        if len(kept) == len(trials):
            predicted[finalist.name] = np.stack([*kept.values()])
    if confirm is None:
        return Evidence(
            predicted=predicted,
            rmse_by_seed=rmse_by_seed,
            actual=encoded.validation.rating,
            users=encoded.validation_users,
            searched=read_errors(study.folder, filter(frozen.knew, study.ranked), encoded),
        )
    actual = rows.rating
    return Evidence(
        predicted=predicted,
        rmse_by_seed=on_confirm,
        actual=actual,
        users=confirm.users,
        on_searched=rmse_by_seed,
        baselines={name: rmse(by_baseline(name), actual) for name in BASELINES},
    )


def _predictions(
    folder: Path, trial: TrialRecord, what: str, replicas: Replicas, watcher: StudyWatcher
) -> Floats:
    place = predictions_folder(folder, trial)
    try:
        return read_checkpoint(place)[0][what]
    except (CheckpointError, KeyError) as error:
        watcher.message(f"{error}; made again from the model of {trial.name}")
        replicas.keep_predictions(trial, place)
        return read_checkpoint(place)[0][what]
