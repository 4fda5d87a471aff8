"""The ledger: every fact of the journals in one SQLite file, for everybody to read.

One writer, the driver, under the study's lock. It holds facts and no conclusions (those are drawn
in `outcomes`), so that bringing in the same journal twice, or the journals in another order,
changes nothing: `catch_up` on an empty ledger is the repair of a lost one.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from experiments.errors import DiskError, StudyError
from experiments.files import NO_LOCKS, disk_error, is_on_network
from experiments.ledger.journal import Event, JournalError, journal_files, read_journal
from experiments.ledger.ledger_tables import (
    ADDED_COLUMNS,
    APPLICATION_ID,
    LAST_SIGN,
    LAST_WORD,
    SCHEMA,
    SCHEMA_VERSION,
    beyond,
    row_of,
)
from experiments.ledger.outcomes import Ask, End, Epoch, Facts, PrunerState, Start, trial_record
from experiments.ledger.trial_records import FIRST_NUMBER_BESIDE, Purpose, TrialRecord
from experiments.typed import typed

COMMIT_EVERY_S = 0.25
"""Epochs wait at most this long, until the next `catch_up`, to be committed together."""

_AT_ONCE = frozenset({"ask", "end", "attempt_end", "extend", "session", "session_end"})
_NO_FACTS = frozenset({"take"})
"""What a journal tells the driver of the moment, and nobody after."""
_LOCK_ERRORS = frozenset({"SQLITE_IOERR_LOCK", "SQLITE_IOERR_RDLOCK", "SQLITE_IOERR_UNLOCK"})
"""SQLite's own names for a disk that has no locks."""
_BUSY_S = 30.0
_CLOSING_S = 5.0


class LedgerError(StudyError):
    """The ledger is missing, damaged, or another version's."""


class DamagedLedgerError(LedgerError):
    """The ledger is missing or damaged: `experiments.folder.repair` rebuilds it."""


