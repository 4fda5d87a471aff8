"""Where a study that was stopped or killed goes on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import StateError
from experiments.ledger.journal import Journal, ended
from experiments.ledger.ledger import Ledger
from experiments.records import JOURNAL_NAME, LEDGER_NAME, StopReason, TrialRecord, TrialState
from experiments.running.orders import TrialOrder, order_of
from experiments.search.search_protocol import Search, searched
from experiments.sweep import SweepConfig
from recommender.checkpoints import CheckpointError, read_checkpoint


def bring_up_to_date(folder: Path) -> None:
    """Bring into a study's ledger what its journals hold beyond it; all of it, where it is gone.

    For the holder of the study's lock alone, before anything else: the driver may have been killed
    between a worker's line and its commit.
    """
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.catch_up(folder / JOURNAL_NAME)


def pick_up(
    folder: Path, search: Search, ledger: Ledger, journal: Journal, sweep: SweepConfig
) -> list[TrialOrder]:
    """Rebuild the search from earlier runs; orders for the trials to go on with before any new one
    is asked for, in the order they were asked in."""
    past = ledger.trials()
    stopped = search.restore(past, {t.number: checkpoint_epoch(folder, t) for t in past})
    for trial in past:
        if trial.number in stopped:
            # The pruner had spoken when the driver died.
            end = ended(trial.number, next_attempt(trial) - 1, StopReason.PRUNER.value)
            journal.append("end", sync=True, **end)
            search.tell(trial.number, StopReason.PRUNER, trial.best_rmse)
    ledger.catch_up(journal.path.parent)
    return [
        order_of(trial, next_attempt(trial), folder, sweep)
        for trial in searched(ledger.trials())
        if not trial.state.is_finished
    ]


def reopen_failed(folder: Path, trials: Sequence[TrialRecord], journal: Journal) -> int:
    """Journal that the failed trials are to be tried again, from their start; how many there are.

    An attempt that ended before it began stands for the wish: the trial is unfinished from then
    on, whatever becomes of this driver.
    """
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    for trial in failed:
        # A worker leaves it where it met an error, and what led there may be in it.
        shutil.rmtree(folder / "trials" / trial.name / "last", ignore_errors=True)
        end = ended(trial.number, next_attempt(trial), StopReason.INTERRUPTED.value)
        journal.append("attempt_end", sync=True, **end)
    return len(failed)


def refuse_gaps(name: str, trials: tuple[TrialRecord, ...]) -> None:
    """Search trials must be numbered without a gap, or a new one would take another's number.

    Raises:
        StateError: names the first that is missing.
    """
    for expected, trial in enumerate(trials):
        if trial.number != expected:
            raise StateError(
                f"{name}: of trial {expected} nothing is known any more (its journal was damaged); "
                "the study can be reported, but not resumed"
            )


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
