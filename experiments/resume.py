"""Where a study that was stopped or killed goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from experiments.ledger import Ledger
from experiments.records import JOURNAL_NAME, LEDGER_NAME, TrialRecord, TrialState
from recommender.checkpoints import CheckpointError, read_checkpoint


def bring_up_to_date(folder: Path) -> None:
    """Bring into a study's ledger what its journals hold beyond it; all of it, where it is gone.

    For the holder of the study's lock alone, before anything else: the driver may have been killed
    between a worker's line and its commit.

    Raises:
        JournalError: a journal is damaged before its last line.
        LedgerError: the ledger is damaged.
    """
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.catch_up(folder / JOURNAL_NAME)


def unfinished(trials: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    """The trials to go on with before any new one is asked for, in the order they were asked in."""
    return tuple(t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING))


def next_attempt(trial: TrialRecord) -> int:
    """The number of the attempt that goes on with a trial in another run of the driver.

    At least 2: a trial without a start may have been handed out to a worker that is still alive.
    """
    return max((attempt.attempt for attempt in trial.attempts), default=1) + 1


def checkpoint_epoch(folder: Path, trial: TrialRecord) -> int:
    """The epoch after which `last/` was written; 0 where it is missing or damaged."""
    try:
        _, metadata = read_checkpoint(folder / "trials" / trial.name / "last")
        return int(metadata["epoch"])
    except (CheckpointError, KeyError):
        return 0
