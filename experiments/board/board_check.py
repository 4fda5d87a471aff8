"""Whether TensorBoard shows what the ledger holds: read back from its event files, and compared."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.board import hparams
from experiments.files import write_json
from experiments.records import (
    ColumnRecord,
    EpochRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    Value,
)
from experiments.records.derived_records import BOARD_CHECK_NAME, BoardCheck
from experiments.typed import typed
from experiments.watcher import StudyWatcher

hparams.spare_tensorflow()


def check_board(study: StudyRecord) -> list[str]:
    """Every difference between a study's event files and its record; none is an empty list.

    Columns, metrics, trials, values, states, curves and the order by `final/val_rmse` are read
    back through the data API of TensorBoard's own HParams plugin, fresh from disk.
    """
    folder = study.folder / hparams.FOLDER
    if not folder.is_dir():
        return [
            f"there are no TensorBoard events: {folder} does not exist; without --check they are "
            "made from the record for as long as the board is shown"
        ]
    board = _read_board(folder, study.metrics)
    expected = {trial.name: trial for trial in study.trials}
    problems = _column_problems(board, study.columns, study.metrics)
    problems += [
        f"trial {trial.name} is not on the board"
        for trial in study.trials
        if trial.name not in board.rows and trial.state is not TrialState.WAITING
    ]
    for name, row in sorted(board.rows.items()):
        if name in expected:
            found = _row_problems(row, expected[name], study)
            problems += [f"trial {name}: {problem}" for problem in found]
        else:
            problems.append(f"run {name} is on the board but not in the ledger")
    return problems + _order_problems(board, expected)


def record_board_check(study: StudyRecord, watcher: StudyWatcher) -> None:
    """Compare dashboard and ledger, for the record and the report; a difference is said."""
    try:
        differences = tuple(check_board(study))
    except Exception as error:  # a dashboard that cannot be read must not cost the study's end
        differences = (f"it could not be read: {type(error).__name__}: {error}",)
    check = BoardCheck(len(study.trials), len(study.columns), differences)
    write_json(study.folder / BOARD_CHECK_NAME, asdict(check))
    if differences:
        watcher.message(
            f"TensorBoard shows other numbers than the ledger ({len(differences)}), which is the "
            f"record; see them: recsweep board {typed(study.folder)} --check"
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """One session as TensorBoard gives it."""

    group: str
    is_alone: bool
    """Its group has no other session: no replicates."""
    values: Mapping[str, Value]
    """Its group's, which are those of one of its sessions."""
    metrics: Mapping[str, float]
    status: str
    curves: Mapping[str, tuple[tuple[int, float], ...]]
    """(step, value) by tag: `val_rmse`, `train_rmse`, and the further metrics."""


@dataclass(frozen=True, slots=True)
class _Board:
    columns: Mapping[str, Any]
    """`HParamInfo` by name."""
    metrics: tuple[str, ...]
    rows: Mapping[str, _Row]
    order: tuple[str, ...]
    """Session groups sorted by `final/val_rmse`, as the table does it."""


_CURVES = ("val_rmse", "train_rmse")
_SORTED_BY = next(iter(hparams.METRICS))
_STATUS = {
    TrialState.RUNNING: "STATUS_UNKNOWN",
    TrialState.COMPLETE: "STATUS_SUCCESS",
    TrialState.PRUNED: "STATUS_SUCCESS",
    TrialState.FAIL: "STATUS_FAILURE",
}


def _read_board(folder: Path, metrics: Sequence[str] = ()) -> _Board:
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.data.provider import RunTagFilter
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import (
        api_pb2,
        backend_context,
        get_experiment,
        list_session_groups,
    )

    logging.getLogger("tensorboard").setLevel(logging.CRITICAL)  # a cut file is reported by us
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0})
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))

    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[
            api_pb2.STATUS_UNKNOWN,
            api_pb2.STATUS_SUCCESS,
            api_pb2.STATUS_FAILURE,
            api_pb2.STATUS_RUNNING,
        ],
        slice_size=1 << 30,
        aggregation_type=api_pb2.AGGREGATION_AVG,
    )
    sort = request.col_params.add(order=api_pb2.ORDER_ASC)
    sort.metric.tag = _SORTED_BY
    request_context = RequestContext()
    experiment = get_experiment.Handler(
        request_context, context, "", api_pb2.GetExperimentRequest()
    ).run()
    groups = list_session_groups.Handler(request_context, context, "", request).run().session_groups
    curves = provider.read_scalars(
        request_context,
        experiment_id="",
        plugin_name="scalars",
        downsample=1 << 30,
        run_tag_filter=RunTagFilter(tags=[*_CURVES, *metrics]),
    )
    rows = {
        session.name: _Row(
            group=group.name,
            is_alone=len(group.sessions) == 1,
            values={name: _python_value(value) for name, value in group.hparams.items()},
            metrics={metric.name.tag: metric.value for metric in session.metric_values},
            status=api_pb2.Status.Name(session.status),
            curves={
                tag: tuple((datum.step, datum.value) for datum in data)
                for tag, data in curves.get(session.name, {}).items()
            },
        )
        for group in groups
        for session in group.sessions
    }
    return _Board(
        columns={info.name: info for info in experiment.hparam_infos},
        metrics=tuple(info.name.tag for info in experiment.metric_infos),
        rows=rows,
        order=tuple(group.name for group in groups),
    )


def _python_value(value: Any) -> Value:
    found: Value = getattr(value, value.WhichOneof("kind"))
    return found


