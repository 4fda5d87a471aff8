"""The warm worker: one process that trains trial after trial and imports TensorFlow once.

Everything that happens to a trial is appended to this worker's own journal before the driver hears
of it, so that the driver may die at any moment and nothing is lost.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from ray import tune

from experiments.errors import DiskError
from experiments.files import disk_errors, is_disk_error
from experiments.ledger.journal import Journal, ended
from experiments.ledger.lock import LOCK_NAME
from experiments.machine.cores import keep_to_cores
from experiments.machine.liveness import journal_name, worker_name
from experiments.machine.machine import read_machine
from experiments.machine.scratch import keep_temporary_files_in
from experiments.own.kept_code import ONLY_PYTHON
from experiments.records import StopReason
from experiments.running.errors_by_user import write_errors
from experiments.running.orders import CHECKPOINT_EVERY_S, TrialOrder, WorkerSettings
from experiments.running.replicas import keep_predictions
from recommender.errors import Interrupted, ModelError, OwnCodeError, is_out_of_room, raised
from recommender.footprint import refuse_what_cannot_fit, sizes_text
from recommender.further_metrics import Measured, measure
from recommender.own_loading import is_out_of_memory
from recommender.runs import Trainer

if TYPE_CHECKING:
    from recommender.datasets.encoded import EncodedDataset
    from recommender.epochs import Run

FIRST_CHECKPOINT_AFTER_S = 1.0
GUARD_TOLERANCE = 1e-3
"""Keras computes its RMSE in float32; more than this apart is another number."""


class Worker(tune.Trainable):
    """A Ray Trainable whose `step` is one epoch, reused from trial to trial.

    `config` holds one key, `order`. A trial is built in its first `step`, never in `setup` or
    `reset_config`: those must not raise, or Ray loses the trial (docs/adr/0003).
    """

    def setup(  # Ray passes what `tune.with_parameters` was given
        self, config: dict[str, Any], encoded: EncodedDataset, settings: WorkerSettings
    ) -> None:
        # Ray would raise SystemExit wherever the process is: in a researcher's function, that would
        # be taken for the function's own end.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            keep_to_cores(settings.n_cores)  # before TensorFlow starts its threads
        if settings.scratch is not None:
            with contextlib.suppress(OSError):
                keep_temporary_files_in(settings.scratch)
        self._bench = Workbench(encoded, settings)
        self._order: TrialOrder = config["order"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._order = new_config["order"]
        return True

    def step(self) -> dict[str, Any]:
        return self._bench.step(self._order)


def configure(settings: WorkerSettings, is_capped: bool = True) -> None:
    """Import TensorFlow and set the devices before anything touches them."""
    from recommender.runtime import configure_devices

    configure_devices(
        gpu=settings.gpus > 0,
        threads=max(1, int(settings.cpus)),
        memory_limit_mb=settings.gpu_memory_mb if is_capped else None,
    )


class Workbench:
    """What a worker does, without Ray: one epoch of the ordered trial a call."""

    def __init__(self, encoded: EncodedDataset, settings: WorkerSettings) -> None:
        self._trainer = Trainer(encoded, lambda: configure(settings, self._is_capped))
        self._settings = settings
        self._name = worker_name()
        self._journal: Journal | None = None
        self._attempt: Attempt | None = None
        self._is_guarded = False
        self._is_capped = True

    def step(self, order: TrialOrder) -> dict[str, Any]:
        """Train one epoch. Never raises: what goes wrong is a result with its reason."""
        if order.is_void:
            return {"number": order.number, "done": True}
        try:
            with disk_errors(order.folder):
                return self._step(order)
        except DiskError as error:
            # No trial's fault, and nothing more can be written down: the driver ends the run.
            self._attempt = None
            return {"number": order.number, "done": True, "disk": error.message}

    def _step(self, order: TrialOrder) -> dict[str, Any]:
        if self._journal is None:
            if is_elsewhere(order.study, self._settings.driver):
                return {
                    "number": order.number,
                    "done": True,
                    "elsewhere": f"{order.study}: on {socket.gethostname()} this is not the folder "
                    "of this study. All nodes of a cluster must see it under the same path: name "
                    "a folder on a disk that they share with --studies",
                }
            self._journal = Journal(order.study / "journal" / journal_name(self._name))
        attempt = self._attempt
        if attempt is None or attempt.order != order:
            self._attempt = attempt = None
            if self._is_due_for_recycling() or self._has_the_wrong_cap(order):
                self._end(order, StopReason.RECYCLED)
                # Leaving anywhere else than on the first line of a trial's first step loses it.
                os._exit(0)
            # Before TensorFlow is imported and the model built: either may hang.
            self._journal.append(
                "take",
                number=order.number,
                attempt=order.attempt,
                worker=self._name,
                is_warm=self._trainer.has_begun,
            )
        try:
            if order.give_up is not None:
                return self._end(order, StopReason.WORKER_LOST, order.give_up)
            makes_room = order.room_file.exists()
            if makes_room or not self._keep_going():
                if attempt is not None:
                    attempt.save_last()
                return self._end(order, StopReason.INTERRUPTED, makes_room=makes_room)
            if attempt is None:
                if not self._settings.gpus:
                    # Ray leaves all GPUs visible to a worker that asked for none.
                    os.environ["CUDA_VISIBLE_DEVICES"] = ""
                    refuse_what_cannot_fit(order.model, self._trainer.dataset, _free_memory())
                self._is_capped = not order.is_alone
                attempt = Attempt(order, self._trainer, self._journal, self._name)
                self._attempt = attempt
            reason = attempt.step(self._keep_going, self._guard)
            if reason is None:
                return {"number": order.number, "done": False}
            error = attempt.run.divergence if reason is StopReason.DIVERGED else None
            ended = self._end(order, reason, error)
            shutil.rmtree(attempt.last, ignore_errors=True)
            return ended
        except Interrupted:
            # In mid-epoch: the trial goes on from the checkpoint it has.
            return self._end(order, StopReason.INTERRUPTED)
        except Exception as error:
            if isinstance(error, DiskError) or (
                isinstance(error, OSError) and is_disk_error(error)
            ):
                raise
            if is_out_of_room(error):
                # Where is not known: a model of one's own writes elsewhere, too.
                raise DiskError(
                    f"#{order.number} found no room on a disk: {raised(error)}. What was finished "
                    "is safe; make room there and resume the study"
                ) from error
            sizes = _sizes(order, self._trainer.dataset) if is_out_of_memory(error) else ""
            reason, text = _classify(error, order, sizes)
            if reason is StopReason.OUT_OF_MEMORY:
                self._attempt = None
                error.__traceback__ = None  # Its frames hold the model.
                self._trainer.forget_graphs()
            is_shared = 0 < self._settings.gpus < 1
            if reason is StopReason.OUT_OF_MEMORY and is_shared and not order.is_alone:
                # Others may have held what this trial lacked.
                return self._end(order, StopReason.INTERRUPTED, text, wants_to_be_alone=True)
            return self._end(order, reason, text)

    def _guard(self, run: Run, ours: float) -> None:
        """Keras's own metric must agree with our RMSE: the first finite one of every worker."""
        if self._is_guarded or not math.isfinite(ours):
            return
        keras = run.keras_rmse()
        if keras is None or math.isinf(keras):  # float32 has no room for it
            return
        if not abs(ours - keras) <= GUARD_TOLERANCE * max(1.0, ours):
            raise RuntimeError(
                f"metric guard: RMSE is {ours:.6f} from the predictions but {keras:.6f} by Keras's "
                "metric on the same rows; the numbers of this model cannot be trusted"
            )
        self._is_guarded = True

    def _keep_going(self) -> bool:
        if self._journal is not None:
            self._journal.touch()  # the sign of life
        return not self._settings.stop_file.exists()

    def _is_due_for_recycling(self) -> bool:
        if not self._trainer.has_begun:
            return False
        return psutil.Process().memory_info().rss > self._settings.recycle_above_mb * 1e6

    def _has_the_wrong_cap(self, order: TrialOrder) -> bool:
        """A cap on GPU memory holds for a process's life, and a trial that is alone has none."""
        if self._settings.gpu_memory_mb is None or not self._trainer.has_begun:
            return False
        return self._is_capped == order.is_alone

    def _end(
        self,
        order: TrialOrder,
        reason: StopReason,
        error: str | None = None,
        **more: bool,
    ) -> dict[str, Any]:
        assert self._journal is not None
        end = ended(order.number, order.attempt, reason.value, error)
        self._journal.append("end", sync=True, **end, **more)
        self._attempt = None
        return {"number": order.number, "done": True}


