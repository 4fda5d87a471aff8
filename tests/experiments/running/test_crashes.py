"""A driver killed before and in the middle of every durable write it makes, and after each commit.

The driver of these tests notes, outside of the study, what it was sure of when it went on: nothing
of that may be missing afterwards, and nothing may be there that was never asked for.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.ledger.journal import Journal, read_journal
from experiments.ledger.ledger import Ledger
from experiments.records import PROVENANCE_NAME, SWEEP_NAME, TrialRecord, TrialState, read_study
from tests.experiments.facts import ask, end, epoch, start

# A process of its own, since each driver is forked from it, and killed.
DRIVERS = """
import os, signal, sys
from pathlib import Path

from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from tests.experiments.facts import ask, end, epoch, start

real_write, real_commit = os.write, Ledger.commit


def drive(root, fatal_write, moment):
    study = root / "study"
    study.mkdir(parents=True)
    n_writes = 0

    def fatally(part, whole):
        nonlocal n_writes
        n_writes += 1
        if n_writes == fatal_write:
            if moment == "middle":
                part()
            os.kill(os.getpid(), signal.SIGKILL)
        return whole()

    os.write = lambda fd, data: fatally(
        lambda: real_write(fd, bytes(data)[: len(data) // 2]), lambda: real_write(fd, data)
    )
    Ledger.commit = lambda ledger: fatally(
        lambda: real_commit(ledger), lambda: real_commit(ledger)
    )
    history = (root / "history").open("a", buffering=1)
    driver = Journal(study / "journal" / "driver.jsonl")
    worker = Journal(study / "journal" / "worker-a.jsonl")
    ledger = Ledger(study / "study.db")

    def write(journal, event):
        journal.append(sync=event["kind"] == "end", **event)
        history.write(f"journalled {event['kind']} {event['number']}\\n")
        ledger.catch_up(study / "journal")
        history.write(f"told {event['kind']} {event['number']}\\n")

    for number in range(2):
        write(driver, ask(number))
        write(worker, start(number))
        write(worker, epoch(number, 1))
        if number == 0:
            write(worker, end(number))
        else:
            write(driver, end(number, "pruner"))
    ledger.close()


for fatal_write in range(1, 1000):
    for moment in ("before", "middle"):
        child = os.fork()
        if child == 0:
            drive(Path(sys.argv[1]) / f"{fatal_write}-{moment}", fatal_write, moment)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(fatal_write - 1)  # it made that many writes and lived
            sys.exit()
        assert os.WTERMSIG(status) == signal.SIGKILL, status
"""


@pytest.fixture(scope="module")
def killed_drivers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder for each moment at which a driver was killed: `study/` and `history`."""
    root = tmp_path_factory.mktemp("crashes")
    done = subprocess.run(
        [sys.executable, "-c", DRIVERS, str(root)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    n_writes = int(done.stdout)
    assert n_writes >= 12  # 8 lines, and each ask and each end is committed
    for folder in root.iterdir():
        (folder / "study" / SWEEP_NAME).write_text("[search]\ntrials = 2\n")
        (folder / "study" / PROVENANCE_NAME).write_text("{}")
    return [folder for folder in root.iterdir() if not folder.name.startswith(f"{n_writes + 1}-")]


def noted(folder: Path, word: str) -> set[tuple[str, int]]:
    """What the driver was sure of, by kind and number."""
    if not (folder / "history").exists():
        return set()
    lines = [line.split() for line in (folder / "history").read_text().splitlines()]
    return {(kind, int(number)) for said, kind, number in lines if said == word}


def journalled(study: Path) -> set[tuple[str, int]]:
    return {
        (event["kind"], event["number"])
        for path in (study / "journal").glob("*.jsonl")
        for event in read_journal(path)[0]
    }


def reopen(study: Path) -> tuple[TrialRecord, ...]:
    """The trials as the next driver finds them, after what it does first."""
    for path in (study / "journal").glob("*.jsonl"):
        Journal(path).close()
    with Ledger(study / "study.db") as ledger:
        ledger.catch_up(study / "journal")
        return ledger.trials()


def test_a_reader_finds_every_end_that_a_killed_driver_told(killed_drivers: list[Path]) -> None:
    for folder in killed_drivers:
        told = {number for kind, number in noted(folder, "told") if kind == "end"}
        if told:
            trials = read_study(folder / "study").trials
            assert told <= {t.number for t in trials if t.state.is_finished}, folder.name


def test_nothing_that_a_killed_driver_was_sure_of_is_lost(killed_drivers: list[Path]) -> None:
    for folder in killed_drivers:
        trials = reopen(folder / "study")
        held = journalled(folder / "study")
        sure = noted(folder, "journalled")
        assert sure <= held, folder.name
        assert len(held - sure) <= 1, folder.name  # what it died of may have been written whole
        assert {t.number for t in trials} == {number for kind, number in held if kind == "ask"}
        for trial in trials:
            assert trial.state.is_finished == (("end", trial.number) in held), folder.name
            assert len(trial.epochs) == (("epoch", trial.number) in held), folder.name


def test_a_ledger_behind_its_journals_catches_up_and_then_stays_as_it_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal" / "driver.jsonl")
    with Ledger(tmp_path / "study.db") as ledger:
        for event in (ask(), start(), epoch()):
            journal.append(**event)
        ledger.catch_up(tmp_path / "journal")
        journal.append(**end())  # and the driver dies
    journal.close()
    (trial,) = reopen(tmp_path)
    assert trial.state is TrialState.COMPLETE
    assert reopen(tmp_path) == (trial,)
