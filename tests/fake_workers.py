"""Workers without Ray or TensorFlow: they write journals as real ones do, and can be killed.

Everything dies at the N-th write of a journal, of driver or worker, and what was not written is
gone. A journal of the history kept outside says which trial really ran to its end.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.board.hparams import BoardWriter
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.records import Value
from experiments.running.conductor import Conductor
from experiments.running.orders import TrialOrder
from experiments.running.resume import pick_up
from experiments.search.search import build_search
from experiments.search.search_protocol import Search
from experiments.sweep import SweepConfig, defaults_of
from experiments.watcher import Silent, StudyWatcher
from recommender.checkpoints import has_checkpoint, read_metadata, write_checkpoint

Objective = Callable[[Mapping[str, Value], int], float]


class Killed(BaseException):
    """Nothing is written after this."""


@dataclass
class Fuse:
    """Blows at the N-th write; None: never."""

    blows_at: int | None = None
    n_writes: int = 0

    def burn(self) -> None:
        self.n_writes += 1
        if self.n_writes == self.blows_at:
            raise Killed


class FusedJournal(Journal):
    """A journal after whose N-th line everything is dead."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self._fuse = fuse

    def append(self, kind: str, sync: bool = False, **fields: Any) -> None:
        super().append(kind, sync, **fields)
        self._fuse.burn()


@dataclass
class FakeStudy:
    """A study folder, driven by a real conductor and fake workers."""

    folder: Path
    sweep: SweepConfig
    objective: Objective
    n_workers: int = 1
    checkpoint_every: int = 2
    watcher: StudyWatcher = field(default_factory=Silent)
    finished: list[int] = field(default_factory=list)
    """The history outside: the number of every trial that wrote its own end, as it happened."""

    def new_search(self) -> Search:
        sweep = self.sweep
        assert sweep.space is not None and sweep.search is not None
        return build_search(
            sweep.space, sweep.search, sweep.seed, sweep.compare, defaults_of(sweep)
        )

    @contextlib.contextmanager
    def opened(self, fuse: Fuse, **limits: Any) -> Iterator[Conductor]:
        """A conductor that goes on where the folder stands.

        Args:
            limits: of `Conductor`: `asks_for_new`, `deadline`.
        """
        assert self.sweep.search is not None
        with (
            FusedJournal(self.folder / "journal" / "driver.jsonl", fuse) as journal,
            Ledger(self.folder / "study.db") as ledger,
        ):
            ledger.catch_up(self.folder / "journal")
            search = self.new_search()
            yield Conductor(
                self.folder,
                sweep=self.sweep,
                search=search,
                ledger=ledger,
                journal=journal,
                board=BoardWriter(self.folder / "tensorboard", (), ()),
                watcher=self.watcher,
                n_trials=self.sweep.search.trials,
                interrupted=pick_up(self.folder, search, ledger, journal, self.sweep),
                **limits,
            )

    def run(self, fuse: Fuse) -> None:
        """From wherever the folder stands to the end, or until the fuse blows."""
        with self.opened(fuse) as conductor:
            workers = [FakeWorker(self, i, fuse) for i in range(self.n_workers)]
            while True:
                for worker in workers:
                    if worker.order is None and not conductor.is_out_of_orders:
                        worker.take(conductor.next_order())
                busy = [worker for worker in workers if worker.order is not None]
                if not busy:
                    return
                for worker in busy:
                    worker.step(conductor)


class FakeWorker:
    """One epoch a step, as `Workbench` does it."""

    def __init__(self, study: FakeStudy, index: int, fuse: Fuse) -> None:
        self._study = study
        self._journal = FusedJournal(study.folder / "journal" / f"worker-{index}.jsonl", fuse)
        self._name = f"worker-{index}"
        self.order: TrialOrder | None = None
        self._epoch = 0
        self._best = (math.inf, 0)

    def take(self, order: TrialOrder | None) -> None:
        self.order = order
        if order is None:
            return
        self._epoch, self._best = 0, (math.inf, 0)
        if has_checkpoint(order.folder / "last"):
            state = read_metadata(order.folder / "last")
            self._epoch, self._best = state["epoch"], (state["best"][0], state["best"][1])
        self._write("start", worker=self._name, first_epoch=self._epoch + 1, n_parameters=7)

    def step(self, conductor: Conductor) -> None:
        order = self.order
        assert order is not None
        self._epoch += 1
        try:
            value = self._study.objective(order.values, self._epoch)
        except RuntimeError as error:
            self._write("end", sync=True, stop_reason="error", error=str(error))
            conductor.pump()
            self.order = None
            return
        reason = self._reason(value)
        self._write(
            "epoch",
            epoch=self._epoch,
            val_rmse=value,
            train_rmse=value,
            n_updates=self._epoch,
            seconds=0.1,
            is_last=reason is not None,
        )
        if reason is not None:
            self._write("end", sync=True, stop_reason=reason, error=None)
            self._study.finished.append(order.number)
            shutil.rmtree(order.folder / "last", ignore_errors=True)
        elif self._epoch % self._study.checkpoint_every == 0:
            self._checkpoint()
        conductor.pump()
        if reason is not None or conductor.is_to_stop(order.number):
            self.order = None

    def _reason(self, value: float) -> str | None:
        assert self.order is not None
        if not math.isfinite(value):
            return "diverged"
        self._best = min(self._best, (value, self._epoch))
        training = self.order.training
        if self._epoch >= training.max_epochs:
            return "max_epochs"
        if training.patience and self._epoch - self._best[1] >= training.patience:
            return "patience"
        return None

    def _checkpoint(self) -> None:
        assert self.order is not None
        state = {"epoch": self._epoch, "best": self._best}
        write_checkpoint(self.order.folder / "last", {}, state)
        self._write("checkpoint", epoch=self._epoch)

    def _write(self, kind: str, sync: bool = False, **fields: Any) -> None:
        assert self.order is not None
        common = {"number": self.order.number, "attempt": self.order.attempt, "at": time.time()}
        self._journal.append(kind, sync, **common, **fields)