def is_elsewhere(folder: Path, driver: str) -> bool:
    """Whether a study's folder, as this machine sees it, is not the one that its driver works in.

    Args:
        driver: of `WorkerSettings`.
    """
    try:
        return bool(driver) and (folder / LOCK_NAME).read_text(encoding="ascii") != driver
    except FileNotFoundError:
        return True


class Attempt:
    """One attempt at one trial: its training run, its checkpoints, its lines in the journal."""

    def __init__(self, order: TrialOrder, trainer: Trainer, journal: Journal, worker: str) -> None:
        from recommender.checkpoints import CheckpointError, has_checkpoint

        self.order = order
        self._encoded = trainer.dataset
        self._journal = journal
        self.run = trainer.begin(order.model, order.training)
        self.last = order.folder / "last"
        damaged = None
        if has_checkpoint(self.last):
            try:
                self.run.restore(self.last)
            except CheckpointError as error:
                # The trial begins anew, to the same numbers.
                damaged = str(error)
                self.run = trainer.begin(order.model, order.training)
        journal.append(
            "start",
            number=order.number,
            attempt=order.attempt,
            worker=worker,
            first_epoch=self.run.epoch + 1,
            n_parameters=self.run.n_parameters,
            damaged=damaged,
            devices=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
            n_cores=len(os.sched_getaffinity(0)),
        )
        self._checkpoint_due = time.monotonic() + FIRST_CHECKPOINT_AFTER_S

    def step(
        self, keep_going: Callable[[], bool], guard: Callable[[Run, float], None]
    ) -> StopReason | None:
        """Train, validate and journal one epoch; tells why it was the last, if it was.

        Raises:
            Interrupted: `keep_going` said no between two chunks of the epoch.
        """
        order = self.order
        epoch = self.run.step(keep_going)
        guard(self.run, epoch.val_rmse)
        reason = StopReason(self.run.stop_reason) if self.run.stop_reason else None
        if reason is not None and reason is not StopReason.DIVERGED:
            self.run.save_best(order.folder / "best", {"values": dict(order.values)})
            predicted = keep_predictions(self.run, self._encoded, order.predictions)
            write_errors(order.folder, predicted, self._encoded)
        measured = Measured()
        if (
            order.metrics
            and self.run.last_predictions is not None
            and reason is not StopReason.DIVERGED
        ):
            measured = measure(
                order.metrics,
                self.run.last_predictions,
                self._encoded.validation.rating,
                self._encoded.validation_users,
            )
        self._journal.append(
            "epoch",
            number=order.number,
            attempt=order.attempt,
            epoch=epoch.epoch,
            val_rmse=epoch.val_rmse,
            train_rmse=epoch.train_rmse,
            n_updates=epoch.n_updates,
            seconds=epoch.seconds,
            metrics=dict(measured.values),
            metric_errors=dict(measured.errors),
            is_last=reason is not None,
        )
        if reason is None and time.monotonic() >= self._checkpoint_due:
            self.save_last()
        return reason

    def save_last(self) -> None:
        """Write `last/`: all that the trial needs to go on from this epoch."""
        if not self.run.can_be_saved:
            return
        self.run.save(self.last)
        self._journal.append(
            "checkpoint",
            number=self.order.number,
            attempt=self.order.attempt,
            epoch=self.run.epoch,
        )
        self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S


