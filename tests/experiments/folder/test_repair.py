"""Damaged ledgers and journals: what `recsweep repair` gets back, and what the errors say."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main as command
from experiments.errors import StateError
from experiments.folder.repair import WRITTEN_BACK, repair_study
from experiments.ledger.journal import Journal, JournalError, journal_files, read_journal
from experiments.ledger.ledger import LedgerError
from experiments.ledger.lock import StudyLock
from experiments.records import read_study
from experiments.running.resume import bring_up_to_date, refuse_gaps
from tests.experiments.ledger.test_ledger import garbage, half, text, zeroed_header
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("sound") / "mine")


@pytest.fixture
def study(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "mine"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [garbage, half, zeroed_header, text, empty, Path.unlink])
def test_a_damaged_ledger_names_repair_which_gets_every_trial_back(
    study: Path, damage: Callable[[Path], None]
) -> None:
    before = repr(read_study(study).trials)  # NaN is not equal to itself
    damage(study / "study.db")
    with pytest.raises(StateError, match="`recsweep repair mine` rebuilds it from the journals"):
        read_study(study)
    repair = repair_study(study)
    assert repr(read_study(study).trials) == before
    assert (repair.n_trials, repair.lost) == (24, ())
    assert repair_study(study).set_aside == ()
    if damage not in (empty, Path.unlink):
        assert (study / "study.db.damaged-1").is_file()
        assert "24 of 24 trials recovered" in repair.lines[-1]


def test_a_sound_study_is_left_as_it_is(study: Path) -> None:
    before = repr(read_study(study).trials)
    (line,) = repair_study(study).lines
    assert line.startswith("nothing to repair: 24 trials")
    assert repr(read_study(study).trials) == before
    assert not list(study.glob("*.damaged-*"))


def test_a_damaged_line_costs_what_it_said_and_nothing_else(study: Path) -> None:
    """An epoch's line: its trial keeps all the other epochs."""
    before = read_study(study).trials
    path = journal_files(study / "journal")[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"kind":"epoch"' in line)
    lines[at] = lines[at].replace(b'"epoch"', b'"epoxh"', 1)
    path.write_bytes(b"".join(lines))
    (study / "study.db").unlink()
    with pytest.raises(JournalError, match="`recsweep repair mine` goes on without"):
        bring_up_to_date(study)
    repair = repair_study(study)
    assert repair.n_lines_lost == 1
    assert (path.parent / f"{path.name}.damaged-1").is_file()
    after = read_study(study).trials
    n_before, n_after = (sum(len(t.epochs) for t in trials) for trials in (before, after))
    assert n_after == n_before - 1
    assert [t.state for t in after] == [t.state for t in before]


def test_lines_that_nobody_had_read_are_not_skipped_where_one_before_them_is_damaged(
    study: Path,
) -> None:
    """The lines are equally long: where the ledger stopped to read, another one begins now."""
    path = study / "journal" / "worker-late.jsonl"
    fields: dict[str, Any] = {"number": 0, "attempt": 1}
    with Journal(path) as journal:
        for epoch in (1, 2):
            journal.append("checkpoint", epoch=epoch, at=1000.5, **fields)
        bring_up_to_date(study)
        begin = path.stat().st_size
        journal.append("checkpoint", epoch=3, at=1000.5, **fields)
    content = path.read_bytes()
    assert len(content) * 2 == begin * 3
    path.write_bytes(content.replace(b"checkpoint", b"checkpaint", 1))
    assert repair_study(study).n_lines_lost == 1
    with contextlib.closing(sqlite3.connect(study / "study.db")) as ledger:
        epochs = ledger.execute("SELECT epoch FROM checkpoints WHERE number = 0 AND attempt = 1")
        assert {1, 2, 3} <= {epoch for (epoch,) in epochs}


def test_what_was_set_aside_once_stays_when_something_is_damaged_again(study: Path) -> None:
    for times in (1, 2):
        text(study / "study.db")
        assert repair_study(study).set_aside == (study / f"study.db.damaged-{times}",)
    assert (study / "study.db.damaged-1").is_file()


@pytest.mark.parametrize("gone", ["damaged", "empty", "missing"])
def test_what_only_the_ledger_holds_is_told_by_the_journals_again(study: Path, gone: str) -> None:
    before = repr(read_study(study).trials)
    for path in journal_files(study / "journal"):
        if gone == "missing":
            path.unlink()
        elif gone == "empty":
            path.write_bytes(b"")
        else:
            head, *lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join([line.replace(b"1", b"x") for line in lines] + [head]))
    repair = repair_study(study)
    assert "tells again what only the ledger still held" in "\n".join(repair.lines)
    assert repr(read_study(study).trials) == before
    (study / "study.db").unlink()
    assert repair_study(study).n_written_back == 0
    assert repr(read_study(study).trials) == before


