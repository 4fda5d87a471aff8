"""A verdict on a real Ray: stopped, gone on with, and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.board.board_check import check_board
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import Purpose, TrialRecord, TrialState, read_study
from experiments.running.stopping import StopCause, StopSwitch
from experiments.study import run_study
from experiments.verdict.verdict import gather_evidence
from experiments.watcher import Silent
from tests.integration.light import light_sweep
from tests.small_studies import decide

pytestmark = pytest.mark.ray


def test_a_stopped_verdict_goes_on_and_no_replicate_is_trained_twice(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    resources = Resources(1, gpus=0)
    sweep = light_sweep(tmp_path, ratings_csv, models=("Light", "Feather"), trials=4, max_epochs=2)
    study = run_study(sweep, root=tmp_path, watcher=Silent(), resources=resources).study
    ended: list[str] = []

    class StopsAfterTheFirst(Silent):
        said: list[str] = []  # noqa: RUF012  # one is made

        def message(self, text: str) -> None:
            self.said.append(text)

        def trial_ended(self, trial: TrialRecord) -> None:
            ended.append(trial.name)
            StopSwitch(study.folder).ask(StopCause.COMMAND)

    watcher = StopsAfterTheFirst()
    stopped = gather_evidence(study.folder, top=1, n_seeds=2, watcher=watcher, resources=resources)
    assert stopped.evidence is None and stopped.stopped_by is StopCause.COMMAND
    assert any(f"recsweep verdict {study.folder}" in said for said in watcher.said)
    assert read_study(study.folder).state == "finished"  # of the search
    results = decide(study.folder)
    judged = read_study(study.folder)
    replicates = [trial for trial in judged.trials if trial.purpose is Purpose.VERDICT]
    assert all(trial.state is TrialState.COMPLETE for trial in replicates)
    first = next(trial for trial in replicates if trial.name == ended[0])
    assert len(first.attempts) == 1
    assert {f.name for f in results.finalists if len(f.rmse_by_seed) == 2} == {
        trial.name.rpartition("-")[0] for trial in replicates
    }
    assert check_board(judged) == []
