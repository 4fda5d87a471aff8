"""What the driver hands to a worker: one attempt at one trial, as a plain value.

It imports neither Ray nor TensorFlow, so that driver, worker and tests share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.own.kept_code import as_kept
from experiments.records import TrialRecord
from experiments.sweep import SweepConfig
from recommender.config import RankingConfig, TrainingConfig, Value, ranking_config
from recommender.own import OwnDefinition

CHECKPOINT_EVERY_S = 10.0
"""`last/` is written at most this often while a trial runs, and once early on."""


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """Train these values, under this number, from the last checkpoint if there is one."""

    number: int
    name: str
    attempt: int
    """From 1; a later attempt at the same trial fences off what an earlier one still writes."""
    values: Mapping[str, Value]
    """What the search chose."""
    fixed: Mapping[str, Value]
    """What the sweep's `[model]` table says for all trials."""
    training: TrainingConfig
    study: Path
    """The study's folder, on a disk that driver and worker share."""
    architectures: Mapping[str, OwnDefinition] = field(default_factory=dict)
    """The researcher's own, as the study keeps them."""
    metrics: Mapping[str, OwnDefinition | None] = field(default_factory=dict)
    """What is told of the predictions beside the RMSE; None is one of ours."""
    give_up: str | None = None
    """Set after too many lost workers: end the trial at once, for this reason."""
    is_alone: bool = False
    """Nothing else trains meanwhile: memory ran out where a GPU was shared, and once is once."""
    is_void: bool = False
    """The trial has ended after all: there is nothing to do, and nothing to write down."""

    @property
    def folder(self) -> Path:
        return self.study / "trials" / self.name

    @property
    def predictions(self) -> Path:
        """Where the worker leaves what the best epoch predicts for the validation rows."""
        return predictions_folder(self.study, self)

    @property
    def room_file(self) -> Path:
        """Its appearance asks this trial alone to leave its worker at the end of the epoch."""
        return self.folder / "make-room"

    @property
    def model(self) -> RankingConfig:
        """Raises ModelError where the values break a rule."""
        return ranking_config({**self.fixed, **self.values}, self.architectures)

    def voided(self) -> TrialOrder:
        return replace(self, is_void=True)

    def again(self, give_up: str | None = None, *, is_alone: bool = False) -> TrialOrder:
        """The next attempt at the same trial."""
        return replace(
            self,
            attempt=self.attempt + 1,
            give_up=give_up,
            is_alone=self.is_alone or is_alone,
        )


def order_of(trial: TrialRecord, attempt: int, folder: Path, sweep: SweepConfig) -> TrialOrder:
    """An attempt at a trial of the study in this folder."""
    kept = as_kept(folder.absolute(), sweep)
    return TrialOrder(
        number=trial.number,
        name=trial.name,
        attempt=attempt,
        values=trial.values,
        fixed=sweep.model,
        training=replace(sweep.training, seed=trial.seed),
        study=folder.absolute(),
        architectures=kept.architectures,
        metrics=kept.metrics,
    )


def predictions_folder(folder: Path, trial: TrialRecord | TrialOrder) -> Path:
    """Where a trial's validation predictions are kept: a verdict's, and the search's best ones'."""
    return folder / "predictions" / "validation" / trial.name


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What holds for a worker's whole life."""

    cpus: float
    """Cores of one trial; TensorFlow gets that many threads, at least one."""
    gpus: float
    """Share of a GPU of one trial; 0 hides every device from TensorFlow."""
    recycle_above_mb: float
    """A worker that holds more memory than this after a trial makes way for a fresh one."""
    stop_file: Path
    """Its appearance asks every worker to checkpoint and go."""
    n_cores: int = 0
    """Cores that each worker keeps to; 0: it may use all of them."""
    scratch: Path | None = None
    """Where temporary files of a worker on the driver's machine go, and go with the run."""
    gpu_memory_mb: int | None = None
    """What a trial may take of a GPU that it shares, fixed for the worker's life; None: no cap. A
    trial that is alone has none."""
    driver: str = ""
    """What the lock in the study's folder says while this driver has it: a worker on another
    machine that reads something else there has another folder. Empty: all are on this one."""
