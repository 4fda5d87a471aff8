"""What became of a trial, worked out from the facts that the journals hold about it.

Facts come from several writers, and a writer thought lost may still write. So nothing here depends
on the order in which facts were read, only on what they say: the same facts give the same outcome
in a ledger that grew line by line and in one rebuilt from the journals. The rules:

- A trial that ended COMPLETE or PRUNED has ended; no later attempt reopens it.
- Otherwise its latest attempt speaks for it: one that failed and was started again is running.
- Once a newer attempt started, or the driver gave an attempt up, what its worker still writes does
  not count. The driver's own word always does: there is one driver at a time.
- An epoch that several attempts ran is the latest attempt's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

from experiments.ledger.trial_records import (
    AttemptRecord,
    EpochRecord,
    Purpose,
    StopReason,
    TrialRecord,
    TrialState,
)


class Ask(NamedTuple):
    number: int
    name: str
    purpose: str
    arm: str | None
    arm_number: int
    values: str
    """JSON."""
    seed: int
    is_default: int
    at: float
    is_enqueued: int = 0
    """Missing in a ledger of before there was such a thing."""


class Start(NamedTuple):
    number: int
    attempt: int
    worker: str
    first_epoch: int
    n_parameters: int | None
    at: float


class Epoch(NamedTuple):
    number: int
    attempt: int
    epoch: int
    val_rmse: float | None
    """None is NaN, which SQLite does not store."""
    train_rmse: float | None
    n_updates: int
    seconds: float
    at: float
    metrics: str = "{}"
    """JSON; missing in a ledger of before there was such a thing, as is the next."""
    metric_errors: str = "{}"


class End(NamedTuple):
    number: int
    attempt: int
    stop_reason: str
    ends_trial: int
    """0: only the attempt was given up, and the trial goes on with the next one."""
    error: str | None
    at: float


class PrunerState(NamedTuple):
    number: int
    epoch: int
    attrs: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the journals say of one trial; starts and epochs in order of attempt."""

    ask: Ask
    starts: Sequence[Start]
    epochs: Sequence[Epoch]
    ends: Sequence[End]
    pruner_states: Sequence[PrunerState]


_DRIVERS_REASONS = (
    StopReason.PRUNER,
    StopReason.STALLED,
    StopReason.TRIAL_TIMEOUT,
    StopReason.WORKER_LOST,
)
_WORKERS_REASONS = (
    StopReason.MAX_EPOCHS,
    StopReason.PATIENCE,
    StopReason.DIVERGED,
    StopReason.OUT_OF_MEMORY,
    StopReason.ERROR,
    StopReason.RECYCLED,
    StopReason.INTERRUPTED,
)
# Two words on one attempt: the driver's counts, since it looked for the worker's before it acted.
_AUTHORITY = {reason: rank for rank, reason in enumerate(_DRIVERS_REASONS + _WORKERS_REASONS)}


def trial_record(facts: Facts) -> TrialRecord:
    """The trial that these facts describe."""
    ask = facts.ask
    end = _deciding_end(facts)
    if end is not None:
        reason = StopReason(end.stop_reason)
        state = reason.state
    else:
        reason = None
        state = TrialState.RUNNING if facts.starts or facts.ends else TrialState.WAITING
    epochs = _epochs(facts, end)
    best = min((e for e in epochs if isfinite(e.val_rmse)), key=lambda e: e.val_rmse, default=None)
    n_parameters = [start.n_parameters for start in facts.starts if start.n_parameters is not None]
    return TrialRecord(
        number=ask.number,
        name=ask.name,
        purpose=Purpose(ask.purpose),
        arm=ask.arm,
        arm_number=ask.arm_number,
        values=json.loads(ask.values),
        seed=ask.seed,
        is_default=bool(ask.is_default),
        is_enqueued=bool(ask.is_enqueued),
        state=state,
        stop_reason=reason,
        error=end.error if end else None,
        epochs=epochs,
        attempts=_attempts(facts),
        n_parameters=n_parameters[-1] if n_parameters else None,
        best_epoch=best.epoch if best else None,
        best_rmse=best.val_rmse if best else None,
        asked_at=ask.at,
        ended_at=end.at if end and state.is_finished else None,
        pruner_state=_pruner_state(facts),
    )