def _column_problems(
    board: _Board, columns: Sequence[ColumnRecord], metrics: Sequence[str]
) -> list[str]:
    names = [hparams.shown_name(column.name, columns) for column in columns]
    expected = [*names, *hparams.own_columns(columns)]
    problems = [f"column {name} is missing" for name in expected if name not in board.columns]
    problems += [f"column {n} is not in the space" for n in board.columns if n not in expected]
    for name, column in zip(names, columns, strict=True):
        if name in board.columns:
            domain = board.columns[name].domain_interval
            ends = (domain.min_value, domain.max_value)
            if not column.choices and column.low is not None and ends != (column.low, column.high):
                problems.append(
                    f"column {name} ranges over {ends} on the board, "
                    f"over {(column.low, column.high)} in the space"
                )
            discrete = [_python_value(v) for v in board.columns[name].domain_discrete.values]
            choices = [str(c) if hparams.is_text(column) else c for c in column.choices]
            if discrete != choices:
                problems.append(
                    f"column {name} has the choices {discrete} on the board, {choices} in the space"
                )
    declared = tuple(hparams.metric_columns(metrics))
    if board.metrics != declared:
        problems.append(
            f"the metrics are {', '.join(board.metrics) or 'none'}, not {', '.join(declared)}"
        )
    return problems


def _row_problems(row: _Row, trial: TrialRecord, study: StudyRecord) -> list[str]:
    values = hparams.shown_values(trial, study.columns)
    shown = dict(row.values)
    if row.is_alone:
        values["state"] = hparams.shown_state(trial).value
        if trial.state.is_finished and trial.stop_reason is not None:
            values["stop_reason"] = trial.stop_reason.value
    else:  # whose state the group shows is up to TensorBoard
        shown.pop("state", None)
        shown.pop("stop_reason", None)
    problems = _differences(shown, values)

    metrics: dict[str, float] = {}
    if trial.epochs:
        metrics["epochs"] = trial.epochs[-1].epoch
        metrics["seconds"] = trial.seconds
        if trial.n_parameters is not None:
            metrics["parameters"] = trial.n_parameters
    if trial.best_rmse is not None:
        metrics["best/val_rmse"] = trial.best_rmse
        if trial.state is TrialState.COMPLETE:
            metrics["final/val_rmse"] = trial.best_rmse
            finals = {f"final/{name}": trial.metric(name) for name in study.metrics}
            metrics |= {tag: value for tag, value in finals.items() if value is not None}
    problems += _differences(
        row.metrics, {name: hparams.as_shown(value) for name, value in metrics.items()}
    )

    status = _STATUS[hparams.shown_state(trial)]
    if row.status != status:
        problems.append(f"its status is {row.status}, not {status}")
    # Before the colon is the study's name, which a folder that was renamed no longer has.
    group = hparams.group_name(study.folder.name, trial.name)
    if row.group.rpartition(":")[2] != group.rpartition(":")[2]:
        problems.append(f"its session group is {row.group}, not {group}")
    for tag in (*_CURVES, *study.metrics):
        points = row.curves.get(tag, ())
        expected = tuple(
            (epoch.epoch, hparams.as_shown(value))
            for epoch in trial.epochs
            if (value := _on_curve(epoch, tag)) is not None
        )
        if [step for step, _ in points] != [step for step, _ in expected]:
            problems.append(
                f"{tag} has the epochs {_steps_text(points)} on the board, "
                f"{_steps_text(expected)} in the ledger"
            )
        else:
            problems += [
                f"{tag} of epoch {step} is {shown} on the board, {value} in the ledger"
                for (step, value), (_, shown) in zip(expected, points, strict=True)
                if not _is_same(value, shown)
            ]
    return problems


def _on_curve(epoch: EpochRecord, tag: str) -> float | None:
    value: float | None = getattr(epoch, tag) if tag in _CURVES else epoch.metrics.get(tag)
    return value


def _differences(shown: Mapping[str, Value], expected: Mapping[str, Value]) -> list[str]:
    return [
        f"{name} is {shown.get(name, 'absent')} on the board, "
        f"{expected.get(name, 'absent')} in the ledger"
        for name in sorted(shown.keys() | expected.keys())
        if name not in shown or name not in expected or not _is_same(shown[name], expected[name])
    ]


def _is_same(one: Value, other: Value) -> bool:
    if isinstance(one, bool | str) or isinstance(other, bool | str):
        return type(one) is type(other) and one == other
    return one == other or (math.isnan(one) and math.isnan(other))


def _steps_text(points: Sequence[tuple[int, float]]) -> str:
    steps = [step for step, _ in points]
    if len(steps) > 2 and steps == list(range(steps[0], steps[-1] + 1)):
        return f"{steps[0]} to {steps[-1]}"
    return ", ".join(map(str, steps)) or "none"


def _order_problems(board: _Board, expected: Mapping[str, TrialRecord]) -> list[str]:
    """Sorted by `final/val_rmse`, groups without a complete trial come last, the rest ascend."""
    finals: dict[str, list[float]] = {row.group: [] for row in board.rows.values()}
    for name, trial in expected.items():
        if (
            name in board.rows
            and trial.state is TrialState.COMPLETE
            and trial.best_rmse is not None
        ):
            finals[board.rows[name].group].append(hparams.as_shown(trial.best_rmse))
    known = {row.group for name, row in board.rows.items() if name in expected}
    order = [finals[group] for group in board.order if group in known]
    means = [sum(values) / len(values) if values else math.inf for values in order]
    if all(before <= after for before, after in pairwise(means)):
        return []
    return [f"sorted by {_SORTED_BY} the board has another order than the ledger"]
