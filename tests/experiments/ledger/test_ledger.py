from __future__ import annotations

import contextlib
import random
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.errors import DiskError
from experiments.ledger import ledger as ledger_module
from experiments.ledger.journal import Event, Journal, JournalError
from experiments.ledger.ledger import Ledger, LedgerError
from experiments.records import FIRST_NUMBER_BESIDE, TrialRecord, TrialState, read_study
from tests.experiments.facts import ask, end, epoch, start
from tests.synthetic_study import make_study


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "study.db") as ledger:
        yield ledger


def write(journal: Journal, *events: Event) -> None:
    for event in events:
        fields = {name: value for name, value in event.items() if name != "kind"}
        journal.append(event["kind"], **fields)


def committed(path: Path) -> tuple[TrialRecord, ...]:
    """What somebody else sees of the ledger now."""
    with Ledger.reading(path) as ledger:
        return ledger.trials()


def test_what_the_journals_gained_is_brought_in_and_returned(
    journals: Path, ledger: Ledger
) -> None:
    with Journal(journals / "driver.jsonl") as driver, Journal(journals / "w.jsonl") as worker:
        write(driver, ask())
        assert ledger.catch_up(journals) == [ask()]
        write(worker, start(), epoch())
        assert ledger.catch_up(journals) == [start(), epoch()]
        assert ledger.catch_up(journals) == []
    assert ledger.trial(0).epochs[0].val_rmse == 1.0


def test_a_line_still_being_written_is_brought_in_when_it_is_whole(
    journals: Path, ledger: Ledger
) -> None:
    with Journal(journals / "driver.jsonl") as driver:
        write(driver, ask(0), ask(1))
    path = journals / "driver.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    assert [event["number"] for event in ledger.catch_up(journals)] == [0]
    path.write_bytes(data)
    assert [event["number"] for event in ledger.catch_up(journals)] == [1]