def _pruner_state(facts: Facts) -> dict[str, Any]:
    """By epoch, read in one go: there is one for every epoch of every trial."""
    attrs = json.loads(f"[{','.join(s.attrs for s in facts.pruner_states)}]")
    return {str(s.epoch): state for s, state in zip(facts.pruner_states, attrs, strict=True)}


def _deciding_end(facts: Facts) -> End | None:
    """The end that speaks for the trial; None while its latest attempt runs, or none began."""
    ends = [end for end in facts.ends if end.ends_trial and not _is_fenced(end, facts)]
    if not ends:
        return None
    final = [end for end in ends if _state(end) in (TrialState.COMPLETE, TrialState.PRUNED)]
    if final:
        return min(final, key=lambda end: (end.attempt, _authority(end)))
    latest = max([s.attempt for s in facts.starts] + [e.attempt for e in facts.ends])
    return min((end for end in ends if end.attempt == latest), key=_authority, default=None)


def _is_fenced(end: End, facts: Facts) -> bool:
    """Whether a worker wrote this end after its attempt had been given up or superseded."""
    if end.stop_reason in _DRIVERS_REASONS:
        return False
    return any(s.attempt > end.attempt and s.at < end.at for s in facts.starts) or any(
        e.attempt == end.attempt and not e.ends_trial and e.at < end.at for e in facts.ends
    )


def _epochs(facts: Facts, end: End | None) -> tuple[EpochRecord, ...]:
    if len(facts.starts) == 1:  # almost every trial, and there are many
        return tuple(_epoch_record(row) for row in facts.epochs)
    is_final = end is not None and _state(end) in (TrialState.COMPLETE, TrialState.PRUNED)
    starts = [s for s in facts.starts if end is None or not is_final or s.attempt <= end.attempt]
    by_epoch: dict[int, Epoch] = {}
    for row in facts.epochs:
        is_after_the_end = is_final and end is not None and row.attempt > end.attempt
        # A newer attempt builds on the epochs before its first one, so those stay whatever the
        # clocks say.
        is_fenced = any(
            s.attempt > row.attempt and s.at < row.at and s.first_epoch <= row.epoch for s in starts
        )
        if not is_after_the_end and not is_fenced:
            by_epoch[row.epoch] = row
    if is_final and starts:
        # An earlier attempt may have gone further before it was lost than the one that ended.
        last = starts[-1]
        reached = [last.first_epoch - 1]
        reached += [row.epoch for row in facts.epochs if row.attempt == last.attempt]
        by_epoch = {epoch: row for epoch, row in by_epoch.items() if epoch <= max(reached)}
    return tuple(_epoch_record(by_epoch[epoch]) for epoch in sorted(by_epoch))


def _attempts(facts: Facts) -> tuple[AttemptRecord, ...]:
    """One record an attempt; one that ended before it could start has no worker's name."""
    starts = {start.attempt: start for start in facts.starts}
    ends: dict[int, End] = {}
    for end in sorted(facts.ends, key=_authority, reverse=True):
        ends[end.attempt] = end
    return tuple(
        AttemptRecord(
            attempt=attempt,
            worker=starts[attempt].worker if attempt in starts else "",
            started_at=starts[attempt].at if attempt in starts else ends[attempt].at,
            ended_at=ends[attempt].at if attempt in ends else None,
            first_epoch=starts[attempt].first_epoch if attempt in starts else None,
            stop_reason=StopReason(ends[attempt].stop_reason) if attempt in ends else None,
        )
        for attempt in sorted(starts.keys() | ends.keys())
    )


def _epoch_record(row: Epoch) -> EpochRecord:
    nan = float("nan")
    return EpochRecord(
        row.epoch,
        nan if row.val_rmse is None else row.val_rmse,
        nan if row.train_rmse is None else row.train_rmse,
        row.n_updates,
        row.seconds,
        _NONE if row.metrics == "{}" else json.loads(row.metrics),
        _NONE if row.metric_errors == "{}" else json.loads(row.metric_errors),
    )


_NONE: Mapping[str, Any] = MappingProxyType({})
"""Of nearly every epoch, and there are many."""


def _state(end: End) -> TrialState:
    return StopReason(end.stop_reason).state


def _authority(end: End) -> int:
    return _AUTHORITY[StopReason(end.stop_reason)]
