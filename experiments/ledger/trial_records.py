"""A trial of a study, as frozen values: what it tried, what it did, how it ended.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Value = bool | int | float | str

FIRST_NUMBER_BESIDE = 1_000_000
"""Of the trials that are no search's (see `Purpose`)."""


class TrialState(StrEnum):
    """Optuna's names with Optuna's meaning."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"

    @property
    def is_finished(self) -> bool:
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class StopReason(StrEnum):
    """Why a trial (or an attempt at one) ended."""

    MAX_EPOCHS = "max_epochs"
    PATIENCE = "patience"
    PRUNER = "pruner"
    DIVERGED = "diverged"
    ERROR = "error"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_LOST = "worker_lost"
    STALLED = "stalled"
    TRIAL_TIMEOUT = "trial_timeout"
    INTERRUPTED = "interrupted"
    """The attempt ended, the trial did not: it goes on from its last checkpoint."""
    RECYCLED = "recycled"
    """The worker left to give memory back; the trial goes on at once on a fresh one."""

    @property
    def state(self) -> TrialState:
        """The state of a trial whose last attempt ended for this reason."""
        return _STATE_OF_REASON[self]

    @property
    def is_of_the_machine(self) -> bool:
        """Whether a trial failed of where it ran: elsewhere it would have had a number."""
        return self in (
            StopReason.OUT_OF_MEMORY,
            StopReason.WORKER_LOST,
            StopReason.STALLED,
            StopReason.TRIAL_TIMEOUT,
        )


_STATE_OF_REASON = {
    StopReason.MAX_EPOCHS: TrialState.COMPLETE,
    StopReason.PATIENCE: TrialState.COMPLETE,
    StopReason.PRUNER: TrialState.PRUNED,
    # FAIL would drive TPE back to the same region, so a diverged trial is PRUNED for the sampler.
    StopReason.DIVERGED: TrialState.PRUNED,
    StopReason.ERROR: TrialState.FAIL,
    StopReason.OUT_OF_MEMORY: TrialState.FAIL,
    StopReason.WORKER_LOST: TrialState.FAIL,
    StopReason.STALLED: TrialState.FAIL,
    StopReason.TRIAL_TIMEOUT: TrialState.FAIL,
    StopReason.INTERRUPTED: TrialState.RUNNING,
    StopReason.RECYCLED: TrialState.RUNNING,
}


class Purpose(StrEnum):
    """Why a trial was trained. Only `search` counts, is told to the sampler and ranked.

    The numbers of search trials run from 0 without gaps; those of other purposes lie beyond
    `FIRST_NUMBER_BESIDE`, so that a study can still be extended.
    """

    SEARCH = "search"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of one trial, as the last attempt that ran it journalled it."""

    epoch: int
    """From 1."""
    val_rmse: float
    """Over all validation rows, in stars, predictions unclipped. NaN or inf when diverged."""
    train_rmse: float
    """Over at most 16,384 fixed train rows, without dropout."""
    n_updates: int
    """Optimizer steps since the trial began, this epoch included."""
    seconds: float
    """Training and evaluation time of this epoch, monotonic clock."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Further metrics of the validation predictions, by name; without those that gave no number."""
    metric_errors: Mapping[str, str] = field(default_factory=dict)
    """Why they gave none."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One go of a trial on one worker."""

    attempt: int
    """From 1."""
    worker: str
    started_at: float
    """Wall clock, seconds since 1970."""
    ended_at: float | None
    first_epoch: int | None
    """The first epoch that this attempt trained; above 1 when it began from a checkpoint."""
    stop_reason: StopReason | None
    """None while it runs, and after a driver died without a word."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One set of values and what became of it."""

    number: int
    name: str
    """`0007`, or `0007-v2` for its second replicate; also its folder and its TensorBoard run."""
    purpose: Purpose
    arm: str | None
    """The choice of the compared dimension, or None where nothing is compared."""
    arm_number: int
    """Its number within its arm, from 0."""
    values: Mapping[str, Value]
    """Active dimensions only, by column name (`layer_size_0`)."""
    seed: int
    is_default: bool
    """The default configuration, projected onto the space."""
    state: TrialState
    stop_reason: StopReason | None
    error: str | None
    epochs: tuple[EpochRecord, ...] = ()
    """In order of epoch, one each."""
    attempts: tuple[AttemptRecord, ...] = ()
    n_parameters: int | None = None
    best_epoch: int | None = None
    """The epoch with the lowest finite `val_rmse`."""
    best_rmse: float | None = None
    """`val_rmse` at the best epoch: the objective. Ranked only where the state is COMPLETE."""
    asked_at: float = 0.0
    ended_at: float | None = None
    pruner_state: Mapping[str, Any] = field(default_factory=dict)
    """Optuna's `system_attrs` of the trial by epoch: {"3": {...}}; needed to resume."""
    is_enqueued: bool = False
    """Asked for by the sweep, after the default; no sampler proposed it."""

    def metric(self, name: str) -> float | None:
        """A further metric at the best epoch; None where it gave no number."""
        best = next((epoch for epoch in self.epochs if epoch.epoch == self.best_epoch), None)
        return None if best is None else best.metrics.get(name)

    @property
    def point(self) -> frozenset[tuple[str, Value]]:
        """What it tried. Trials of equal ones are one model, trained again."""
        return frozenset(self.values.items())

    @property
    def n_updates(self) -> int | None:
        """Optimizer steps over all epochs; None where a model of one's own does not count them."""
        return self.epochs[-1].n_updates or None if self.epochs else None

    @property
    def is_ranked(self) -> bool:
        return self.state is TrialState.COMPLETE and self.purpose is Purpose.SEARCH

    @property
    def is_diverged(self) -> bool:
        return self.stop_reason is StopReason.DIVERGED

    @property
    def seconds(self) -> float:
        """Training seconds over all epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


def first_runs(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The first of each model: trials with the same values are one, under several seeds."""
    models: dict[object, TrialRecord] = {}
    for trial in trials:
        models.setdefault(trial.point, trial)
    return [*models.values()]
