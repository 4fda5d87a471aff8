from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.records import read_study
from experiments.records.finalists import TOP, chosen_trials
from experiments.running.keeping import KEPT_BEST, trials_kept
from tests.synthetic_study import make_study


def test_whoever_a_verdict_may_judge_keeps_its_weights(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=40))
    defaults = tuple(replace(t, best_rmse=2.0) if t.is_default else t for t in study.trials)
    lost = replace(study, trials=defaults)
    assert not any(trial.is_default for trial in lost.ranked[:KEPT_BEST])
    kept = trials_kept(lost.ranked)
    assert all(trial in kept for trial, _ in chosen_trials(lost, TOP))
    assert len(kept) < len(lost.ranked)
