"""A study as TensorBoard event files, for its HParams table: written by the driver, no TensorFlow.

    tensorboard/          one root run: the columns (the union of the space) and the metrics
    tensorboard/0007/     one run a trial: its values, its curves, its end

What is written can always be made again from the ledger, and is: a trial's file is rewritten when
it starts, when an epoch is trained again after a lost worker, and when it ends.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from experiments.files import disk_errors
from experiments.records import (
    ColumnRecord,
    EpochRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    Value,
)
from experiments.records.values import is_layer_size, layers_text

FOLDER = "tensorboard"
"""Where a study folder holds its event files."""

METRICS: dict[str, str] = {
    "final/val_rmse": "validation RMSE at the best epoch; complete trials only: sort by this one",
    "best/val_rmse": "lowest validation RMSE so far, pruned and running trials included",
    "epochs": "epochs trained",
    "parameters": "trainable numbers in the model",
    "seconds": "training seconds",
}
"""The metric columns of the table, in its order: the last value of each tag is what it shows."""

N_SHOWN = 5
"""Hyperparameters that TensorBoard shows before the user ticks more."""


class BoardWriter:
    """Writes the events of one study while its trials run. Every call is on disk when it returns.

    Args:
        folder: the study's `tensorboard` folder; made where it is missing.
        columns: the union of the space, in its order.
        metrics: the further metrics by name.
    """

    def __init__(
        self, folder: Path, columns: Sequence[ColumnRecord], metrics: Sequence[str]
    ) -> None:
        self._folder = folder
        self._columns = tuple(columns)
        self._metrics = tuple(metrics)
        self._runs: dict[str, tuple[Path, list[EpochRecord]]] = {}

    def start(self, trial: TrialRecord) -> None:
        """Show a trial that starts or goes on, with the epochs that the record already holds."""
        self._rewrite(trial, list(trial.epochs))

    def epoch(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Add one epoch; epochs from this one on that are already there are replaced."""
        if trial.name not in self._runs:
            self._rewrite(trial, [e for e in trial.epochs if e.epoch < epoch.epoch])
        path, epochs = self._runs[trial.name]
        if epochs and epoch.epoch <= epochs[-1].epoch:
            self._rewrite(trial, [e for e in epochs if e.epoch < epoch.epoch] + [epoch])
        else:
            epochs.append(epoch)
            _append(path, [_epoch_event(trial, epochs, self._metrics)])

    def end(self, trial: TrialRecord) -> None:
        """Write the trial's run anew from its record: state, reason, status, final metric.

        One that is not finished, but interrupted, is written as running.
        """
        self._rewrite(trial, list(trial.epochs))
        if trial.state.is_finished:
            del self._runs[trial.name]

    def _rewrite(self, trial: TrialRecord, epochs: list[EpochRecord]) -> None:
        study = self._folder.parent.name
        events = _run_events(trial, epochs, self._columns, self._metrics, study)
        self._runs[trial.name] = (_replace(self._folder / trial.name, events), epochs)


def write_board(study: StudyRecord) -> None:
    """Write all event files of a study anew, as its record has them.

    For a study whose driver was killed: the ledger may know more than it could write.
    """
    folder = study.folder / FOLDER
    write_root(folder, study.columns, study.metrics)
    writer = BoardWriter(folder, study.columns, study.metrics)
    for trial in study.trials:
        if trial.state is not TrialState.WAITING:
            writer.end(trial)


def spare_tensorflow() -> None:
    """Have TensorBoard read files without TensorFlow, in this process, whatever is imported later.

    It takes TensorFlow for its file system where it finds it, an import of 6 to 20 s. With this
    name, which it looks for first, it takes its own small substitute.
    """
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))


def metric_columns(metrics: Sequence[str]) -> dict[str, str]:
    """The metric columns of a study: tag and description; `METRICS`, then the further ones."""
    return METRICS | {
        f"final/{name}": f"{name} at the best epoch; complete trials" for name in metrics
    }


def write_root(folder: Path, columns: Sequence[ColumnRecord], metrics: Sequence[str]) -> None:
    """Write the one run that declares the table's columns, conditional ones too, and metrics."""
    declared = [_declared(column, shown_name(column.name, columns)) for column in columns]
    declared += [_own_column(name) for name in own_columns(columns)]
    shown = shown_columns(columns)
    for info in declared:
        info.differs = info.name in shown
    summary = summary_v2.hparams_config_pb(
        hparams=[],
        metrics=[
            summary_v2.Metric(tag, description=d) for tag, d in metric_columns(metrics).items()
        ],
    )
    plugin_data = plugin_data_pb2.HParamsPluginData.FromString(
        summary.value[0].metadata.plugin_data.content
    )
    plugin_data.experiment.hparam_infos.extend(declared)
    summary.value[0].metadata.CopyFrom(metadata.create_summary_metadata(plugin_data))
    _replace(folder, [Event(wall_time=time.time(), step=0, summary=summary)])