def test_what_is_told_again_is_what_the_journals_had_said(study: Path) -> None:
    def told(path: Path) -> dict[str, dict[str, str]]:
        """By what makes it another fact, all that an event says, as it is written."""
        keys = ("kind", "number", "attempt", "epoch", "stop_reason")
        return {
            json.dumps([event.get(key) for key in keys]): {
                name: json.dumps(value) for name, value in event.items()
            }
            for event in read_journal(path)[0]
        }

    unsaid = {("is_enqueued", "false"), ("metrics", "{}"), ("metric_errors", "{}")}
    said: dict[str, dict[str, str]] = {}
    for path in journal_files(study / "journal"):
        said |= told(path)
        path.unlink()
    repair_study(study)
    again = told(study / WRITTEN_BACK)
    assert {json.loads(key)[0] for key in again} >= {"ask", "start", "epoch", "end", "pruner"}
    for key, event in again.items():
        if json.loads(key)[0] in ("pruner", "checkpoint"):
            del event["at"]  # the ledger does not hold it
        assert event.items() - said[key].items() <= unsaid


def test_a_ledger_that_differs_does_not_change_the_journals(study: Path) -> None:
    with contextlib.closing(sqlite3.connect(study / "study.db")) as ledger, ledger:
        ledger.execute("UPDATE epochs SET val_rmse = 0.9 WHERE number = 0 AND epoch = 3")
    assert repair_study(study).n_written_back == 0


def test_a_trial_whose_ask_is_lost_is_counted_and_the_study_is_not_resumed(study: Path) -> None:
    path = study / "journal" / "driver.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"kind":"ask","number":5,' in line)
    lines[at] = b"\x00" * 40 + b"\n"
    path.write_bytes(b"".join(lines))
    (study / "study.db").unlink()
    repair = repair_study(study)
    assert repair.lost == (5,)
    assert "23 of 24 trials recovered" in repair.lines[-2]
    with pytest.raises(StateError, match="of trial 5 nothing is known"):
        refuse_gaps("mine", read_study(study).search_trials)


def test_a_study_that_is_being_run_is_not_repaired(study: Path) -> None:
    with StudyLock(study), pytest.raises(StateError, match="is being run by process"):
        repair_study(study)


@pytest.mark.parametrize("damage", [text, empty])
def test_without_journals_a_damaged_ledger_is_left_where_it_is(
    study: Path, damage: Callable[[Path], None]
) -> None:
    damage(study / "study.db")
    shutil.rmtree(study / "journal")
    with pytest.raises(StateError, match="no journals"):
        repair_study(study)
    assert (study / "study.db").is_file()


def test_another_versions_ledger_is_not_set_aside(study: Path) -> None:
    with sqlite3.connect(study / "study.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="another version"):
        repair_study(study)


def test_repair_reads_the_rest_of_journals_that_ended_torn(study: Path) -> None:
    for path in journal_files(study / "journal"):
        with path.open("ab") as file:
            file.write(b"\x00" * 30 + b'\n{"sum":"0000')
    (study / "study.db").unlink()
    assert repair_study(study).n_lines_lost == 0
    assert all(read_journal(path)[0] for path in journal_files(study / "journal"))


def recsweep(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["recsweep", *arguments])
    with pytest.raises(SystemExit) as ending:
        command.main()
    return int(ending.value.code or 0)


def test_ls_shows_the_other_studies_and_then_names_the_damaged_one(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study, study.parent / "other")
    text(study / "study.db")
    assert recsweep(monkeypatch, "ls", "--studies", str(study.parent)) == 4
    said = capsys.readouterr()
    assert "other" in said.out
    assert "recsweep repair mine" in said.err
    assert recsweep(monkeypatch, "repair", "mine", "--studies", str(study.parent)) == 0
    assert "24 of 24 trials recovered" in capsys.readouterr().out
    assert recsweep(monkeypatch, "ls", "--studies", str(study.parent)) == 0
    assert "mine" in capsys.readouterr().out
