"""The trials as a table: a tidy data frame, CSV and Parquet with the same columns."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from experiments.records import ColumnRecord, StudyRecord, TrialRecord
from reports import ranking


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_FIXED: dict[str, tuple[str, str, Callable[[TrialRecord], Any]]] = {
    "number": ("Int64", "Number in the study, from 0.", lambda t: t.number),
    "name": ("string", "Folder and TensorBoard run; replicates carry a suffix.", lambda t: t.name),
    "purpose": ("string", "Why it was trained; only search is ranked.", lambda t: _text(t.purpose)),
    "arm": ("string", "Choice of the compared dimension; empty without one.", lambda t: t.arm),
    "arm_number": ("Int64", "Number within its arm, from 0.", lambda t: t.arm_number),
    "state": ("string", "COMPLETE, PRUNED, FAIL, RUNNING or WAITING.", lambda t: _text(t.state)),
    "stop_reason": (
        "string",
        "max_epochs, patience, pruner, diverged, error, out_of_memory, worker_lost, stalled, "
        "trial_timeout; interrupted or recycled while it is to go on.",
        lambda t: _text(t.stop_reason),
    ),
    "is_default": (
        "boolean",
        "It has the values of a default configuration.",
        lambda t: t.is_default,
    ),
    "is_enqueued": (
        "boolean",
        "Asked for by the sweep after the default; no sampler proposed it.",
        lambda t: t.is_enqueued,
    ),
    "best_rmse": (
        "Float64",
        "Lowest validation RMSE of all epochs; a result only where state is COMPLETE.",
        lambda t: t.best_rmse,
    ),
    "best_epoch": ("Int64", "The epoch of best_rmse.", lambda t: t.best_epoch),
    "n_epochs": ("Int64", "Epochs trained.", lambda t: len(t.epochs)),
    "n_updates": ("Int64", "Optimizer steps over all epochs.", lambda t: t.n_updates),
    "seconds": ("Float64", "Training and evaluation, all epochs.", lambda t: t.seconds),
    "n_parameters": ("Int64", "Trainable numbers of the model.", lambda t: t.n_parameters),
    "seed": ("Int64", "Seed of weights, shuffle and dropout.", lambda t: t.seed),
    "attempts": ("Int64", "How often it was started or went on.", lambda t: len(t.attempts)),
    "asked_at": ("time", "When its values were chosen (UTC).", lambda t: t.asked_at),
    "ended_at": ("time", "When it ended (UTC); empty while it runs.", lambda t: t.ended_at),
    "error": ("string", "Why it failed, as it was raised.", lambda t: t.error),
}

_RANKED = {
    "rank": "Place among COMPLETE search trials by best_rmse; empty for others.",
    "to_bias": "best_rmse minus the bias baseline's; ranked trials only.",
    "to_default": "best_rmse minus the best default configuration's; ranked trials only.",
    "to_first": "best_rmse minus the best trial's; ranked trials only.",
}
_REPRODUCE = "Trains it again: its values as a sweep file, then that file."


def trials_frame(study: StudyRecord) -> pd.DataFrame:
    """One row a trial of any purpose, in order of number; columns as `column_definitions` tells."""
    trials = [replace(trial, is_default=study.is_default(trial)) for trial in study.trials]
    frame = pd.DataFrame(index=range(len(trials)))
    for name, (dtype, _, read) in _FIXED.items():
        frame[name] = _series([read(trial) for trial in trials], dtype)
    for name, values in _ranked_columns(study).items():
        frame[name] = _series(values, "Int64" if name == "rank" else "Float64")
    for name in study.metrics:
        frame[_metric_column(name)] = _series([trial.metric(name) for trial in trials], "Float64")
    for column in study.columns:
        chosen = [trial.values.get(column.name) for trial in trials]
        frame[_column_name(study, column)] = _series(chosen, _dtype(column))
    commands = [" && ".join(reproduce_commands(study, trial)) for trial in trials]
    frame["reproduce"] = _series(commands, "string")
    return frame


COMPARED_COLUMNS = ("study", "rows", "joint_rank")
"""What a comparison puts before the columns of each study's `trials_frame`."""

CURVE_COLUMNS = {
    "number": "The trial's number in the study.",
    "epoch": "From 1.",
    "val_rmse": "Over all validation rows after this epoch; NaN or infinite where it diverged.",
    "train_rmse": "Over a fixed part of the train rows, without dropout.",
    "n_updates": "Optimizer steps since the trial began; empty where they are not counted.",
    "seconds": "Training and evaluation of this epoch.",
}
"""What stands in each column of `curves_frame` but the further metrics."""