def group_name(study: str, trial: str) -> str:
    """The session group of a trial: its replicates (`0007-v2`) share it, other studies do not."""
    return f"{study}:{trial.partition('-')[0]}"


def name_in_events(folder: Path) -> str | None:
    """What a study was called when the events of its first trial were written; None without any."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    for file in sorted(folder.glob("*/events.out.tfevents.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.tag == metadata.SESSION_START_INFO_TAG:
                    written = value.metadata.plugin_data.content
                    start = metadata.parse_session_start_info_plugin_data(written)
                    return str(start.group_name.rpartition(":")[0])
    return None


def shown_state(trial: TrialRecord) -> TrialState:
    """The state as the board has it: a trial comes onto it when it is handed to a worker."""
    return trial.state if trial.state.is_finished else TrialState.RUNNING


def as_shown(value: float) -> float:
    """A metric as the board has it: to seven digits."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def is_text(column: ColumnRecord) -> bool:
    """Whether a column's values go to the board as text.

    A column whose values have several types would be turned into text by TensorBoard anyway,
    with quotes around what was text before.
    """
    return len({_api_type(choice) for choice in column.choices}) > 1 or any(
        isinstance(choice, str) for choice in column.choices
    )


def _api_type(value: Value) -> int:
    if isinstance(value, bool):
        return int(api_pb2.DATA_TYPE_BOOL)
    return int(api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64)


def own_columns(columns: Sequence[ColumnRecord]) -> tuple[str, ...]:
    """The columns beside the dimensions; `layers` where some dimension is one layer's width."""
    own = ("state", "stop_reason")
    return ("layers", *own) if any(is_layer_size(c.name) for c in columns) else own


def shown_name(name: str, columns: Sequence[ColumnRecord]) -> str:
    """Of a dimension; one that is called as a column of the board's own is `space.state` there."""
    return f"space.{name}" if name in own_columns(columns) else name


def shown_values(trial: TrialRecord, columns: Sequence[ColumnRecord]) -> dict[str, Value]:
    """What a trial has in the columns of the dimensions, and its layers."""
    as_text = {column.name for column in columns if is_text(column)}
    # What a trial does not have is left out: the table keeps its row all the same.
    values = {
        shown_name(n, columns): str(v) if n in as_text else v for n, v in trial.values.items()
    }
    if "layers" in own_columns(columns) and (layers := layers_text(trial.values)) is not None:
        values["layers"] = layers
    return values


def shown_columns(columns: Sequence[ColumnRecord]) -> tuple[str, ...]:
    """The columns that TensorBoard shows until asked for more: those said to "differ".

    Its parallel coordinates leave out a trial without a value in one of them: what is there under
    a condition alone would hide the trials of the other arm. Where these are fewer than it shows,
    it takes others by their names.
    """
    there = [shown_name(column.name, columns) for column in columns if column.is_always_there]
    own = [name for name in own_columns(columns) if name != "stop_reason"]
    if not {"n_layers", "layer_size_0"} & {*there}:
        own = [name for name in own if name != "layers"]
    first = [name for name in there if not is_layer_size(name) and name != "n_layers"]
    last = [name for name in (*there, "stop_reason") if name not in first]
    return (*own, *[*first, *last][: N_SHOWN - len(own)])


def _declared(column: ColumnRecord, name: str) -> api_pb2.HParamInfo:
    if is_text(column):
        info = api_pb2.HParamInfo(name=name, type=api_pb2.DATA_TYPE_STRING)
        info.domain_discrete.extend(str(choice) for choice in column.choices)
    elif column.choices:
        info = api_pb2.HParamInfo(name=name, type=_api_type(column.choices[0]))
        info.domain_discrete.extend(column.choices)
    else:
        info = api_pb2.HParamInfo(name=name, type=api_pb2.DATA_TYPE_FLOAT64)
        if column.low is not None and column.high is not None:
            info.domain_interval.min_value = column.low
            info.domain_interval.max_value = column.high
    return info


def _own_column(name: str) -> api_pb2.HParamInfo:
    info = api_pb2.HParamInfo(name=name, type=api_pb2.DATA_TYPE_STRING)
    if name == "state":
        info.domain_discrete.extend(state.value for state in TrialState)
    return info


def _hparams(trial: TrialRecord, columns: Sequence[ColumnRecord]) -> dict[str, Value]:
    hparams = shown_values(trial, columns)
    hparams["state"] = shown_state(trial).value
    if trial.state.is_finished and trial.stop_reason is not None:
        hparams["stop_reason"] = trial.stop_reason.value
    return hparams


