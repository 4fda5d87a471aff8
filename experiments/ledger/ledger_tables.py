"""The tables of the ledger: one a kind of fact, keyed so that a fact told twice is there once."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from experiments.ledger.journal import Event
from experiments.ledger.outcomes import Ask, End, Epoch, PrunerState, Start

APPLICATION_ID = 0x52435357  # "RCSW"
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE asks (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, purpose TEXT NOT NULL, arm TEXT,
    arm_number INTEGER NOT NULL, "values" TEXT NOT NULL, seed INTEGER NOT NULL,
    is_default INTEGER NOT NULL, at REAL NOT NULL, is_enqueued INTEGER NOT NULL DEFAULT 0);
CREATE TABLE starts (
    number INTEGER NOT NULL, attempt INTEGER NOT NULL, worker TEXT NOT NULL,
    first_epoch INTEGER NOT NULL, n_parameters INTEGER, at REAL NOT NULL,
    PRIMARY KEY (number, attempt)) WITHOUT ROWID;
CREATE TABLE epochs (
    number INTEGER NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL,
    val_rmse REAL, train_rmse REAL, n_updates INTEGER NOT NULL, seconds REAL NOT NULL,
    at REAL NOT NULL, metrics TEXT NOT NULL DEFAULT '{}', metric_errors TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (number, attempt, epoch)) WITHOUT ROWID;
CREATE TABLE checkpoints (
    number INTEGER NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY (number, attempt, epoch)) WITHOUT ROWID;
CREATE TABLE ends (
    number INTEGER NOT NULL, attempt INTEGER NOT NULL, stop_reason TEXT NOT NULL,
    ends_trial INTEGER NOT NULL, error TEXT, at REAL NOT NULL,
    PRIMARY KEY (number, attempt, stop_reason, ends_trial)) WITHOUT ROWID;
CREATE TABLE pruner_states (
    number INTEGER NOT NULL, epoch INTEGER NOT NULL, attrs TEXT NOT NULL,
    PRIMARY KEY (number, epoch)) WITHOUT ROWID;
CREATE TABLE sessions (
    at REAL NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, PRIMARY KEY (at, pid, host)
    ) WITHOUT ROWID;
CREATE TABLE session_ends (at REAL PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE extensions (at REAL PRIMARY KEY, trials INTEGER NOT NULL);
CREATE TABLE journals (name TEXT PRIMARY KEY, "offset" INTEGER NOT NULL) WITHOUT ROWID;
"""

ADDED_COLUMNS = (
    ("asks", "is_enqueued", "INTEGER NOT NULL DEFAULT 0"),
    ("epochs", "metrics", "TEXT NOT NULL DEFAULT '{}'"),
    ("epochs", "metric_errors", "TEXT NOT NULL DEFAULT '{}'"),
)
"""What came after ledgers were first written, each with a default: table, column, declaration."""

LAST_WORD = """
SELECT state FROM (
    SELECT at, state FROM session_ends UNION ALL SELECT at, 'running' FROM sessions
    UNION ALL SELECT at, 'extended' FROM extensions
) ORDER BY at DESC LIMIT 1
"""
"""The state in which the last driver left the study, where nothing came after."""

LAST_SIGN = """
SELECT max(at) FROM (
    SELECT at, number FROM asks UNION ALL SELECT at, number FROM starts
    UNION ALL SELECT at, number FROM epochs
    UNION ALL SELECT at, number FROM ends WHERE ends_trial
    UNION ALL SELECT at, -1 FROM session_ends
) WHERE at >= ? AND at < ? AND number < ?
"""
"""When a driver that began at the first moment, before another at the second, was last heard of,
where only trials below a number count. The end of an attempt alone may be the wish to try a failed
trial again, which comes before the driver that does so."""

_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ask": ("asks", Ask._fields),
    "start": ("starts", Start._fields),
    "epoch": ("epochs", Epoch._fields),
    "checkpoint": ("checkpoints", ("number", "attempt", "epoch")),
    "end": ("ends", End._fields),
    "attempt_end": ("ends", End._fields),
    "pruner": ("pruner_states", PrunerState._fields),
    "session": ("sessions", ("at", "pid", "host")),
    "session_end": ("session_ends", ("at", "state")),
    "extend": ("extensions", ("at", "trials")),
}
# Driver and worker may both say that an attempt was interrupted: the first word stands.
_CONFLICT = {
    "ends": "ON CONFLICT DO UPDATE SET error = excluded.error, at = excluded.at "
    "WHERE excluded.at < ends.at"
}


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    verb = "INSERT" if table in _CONFLICT else "INSERT OR REPLACE"
    return f"{verb} INTO {table} ({names}) VALUES ({marks}) {_CONFLICT.get(table, '')}"


_STATEMENTS = {kind: (_insert(*table), itemgetter(*table[1])) for kind, table in _TABLES.items()}


def row_of(event: Event) -> tuple[str, tuple[Any, ...]]:
    """The statement that brings an event in, and its row.

    Raises:
        KeyError: the event is of no known kind, or lacks a field.
        ValueError: a value is no number.
    """
    kind = event["kind"]
    statement, row = _STATEMENTS[kind]
    if kind == "epoch":  # numbers that are not finite come as text
        event = event | {name: float(event[name]) for name in ("val_rmse", "train_rmse")}
        for name in ("metrics", "metric_errors"):
            event[name] = json.dumps(event.get(name, {}))
    elif kind == "ask":
        event = {"is_enqueued": False} | event | {"values": json.dumps(event["values"])}
    elif kind == "pruner":
        event = event | {"attrs": json.dumps(event["attrs"])}
    elif kind in ("end", "attempt_end"):
        event = event | {"ends_trial": kind == "end"}
    return statement, row(event)


def beyond(connection: sqlite3.Connection, other: Path) -> Iterator[Event]:
    """The facts of a ledger that another has not, as the events that told them.

    Of a session the sweep, the versions, the machine and the resources are in no ledger.
    """
    connection.execute("ATTACH ? AS other", (str(other),))
    for kind, (table, columns) in _TABLES.items():
        about = connection.execute(f"PRAGMA table_info({table})").fetchall()
        keys = ", ".join(f'"{name}"' for _, name, *_, place in about if place)
        names = ", ".join(f'"{name}"' for name in columns)
        which = f" AND ends_trial = {kind == 'end':d}" if table == "ends" else ""
        query = (
            f"SELECT {names} FROM main.{table} "  # noqa: S608  # names of our own
            f"WHERE ({keys}) NOT IN (SELECT {keys} FROM other.{table}){which}"
        )
        for row in connection.execute(query):
            yield _event_of(kind, dict(zip(columns, row, strict=True)))


def _event_of(kind: str, fields: Event) -> Event:
    """What `row_of` made a row of."""
    fields.pop("ends_trial", None)
    for name in _JSON & fields.keys():
        fields[name] = json.loads(fields[name])
    for name in _BOOLEAN & fields.keys():
        fields[name] = bool(fields[name])
    if kind == "epoch":
        for name in ("val_rmse", "train_rmse"):
            fields[name] = math.nan if fields[name] is None else fields[name]
    return {"kind": kind} | fields


_JSON = frozenset({"values", "attrs", "metrics", "metric_errors"})
_BOOLEAN = frozenset({"is_default", "is_enqueued"})
