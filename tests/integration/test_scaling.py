"""A study that gets more workers and fewer while it runs, on a real Ray."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import psutil
import pytest

from experiments.ledger.ledger import Ledger
from experiments.machine.crew import ask_for_workers
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import AttemptRecord, StopReason, TrialRecord, TrialState
from experiments.running.stopping import StopCause, StopSwitch
from experiments.study import run_study
from experiments.watcher import Silent
from tests.integration.light import light_sweep
from tests.integration.test_sweeps import wait_for

pytestmark = pytest.mark.ray


def test_a_study_goes_from_one_worker_to_two_and_back_and_its_ledger_is_sound(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    """Trials far too long to end show who trains; then the study is stopped."""
    sweep = light_sweep(tmp_path, ratings_csv, trials=4)
    folder = tmp_path / sweep.name

    def run() -> None:
        resources = Resources(workers=1, gpus=0)
        run_study(sweep, root=tmp_path, watcher=Silent(), resources=resources)

    def trials() -> tuple[TrialRecord, ...]:
        if not (folder / "study.db").exists():
            return ()
        with Ledger.reading(folder / "study.db") as ledger:
            return ledger.trials()

    def attempts(number: int) -> tuple[AttemptRecord, ...]:
        return next((t.attempts for t in trials() if t.number == number), ())

    def n_training() -> int:
        return sum(t.state is TrialState.RUNNING and len(t.epochs) > 0 for t in trials())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: n_training() == 1)
        ask_for_workers(folder, 2)
        wait_for(lambda: n_training() == 2)
        (leaving,) = attempts(1)
        assert leaving.worker != attempts(0)[0].worker
        assert psutil.pid_exists(_pid(leaving))

        ask_for_workers(folder, 1)
        wait_for(lambda: attempts(1)[0].stop_reason is StopReason.INTERRUPTED)
        wait_for(lambda: not psutil.pid_exists(_pid(leaving)))
        assert [t.number for t in trials()] == [0, 1]
        assert attempts(0)[0].stop_reason is None
        n_epochs = len(trials()[1].epochs)

        ask_for_workers(folder, 2)
        wait_for(lambda: len(attempts(1)) == 2)
        assert attempts(1)[1].first_epoch == n_epochs + 1
    finally:
        StopSwitch(folder).ask(StopCause.COMMAND)
        thread.join(60)
    assert [t.state for t in trials()] == [TrialState.RUNNING] * 2
    assert [e.epoch for e in trials()[1].epochs] == list(range(1, len(trials()[1].epochs) + 1))
    assert not (folder / "workers.json").exists()
    rebuilt = tmp_path / "rebuilt"
    shutil.copytree(folder / "journal", rebuilt / "journal")
    with Ledger(rebuilt / "study.db") as ledger:
        ledger.catch_up(rebuilt / "journal")
        assert ledger.trials() == trials()


def _pid(attempt: AttemptRecord) -> int:
    return int(attempt.worker.rpartition("-")[2])