def _run_events(
    trial: TrialRecord,
    epochs: Sequence[EpochRecord],
    columns: Sequence[ColumnRecord],
    metrics: Sequence[str],
    study: str,
) -> Iterator[Event]:
    started_at = trial.attempts[0].started_at if trial.attempts else trial.asked_at
    # A TensorBoard that is open has read the file that this one replaces: START tells it to
    # forget those steps.
    yield Event(wall_time=started_at, step=0, session_log=SessionLog(status=SessionLog.START))
    start = summary_v2.hparams_pb(
        _hparams(trial, columns),
        trial_id=group_name(study, trial.name),
        start_time_secs=started_at,
    )
    yield Event(wall_time=started_at, step=0, summary=start)
    for n in range(1, len(epochs) + 1):
        yield _epoch_event(trial, epochs[:n], metrics)
    if trial.state.is_finished:
        yield _end_event(trial, metrics, _wall_time(trial, epochs) if epochs else started_at)


def _epoch_event(
    trial: TrialRecord, epochs: Sequence[EpochRecord], metrics: Sequence[str]
) -> Event:
    """The event of the last of these epochs."""
    last = epochs[-1]
    best = min((e.val_rmse for e in epochs if math.isfinite(e.val_rmse)), default=None)
    scalars = {
        "val_rmse": last.val_rmse,
        "train_rmse": last.train_rmse,
        "best/val_rmse": best,
        "epochs": last.epoch,
        "parameters": trial.n_parameters,
        "seconds": sum(e.seconds for e in epochs),
        **{name: last.metrics.get(name) for name in metrics},
    }
    values = [_scalar(tag, value) for tag, value in scalars.items() if value is not None]
    return Event(
        wall_time=_wall_time(trial, epochs), step=last.epoch, summary=Summary(value=values)
    )


def _end_event(trial: TrialRecord, metrics: Sequence[str], otherwise_at: float) -> Event:
    ended_at = otherwise_at if trial.ended_at is None else trial.ended_at
    failed = trial.state is TrialState.FAIL
    info = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS,
        end_time_secs=ended_at,
    )
    plugin_data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    values = [
        Summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(plugin_data),
            tensor=metadata.NULL_TENSOR,
        )
    ]
    if trial.state is TrialState.COMPLETE and trial.best_rmse is not None:
        values.append(_scalar("final/val_rmse", trial.best_rmse))
        finals = ((name, trial.metric(name)) for name in metrics)
        values += [_scalar(f"final/{name}", value) for name, value in finals if value is not None]
    return Event(wall_time=ended_at, step=trial.best_epoch or 0, summary=Summary(value=values))


def _scalar(tag: str, value: float) -> Summary.Value:
    # TensorBoard's fast loader, which a bare `tensorboard --logdir` uses, skips doubles.
    tensor = TensorProto(
        dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[as_shown(value)]
    )
    return Summary.Value(tag=tag, tensor=tensor, metadata=_SCALAR)


_SCALAR = SummaryMetadata(
    plugin_data=SummaryMetadata.PluginData(plugin_name=scalar_metadata.PLUGIN_NAME),
    data_class=DATA_CLASS_SCALAR,
)


def _wall_time(trial: TrialRecord, epochs: Sequence[EpochRecord]) -> float:
    """When the last of these epochs ended: its attempt's start and the epochs trained since."""
    last = epochs[-1].epoch
    began = [(a.first_epoch or 1, a.started_at) for a in trial.attempts]
    first, started_at = max(
        ((first, at) for first, at in began if first <= last), default=(1, trial.asked_at)
    )
    return started_at + sum(e.seconds for e in epochs if e.epoch >= first)


def _replace(folder: Path, events: Iterable[Event]) -> Path:
    """Make the folder's events anew, whole or not at all, and give the path of their file.

    It gets a new name, later in alphabetical order, and the former files are emptied but stay: an
    open TensorBoard reads on from the end of one to the next, and stops for good where the one
    that it has read is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    former = list(folder.glob("events.out.tfevents.*"))
    stamps = ("".join(file.name.split(".")[3:5]) for file in former)
    # Later also where the clock was set back.
    now = max([time.time_ns(), *(int(stamp) + 1 for stamp in stamps if stamp.isdigit())])
    seconds, nanoseconds = divmod(now, 1_000_000_000)
    path = folder / f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}"
    unfinished = folder / ".unfinished"
    version = Event(wall_time=time.time(), file_version="brain.Event:2")
    unfinished.unlink(missing_ok=True)
    _append(unfinished, [version, *events])
    unfinished.rename(path)
    for file in former:
        os.truncate(file, 0)
    return path


def _append(path: Path, events: Iterable[Event]) -> None:
    with disk_errors(path), path.open("ab") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
