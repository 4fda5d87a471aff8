"""TensorBoard over study folders, served until Ctrl-C."""

from __future__ import annotations

import getpass
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from experiments.board import hparams
from experiments.board.live_page import live_page
from experiments.durations import format_duration
from experiments.errors import PortError, RequestError, StateError
from experiments.machine.scratch import scratch_folder
from experiments.records import ColumnRecord, StudyRecord

hparams.spare_tensorflow()

LOOPBACK = "127.0.0.1"
USUAL_PORT = 6006
_PAGE = 100
"""Session groups that TensorBoard shows until it is told otherwise."""
_CURVE = 1 << 30
"""Points of a curve to show at most: all. At 0 TensorBoard loads them all and shows none."""
_print = partial(print, flush=True)


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
    if not any(_has_events(study) or _has_ended_trials(study) for study in studies):
        raise StateError("there are no TensorBoard events yet; they come with the first trial")
    logging.getLogger("tensorboard").setLevel(logging.CRITICAL)
    _follow_session_starts()
    with scratch_folder("recsweep-board-") as scratch:
        studies = [*_with_events(studies, scratch)]
        board = program.TensorBoard(default.get_static_plugins(), live_page)
        board.configure(
            logdir=str(_log_folder(studies, scratch)),
            host=host,
            port=port,
            # The fast loader is a second process, which outlives this one when it is killed.
            load_fast="false",
            samples_per_plugin={"scalars": _CURVE},
            window_title=f"recsweep: {', '.join(study.name for study in studies)}",
        )
        try:
            server = board._make_server()  # `launch` has no way to stop what it starts
        except program.TensorBoardServerException as error:
            whose = f" (in use by {port_holder(port)})" if port else ""
            raise PortError(f"{error.msg}{whose}; choose another one with --port") from None
        except SystemExit:  # Werkzeug's, which has said why
            raise PortError(f"--host {host} is no address of this machine") from None
        got = int(server.get_url().rstrip("/").rpartition(":")[2])
        if port is None and got != USUAL_PORT:
            say(f"port {USUAL_PORT} is in use by {port_holder(USUAL_PORT)}; using {got}")
        for line in [*address_lines(server.get_url(), host, os.environ), *size_lines(studies)]:
            say(line)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        server.server_close()


def _follow_session_starts() -> None:
    """Have TensorBoard, in this process, take the last session start of a run for what it is.

    Left alone it keeps the first that it read, and shows a trial as running long after its end.
    """
    from tensorboard.backend.event_processing import plugin_event_accumulator
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG

    class Accumulator(plugin_event_accumulator.EventAccumulator):  # type: ignore[misc]  # untyped
        def _ProcessEvent(self, event: Any) -> None:  # noqa: N802  # TensorBoard's
            super()._ProcessEvent(event)
            for value in event.summary.value:
                if value.tag == SESSION_START_INFO_TAG:
                    self.summary_metadata[value.tag] = value.metadata

    plugin_event_accumulator.EventAccumulator = Accumulator


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
        with suppress(KeyError, OSError):  # a user without a name
            server = f"{getpass.getuser()}@{server}"
        tunnel = f"ssh -N -L {port}:{LOOPBACK}:{port} {server}"
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


def _has_events(study: StudyRecord) -> bool:
    return (study.folder / hparams.FOLDER).is_dir()


def _has_ended_trials(study: StudyRecord) -> bool:
    return any(trial.state.is_finished for trial in study.trials)


def _with_events(studies: Sequence[StudyRecord], scratch: Path) -> Iterator[StudyRecord]:
    """Those that have events; of one that came without, in a bundle, they follow its ledger."""
    for study in studies:
        if not _has_events(study) and _has_ended_trials(study):
            study = replace(study, folder=scratch / "made" / study.folder.name)
            hparams.write_board(study)
        if _has_events(study):
            yield study


def _log_folder(studies: Sequence[StudyRecord], scratch: Path) -> Path:
    """The folder that TensorBoard is to read: the study's own, or links to each."""
    if len(studies) == 1:
        return studies[0].folder / hparams.FOLDER
    shown = scratch / "shown"
    # TensorBoard takes the columns from the first run that declares any: the root's.
    hparams.write_root(
        shown,
        _union([study.columns for study in studies]),
        list(dict.fromkeys(name for study in studies for name in study.metrics)),
    )
    for study in studies:
        name = hparams.name_in_events(study.folder / hparams.FOLDER)
        if name not in (None, study.folder.name):
            # It was renamed, and another study may have the name that its trials go by there.
            study = replace(study, folder=scratch / "anew" / study.folder.name)
            hparams.write_board(study)
        (shown / study.folder.name).symlink_to((study.folder / hparams.FOLDER).resolve())
    return shown


def _union(studies: Sequence[Sequence[ColumnRecord]]) -> list[ColumnRecord]:
    """One column for each name, wide enough for all of its name."""
    merged: dict[str, ColumnRecord] = {}
    for column in (column for columns in studies for column in columns):
        known = merged.setdefault(column.name, column)
        choices = tuple(dict.fromkeys(known.choices + column.choices))
        if not (known.choices and column.choices) and not any(isinstance(c, str) for c in choices):
            choices = ()  # a range in one study: its other values could not be ticked
        if None in (known.low, column.low, known.high, column.high):
            merged[column.name] = replace(known, low=None, high=None, choices=choices)
        else:
            low, high = min(known.low, column.low), max(known.high, column.high)  # type: ignore[type-var]  # none is None here
            merged[column.name] = replace(known, low=low, high=high, choices=choices)
    there = [{c.name for c in columns if c.is_always_there} for columns in studies]
    everywhere = set.intersection(*there)
    return [replace(c, is_always_there=c.name in everywhere) for c in merged.values()]
