"""The driver's side of every trial: hands out orders, hears of epochs and ends, writes both down.

It knows no Ray. Workers (or a test's fake runner) append to their journals; `pump` reads what is
new there, brings it into the ledger, and then tells the search, the board and whoever watches.
Whoever runs trials only rings the bell: `pump` after every result.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.board.hparams import BoardWriter
from experiments.errors import ClusterError, StateError
from experiments.ledger.journal import Journal, ended
from experiments.ledger.ledger import Ledger
from experiments.machine.liveness import Liveness
from experiments.records import EpochRecord, Purpose, StopReason
from experiments.running.keeping import Keeper
from experiments.running.orders import TrialOrder, order_of
from experiments.search.search_protocol import Search
from experiments.stages import stage_over
from experiments.sweep import SweepConfig
from experiments.watcher import StudyWatcher
from recommender.epochs import derive_seed

LOST_WORKER_RETRIES = 2
"""A trial whose worker is lost more often than this fails as `worker_lost`."""
STILLBORN_TRIALS = 3
"""So many trials in a row without a worker that starts, and the run is given up."""


@dataclass(slots=True)
class _Live:
    """A trial that has been handed out and has not ended."""

    order: TrialOrder
    is_cold: bool = True
    """Whether its worker may still be importing TensorFlow, or tracing its first epoch."""
    n_lost: int = 0
    pruner_state: Mapping[str, Any] = field(default_factory=dict)
    """As it was last journalled."""
    is_leaving: bool = False
    """Asked to make room for fewer workers."""
    has_left: bool = False
    wants_to_be_alone: bool = False
    """Memory ran out where others may have held it."""


class Conductor:
    """One study's trials, from the first ask to the last end.

    Args:
        folder: the study's; its `journal/` is read.
        journal: the driver's own.
        n_trials: how many search trials there are to be in all.
        asks_for_new: False where only interrupted trials are to be brought to their end.
        interrupted: orders to go on with before any new trial is asked for.
        deadline: the monotonic time at which the run will be stopped; none is handed out that
            could not finish an epoch before it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sweep: SweepConfig,
        search: Search,
        ledger: Ledger,
        journal: Journal,
        board: BoardWriter,
        watcher: StudyWatcher,
        n_trials: int,
        asks_for_new: bool = True,
        interrupted: Sequence[TrialOrder] = (),
        deadline: float | None = None,
    ) -> None:
        self._folder = folder
        self._sweep = sweep
        self._search = search
        self.prunes = search.prunes
        """Whether a trial may be ended after an epoch that is not its last."""
        self._ledger = ledger
        self._journal = journal
        self._board = board
        self._watcher = watcher
        past = ledger.trials()
        self._next_number = sum(trial.purpose is Purpose.SEARCH for trial in past)
        self._n_left = max(0, n_trials - self._next_number)
        self._asks_for_new = asks_for_new
        self._waiting = deque(interrupted)
        self._deadline = math.inf if deadline is None else deadline
        self._longest_epoch_s = 0.0
        self.is_stopping = False
        """Whether no more orders are handed out: asked for, or seen by a worker."""
        self._n_interrupted = 0
        self._n_stillborn = 0
        self._n_lost: dict[int, int] = {}
        """Of trials that wait to be handed out anew: how often they lost their worker."""
        limits = sweep.search
        assert limits is not None
        self.liveness = Liveness(folder, limits.stall_timeout_s, limits.trial_timeout_s)
        """Its `check` may be called from any thread."""
        self._live: dict[int, _Live] = {}
        """By number; from the order until the end."""
        self._inbox: deque[Mapping[str, Any]] = deque()
        self._faulty_metrics: set[str] = set()
        self._keeper = Keeper(folder, past)

    # Orders

    @property
    def n_left(self) -> int:
        """Trials that wait to be handed out, or are still to be asked for."""
        return len(self._waiting) + (self._n_left if self._asks_for_new else 0)

    @property
    def is_out_of_orders(self) -> bool:
        """Whether there is nothing to hand out any more in this run."""
        if self.is_stopping or time.monotonic() + self._longest_epoch_s >= self._deadline:
            return True
        return not self._waiting and not (self._asks_for_new and self._n_left)

    @property
    def is_held(self) -> bool:
        """Whether nothing is handed out for now: a trial trains alone, or waits until it can."""
        return any(live.order.is_alone for live in self._live.values()) or (
            bool(self._live) and any(order.is_alone for order in self._waiting)
        )

    @property
    def is_finished(self) -> bool:
        """Whether every trial of the study has ended."""
        return not (self._n_left or self._waiting or self._live or self._n_interrupted)

    def next_order(self) -> TrialOrder | None:
        """An interrupted trial to go on with, or a new one; None when there are no more."""
        if self.is_out_of_orders:
            return None
        order = self._waiting.popleft() if self._waiting else self._ask()
        if order is None:
            return None
        live = self._live[order.number] = _Live(order, n_lost=self._n_lost.pop(order.number, 0))
        self.liveness.handed_out(order.number)
        if order.attempt == 1:
            self._note_pruner_state(live, epoch=0)
        order.room_file.unlink(missing_ok=True)
        trial = self._ledger.trial(order.number)
        self._board.start(trial)
        self._watcher.trial_started(trial)
        return order

    def _ask(self) -> TrialOrder | None:
        number = self._next_number
        proposal = self._search.ask(number)
        if proposal is None:
            self._n_left = 0
            return None
        self._next_number += 1
        self._n_left -= 1
        self._write(
            "ask",
            number=number,
            name=f"{number:04d}",
            purpose=Purpose.SEARCH.value,
            arm=proposal.arm,
            arm_number=proposal.arm_number,
            values=proposal.values,
            seed=derive_seed(self._sweep.search_seed, "trial", number),
            is_default=proposal.is_default,
            is_enqueued=proposal.is_enqueued,
        )
        return order_of(self._ledger.trial(number), 1, self._folder, self._sweep)

    # News

    def pump(self) -> None:
        """Read what the workers wrote since the last call, and act on it.

        Raises:
            StateError: somebody took the study away.
        """
        if not self._journal.is_in_place:
            raise StateError(f"{self._folder} was deleted or moved while it was being run")
        self.liveness.listens()
        self._inbox.extend(self._ledger.catch_up(self._folder / "journal"))
        while self._inbox:
            event = self._inbox.popleft()
            live = self._live.get(event["number"]) if "number" in event else None
            if live is None or event.get("attempt") != live.order.attempt:
                continue  # the driver's own line, or a late word of an attempt given up
            if event["kind"] == "take":
                stage_over("first worker started")
                live.is_cold = not event["is_warm"]
                self.liveness.taken(event["number"], event["worker"], event["is_warm"])
            elif event["kind"] == "start":
                self._hear_start(live, event)
            elif event["kind"] == "epoch":
                self._hear_epoch(live, event)
            elif event["kind"] == "end":
                self._hear_end(live, StopReason(event["stop_reason"]), event)

    def is_to_stop(self, number: int) -> bool:
        """Whether this trial has ended, by the pruner's word or its own."""
        return number not in self._live

    def lose(self, number: int, attempt: int | None = None) -> TrialOrder | None:
        """The worker of a trial is gone. The order for its next attempt; None if it had ended, or
        is left to another run since this one stops.

        Args:
            attempt: the one that was lost; None: the one that is live. Of another, nothing is new.

        A worker that left to be recycled said so, and does not count as lost.

        Raises:
            ClusterError: worker after worker dies before it can train anything.
        """
        self.pump()
        live = self._live.get(number)
        if live is None or attempt not in (None, live.order.attempt):
            return None
        doom = self.liveness.doom_of(number)
        if doom is not None:
            self._watcher.message(f"#{number} {doom[0]}: {doom[1]}; its worker is replaced")
            self._end_trial(live, *doom)
            if live.is_cold:
                self._count_stillborn()
            return None
        self.liveness.over(number)
        if live.order.give_up is not None:
            self._end_trial(live, StopReason.WORKER_LOST, live.order.give_up)
            self._count_stillborn()
            return None
        trial = self._ledger.trial(number)
        is_recycled = bool(trial.attempts) and (
            trial.attempts[-1].attempt == live.order.attempt
            and trial.attempts[-1].stop_reason is StopReason.RECYCLED
        )
        give_up = None
        if not is_recycled:
            live.n_lost += 1
            lost = ended(number, live.order.attempt, StopReason.WORKER_LOST.value)
            self._write("attempt_end", **lost)
            if live.n_lost > LOST_WORKER_RETRIES:
                give_up = f"its worker was lost {live.n_lost} times"
        if self.is_stopping:
            self.leave(number)
            return None
        if not is_recycled:
            has_checkpoint = (live.order.folder / "last").is_dir()
            goes_on = "going on from its last checkpoint" if has_checkpoint else "beginning anew"
            self._watcher.message(
                f"#{number} lost its worker; {f'given up: {give_up}' if give_up else goes_on}"
            )
        live.order = live.order.again(give_up)
        live.is_cold = True
        self.liveness.handed_out(number)
        return live.order

    def say(self, message: str) -> None:
        """Tell whoever watches the study."""
        self._watcher.message(message)

    def _count_stillborn(self) -> None:
        self._n_stillborn += 1
        if self._n_stillborn == STILLBORN_TRIALS:
            raise ClusterError(
                f"no worker could begin to train: {STILLBORN_TRIALS} trials in a row ended "
                "before their workers were ready, which were lost or gave no sign of life; why is "
                f"in Ray's logs, under recsweep-{os.getuid()}/ray/session_latest/logs of the "
                "temporary folder"
            )

    def leave(self, number: int, is_lost: bool = False) -> None:
        """A trial that has not ended goes on in another run, or here when there is room again.

        Args:
            is_lost: `lose` heard of it, and nobody waits for the order that it gave: the trial is
                handed out anew.
        """
        self.liveness.over(number)
        live = self._live.pop(number, None)
        if live is None:
            self._remove_last(number)  # its worker may have saved after the epoch that it ended by
            return
        if live.has_left or is_lost:
            self._n_lost[number] = live.n_lost
            again = live.order.again(live.order.give_up, is_alone=live.wants_to_be_alone)
            self._waiting.appendleft(again)
        else:
            self._n_interrupted += 1

    def make_room(self, n_workers: int) -> None:
        """Where more trials are live, ask the youngest to leave their workers after their epoch."""
        staying = [live for live in self._live.values() if not live.is_leaving]
        for live in staying[n_workers:]:
            live.is_leaving = True
            file = live.order.room_file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            self._watcher.message(
                f"#{live.order.number} makes room at the end of its epoch, and goes on later"
            )

    def stop(self) -> None:
        """Hand out no more orders."""
        self.is_stopping = True

    def _hear_start(self, live: _Live, event: Mapping[str, Any]) -> None:
        stage_over("TensorFlow imported there, first model built")
        self._n_stillborn = 0
        number = live.order.number
        if event.get("damaged"):
            self._watcher.message(f"#{number} begins anew: {event['damaged']}")
        trial = self._ledger.trial(number)
        spent_s = sum(e.seconds for e in trial.epochs if e.epoch < event["first_epoch"])
        self.liveness.began(number, event["worker"], spent_s, is_warm=not live.is_cold)

    def _hear_epoch(self, live: _Live, event: Mapping[str, Any]) -> None:
        number, epoch = live.order.number, int(event["epoch"])
        stage_over("first epoch, with the tracing of its graph")
        value = float(event["val_rmse"])
        record = EpochRecord(
            epoch=epoch,
            val_rmse=value,
            train_rmse=float(event["train_rmse"]),
            n_updates=int(event["n_updates"]),
            seconds=float(event["seconds"]),
            metrics=event.get("metrics", {}),
            metric_errors=event.get("metric_errors", {}),
        )
        self._tell_metric_errors(record)
        live.is_cold = False
        self.liveness.warmed_up(number)
        self._longest_epoch_s = max(self._longest_epoch_s, record.seconds)
        keep_going = True
        if math.isfinite(value):
            keep_going = self._search.report(number, epoch, value)
            self._note_pruner_state(live, epoch)
        trial = self._ledger.trial(number)
        self._board.epoch(trial, record)
        self._watcher.epoch(trial, record)
        if not keep_going and not event.get("is_last"):
            self._end_trial(live, StopReason.PRUNER)

    def _tell_metric_errors(self, record: EpochRecord) -> None:
        """What keeps a further metric from a number, once; the trial goes on."""
        for name, error in record.metric_errors.items():
            if name not in self._faulty_metrics:
                self._faulty_metrics.add(name)
                self._watcher.message(f"metric {name}: {error}; trials go on without it")

    def _end_trial(self, live: _Live, reason: StopReason, error: str | None = None) -> None:
        """An end that the driver decides."""
        end = ended(live.order.number, live.order.attempt, reason.value, error)
        self._write("end", sync=True, **end)
        self._remove_last(live.order.number)
        self._hear_end(live, reason)

    def _remove_last(self, number: int) -> None:
        """What a trial that has ended would have gone on from."""
        trial = self._ledger.trial(number)
        if trial.state.is_finished:
            shutil.rmtree(self._folder / "trials" / trial.name / "last", ignore_errors=True)

    def _hear_end(
        self, live: _Live, reason: StopReason, event: Mapping[str, Any] | None = None
    ) -> None:
        number = live.order.number
        if reason is StopReason.RECYCLED:
            return  # its process is about to go; `lose` hears of it
        if reason is StopReason.INTERRUPTED:
            if event and event.get("wants_to_be_alone"):
                live.has_left = live.wants_to_be_alone = True
                self._watcher.message(
                    f"#{number} ran out of memory on a GPU that others share, and goes on alone: "
                    f"{event['error']}"
                )
                return
            if event and event.get("makes_room"):
                live.has_left = True  # `leave` hears of it when its worker is free
                return
            self.is_stopping = True  # its worker saw the request before we did
            self.leave(number)
            return
        self.liveness.over(number)
        trial = self._ledger.trial(number)
        self._search.tell(number, reason, trial.best_rmse)
        self._live.pop(number)
        self._board.end(trial)
        self._watcher.trial_ended(trial)
        self._keeper.ended(trial)

    def _note_pruner_state(self, live: _Live, epoch: int) -> None:
        """Journal what a resumed search must know of a trial, where it changed."""
        state = self._search.pruner_state(live.order.number)
        if state != live.pruner_state:
            live.pruner_state = state
            self._write("pruner", number=live.order.number, epoch=epoch, attrs=state)

    def _write(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        """Journal a fact of the driver's and bring it into the ledger."""
        self._journal.append(kind, sync=sync, **fields)
        self._inbox.extend(self._ledger.catch_up(self._folder / "journal"))
