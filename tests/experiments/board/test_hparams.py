"""What the writer writes, read back record by record."""

from __future__ import annotations

import errno
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.util import tensor_util

from experiments.board import board_check, hparams
from experiments.board.hparams import METRICS, BoardWriter, write_board, write_root
from experiments.errors import DiskError
from experiments.records import (
    AttemptRecord,
    ColumnRecord,
    EpochRecord,
    Purpose,
    StopReason,
    TrialRecord,
    TrialState,
    read_study,
)
from tests.synthetic_study import make_study

COLUMNS = (
    ColumnRecord("architecture", "choice", None, None, False, ("plain", "dcn")),
    ColumnRecord("learning_rate", "float", 1e-4, 1e-1, True, ()),
    ColumnRecord("n_layers", "int", 1.0, 3.0, False, ()),
    ColumnRecord("layer_size_0", "choice", None, None, False, (32, 64)),
    ColumnRecord("layer_size_1", "choice", None, None, False, (32, 64), False),
    ColumnRecord("cross_layers", "int", 1.0, 3.0, False, (), False),
    ColumnRecord("biases", "choice", None, None, False, (True, False)),
    ColumnRecord("mixed", "choice", None, None, False, (0, "auto", True)),
)


def epochs_of(*val_rmses: float) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(i, rmse, rmse - 0.05, 64 * i, 0.5) for i, rmse in enumerate(val_rmses, start=1)
    )