class Ledger:
    """A study's ledger, open for its only writer; `Ledger.reading` opens one for anybody else.

    Raises:
        LedgerError: the file is damaged, no ledger, or written by a newer recsweep.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._translated():
            if not path.exists():
                _create(path)
            self._connection = _connect(path)
            try:
                self._prepare()
                self._offsets = self._read_offsets()
            except BaseException:
                self._connection.close()
                raise
        self._committed_at = time.monotonic()
        self._is_closed = False

    @classmethod
    @contextlib.contextmanager
    def reading(cls, path: Path) -> Iterator[Ledger]:
        """The ledger as it stands now, one snapshot for the whole block, without writing to it.

        Raises:
            LedgerError: as above, or there is no such file.
        """
        if not path.is_file():
            raise DamagedLedgerError(f"{path}: there is no ledger; {_cure(path)}")
        ledger = cls.__new__(cls)
        ledger.path = path
        with ledger._translated():
            ledger._connection = _connect(path, "?mode=ro")
            try:
                ledger._connection.execute("BEGIN")
                ledger._check_version()
                yield ledger
            finally:
                ledger._connection.close()

    # Writing

    def catch_up(self, journal_folder: Path) -> list[Event]:
        """Bring in what the journals gained since the last call, and return it.

        An ask or an end is committed at once with all that is pending; epochs wait for the next
        one of those, or up to `COMMIT_EVERY_S`.

        Raises:
            JournalError: a journal is damaged before its last line.
        """
        news: list[Event] = []
        with self._writing():
            for path in journal_files(journal_folder):
                offset = self._offsets.get(path.name, 0)
                if path.stat().st_size == offset:
                    continue
                events, end = read_journal(path, offset)
                for event in events:
                    self._apply(event)
                if end != offset:
                    self._begin()
                    self._connection.execute(
                        "INSERT OR REPLACE INTO journals VALUES (?, ?)", (path.name, end)
                    )
                    self._offsets[path.name] = end
                news += events
            is_due = time.monotonic() - self._committed_at >= COMMIT_EVERY_S
            if is_due or any(event["kind"] in _AT_ONCE for event in news):
                self.commit()
        return news

    def apply(self, event: Event) -> None:
        """Bring in one event; again, or in another order, gives the same ledger."""
        with self._writing():
            self._apply(event)

    def _apply(self, event: Event) -> None:
        if event["kind"] in _NO_FACTS:
            return
        try:
            statement, row = row_of(event)
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(
                f"{self.path}: cannot bring in {event!r} ({type(error).__name__}: {error}); "
                "was it written by a newer recsweep?"
            ) from error
        self._begin()
        self._connection.execute(statement, row)

    def forget_offsets(self) -> None:
        """Have the next `catch_up` read every journal from its start."""
        with self._writing():
            self._begin()
            self._connection.execute("DELETE FROM journals")
            self._offsets = {}

    def beyond(self, journal_folder: Path) -> list[Event]:
        """The facts that it holds and the journals tell nothing of, as events."""
        with tempfile.TemporaryDirectory(prefix="recsweep-ledger-") as scratch:
            told = Path(scratch) / self.path.name
            with Ledger(told) as ledger:
                ledger.catch_up(journal_folder)
            self.commit()
            with self._translated():
                events = list(beyond(self._connection, told))
                self._connection.execute("DETACH other")
        return events

    def commit(self) -> None:
        """Make all that was brought in durable."""
        if self._connection.in_transaction:
            with self._writing():
                self._connection.execute("COMMIT")
        self._committed_at = time.monotonic()

    def close(self) -> None:
        """Commit, and leave one file that opens read-only; closing twice does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._translated(), contextlib.closing(self._connection):
            self.commit()
            # Stays WAL where somebody reads for longer than we wait; the next close mends it.
            self._connection.execute(f"PRAGMA busy_timeout = {_CLOSING_S * 1000:.0f}")
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA journal_mode = DELETE")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials in order of number; those for other purposes than search last."""
        with self._translated():
            trials = [trial_record(facts) for facts in self._facts("")]
        return tuple(sorted(trials, key=lambda t: (t.purpose is not Purpose.SEARCH, t.number)))

    def trial(self, number: int) -> TrialRecord:
        """LedgerError where nobody asked for a trial of that number."""
        with self._translated():
            for facts in self._facts("WHERE number = ?", number):
                return trial_record(facts)
        raise LedgerError(f"{self.path}: there is no trial {number}")

    @property
    def n_trials_asked_for(self) -> int | None:
        """How many trials the last extension, which asked for most, wants in all; None without."""
        with self._translated():
            (most,) = self._connection.execute("SELECT max(trials) FROM extensions").fetchone()
        return None if most is None else int(most)

    @property
    def is_said_to_be_finished(self) -> bool:
        """Whether the last driver left with the word `finished`, and nothing came after."""
        with self._translated():
            last = self._connection.execute(LAST_WORD).fetchone()
        return bool(last == ("finished",))

    def elapsed_s(self) -> float:
        """Wall seconds that all drivers searched; of one that was killed, until its last sign."""
        with self._translated():
            starts = [at for (at,) in self._connection.execute("SELECT at FROM sessions")]
            total = 0.0
            for start, following in itertools.pairwise([*sorted(starts), float("inf")]):
                (last,) = self._connection.execute(
                    LAST_SIGN, (start, following, FIRST_NUMBER_BESIDE)
                ).fetchone()
                total += max(0.0, (last or start) - start)
        return total

    def _facts(self, where: str, *parameters: int) -> Iterator[Facts]:
        """The facts of each trial that was asked for, in order of number."""

        def rows(table: str, kind: type[_RowT], order: str) -> Iterator[_RowT]:
            # Names of our own, never a caller's.
            there = self._columns_of(table)
            columns = ", ".join(f'"{name}"' for name in kind._fields if name in there)
            query = f"SELECT {columns} FROM {table} {where} ORDER BY {order}"  # noqa: S608
            return itertools.starmap(kind, self._connection.execute(query, parameters))

        starts = _by_number(rows("starts", Start, "number, attempt"))
        epochs = _by_number(rows("epochs", Epoch, "number, attempt, epoch"))
        ends = _by_number(rows("ends", End, "number, attempt, stop_reason, ends_trial"))
        pruner_states = _by_number(rows("pruner_states", PrunerState, "number, epoch"))
        for ask in rows("asks", Ask, "number"):
            yield Facts(
                ask=ask,
                starts=starts.get(ask.number, []),
                epochs=epochs.get(ask.number, []),
                ends=ends.get(ask.number, []),
                pruner_states=pruner_states.get(ask.number, []),
            )

    def _columns_of(self, table: str) -> set[str]:
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}

    # Underneath

    def _prepare(self) -> None:
        """Create the tables of a new ledger, or check those of an old one."""
        mode = "DELETE" if is_on_network(self.path) else "WAL"
        (n_tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if n_tables:
            self._check_version()
            (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            for table, column, declaration in ADDED_COLUMNS:
                if column not in self._columns_of(table):
                    self._connection.execute(
                        f"ALTER TABLE {table} ADD COLUMN {column} {declaration}"
                    )
        self._connection.execute(f"PRAGMA journal_mode = {mode}")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not n_tables:
            self._connection.executescript(_NEW)

    def _check_version(self) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise DamagedLedgerError(
                f"{self.path}: this is no ledger of a study; {_cure(self.path)}"
            )
        if version != SCHEMA_VERSION:
            raise LedgerError(
                f"{self.path}: written by another version of recsweep (its tables are version "
                f"{version}, this one reads {SCHEMA_VERSION}); use that version to go on"
            )

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _read_offsets(self) -> dict[str, int]:
        return dict(self._connection.execute('SELECT name, "offset" FROM journals'))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Forget, on an error, what is not committed: the journals hold it."""
        with self._translated():
            try:
                yield
            except sqlite3.Error:
                if self._connection.in_transaction:  # where SQLite has not rolled back itself
                    self._connection.execute("ROLLBACK")
                self._offsets = self._read_offsets()
                raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Say what SQLite's errors mean for the study."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a slip of ours
        except sqlite3.DatabaseError as error:
            text = " ".join(str(error).split())
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if getattr(error, "sqlite_errorname", "") in _LOCK_ERRORS:
                raise DiskError(f"{self.path}: {NO_LOCKS}; go on with a copy elsewhere") from error
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
                raise disk_error(self.path, error) from error
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN):
                raise LedgerError(f"{self.path}: cannot be opened: {text}") from error
            raise DamagedLedgerError(
                f"{self.path}: the ledger is damaged ({text}); {_cure(self.path)}"
            ) from error


_NEW = (
    f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
    f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
)


def _create(path: Path) -> None:
    """An empty ledger, there whole or not at all: somebody may be waiting to read it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with contextlib.closing(_connect(new)) as connection:
        connection.executescript(_NEW)
    new.replace(path)


_RowT = TypeVar("_RowT", Ask, Start, Epoch, End, PrunerState)
_NumberedT = TypeVar("_NumberedT", Start, Epoch, End, PrunerState)


def _by_number(rows: Iterator[_NumberedT]) -> dict[int, list[_NumberedT]]:
    groups = itertools.groupby(rows, key=lambda row: row.number)
    return {number: list(its) for number, its in groups}


def _cure(path: Path) -> str:
    return f"`recsweep repair {typed(path.parent)}` rebuilds it from the journals"


def _connect(path: Path, how: str = "") -> sqlite3.Connection:
    uri = path.absolute().as_uri() + how
    # We begin transactions; the driver writes from one thread at a time, not always the same.
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