def curves_frame(study: StudyRecord) -> pd.DataFrame:
    """One row an epoch of a trial; columns as `curve_definitions` tells."""
    rows = [
        (
            *(t.number, e.epoch, e.val_rmse, e.train_rmse, e.n_updates or None, e.seconds),
            *(e.metrics.get(name, math.nan) for name in study.metrics),
        )
        for t in study.trials
        for e in t.epochs
    ]
    frame = pd.DataFrame(rows, columns=[*CURVE_COLUMNS, *study.metrics])
    return frame.astype({"n_updates": "Int64"})


def best_frame(study: StudyRecord, n: int) -> pd.DataFrame:
    """The rows of `trials_frame` with the `n` lowest RMSE, best first; fewer where so many are
    not COMPLETE."""
    frame = trials_frame(study)
    ranked = frame[frame["rank"].notna() & (frame["rank"] <= n)]
    return ranked.sort_values("rank").reset_index(drop=True)


def verdict_frame(study: StudyRecord) -> pd.DataFrame | None:
    """One row a finalist and seed, and one a baseline; None where there is no verdict with results.

    Columns: finalist, seed (empty for a baseline), rmse (empty where it did not complete), mean,
    mean_low, mean_high (95 % over seeds), search_rmse, shrinkage, p_best.
    """
    results = study.verdict_results
    if study.verdict is None or results is None:
        return None
    rows: list[tuple[object, ...]] = [
        (f.name, seed if len(f.rmse_by_seed) > 1 else None, rmse, f.mean, f.low, f.high,
         f.search_rmse, f.shrinkage, f.p_best)
        for f in results.finalists
        for seed, rmse in zip(study.verdict.seeds, f.rmse_by_seed, strict=False)
    ]  # fmt: skip
    rows += [
        (b.name, None, rmse, rmse, None, None, b.val_rmse, None, None)
        for b in study.baselines
        if results.finalist(b.name) is None
        and (rmse := ranking.judged_baseline(study, results, b.name)) is not None
    ]
    names = "finalist seed rmse mean mean_low mean_high search_rmse shrinkage p_best"
    return _judged_frame(names, rows)


def curve_definitions(study: StudyRecord) -> dict[str, str]:
    """Every column of `curves_frame`, in order, and what stands in it."""
    metrics = {
        name: f"Metric {name} of the validation predictions after this epoch."
        for name in study.metrics
    }
    return CURVE_COLUMNS | metrics


def column_definitions(study: StudyRecord) -> dict[str, str]:
    """Every column of `trials_frame`, in order, and what stands in it."""
    values = {
        _column_name(study, column): f"Dimension {column.name}; empty where it is not active."
        for column in study.columns
    }
    fixed = {name: definition for name, (_, definition, _) in _FIXED.items()}
    metrics = {
        _metric_column(name): f"Metric {name} of the validation predictions at best_epoch."
        for name in study.metrics
    }
    return fixed | _RANKED | metrics | values | {"reproduce": _REPRODUCE}


def table_schema(study: StudyRecord) -> dict[str, Any]:
    """The columns of `trials.csv` as a Frictionless Table Schema."""
    kinds = {"Int64": "integer", "Float64": "number", "boolean": "boolean", "string": "string"}
    types = {name: str(dtype) for name, dtype in trials_frame(study).dtypes.items()}
    return {
        "fields": [
            {"name": name, "type": kinds.get(types[name], "datetime"), "description": definition}
            for name, definition in column_definitions(study).items()
        ],
        "primaryKey": "name",
        "missingValues": [""],
    }


def write_parquet(frame: pd.DataFrame, path: Path, definitions: Mapping[str, str]) -> None:
    """Typed; what stands in a column is in the metadata of its field, under `description`."""
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    fields = [
        field.with_metadata({"description": definitions[field.name]}) for field in table.schema
    ]
    described = pyarrow.schema(fields, metadata=table.schema.metadata)
    pyarrow.parquet.write_table(table.cast(described), path)


def reproduce_commands(study: StudyRecord, trial: TrialRecord) -> tuple[str, str]:
    """Two lines that train this trial again: its values as a sweep file, then that file."""
    which = shlex.quote(f"{study.name}:{trial.number}")
    toml = shlex.quote(f"{study.name}-{trial.number}.toml")
    return f"recsweep best {which} > {toml}", f"recsweep train {toml}"