def trial_of(
    number: int = 7,
    epochs: tuple[EpochRecord, ...] = (),
    reason: StopReason | None = None,
    **changes: Any,
) -> TrialRecord:
    finite = [epoch for epoch in epochs if math.isfinite(epoch.val_rmse)]
    best = min(finite, key=lambda epoch: epoch.val_rmse, default=None)
    trial = TrialRecord(
        number=number,
        name=f"{number:04d}",
        purpose=Purpose.SEARCH,
        arm="plain",
        arm_number=number,
        values={"architecture": "plain", "learning_rate": 1e-3, "n_layers": 1, "layer_size_0": 64},
        seed=1,
        is_default=False,
        state=reason.state if reason else TrialState.RUNNING,
        stop_reason=reason,
        error=None,
        epochs=epochs,
        attempts=(AttemptRecord(1, "w", 1000.0, None, 1, reason),),
        n_parameters=20_000_000,
        best_epoch=best.epoch if best else None,
        best_rmse=best.val_rmse if best else None,
        asked_at=999.0,
        ended_at=1010.0 if reason else None,
    )
    return replace(trial, **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my-study" / "tensorboard"


@pytest.fixture
def writer(folder: Path) -> BoardWriter:
    write_root(folder, COLUMNS, ())
    return BoardWriter(folder, COLUMNS, ())


def row(folder: Path, name: str = "0007") -> Any:
    return board_check._read_board(folder).rows[name]


def test_the_root_declares_every_column_the_conditional_ones_too(
    folder: Path, writer: BoardWriter
) -> None:
    writer.start(trial_of())
    read = board_check._read_board(folder)
    names = {column.name for column in COLUMNS} | {"layers", "state", "stop_reason"}
    assert set(read.columns) == names
    ticked = {name for name, column in read.columns.items() if column.differs}
    assert ticked == set(hparams.shown_columns(COLUMNS)) < names
    assert read.metrics == tuple(METRICS)


def test_what_only_some_trials_have_is_not_among_the_columns_shown_at_first() -> None:
    """TensorBoard's parallel coordinates would leave out the others."""
    shown = ("layers", "state", "architecture", "learning_rate", "biases")
    assert hparams.shown_columns(COLUMNS) == shown
    layers = ("n_layers", "layer_size_0", "layer_size_1")
    of_one_arm = [replace(c, is_always_there=c.name not in layers) for c in COLUMNS]
    assert "layers" not in hparams.shown_columns(of_one_arm)
    few = ("state", "architecture", "n_layers", "stop_reason")
    assert hparams.shown_columns([COLUMNS[0], COLUMNS[2], COLUMNS[5]]) == few


def test_the_metric_to_sort_by_comes_first() -> None:
    assert next(iter(METRICS)) == "final/val_rmse"


def test_a_space_without_layer_widths_has_no_layers_column(folder: Path) -> None:
    write_root(folder, COLUMNS[:2], ())
    assert "layers" not in board_check._read_board(folder).columns


def test_a_running_trial_shows_at_once_with_the_epochs_it_has(
    folder: Path, writer: BoardWriter
) -> None:
    trial = trial_of()
    writer.start(trial)
    assert row(folder).values == trial.values | {"layers": "64", "state": "RUNNING"}
    assert row(folder).status == "STATUS_UNKNOWN"
    writer.epoch(trial, epochs_of(1.25)[0])
    assert row(folder).curves["val_rmse"] == ((1, 1.25),)
    assert row(folder).metrics["parameters"] == 20_000_000


def test_a_trial_that_waits_for_its_worker_shows_as_running(
    folder: Path, writer: BoardWriter
) -> None:
    writer.start(trial_of(state=TrialState.WAITING))
    assert row(folder).values["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("reason", "state", "status", "has_final"),
    [
        (StopReason.MAX_EPOCHS, "COMPLETE", "STATUS_SUCCESS", True),
        (StopReason.PATIENCE, "COMPLETE", "STATUS_SUCCESS", True),
        (StopReason.PRUNER, "PRUNED", "STATUS_SUCCESS", False),
        (StopReason.DIVERGED, "PRUNED", "STATUS_SUCCESS", False),
        (StopReason.ERROR, "FAIL", "STATUS_FAILURE", False),
        (StopReason.WORKER_LOST, "FAIL", "STATUS_FAILURE", False),
    ],
)
def test_an_ended_trial_shows_its_state_and_only_a_complete_one_a_final_rmse(
    folder: Path,
    writer: BoardWriter,
    reason: StopReason,
    state: str,
    status: str,
    has_final: bool,
) -> None:
    trial = trial_of(epochs=epochs_of(1.25, 1.125, 1.1875), reason=reason)
    writer.start(replace(trial, state=TrialState.RUNNING, stop_reason=None))
    writer.end(trial)
    shown = row(folder)
    assert shown.values["state"] == state
    assert shown.values["stop_reason"] == reason.value
    assert shown.status == status
    assert ("final/val_rmse" in shown.metrics) is has_final
    assert shown.metrics["best/val_rmse"] == 1.125


def test_best_is_the_running_minimum_and_the_table_shows_the_last_of_it(
    folder: Path, writer: BoardWriter
) -> None:
    trial = trial_of()
    writer.start(trial)
    for n, expected in enumerate((1.25, 1.125, 1.125), start=1):
        writer.epoch(trial, epochs_of(1.25, 1.125, 1.375)[n - 1])
        assert row(folder).metrics["best/val_rmse"] == expected
    assert row(folder).metrics["epochs"] == 3
    assert row(folder).metrics["seconds"] == 1.5


def test_a_value_that_is_not_finite_is_on_the_curve_but_never_the_best(
    folder: Path, writer: BoardWriter
) -> None:
    trial = trial_of(epochs=epochs_of(1.25, math.nan), reason=StopReason.DIVERGED)
    writer.end(trial)
    (first, second) = row(folder).curves["val_rmse"]
    assert first == (1, 1.25)
    assert math.isnan(second[1])
    assert row(folder).metrics["best/val_rmse"] == 1.25


def test_a_trial_that_diverges_at_once_has_no_best(folder: Path, writer: BoardWriter) -> None:
    writer.end(trial_of(epochs=epochs_of(math.inf), reason=StopReason.DIVERGED))
    assert "best/val_rmse" not in row(folder).metrics
    assert row(folder).values["stop_reason"] == "diverged"


def test_an_epoch_trained_again_by_a_new_worker_replaces_the_old_ones(
    folder: Path, writer: BoardWriter
) -> None:
    trial = trial_of()
    writer.start(trial)
    for epoch in epochs_of(1.25, 1.125, 1.0625):
        writer.epoch(trial, epoch)
    for _ in range(2):
        writer.epoch(trial, epochs_of(1.25, 1.1875)[1])
    assert row(folder).curves["val_rmse"] == ((1, 1.25), (2, 1.1875))
    assert row(folder).metrics["best/val_rmse"] == 1.1875


def test_a_trial_that_goes_on_in_a_new_driver_has_each_epoch_once(
    folder: Path, writer: BoardWriter
) -> None:
    interrupted = trial_of(epochs=epochs_of(1.25, 1.125))
    writer.start(trial_of())
    for epoch in epochs_of(1.25, 1.125, 1.0625):
        writer.epoch(interrupted, epoch)
    later = BoardWriter(folder, COLUMNS, ())
    later.start(interrupted)
    later.epoch(interrupted, epochs_of(1.25, 1.125, 1.03125)[2])
    assert row(folder).curves["val_rmse"] == ((1, 1.25), (2, 1.125), (3, 1.03125))


def test_replicates_share_a_session_group_and_other_studies_do_not(
    folder: Path, writer: BoardWriter
) -> None:
    writer.end(trial_of(epochs=epochs_of(1.0), reason=StopReason.MAX_EPOCHS))
    replicate = trial_of(
        epochs=epochs_of(1.25), reason=StopReason.MAX_EPOCHS, name="0007-v2",
        purpose=Purpose.VERDICT,
    )  # fmt: skip
    writer.end(replicate)
    assert row(folder).group == row(folder, "0007-v2").group == "my-study:0007"


def test_a_column_of_several_types_is_text_throughout(folder: Path, writer: BoardWriter) -> None:
    for number, value in enumerate((0, "auto", True)):
        writer.start(trial_of(number, values={"mixed": value}))
    shown = [row(folder, f"000{n}").values["mixed"] for n in range(3)]
    assert shown == ["0", "auto", "True"]


def test_a_dimension_called_as_a_column_of_the_board_stands_under_another_name(
    folder: Path,
) -> None:
    named = ("state", "layers", "layer_size_0")
    columns = [ColumnRecord(n, "int", 1, 9, False, (), True) for n in named]
    write_root(folder, columns, ())
    values = {"state": 3, "layers": 2, "n_layers": 1, "layer_size_0": 32}
    BoardWriter(folder, columns, ()).start(trial_of(values=values))
    board = board_check._read_board(folder)
    assert board.columns["space.state"].domain_interval.max_value == 9
    assert board.columns["layers"].domain_interval.max_value == 0
    shown = board.rows["0007"].values
    assert (shown["space.state"], shown["state"]) == (3, "RUNNING")
    assert (shown["space.layers"], shown["layers"]) == (2, "32")
    assert board_check._column_problems(board, columns, ()) == []


def test_numbers_and_truth_values_keep_their_type(folder: Path, writer: BoardWriter) -> None:
    writer.start(trial_of(values={"layer_size_0": 64, "biases": False, "learning_rate": 0.1 + 0.2}))
    values = row(folder).values
    assert values["layer_size_0"] == 64
    assert values["biases"] is False
    assert values["learning_rate"] == 0.1 + 0.2


def test_a_run_has_one_file_with_events_however_often_it_is_rewritten(
    folder: Path, writer: BoardWriter
) -> None:
    trial = trial_of(epochs=epochs_of(1.125), reason=StopReason.PATIENCE)
    for _ in range(3):
        writer.end(trial)
    sizes = [path.stat().st_size for path in sorted((folder / "0007").iterdir())]
    assert sizes[:-1] == [0, 0]
    assert sizes[-1] > 0


def test_an_open_tensorboard_follows_a_rewritten_run_without_doubling_its_epochs(
    folder: Path, writer: BoardWriter
) -> None:
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

    trial = trial_of()
    writer.start(trial)
    for epoch in epochs_of(1.25, 1.125):
        writer.epoch(trial, epoch)
    open_board = EventMultiplexer().AddRunsFromDirectory(str(folder))
    open_board.Reload()
    writer.end(trial_of(epochs=epochs_of(1.25, 1.125, 1.0625), reason=StopReason.MAX_EPOCHS))
    open_board.Reload()
    assert [event.step for event in open_board.Tensors("0007", "val_rmse")] == [1, 2, 3]
    assert len(open_board.Tensors("0007", "final/val_rmse")) == 1


def test_an_open_board_reads_on_where_the_clock_was_set_back(
    folder: Path, writer: BoardWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.start(trial_of())
    monkeypatch.setattr(hparams.time, "time_ns", lambda: 1_000)
    later = BoardWriter(folder, COLUMNS, ())
    later.end(trial_of(epochs=epochs_of(1.0), reason=StopReason.MAX_EPOCHS))
    emptied, written = sorted((folder / "0007").glob("events.out.tfevents.*"))
    assert (emptied.stat().st_size, written.stat().st_size > 0) == (0, True)


def test_the_whole_board_can_be_written_anew_from_the_record(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=10))
    write_board(study)
    assert board_check.check_board(study) == []


def test_a_full_disk_is_told_by_the_path_of_the_board(
    folder: Path, writer: BoardWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hparams.RecordWriter, "write", full)
    with pytest.raises(DiskError, match=str(folder)):
        writer.start(trial_of())


@pytest.mark.parametrize("value", [0.0, -0.0, 0.9876543, 12, math.nan, math.inf, 1e300])
def test_a_scalar_is_what_tensorboards_own_slower_maker_makes_of_it(value: float) -> None:
    theirs = tensor_util.make_tensor_proto(hparams.as_shown(value), dtype="float32")
    assert hparams._scalar("val_rmse", value).tensor.SerializeToString() == (
        theirs.SerializeToString()
    )