def _free_memory() -> float:
    """Bytes that this process could still take, by the machine and by its limits."""
    limit = read_machine(query_gpus=lambda: "").memory_gb * 1024**3
    return min(psutil.virtual_memory().available, limit - psutil.Process().memory_info().rss)


def _sizes(order: TrialOrder, dataset: EncodedDataset) -> str:
    try:
        return sizes_text(order.model, dataset)
    except ModelError:
        return ""


def _classify(error: Exception, order: TrialOrder, sizes: str = "") -> tuple[StopReason, str]:
    """The reason for the record, and the text: one line, with the sizes where memory ran out."""
    line = raised(error)
    if _lacks_a_file_beside_it(error, order):
        line += f"; {ONLY_PYTHON}"
    with contextlib.suppress(OSError):
        _write_log(order.folder / "error.log", error)
    if is_out_of_memory(error):
        values = [f"{name}={value}" for name, value in order.values.items()]
        told = "; ".join(part for part in (sizes, ", ".join(values)) if part)
        return StopReason.OUT_OF_MEMORY, f"{line} ({told})"
    return StopReason.ERROR, line


def _lacks_a_file_beside_it(error: Exception, order: TrialOrder) -> bool:
    own, cause = order.model.own, error.__cause__
    path = cause.filename if isinstance(cause, FileNotFoundError) else None
    if own is None or not isinstance(path, str):
        return False
    return not Path(path).is_absolute() or Path(path).is_relative_to(own.root)


def _write_log(path: Path, error: Exception) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    full = "".join(traceback.format_exception(error))
    log = error.log if isinstance(error, OwnCodeError) else full
    path.write_text(log, encoding="utf-8")
