"""Runs a search's trials over a made-up objective, without Ray or TensorFlow, and can be killed.

It keeps the trials as the ledger would and in the order in which driver and worker write: the
worker an epoch, its checkpoint, its own end; then the driver the pruner's state and the end it
decides. `kill_at` ends it after any of these writes, as `kill -9` of driver and workers would.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from experiments.records import (
    EpochRecord,
    Purpose,
    StopReason,
    TrialRecord,
    TrialState,
    Value,
)
from experiments.search.search_protocol import Search

Objective = Callable[[Mapping[str, Value], int], float]
"""`val_rmse` of a configuration after an epoch; raises TrialFailure where the trial fails."""


class TrialFailure(Exception):
    """The trial's own fault."""


class Killed(BaseException):
    """Nothing is written after this."""


@dataclass
class FakeRunner:
    """Trials one epoch at a time, the one that is furthest behind first."""

    objective: Objective
    n_trials: int
    max_epochs: int = 9
    patience: int = 0
    n_workers: int = 1
    checkpoint_every: int = 1
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    checkpoints: dict[int, int] = field(default_factory=dict)
    n_writes: int = 0
    kill_at: int | None = None
    """The write after which everything dies; None: nothing does."""

    def run(self, search: Search) -> Sequence[TrialRecord]:
        """All trials to their end, from wherever the last search left them.

        Raises:
            Killed: at `kill_at`; call it again with a new search to go on.
        """
        stopped = search.restore(tuple(self.trials.values()), self.checkpoints)
        for number in stopped:
            self._end(number, StopReason.PRUNER)
            search.tell(number, StopReason.PRUNER, self.trials[number].best_rmse)
        live = {
            number: self.checkpoints.get(number, 0)
            for number, trial in self.trials.items()
            if not trial.state.is_finished
        }
        while live or len(self.trials) < self.n_trials:
            if len(live) < self.n_workers and len(self.trials) < self.n_trials:
                number = len(self.trials)
                if not self._ask(search, number):
                    self.n_trials = number
                    continue
                live[number] = 0
                continue
            number = min(live, key=lambda n: (live[n], n))
            live[number] += 1
            if not self._step(search, number, live[number]):
                del live[number]
        return [self.trials[number] for number in sorted(self.trials)]

    def run_through_kills(
        self, new_search: Callable[[], Search], kills: Sequence[int]
    ) -> Sequence[TrialRecord]:
        """All trials, with everything killed after each of these writes and begun again."""
        for self.kill_at in sorted(kills):
            with contextlib.suppress(Killed):
                self.run(new_search())
        self.kill_at = None
        return self.run(new_search())

    def _ask(self, search: Search, number: int) -> bool:
        proposal = search.ask(number)
        if proposal is None:
            return False
        trial = TrialRecord(
            number=number,
            name=f"{number:04d}",
            purpose=Purpose.SEARCH,
            arm=proposal.arm,
            arm_number=proposal.arm_number,
            values=json.loads(json.dumps(proposal.values)),
            seed=0,
            is_default=proposal.is_default,
            state=TrialState.RUNNING,
            stop_reason=None,
            error=None,
            pruner_state={"0": json.loads(json.dumps(search.pruner_state(number)))},
        )
        self._write(trial)
        return True

    def _step(self, search: Search, number: int, epoch: int) -> bool:
        """One epoch of one trial. Whether there is another one."""
        try:
            value = self.objective(self.trials[number].values, epoch)
        except TrialFailure as failure:
            self._end(number, StopReason.ERROR, str(failure))
            search.tell(number, StopReason.ERROR, self.trials[number].best_rmse)
            return False
        self._write(_with_epoch(self.trials[number], epoch, value))
        reason = self._own_reason(number, epoch, value)
        if reason is not None:
            self._end(number, reason)
        elif epoch % self.checkpoint_every == 0:
            self.checkpoints[number] = epoch
            self._write(self.trials[number])
        keep_going = search.report(number, epoch, value)
        state = json.loads(json.dumps(search.pruner_state(number)))
        trial = self.trials[number]
        self._write(replace(trial, pruner_state={**trial.pruner_state, str(epoch): state}))
        if reason is None and not keep_going:
            reason = StopReason.PRUNER
            self._end(number, reason)
        if reason is not None:
            search.tell(number, reason, self.trials[number].best_rmse)
        return reason is None

    def _own_reason(self, number: int, epoch: int, value: float) -> StopReason | None:
        if not math.isfinite(value):
            return StopReason.DIVERGED
        if epoch == self.max_epochs:
            return StopReason.MAX_EPOCHS
        best_epoch = self.trials[number].best_epoch
        if self.patience and best_epoch is not None and epoch - best_epoch >= self.patience:
            return StopReason.PATIENCE
        return None

    def _end(self, number: int, reason: StopReason, error: str | None = None) -> None:
        self._write(
            replace(self.trials[number], state=reason.state, stop_reason=reason, error=error)
        )

    def _write(self, trial: TrialRecord) -> None:
        self.trials[trial.number] = trial
        self.n_writes += 1
        if self.n_writes == self.kill_at:
            raise Killed


def _with_epoch(trial: TrialRecord, epoch: int, value: float) -> TrialRecord:
    """The trial with an epoch added, or replaced where an earlier attempt wrote it already."""
    record = EpochRecord(epoch, value, value, n_updates=10 * epoch, seconds=0.1)
    epochs = (*(e for e in trial.epochs if e.epoch < epoch), record)
    finite = [e for e in epochs if math.isfinite(e.val_rmse)]
    best = min(finite, key=lambda e: e.val_rmse, default=None)
    return replace(
        trial,
        epochs=epochs,
        best_epoch=best and best.epoch,
        best_rmse=best and best.val_rmse,
    )
