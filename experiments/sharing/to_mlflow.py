"""A study as MLflow's run files (its file store), written without MLflow.

Look at them with `mlflow ui --backend-store-uri FOLDER`; newer MLflow prefers a database and reads
files only where MLFLOW_ALLOW_FILE_STORE=true.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from experiments.errors import RequestError
from experiments.records import StudyRecord, TrialRecord, TrialState

_STATUS = {
    TrialState.WAITING: 2,  # SCHEDULED
    TrialState.RUNNING: 1,
    TrialState.COMPLETE: 3,  # FINISHED
    TrialState.PRUNED: 5,  # KILLED
    TrialState.FAIL: 4,
}
"""MLflow's RunStatus by number, as its file store keeps it."""


def export_to_mlflow(study: StudyRecord, folder: Path) -> str:
    """Write the study as one experiment, a run a trial, into a new or an existing store.

    `val_rmse`, `train_rmse` and further metrics are curves; `best_val_rmse`, which MLflow sorts by,
    is there for ranked trials only.

    Raises:
        RequestError: the folder has the experiment already.
    """
    experiment = str(uuid.uuid5(uuid.NAMESPACE_URL, study.name).int)[:18]
    target = folder / experiment
    if target.exists():
        raise RequestError(f"{target} is there already: {study.name} was exported to {folder}")
    unfinished = folder / f".{experiment}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    times = [at for trial in study.trials for at in (trial.asked_at, trial.ended_at or 0.0)]
    _write(
        unfinished / "meta.yaml",
        _yaml(
            {
                "artifact_location": target.absolute().as_uri(),
                "creation_time": _ms(min(times, default=0.0)),
                "experiment_id": experiment,
                "last_update_time": _ms(max(times, default=0.0)),
                "lifecycle_stage": "active",
                "name": study.name,
            }
        ),
    )
    for trial in study.trials:
        _write_run(study, trial, unfinished, target, experiment)
    (folder / ".trash").mkdir(exist_ok=True)
    unfinished.rename(target)
    return (
        f"wrote {len(study.trials)} runs of {study.name} to {folder}; look at them: "
        f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {folder}"
    )


def _write_run(
    study: StudyRecord, trial: TrialRecord, unfinished: Path, target: Path, experiment: str
) -> None:
    run = uuid.uuid5(uuid.NAMESPACE_URL, f"{study.name}/{trial.name}").hex
    started = trial.attempts[0].started_at if trial.attempts else trial.asked_at
    folder = unfinished / run
    (folder / "artifacts").mkdir(parents=True)
    _write(
        folder / "meta.yaml",
        _yaml(
            {
                "artifact_uri": (target / run / "artifacts").absolute().as_uri(),
                "end_time": _ms(trial.ended_at) if trial.ended_at else None,
                "entry_point_name": "",
                "experiment_id": experiment,
                "lifecycle_stage": "active",
                "run_id": run,
                "run_name": trial.name,
                "run_uuid": run,
                "source_name": "recsweep",
                "source_type": 4,
                "source_version": "",
                "start_time": _ms(started),
                "status": _STATUS[trial.state],
                "tags": [],
                "user_id": "recsweep",
            }
        ),
    )
    for name, value in trial.values.items():
        _write(folder / "params" / name, str(value))
    tags = {
        "mlflow.runName": trial.name,
        "mlflow.source.name": "recsweep",
        "purpose": trial.purpose.value,
        "state": trial.state.value,
        "stop_reason": trial.stop_reason.value if trial.stop_reason else "",
        "arm": trial.arm or "",
        "seed": str(trial.seed),
        "is_default": str(study.is_default(trial)).lower(),
        "is_enqueued": str(trial.is_enqueued).lower(),
    }
    for name, value in tags.items():
        if value:
            _write(folder / "tags" / name, value)
    at = started
    curves: dict[str, list[str]] = {}
    for epoch in trial.epochs:
        at += epoch.seconds
        errors = {"val_rmse": epoch.val_rmse, "train_rmse": epoch.train_rmse}
        for name, value in {**epoch.metrics, **errors}.items():
            curves.setdefault(name, []).append(f"{_ms(at)} {value!r} {epoch.epoch}\n")
    if trial.is_ranked:
        curves["best_val_rmse"] = [f"{_ms(at)} {trial.best_rmse!r} {trial.best_epoch}\n"]
    if trial.n_parameters is not None:
        curves["n_parameters"] = [f"{_ms(at)} {trial.n_parameters} 0\n"]
    for name, points in curves.items():
        _write(folder / "metrics" / name, "".join(points))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _yaml(values: Mapping[str, object]) -> str:
    """A flat YAML document; JSON's scalars are YAML's."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items())


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
