"""A study killed at every point at which it writes, and its files cut at every record.

Each driver is a process of its own, forked from this one and killed with -9: before, in the middle
of (half a line; a statement without its commit) and after its N-th write, for every N. Then a new
driver goes on, and what comes out must equal a study left alone, to the bit. No Ray: a fake runner
behind the real search, conductor, journals and ledger.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.ledger import journal as journal_module
from experiments.ledger.ledger import Ledger
from experiments.records import TrialRecord
from tests.experiments.running.test_conductor import a_sweep, bumpy, outcome, trials_of
from tests.fake_workers import FakeStudy, Fuse
from tests.torture.counts import Counts

N_TRIALS = 8
MOMENTS = ("before", "middle", "after")


class History(list[int]):
    """The trials that ran to their own end, in a file that no crash of ours takes along."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def append(self, number: int) -> None:
        with self._path.open("a") as file:
            file.write(f"{number}\n")

    def read(self) -> list[int]:
        return [int(line) for line in self._path.read_text().split()] if self._path.exists() else []


def a_study(folder: Path) -> FakeStudy:
    return FakeStudy(
        folder / "study", a_sweep(N_TRIALS), bumpy, finished=History(folder / "history")
    )


def walk_crash_points(root: Path, counts: Counts) -> None:
    """Every write of a whole study, three moments each."""
    expected = _left_alone(root)
    for number, moment in _points(root):
        folder = root / f"{number}-{moment}"
        counts.faults += 1
        study = a_study(folder)
        study.run(Fuse())
        _check(study, expected, counts, f"write {number}, {moment}")
        shutil.rmtree(folder)


def _left_alone(root: Path) -> list[object]:
    alone = a_study(root / "alone")
    alone.folder.mkdir(parents=True)
    alone.run(Fuse())
    return [outcome(trial) for trial in trials_of(alone.folder)]


def _points(root: Path) -> Iterator[tuple[int, str]]:
    """Studies killed at one point each, until a study made fewer writes and lived."""
    for number in range(1, 100_000):
        for moment in MOMENTS:
            folder = root / f"{number}-{moment}"
            folder.mkdir(parents=True)
            child = os.fork()
            if child == 0:
                _die_at(number, moment)
                a_study(folder).run(Fuse())
                os._exit(0)
            _, status = os.waitpid(child, 0)
            if status == 0:
                return
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
            yield number, moment


def _die_at(fatal: int, moment: str) -> None:
    """Make the fatal write of this process its last act."""
    real_write, real_commit = os.write, Ledger.commit
    n_writes = 0

    def around(half: Callable[[], object], whole: Callable[[], int | None]) -> int | None:
        nonlocal n_writes
        n_writes += 1
        if n_writes != fatal:
            return whole()
        if moment == "middle":
            half()
        elif moment == "after":
            whole()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    def write(descriptor: int, data: memoryview) -> int | None:
        return around(
            lambda: real_write(descriptor, data[: len(data) // 2]),
            lambda: real_write(descriptor, data),
        )

    def commit(ledger: Ledger) -> int | None:
        if not ledger._connection.in_transaction:
            return real_commit(ledger)
        return around(lambda: None, lambda: real_commit(ledger))

    journal_module.os.write = write  # type: ignore[attr-defined]
    Ledger.commit = commit  # type: ignore[method-assign,assignment]


def cut_every_record(root: Path, counts: Counts) -> None:
    """A study killed half-way, each journal cut at every record and inside it, and the WAL too."""
    expected = _left_alone(root)
    killed = root / "killed"
    killed.mkdir()
    child = os.fork()
    if child == 0:
        _die_at(110, "before")
        a_study(killed).run(Fuse())
        os._exit(0)
    os.waitpid(child, 0)
    journals = sorted((killed / "study" / "journal").glob("*.jsonl"))
    cuts = [(path.relative_to(killed), at) for path in journals for at in _cuts(path)]
    wal = killed / "study" / "study.db-wal"
    if wal.exists():
        size = wal.stat().st_size
        cuts += [(wal.relative_to(killed), at) for at in range(0, size, max(1, size // 25))]
    for name, at in cuts:
        for keeps_ledger in (True, False):
            if not keeps_ledger and name.name.endswith("-wal"):
                continue
            folder = Path(shutil.copytree(killed, root / "cut"))
            os.truncate(folder / name, at)
            if not keeps_ledger:
                for part in (folder / "study").glob("study.db*"):
                    part.unlink()
            counts.faults += 1
            study = a_study(folder)
            study.run(Fuse())
            where = f"{name} cut at {at}, {'with' if keeps_ledger else 'without'} its ledger"
            _check(study, expected if keeps_ledger else None, counts, where)
            shutil.rmtree(folder)


def _cuts(path: Path) -> Iterator[int]:
    at = 0
    for line in path.read_bytes().splitlines(keepends=True):
        yield at
        yield at + len(line) // 2
        at += len(line)


def _check(
    study: FakeStudy,
    expected: list[object] | None,
    counts: Counts,
    where: str,
) -> None:
    """Compare with a study left alone.

    Args:
        expected: None where ends were cut from the only record: those trials run again, beside
            others that were not there the first time, so the pruner may judge them otherwise.
    """
    trials: tuple[TrialRecord, ...] = trials_of(study.folder)
    counts.finished += sum(trial.state.is_finished for trial in trials)
    lost = N_TRIALS - sum(trial.state.is_finished for trial in trials)
    if lost:
        counts.lost += lost
        counts.say(f"{where}: {lost} trials lost")
    assert isinstance(study.finished, History)
    history = study.finished.read()
    twice = len(history) - len(set(history))
    if twice and expected is None:
        counts.repeated += twice
    elif twice:
        counts.twice += twice
        counts.say(f"{where}: {twice} trials run twice")
    if expected is not None and [outcome(trial) for trial in trials] != expected:
        counts.different += 1
        counts.say(f"{where}: not the study that one left alone is")
    for trial in trials:
        told = [(e.epoch, repr(e.val_rmse)) for e in trial.epochs]
        if told != [(i, repr(bumpy(trial.values, i))) for i in range(1, len(told) + 1)]:
            counts.different += 1
            counts.say(f"{where}: the epochs of #{trial.number} are not what its values give")
