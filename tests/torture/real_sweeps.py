"""A real sweep under Ray, started again and again until it is done, and what must be true then.

Every worker keeps a log outside of the system (`hook/sitecustomize.py`). When the sweep is done,
that log, the ledger, the journals, the board and the report are compared.
"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.board.board_check import check_board
from experiments.ledger.journal import Event, journal_files, read_journal
from experiments.records import StopReason, StudyRecord, TrialState, read_study
from experiments.request.config import sweep_to_toml
from tests.integration.test_sweeps import small_sweep
from tests.synthetic import synthetic_ratings
from tests.torture.counts import Counts

N_TRIALS = 20
LONGEST_S = 1500.0
ROOT = Path(__file__).parents[2]
Driver = subprocess.Popen[bytes]


@dataclass
class RealSweep:
    """One sweep of 20 trials in a folder of its own, and the drivers that run it."""

    root: Path
    n_workers: int
    max_epochs: int = 400
    environ: Mapping[str, str] | None = None
    """What its drivers and workers find beside what is always there."""
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.root / "studies" / "tortured"

    @property
    def history(self) -> Path:
        return self.root / "history"

    def start(self) -> Driver:
        """A driver that starts the sweep, or goes on where it stopped."""
        file = self.root / "tortured.toml"
        if not file.exists():
            self.root.mkdir(parents=True)
            synthetic_ratings(60, 40, 1500).to_csv(self.root / "ratings.csv", index=False)
            sweep = small_sweep(
                self.root / "ratings.csv",
                "tortured",
                trials=N_TRIALS,
                max_epochs=self.max_epochs,
                stall_timeout="15s",
            )
            file.write_text(sweep_to_toml(sweep))
        with (self.root / "driver.log").open("a") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "experiments.cli.main", "run", str(file), "--resume"),
                    *("--studies", str(self.root / "studies")),
                    *("--workers", str(self.n_workers), *self.options),
                ],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
                | {
                    "PYTHONPATH": f"{Path(__file__).parent / 'hook'}:{ROOT}",
                    "RECSWEEP_HISTORY": str(self.history),
                }
                | dict(self.environ or {}),
                start_new_session=True,
            )

    def run(self, counts: Counts, haunt: Callable[[Driver], object] = lambda _: None) -> list[int]:
        """Drivers until one says that the sweep is done; their exit codes."""
        deadline = time.monotonic() + LONGEST_S
        codes: list[int] = []
        while not codes or codes[-1] not in (0, 6):  # 6: we failed too many of its trials
            if time.monotonic() > deadline:
                counts.different += 1
                counts.say(f"not done after {LONGEST_S / 60:.0f} min: drivers ended with {codes}")
                break
            driver = self.start()
            haunt(driver)
            codes.append(driver.wait())
            counts.note(f"the driver ended with {codes[-1]}")
        return codes

    def events(self) -> list[Event]:
        return [e for p in journal_files(self.folder / "journal") for e in read_journal(p)[0]]

    def workers_of(self, driver: Driver) -> list[psutil.Process]:
        """The processes below this driver that have a journal."""
        names = {path.stem for path in journal_files(self.folder / "journal")}
        try:
            below = psutil.Process(driver.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [p for p in below if any(name.endswith(f"-{p.pid}") for name in names)]

    def read(self) -> StudyRecord:
        return read_study(self.folder)


def rows_of(study: StudyRecord) -> list[object]:
    """What the ledger says of every trial, but for times, attempts and processes."""
    return [
        (
            trial.number,
            trial.arm,
            trial.values,
            trial.seed,
            trial.state,
            trial.stop_reason,
            trial.best_epoch,
            repr(trial.best_rmse),
            [(e.epoch, repr(e.val_rmse), repr(e.train_rmse), e.n_updates) for e in trial.epochs],
        )
        for trial in study.search_trials
    ]


def compare(study: StudyRecord, alone: StudyRecord, counts: Counts) -> None:
    """With one worker, the ledger's rows must be those of a sweep left alone, to the bit."""
    for ours, theirs in zip(rows_of(study), rows_of(alone), strict=True):
        if ours != theirs:
            counts.different += 1
            counts.say(f"not the trial of the sweep left alone: {str(ours)[:200]}")


def check(study: StudyRecord, history: Path, counts: Counts) -> None:
    """Compare the workers' own logs with ledger, journals, board and report."""
    trials = study.search_trials
    counts.finished += sum(trial.state.is_finished for trial in trials)
    lost = N_TRIALS - sum(trial.state.is_finished for trial in trials)
    if lost or [trial.number for trial in trials] != list(range(N_TRIALS)):
        counts.lost += max(1, lost)
        counts.say(f"{lost} trials lost")
    ends: Counter[int] = Counter()
    endings: set[int] = set()
    for line in history.read_text().splitlines():
        whose, _, kind, _ = line.split()
        ends[int(whose)] += kind == "end"
        if kind == "ending":
            endings.add(int(whose))
    for number, n_ends in ends.items():
        if n_ends > 1:
            counts.twice += n_ends - 1
            counts.say(f"#{number} ran to its end {n_ends} times")
        if n_ends and not trials[number].state.is_finished:
            counts.lost += 1
            counts.say(f"#{number} ran to its end and is {trials[number].state}")
    own = (StopReason.MAX_EPOCHS, StopReason.PATIENCE, StopReason.DIVERGED)
    for trial in trials:
        if trial.stop_reason in own and trial.number not in endings:
            counts.different += 1
            counts.say(f"#{trial.number} is {trial.state}, and no worker ended it")
        epochs = [epoch.epoch for epoch in trial.epochs]
        if epochs != list(range(1, len(epochs) + 1)):
            counts.different += 1
            counts.say(f"#{trial.number} has epochs {epochs[:3]}... with gaps")
    for difference in check_board(study):
        counts.different += 1
        counts.say(f"board: {difference}")
    _check_ranking(study, counts)


def _check_ranking(study: StudyRecord, counts: Counts) -> None:
    """The report's best values must be those of the raw epoch lines."""
    raw: dict[int, float] = {}
    for path in journal_files(study.folder / "journal"):
        for event in read_journal(path)[0]:
            if event["kind"] == "epoch":
                value = float(event["val_rmse"])
                raw[event["number"]] = min(raw.get(event["number"], math.inf), value)
    with (study.folder / "report" / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = {int(row["number"]): row for row in csv.DictReader(file)}
    for trial in study.search_trials:
        if trial.state is not TrialState.COMPLETE:
            continue
        told = float(rows[trial.number]["best_rmse"])
        if told != raw[trial.number] or trial.best_rmse != told:
            counts.different += 1
            counts.say(f"#{trial.number}: the report says {told}, its epochs {raw[trial.number]}")
    ranked = sorted(
        (raw[t.number], t.number) for t in study.search_trials if t.state is TrialState.COMPLETE
    )
    if [t.number for t in study.ranked] != [number for _, number in ranked]:
        counts.different += 1
        counts.say("the ranking is not that of the raw epochs")
