"""A study into any Optuna storage, so that Optuna's dashboard and tools work on it."""

from __future__ import annotations

import math
import re
from datetime import datetime

import optuna
from optuna.storages.journal import JournalFileBackend

from experiments.errors import RequestError
from experiments.records import StudyRecord, TrialRecord, TrialState
from experiments.records.values import plural
from experiments.request.space_checks import recorded_space
from experiments.translate.optuna import quiet_optuna, to_params
from search_spaces import SearchSpace


def export_to_optuna(study: StudyRecord, url: str) -> str:
    """Write the search trials as one Optuna study of the same name; a sentence about it.

    Numbers, states, values and curves are ours, so Optuna's best trial is ours too. A dimension
    whose range depends on another one has a parameter for each of its cases; further metrics at the
    best epoch are attributes.

    Args:
        url: of a database (`sqlite:///study.db`), or the path of a journal file.

    Raises:
        RequestError: the storage cannot be used, or has a study of that name.
    """
    space = recorded_space(study)
    with quiet_optuna():
        storage = _storage(url)
        if study.name in {
            summary.study_name for summary in optuna.get_all_study_summaries(storage)
        }:
            raise RequestError(
                f"{url} has a study {study.name!r} already; name another storage, or remove it: "
                f"optuna delete-study --storage {url} --study-name {study.name}"
            )
        theirs = optuna.create_study(storage=storage, study_name=study.name, direction="minimize")
        for name, value in _about(study).items():
            theirs.set_user_attr(name, value)
        theirs.add_trials([_frozen(study, trial, space) for trial in study.search_trials])
    return (
        f"wrote {plural(len(study.search_trials), 'trial')} to the study {study.name} in "
        f"{_shown(url)}; "
        f"look at them: optuna-dashboard {_shown(url)}"
    )


def _storage(url: str) -> optuna.storages.BaseStorage:
    try:
        if "://" in url:
            return optuna.storages.get_storage(url)
        return optuna.storages.JournalStorage(JournalFileBackend(url))
    except Exception as error:  # what SQLAlchemy and database drivers raise has no common base
        raise RequestError(f"{_shown(url)}: Optuna cannot use this storage: {error}") from error


def _shown(url: str) -> str:
    """Without the password of a database."""
    return re.sub(r"://[^@/]*@", "://***@", url)


def _about(study: StudyRecord) -> dict[str, object]:
    data = study.dataset
    return {
        "recsweep": study.provenance.get("recsweep"),
        "metric": "validation RMSE at the best epoch, in units of the ratings",
        "dataset": data.get("name"),
        "dataset_fingerprint": data.get("fingerprint"),
        "split_fingerprint": data.get("split_fingerprint"),
        "baselines": {baseline.name: baseline.val_rmse for baseline in study.baselines},
    }


def _frozen(study: StudyRecord, trial: TrialRecord, space: SearchSpace) -> optuna.trial.FrozenTrial:
    params, distributions = to_params(space, trial.values)
    frozen = optuna.trial.create_trial(
        state=optuna.trial.TrialState[trial.state.name],
        value=trial.best_rmse if trial.state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        intermediate_values={
            epoch.epoch: epoch.val_rmse for epoch in trial.epochs if math.isfinite(epoch.val_rmse)
        },
        user_attrs={
            name: value
            for name, value in {
                **{metric: trial.metric(metric) for metric in study.metrics},
                "arm": trial.arm,
                "stop_reason": trial.stop_reason.value if trial.stop_reason else None,
                "is_default": study.is_default(trial),
                "is_enqueued": trial.is_enqueued,
                "best_epoch": trial.best_epoch,
                "seconds": trial.seconds,
                "n_parameters": trial.n_parameters,
                "seed": trial.seed,
                "error": trial.error,
            }.items()
            if value is not None
        },
    )
    if trial.state is not TrialState.WAITING:
        frozen.datetime_start = datetime.fromtimestamp(trial.asked_at)
    if trial.state.is_finished:
        frozen.datetime_complete = datetime.fromtimestamp(trial.ended_at or trial.asked_at)
    return frozen