def test_a_ledger_rebuilt_from_the_journals_equals_the_one_that_grew(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", is_finished=False)
    rng = random.Random(1)
    grown = tmp_path / "grown"
    grown.mkdir()
    sources = {path.name: path.read_bytes() for path in (folder / "journal").iterdir()}
    shares = dict.fromkeys(sources, 0)
    with Ledger(tmp_path / "grown.db") as ledger:
        while any(shares[name] < len(data) for name, data in sources.items()):
            # Any journal may be ahead of any other, and cut in the middle of a line.
            name = rng.choice(sorted(sources))
            shares[name] = min(len(sources[name]), shares[name] + rng.randint(1, 5000))
            (grown / name).write_bytes(sources[name][: shares[name]])
            ledger.catch_up(grown)
        in_pieces = ledger.trials()
    with Ledger(tmp_path / "rebuilt.db") as ledger:
        ledger.catch_up(folder / "journal")
        assert repr(ledger.trials()) == repr(in_pieces) == repr(committed(folder / "study.db"))
        assert ledger.elapsed_s() > 0


def test_every_cut_of_a_journal_gives_a_ledger_of_its_whole_lines(tmp_path: Path) -> None:
    events = [ask(), start(), epoch(0, 1), epoch(0, 2), end(0, "patience")]
    ends = []
    with Journal(tmp_path / "whole.jsonl") as journal:
        for event in events:
            write(journal, event)
            ends.append(journal.path.stat().st_size)
    data = (tmp_path / "whole.jsonl").read_bytes()
    cuts = sorted({0, *ends, *(e - 1 for e in ends), *(e // 2 for e in ends)})
    for cut in cuts:
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        (folder / "driver.jsonl").write_bytes(data[:cut])
        with Ledger(folder / "study.db") as ledger:
            n_whole = sum(e <= cut for e in ends)
            assert ledger.catch_up(folder) == events[:n_whole]
            assert len(ledger.trials()) == (n_whole > 0)


def test_an_end_is_committed_at_once_with_the_epochs_before_it(
    tmp_path: Path, journals: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "COMMIT_EVERY_S", 3600.0)
    with Journal(journals / "driver.jsonl") as driver, Journal(journals / "w.jsonl") as worker:
        write(driver, ask())
        ledger.catch_up(journals)
        write(worker, start(), epoch(0, 1))
        ledger.catch_up(journals)
        assert len(ledger.trial(0).epochs) == 1
        assert committed(tmp_path / "study.db")[0].epochs == ()
        write(worker, epoch(0, 2), end())
        ledger.catch_up(journals)
    (trial,) = committed(tmp_path / "study.db")
    assert (len(trial.epochs), trial.state) == (2, TrialState.COMPLETE)


def test_epochs_are_committed_when_they_have_waited_long_enough(
    tmp_path: Path, journals: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(journals / "driver.jsonl") as driver, Journal(journals / "w.jsonl") as worker:
        write(driver, ask())
        ledger.catch_up(journals)
        write(worker, start(), epoch(0, 1))
        ledger.catch_up(journals)
        later = time.monotonic() + ledger_module.COMMIT_EVERY_S
        monkeypatch.setattr(time, "monotonic", lambda: later)
        ledger.catch_up(journals)
    assert len(committed(tmp_path / "study.db")[0].epochs) == 1


@pytest.mark.parametrize("is_seen_while_short", [True, False])
def test_a_journal_that_lost_lines_already_read_is_read_again(
    journals: Path, ledger: Ledger, is_seen_while_short: bool
) -> None:
    with Journal(journals / "driver.jsonl") as driver:
        write(driver, ask(0), ask(1))
        ledger.catch_up(journals)
    path = journals / "driver.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # the power failed before the disk had it all
    if is_seen_while_short:
        ledger.catch_up(journals)
    with Journal(path) as driver:
        write(driver, ask(2, name="a longer name than that of the line that was lost"))
    assert ledger.catch_up(journals)[-1]["number"] == 2
    assert [trial.number for trial in ledger.trials()] == [0, 1, 2]


def test_a_damaged_journal_stops_with_its_name(journals: Path, ledger: Ledger) -> None:
    with Journal(journals / "driver.jsonl") as driver:
        write(driver, ask(0), ask(1))
    path = journals / "driver.jsonl"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"driver\.jsonl: damaged at byte 0,"):
        ledger.catch_up(journals)


@pytest.mark.parametrize("event", [{"kind": "sing", "at": 0.0}, {"kind": "epoch", "number": 1}])
def test_an_event_that_is_not_known_or_not_whole_is_refused(ledger: Ledger, event: Event) -> None:
    with pytest.raises(JournalError, match="cannot bring in"):
        ledger.apply(event)


def test_a_closed_ledger_is_one_file_without_wal(tmp_path: Path, journals: Path) -> None:
    path = tmp_path / "study.db"
    with Journal(journals / "driver.jsonl") as driver, Ledger(path) as ledger:
        write(driver, ask())
        ledger.catch_up(journals)
        assert path.with_name("study.db-wal").exists()
        ledger.close()
        ledger.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal", "study.db"]
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert len(committed(path)) == 1


def test_a_reader_who_lingers_leaves_the_wal_to_the_next_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_CLOSING_S", 0.05)
    path = tmp_path / "study.db"
    with Ledger(path) as ledger:
        ledger.apply(ask())
        ledger.commit()
        with Ledger.reading(path) as reader:
            reader.trials()
            ledger.close()
    assert len(committed(path)) == 1
    Ledger(path).close()
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def test_on_a_network_disk_there_is_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "is_on_network", lambda path: True)
    with Ledger(tmp_path / "study.db") as ledger:
        ledger.apply(ask())
        ledger.commit()
        assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def test_a_reader_sees_one_moment_while_the_driver_writes_on(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with Ledger(path) as ledger:
        ledger.apply(ask(0))
        ledger.commit()
        with Ledger.reading(path) as reader:
            ledger.apply(ask(1))
            ledger.commit()
            assert len(reader.trials()) == 1
        assert len(committed(path)) == 2


def garbage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192:16384] = random.Random(0).randbytes(8192)
    path.write_bytes(data)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed_header(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


def text(path: Path) -> None:
    path.write_text("this is no database, " * 100)


@pytest.mark.parametrize("damage", [garbage, half, zeroed_header, text])
def test_a_damaged_ledger_is_named_and_can_be_rebuilt(tmp_path: Path, damage: object) -> None:
    folder = make_study(tmp_path / "mine")
    before = committed(folder / "study.db")
    assert callable(damage)
    damage(folder / "study.db")
    with pytest.raises(LedgerError, match=r"study\.db.*damaged.*recsweep repair mine"):
        Ledger(folder / "study.db")
    (folder / "study.db").unlink()
    with Ledger(folder / "study.db") as ledger:
        ledger.catch_up(folder / "journal")
        assert repr(ledger.trials()) == repr(before)


def test_a_ledger_that_could_not_be_begun_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may be waiting to read it."""
    (tmp_path / "study.db.new").write_bytes(b"of a driver that was killed")
    with monkeypatch.context() as patch:
        patch.setattr("experiments.ledger.ledger._NEW", "CREATE TABLE asks (number); no SQL")
        with pytest.raises(LedgerError):
            Ledger(tmp_path / "study.db")
        assert not (tmp_path / "study.db").exists()
    Ledger(tmp_path / "study.db").close()
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]


def test_an_empty_file_is_a_ledger_to_be_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "study.db").touch()
    with Ledger(tmp_path / "study.db") as ledger:
        assert ledger.trials() == ()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("CREATE TABLE cats (name)")
    connection.close()
    with pytest.raises(LedgerError, match="no ledger of a study"):
        Ledger(tmp_path / "study.db")


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path / "study.db").close()
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="tables are version 99"):
        Ledger(tmp_path / "study.db")


def test_a_full_disk_is_told_as_one_and_forgets_nothing(journals: Path, ledger: Ledger) -> None:
    with Journal(journals / "a.jsonl") as read_first, Journal(journals / "driver.jsonl") as driver:
        write(read_first, ask(1000))
        write(driver, *(ask(number) for number in range(1000)))
    ledger._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(DiskError, match=r"study\.db: cannot be written: .*full"):
        ledger.catch_up(journals)
    assert ledger.trials() == ()
    ledger._connection.execute("PRAGMA max_page_count = 100000")
    assert len(ledger.catch_up(journals)) == 1001
    assert len(ledger.trials()) == 1001


def test_a_ledger_that_another_program_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.ledger.ledger._BUSY_S", 0.01)
    Ledger(tmp_path / "study.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as another:
        another.execute("PRAGMA locking_mode = EXCLUSIVE")
        another.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match="cannot be opened: database is locked") as refusal:
            Ledger(tmp_path / "study.db")
        assert "repair" not in refusal.value.message


def test_a_disk_without_locks_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(uri: str) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_LOCK"
        raise error

    monkeypatch.setattr(ledger_module, "_connect", connect)
    with pytest.raises(DiskError, match=r"study\.db: its disk has no file locks"):
        Ledger(tmp_path / "study.db")


def test_a_trial_that_nobody_asked_for_is_an_error(ledger: Ledger) -> None:
    ledger.apply(start(3))
    with pytest.raises(LedgerError, match="no trial 3"):
        ledger.trial(3)
    assert ledger.trials() == ()


def test_search_trials_come_first_and_in_order(ledger: Ledger) -> None:
    ledger.apply(ask(2, purpose="verdict", name="0000-v1"))
    for number in (3, 0):
        ledger.apply(ask(number))
    assert [trial.number for trial in ledger.trials()] == [0, 3, 2]


def session(at: float) -> Event:
    return {"kind": "session", "at": at, "pid": 1, "host": "h"}


def test_elapsed_time_is_summed_over_the_drivers_searches(ledger: Ledger) -> None:
    assert ledger.elapsed_s() == 0.0
    events = [
        session(100.0),
        ask(0, at=101.0),
        {"kind": "session_end", "at": 110.0, "state": "interrupted"},
        session(200.0),
        epoch(0, at=230.0),  # its driver was killed after this
        ask(FIRST_NUMBER_BESIDE, at=300.0),  # of a verdict
        epoch(FIRST_NUMBER_BESIDE, at=400.0),
        end(0, "interrupted", attempt=2, at=990.0, kind="attempt_end"),  # to be tried again
        session(1000.0),
    ]
    for event in events:
        ledger.apply(event)
    assert ledger.elapsed_s() == 10.0 + 30.0


def test_a_search_counts_as_long_as_it_took_though_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1e9
    monkeypatch.setattr("experiments.ledger.journal.time.time", lambda: now)
    for _ in range(2):
        with Journal(tmp_path / "journal" / "driver.jsonl") as journal:
            journal.append("session", in_order=True, pid=1, host="h")
            now += 100
            journal.append("session_end", in_order=True, state="interrupted")
        now -= 86_400
    with Ledger(tmp_path / "study.db") as ledger:
        ledger.catch_up(tmp_path / "journal")
        assert ledger.elapsed_s() == pytest.approx(200)


def test_the_last_extension_counts_though_the_clock_was_set_back(ledger: Ledger) -> None:
    assert ledger.n_trials_asked_for is None
    ledger.apply({"kind": "extend", "at": 2.0, "trials": 80})
    ledger.apply({"kind": "extend", "at": 1.0, "trials": 100})
    assert ledger.n_trials_asked_for == 100


def test_a_copy_of_a_study_is_a_study(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study")
    shutil.copytree(folder, tmp_path / "copy")
    assert repr(committed(tmp_path / "copy" / "study.db")) == repr(committed(folder / "study.db"))


def test_the_query_of_the_page_about_the_folder_ranks_as_the_report_does(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", n_trials=12)
    again, beside = 12, FIRST_NUMBER_BESIDE
    with Journal(folder / "journal" / "later.jsonl") as journal:
        write(
            journal,
            *(ask(again, at=900.0), start(again, at=901.0)),
            *(epoch(again, 1, val_rmse=0.3, at=902.0), epoch(again, 2, val_rmse=0.1, at=903.0)),
            # Its worker was lost; the second epoch is another one's now.
            start(again, attempt=2, first_epoch=2, at=904.0),
            epoch(again, 2, attempt=2, val_rmse=0.2, at=905.0),
            end(again, attempt=2, at=906.0),
            *(ask(beside, at=907.0, purpose="verdict"), start(beside, at=908.0)),
            *(epoch(beside, val_rmse=0.1, at=909.0), end(beside, at=910.0)),
        )
    with Ledger(folder / "study.db") as ledger:
        ledger.catch_up(folder / "journal")
    page = Path(__file__).parents[3] / "docs" / "study-folder.md"
    (query,) = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    with contextlib.closing(sqlite3.connect(folder / "study.db")) as database:
        rows = database.execute(query).fetchall()
    best = read_study(folder).ranked[:5]
    assert best[0].number == again
    assert rows == [(trial.number, trial.best_rmse) for trial in best]
