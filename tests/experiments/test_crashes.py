"""A driver killed before, in the middle of and after every durable write it makes.

The driver of these tests runs in a process of its own and notes, outside of the study, what it
was sure of when it went on: nothing of that may be missing afterwards, and nothing may be there
that was never asked for.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.journal import Journal, read_journal
from experiments.ledger import Ledger
from experiments.records import PROVENANCE_NAME, SWEEP_NAME, TrialRecord, TrialState, read_study
from tests.experiments.facts import ask, end, epoch, start

DRIVER = """
import os, signal, sys
from pathlib import Path

from experiments.journal import Journal
from experiments.ledger import Ledger
from tests.experiments.facts import ask, end, epoch, start

folder, fatal, moment = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
n_writes = 0
die = lambda: os.kill(os.getpid(), signal.SIGKILL)


def fatally(before_half, whole):
    global n_writes
    n_writes += 1
    if n_writes == fatal:
        if moment == "before":
            die()
        if moment == "middle":
            before_half()
            die()
    result = whole()
    if n_writes == fatal:
        die()
    return result


real_write, real_commit = os.write, Ledger.commit
os.write = lambda fd, data: fatally(
    lambda: real_write(fd, bytes(data)[: len(data) // 2]), lambda: real_write(fd, data)
)
Ledger.commit = lambda ledger: fatally(lambda: None, lambda: real_commit(ledger))

history = (folder.parent / "history").open("a", buffering=1)
driver = Journal(folder / "journal" / "driver.jsonl")
worker = Journal(folder / "journal" / "worker-a.jsonl")
ledger = Ledger(folder / "study.db")


def write(journal, event):
    kind = event.pop("kind")
    journal.append(kind, sync=kind == "end", **event)
    history.write(f"journalled {kind} {event['number']}\\n")
    ledger.catch_up(folder / "journal")
    history.write(f"told {kind} {event['number']}\\n")


for number in range(2):
    write(driver, ask(number))
    write(worker, start(number))
    write(worker, epoch(number, 1))
    if number == 0:
        write(worker, end(number))
    else:
        write(driver, end(number, "pruner"))
ledger.close()
print("all done", n_writes)
"""


def run_driver(study: Path, fatal_write: int, moment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(study), str(fatal_write), moment],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def new_study(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / SWEEP_NAME).write_text("[search]\ntrials = 2\n")
    (folder / PROVENANCE_NAME).write_text("{}")
    return folder


def kinds(study: Path) -> set[tuple[str, int]]:
    """What the journals hold, by kind and number."""
    return {
        (event["kind"], event["number"])
        for path in (study / "journal").glob("*.jsonl")
        for event in read_journal(path)[0]
    }


def reopen(study: Path) -> tuple[TrialRecord, ...]:
    """What the next driver does first; with a new line in each journal, as it will write them."""
    for path in (study / "journal").glob("*.jsonl"):
        Journal(path).close()
    with Ledger(study / "study.db") as ledger:
        ledger.catch_up(study / "journal")
        return ledger.trials()


@pytest.fixture(scope="module")
def n_writes(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many durable writes the driver makes when nobody kills it."""
    done = run_driver(new_study(tmp_path_factory.mktemp("whole") / "study"), 0, "never")
    assert done.stdout.startswith("all done"), done.stderr
    return int(done.stdout.split()[-1])


def check_a_killed_driver(study: Path, fatal_write: int, moment: str) -> None:
    killed = run_driver(study, fatal_write, moment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    history = (study.parent / "history").read_text().splitlines()
    journalled = {
        (kind, int(number))
        for word, kind, number in (line.split() for line in history)
        if word == "journalled"
    }
    if (study / "study.db").exists():
        seen = {t.number: t for t in read_study(study).trials}  # before anybody mended anything
        for line in history:
            word, kind, number = line.split()
            if (word, kind) == ("told", "end"):
                assert seen[int(number)].state.is_finished
    trials = reopen(study)
    held = kinds(study)
    assert journalled <= held
    assert len(held - journalled) <= 1  # the write that it died of may have been whole
    for trial in trials:
        assert ("ask", trial.number) in held
        assert trial.state.is_finished == (("end", trial.number) in held)
        assert len(trial.epochs) == (("epoch", trial.number) in held)
    assert {trial.number for trial in trials} == {n for kind, n in held if kind == "ask"}


def test_whenever_the_driver_is_killed_nothing_it_was_sure_of_is_lost(
    tmp_path: Path, n_writes: int
) -> None:
    assert n_writes >= 12  # 8 lines, and each ask and each end is committed
    for fatal_write in range(1, n_writes + 1):
        for moment in ("before", "middle", "after"):
            study = new_study(tmp_path / f"{fatal_write}-{moment}" / "study")
            check_a_killed_driver(study, fatal_write, moment)


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