def run_again_command(study: StudyRecord) -> str:
    """Runs the whole search again, into a new folder: as many trials as it was extended to."""
    n_trials = study.n_trials_asked_for
    is_as_begun = n_trials == (study.sweep.get("search") or {}).get("trials", n_trials)
    extended = "" if is_as_begun else f" --set search.trials={n_trials}"
    return f"recsweep run {shlex.quote(f'studies/{study.name}/sweep.toml')}{extended}"


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Full precision; text that a spreadsheet would run as a formula is led by an apostrophe.

    Line ends within text are made `\\n`, which is quoted; a lone `\\r` would end the row.
    """
    safe = frame.copy()
    for name in safe.columns:
        if safe[name].dtype == "string":
            lines = safe[name].str.replace(r"\r\n?", "\n", regex=True)
            safe[name] = lines.map(without_formula, na_action="ignore")
    safe.columns = pd.Index([without_formula(name) for name in safe.columns])
    safe.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%S.%fZ")


def without_formula(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _ranked_columns(study: StudyRecord) -> dict[str, list[float | None]]:
    ranked = study.ranked
    places = {trial.name: rank for rank, trial in enumerate(ranked, start=1)}
    default = ranking.default_trial(study)
    against = {
        "to_bias": ranking.bias_rmse(study),
        "to_default": default.best_rmse if default and default.name in places else None,
        "to_first": ranking.objective(ranked[0]) if ranked else None,
    }
    columns: dict[str, list[float | None]] = {
        "rank": [places.get(trial.name) for trial in study.trials]
    }
    for name, reference in against.items():
        columns[name] = [
            None
            if reference is None or trial.name not in places
            else ranking.objective(trial) - reference
            for trial in study.trials
        ]
    return columns


def _column_name(study: StudyRecord, column: ColumnRecord) -> str:
    taken = _is_taken(column.name) or column.name in study.metrics
    return f"space.{column.name}" if taken else column.name


def _metric_column(name: str) -> str:
    return f"metric.{name}" if _is_taken(name) else name


def _is_taken(name: str) -> bool:
    return name in _FIXED or name in _RANKED or name in ("reproduce", *COMPARED_COLUMNS)


def _dtype(column: ColumnRecord) -> str:
    if column.kind != "choice":
        return "Int64" if column.kind == "int" else "Float64"
    if column.choices and all(isinstance(choice, bool) for choice in column.choices):
        return "boolean"
    if any(isinstance(choice, bool | str) for choice in column.choices):
        return "string"
    return "Int64" if all(isinstance(c, int) for c in column.choices) else "Float64"


def test_frame(study: StudyRecord) -> pd.DataFrame | None:
    """One row a finalist and seed on the test split; None where this study did not open it.

    Columns: model, fitted_on (`train`, or `train and validation` where the leader was refitted),
    seed (empty for a baseline), rmse, mean, mean_low, mean_high (95 % over seeds), p_best.
    """
    if study.test is None or study.verdict is None:
        return None
    found = study.test.results.finalists
    shown = {finalist.name for finalist in found}
    rows: list[tuple[object, ...]] = [
        (f.name, "train", seed if len(f.rmse_by_seed) > 1 else None, rmse, f.mean, f.low, f.high,
         f.p_best)
        for f in found
        for seed, rmse in zip(study.verdict.seeds, f.rmse_by_seed, strict=False)
    ]  # fmt: skip
    rows += [
        (name, "train", None, rmse, rmse, None, None, None)
        for name, rmse in study.test.baselines.items()
        if name not in shown
    ]
    if (refit := study.test.refit) is not None:
        rows += [
            (refit.name, "train and validation", seed, rmse, refit.mean, None, None, None)
            for seed, rmse in zip(study.verdict.seeds, refit.rmse_by_seed, strict=True)
        ]
    return _judged_frame("model fitted_on seed rmse mean mean_low mean_high p_best", rows)


def _judged_frame(names: str, rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    types = {"finalist": "string", "model": "string", "fitted_on": "string", "seed": "Int64"}
    return pd.DataFrame(
        {
            name: _series([row[i] for row in rows], types.get(name, "Float64"))
            for i, name in enumerate(names.split())
        }
    )


def _series(values: list[Any], dtype: str) -> pd.Series[Any]:
    if dtype == "time":
        seconds = pd.Series([value or None for value in values], dtype="Float64")
        return pd.to_datetime(seconds, unit="s", utc=True)
    if dtype == "string":
        values = [_text(value) for value in values]
    return pd.Series(values, dtype=dtype)
