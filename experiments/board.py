"""TensorBoard over study folders: serve it, and check that it shows what the ledger holds."""

from __future__ import annotations

import getpass
import logging
import math
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from experiments import hparams
from experiments.durations import format_duration
from experiments.errors import PortError, RequestError, StateError
from experiments.records import (
    ColumnRecord,
    EpochRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    Value,
)
from experiments.values import layers_text

# TensorBoard takes TensorFlow for its file system where it finds it, an import of 6 to 20 s. With
# this name, which it looks for first, it takes its own small substitute.
sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))

LOOPBACK = "127.0.0.1"
USUAL_PORT = 6006
_PAGE = 100
"""Session groups that TensorBoard shows until it is told otherwise."""
_print = partial(print, flush=True)


def check_board(study: StudyRecord) -> list[str]:
    """Every difference between a study's event files and its record; none is an empty list.

    Columns, metrics, trials, values, states, curves and the order by `final/val_rmse` are read
    back through the data API of TensorBoard's own HParams plugin, fresh from disk.
    """
    folder = study.folder / hparams.FOLDER
    if not folder.is_dir():
        return [f"there are no TensorBoard events: {folder} does not exist"]
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


def serve_board(
    studies: Sequence[StudyRecord],
    *,
    port: int | None = None,
    host: str = LOOPBACK,
    say: Callable[[str], None] = _print,
) -> None:
    """Run TensorBoard over these studies until Ctrl-C.

    Args:
        studies: one is shown as it is; several share a table with the columns of all. Those
            without events are left out.
        port: None takes 6006 or the next free one.
        host: loopback unless the user asks for more: TensorBoard knows no password.
        say: takes the lines to print: the address, over ssh the tunnel.

    Raises:
        PortError: the port is taken, or may not be opened.
        RequestError: two studies have one name.
        StateError: none has event files yet.
    """
    from tensorboard import default, program

    names = [study.folder.name for study in studies]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(f"two studies are named {', '.join(twice)}; show them one at a time")
    studies = [study for study in studies if (study.folder / hparams.FOLDER).is_dir()]
    if not studies:
        raise StateError("there are no TensorBoard events yet; they come with the first trial")
    logging.getLogger("tensorboard").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="recsweep-board-") as scratch:
        board = program.TensorBoard(plugins=default.get_static_plugins())
        board.configure(
            logdir=str(_log_folder(studies, Path(scratch))),
            host=host,
            port=port,
            # The fast loader is a second process, which outlives this one when it is killed.
            load_fast="false",
            samples_per_plugin={"scalars": 0},
            window_title=f"recsweep: {', '.join(study.name for study in studies)}",
        )
        try:
            server = board._make_server()  # `launch` has no way to stop what it starts
        except program.TensorBoardServerException as error:
            whose = f" (in use by {port_holder(port)})" if port else ""
            raise PortError(f"{error.msg}{whose}; choose another one with --port") from None
        got = int(server.get_url().rstrip("/").rpartition(":")[2])
        if port is None and got != USUAL_PORT:
            say(f"port {USUAL_PORT} is in use by {port_holder(USUAL_PORT)}; using {got}")
        for line in [*address_lines(server.get_url(), host, os.environ), *size_lines(studies)]:
            say(line)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        server.server_close()


def port_holder(port: int) -> str:
    """`process 123` where this user may know who listens there, else `another process`."""
    with suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if is_it and connection.pid is not None:
                return f"process {connection.pid}"
    return "another process"


def address_lines(url: str, host: str, environ: Mapping[str, str]) -> list[str]:
    """What to tell the user about a board at `url`: where it is, and over ssh the tunnel."""
    lines = [f"TensorBoard: {url}#hparams      stop  Ctrl-C"]
    if host not in (LOOPBACK, "localhost", "::1"):
        lines.append(f"anyone who reaches {host} can read it: TensorBoard knows no password")
    elif connection := environ.get("SSH_CONNECTION", "").split():
        port = url.rstrip("/").rpartition(":")[2]
        server = connection[2] if len(connection) > 2 else socket.gethostname()
        tunnel = f"ssh -N -L {port}:{LOOPBACK}:{port} {getpass.getuser()}@{server}"
        lines.append(f"from your own machine: {tunnel}")
    return lines


def size_lines(studies: Sequence[StudyRecord]) -> list[str]:
    """What to tell the user about a board of more trials than a page holds; else nothing."""
    n_trials = sum(len(study.trials) for study in studies)
    if n_trials <= _PAGE:
        return []
    n_epochs = sum(len(trial.epochs) for study in studies for trial in study.trials)
    # Measured on one core of 2.6 GHz.
    seconds = 0.0011 * n_trials + 0.0001 * n_epochs
    return [
        f"its {n_trials:,} trials take about {format_duration(seconds)} to load; table and plots "
        f"show {_PAGE} at a time: raise it under Paging, at the bottom of the left column"
    ]


def _log_folder(studies: Sequence[StudyRecord], scratch: Path) -> Path:
    """The folder that TensorBoard is to read: the study's own, or links to each."""
    if len(studies) == 1:
        return studies[0].folder / hparams.FOLDER
    # TensorBoard takes the columns from the first run that declares any: the root's.
    hparams.write_root(
        scratch,
        _union(column for study in studies for column in study.columns),
        list(dict.fromkeys(name for study in studies for name in study.metrics)),
    )
    for study in studies:
        (scratch / study.folder.name).symlink_to((study.folder / hparams.FOLDER).resolve())
    return scratch


def _union(columns: Iterable[ColumnRecord]) -> list[ColumnRecord]:
    """One column for each name, wide enough for all of its name."""
    merged: dict[str, ColumnRecord] = {}
    for column in columns:
        known = merged.setdefault(column.name, column)
        choices = tuple(dict.fromkeys(known.choices + column.choices))
        if None in (known.low, column.low, known.high, column.high):
            merged[column.name] = replace(known, low=None, high=None, choices=choices)
        else:
            low, high = min(known.low, column.low), max(known.high, column.high)  # type: ignore[type-var]  # none is None here
            merged[column.name] = replace(known, low=low, high=high, choices=choices)
    return list(merged.values())


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
    expected = [*(column.name for column in columns), *hparams.own_columns(columns)]
    problems = [f"column {name} is missing" for name in expected if name not in board.columns]
    problems += [f"column {n} is not in the space" for n in board.columns if n not in expected]
    for column in columns:
        if column.name in board.columns:
            domain = board.columns[column.name].domain_interval
            ends = (domain.min_value, domain.max_value)
            if not column.choices and column.low is not None and ends != (column.low, column.high):
                problems.append(
                    f"column {column.name} ranges over {ends} on the board, "
                    f"over {(column.low, column.high)} in the space"
                )
            discrete = [_python_value(v) for v in board.columns[column.name].domain_discrete.values]
            choices = [str(c) if hparams.is_text(column) else c for c in column.choices]
            if discrete != choices:
                problems.append(
                    f"column {column.name} has the choices {discrete} on the board, "
                    f"{choices} in the space"
                )
    declared = tuple(hparams.metric_columns(metrics))
    if board.metrics != declared:
        problems.append(
            f"the metrics are {', '.join(board.metrics) or 'none'}, not {', '.join(declared)}"
        )
    return problems


def _row_problems(row: _Row, trial: TrialRecord, study: StudyRecord) -> list[str]:
    as_text = {column.name for column in study.columns if hparams.is_text(column)}
    values = {n: str(v) if n in as_text else v for n, v in trial.values.items()}
    if "layers" in hparams.own_columns(study.columns) and (layers := layers_text(trial.values)):
        values["layers"] = layers
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
