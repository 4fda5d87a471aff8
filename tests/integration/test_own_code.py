"""A researcher's own architecture on the workers of a real Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.board import check_board
from experiments.cluster import Resources
from experiments.machine import Machine
from experiments.records import StopReason, TrialState
from experiments.study import run_study
from experiments.watcher import Silent
from recsweep import Choice, Float, Sweep, space
from tests.own_models import write_models

pytestmark = pytest.mark.ray


def test_an_own_architecture_trains_beside_ours_and_one_that_fails_there_harms_nobody(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    models = write_models(tmp_path)
    sweep = Sweep(
        name="own",
        dataset={
            "path": str(ratings_csv),
            "columns": {"user": "user", "item": "item", "rating": "rating", "time": "time"},
        },
        space=space(
            architecture=Choice(["plain", f"{models}/gated.py:gated", f"{models}/late.py:late"]),
            noise=Float(0.0, 0.5),
        ),
        compare="architecture",
        model={"embedding_size": 4, "batch_size": 128},
        trials=6,
        max_epochs=2,
        pruner="none",
    )
    assert sweep.arms == ("plain", "gated", "late")
    outcome = run_study(sweep, root=tmp_path, watcher=Silent(), resources=Resources(2, gpus=0))
    study = outcome.study
    by_arm = {arm: [t for t in study.trials if t.arm == arm] for arm in sweep.arms}
    for arm in ("plain", "gated"):
        assert [t.state for t in by_arm[arm]] == [TrialState.COMPLETE] * 2
    assert by_arm["gated"][0].best_rmse != by_arm["gated"][1].best_rmse
    told = "late.py:1: ModuleNotFoundError: No module named 'only_on_some_other_machine'"
    assert [(t.stop_reason, t.error) for t in by_arm["late"]] == [(StopReason.ERROR, told)] * 2
    assert check_board(study) == []
    again = run_study(
        replace(sweep, name="again"),
        root=tmp_path,
        watcher=Silent(),
        resources=Resources(1, gpus=0),
    ).study
    assert [t.best_rmse for t in again.trials] == [t.best_rmse for t in study.trials]
