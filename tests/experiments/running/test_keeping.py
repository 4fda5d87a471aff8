from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.records import Finalist, StudyRecord, TrialRecord, VerdictRecord, read_study
from experiments.records.finalists import TOP, chosen_trials
from experiments.running.keeping import KEPT_BEST, Keeper, trials_kept
from experiments.running.orders import predictions_folder
from experiments.verdict.verdict import write_verdict
from tests.synthetic_study import make_study


def test_whoever_a_verdict_may_judge_keeps_its_weights(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=40))
    defaults = tuple(replace(t, best_rmse=2.0) if t.is_default else t for t in study.trials)
    lost = replace(study, trials=defaults)
    assert not any(trial.is_default for trial in lost.ranked[:KEPT_BEST])
    kept = trials_kept(lost.ranked, lost.default_points)
    assert all(trial in kept for trial, _ in chosen_trials(lost, TOP))
    assert len(kept) < len(lost.ranked)


def test_runs_of_one_model_take_no_other_model_s_place(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=40))
    first, *others = study.ranked
    runs = {trial.number for trial in others[: KEPT_BEST + 2]}
    trials = (replace(t, values=first.values) if t.number in runs else t for t in study.trials)
    repeated = replace(study, trials=tuple(trials))
    kept = trials_kept(repeated.ranked, repeated.default_points)
    assert all(trial in kept for trial, _ in chosen_trials(repeated, TOP))
    assert sum(trial.point == first.point and not trial.is_default for trial in kept) <= 1


@pytest.mark.parametrize("n_past", [0, 7])
def test_as_trials_end_in_any_order_exactly_those_that_may_be_judged_keep_theirs(
    tmp_path: Path, n_past: int
) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=40))
    trials = list(study.search_trials)
    random.Random(3).shuffle(trials)
    keeper = Keeper(study.folder, trials[:n_past])
    for n_ended, trial in enumerate(trials, start=1):
        # A study goes on under another driver, or its trials end one by one.
        for folder in (study.folder / "trials" / trial.name / "best", _predicted(study, trial)):
            folder.mkdir(parents=True, exist_ok=True)
        if n_ended > n_past:
            keeper.ended(trial)
    kept = {trial.name for trial in trials_kept(study.ranked, study.default_points)}
    unranked = {trial.name for trial in trials if not trial.is_ranked}
    assert len(kept) < len(study.ranked)
    for trial in trials:
        stays = trial.name in kept | unranked
        assert (study.folder / "trials" / trial.name / "best").exists() is stays
        assert _predicted(study, trial).exists() is stays


def test_a_finalist_keeps_its_weights_whatever_better_trials_come_after_the_verdict(
    tmp_path: Path,
) -> None:
    study = read_study(make_study(tmp_path / "made-up", n_trials=40))
    frozen, other, *better = [t for t in reversed(study.ranked) if not t.is_default]
    assert len(better) > KEPT_BEST
    for trial in (frozen, other):
        (study.folder / "trials" / trial.name / "best").mkdir(parents=True)
    finalists = (Finalist(frozen.name, frozen.number, ("place 1",)),)
    write_verdict(study.folder, VerdictRecord(1.0, 1, (1, 2), finalists))
    keeper = Keeper(study.folder, [frozen, other])
    for trial in better:
        keeper.ended(trial)
    assert (study.folder / "trials" / frozen.name / "best").exists()
    assert not (study.folder / "trials" / other.name / "best").exists()


def _predicted(study: StudyRecord, trial: TrialRecord) -> Path:
    return predictions_folder(study.folder, trial)
