"""How far other users would move a difference of two trials, measured when a search ends."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from experiments.cli.judged import cost_lines
from experiments.data.study_data import load_data
from experiments.records import NoiseRecord, TrialRecord, read_study
from experiments.records.derived_records import NOISE_NAME
from experiments.request.frozen import frozen_sweep
from experiments.running import errors_by_user
from experiments.running.errors_by_user import (
    moved_by_users,
    read_errors,
    write_errors,
    write_noise,
)
from experiments.study import resume_study
from experiments.verdict.verdict import frozen_or_chosen
from experiments.watcher import Silent
from recommender.metrics import rmse
from tests.in_process import InProcess
from tests.synthetic import synthetic_encoded
from tests.synthetic_study import make_study


def test_it_is_what_draws_of_other_users_move_a_difference_by() -> None:
    dice = np.random.default_rng(1)
    counts = dice.integers(1, 60, 300)
    shared = dice.gamma(4, 0.25, 300)
    one, other = (counts * (shared + dice.normal(0, 0.1, 300)) for _ in range(2))
    weights = dice.multinomial(300, np.full(300, 1 / 300), size=4_000)
    drawn = np.subtract(
        *(np.sqrt((weights @ sums) / (weights @ counts)) for sums in (one, other))
    ).std()
    assert moved_by_users(one, other, counts) == pytest.approx(drawn, rel=0.05)
    # Mean squared errors of 1 and 0, so that both models' together is .5.
    two, nobody = np.array([2, 2]), np.zeros(2)
    assert moved_by_users(np.array([4.0, 0.0]), nobody, two) == pytest.approx(2**0.5)
    # One has 9 of 10 rows: .5 for its others, which are a tenth; the other one's are .9.
    many = moved_by_users(np.array([10.0, 0.0]), nobody, np.array([9, 1]))
    assert many == pytest.approx((2 * (1 / 50 + 1 / 162)) ** 0.5)
    assert moved_by_users(one, one, counts) == 0
    assert moved_by_users(0 * one, 0 * one, counts) == 0


@pytest.mark.slow
def test_a_finished_search_keeps_that_of_its_best_trials_and_of_the_baselines(study: Path) -> None:
    record = read_study(study)
    assert record.noise is not None
    encoded = load_data(frozen_sweep(study)).encoded
    errors = read_errors(study, record.ranked, encoded)
    assert errors is not None
    sums, counts = errors
    # What is summed by user is what the RMSE is of.
    assert np.sqrt(sums.sum(axis=1) / counts.sum()) == pytest.approx(
        [trial.best_rmse for trial in record.ranked]
    )
    best = sums[:10]
    pairs = [moved_by_users(one, other, counts) for one, other in combinations(best, 2)]
    assert record.noise.n_trials == len(best)
    assert record.noise.of_trials == pytest.approx(np.median(pairs))
    assert set(record.noise.of_baselines) == {b.name for b in record.baselines}
    mean = np.full(len(encoded.validation), encoded.train_mean)
    assert rmse(mean, encoded.validation.rating) == pytest.approx(
        next(b.val_rmse for b in record.baselines if b.name == "train_mean")
    )
    users = encoded.validation_users
    of_mean = np.array(
        [((mean - encoded.validation.rating)[users == u] ** 2).sum() for u in np.unique(users)]
    )
    assert record.noise.of_baselines["train_mean"] == pytest.approx(
        moved_by_users(sums[0], of_mean, counts)
    )


@pytest.mark.slow
def test_of_a_study_whose_errors_did_not_travel_it_is_the_same_or_stays(study: Path) -> None:
    record, encoded = read_study(study), load_data(frozen_sweep(study)).encoded
    for trial in record.ranked:
        shutil.rmtree(study / "trials" / trial.name / "errors")
    (study / NOISE_NAME).unlink()
    write_noise(record, encoded, ())
    again = read_study(study).noise
    assert again is not None and record.noise is not None
    assert again.of_trials == record.noise.of_trials
    shutil.rmtree(study / "predictions" / "validation" / record.ranked[0].name)
    (study / NOISE_NAME).write_text('{"of_trials": 0.5, "n_trials": 2, "of_baselines": {}}')
    write_noise(record, encoded, ())
    assert read_study(study).noise == NoiseRecord(0.5, 2, {})
    assert read_errors(study, record.ranked, encoded) is None


@pytest.mark.slow
def test_it_is_worked_out_anew_when_a_study_goes_on(study: Path, workers: InProcess) -> None:
    (study / NOISE_NAME).write_text("{}")
    assert read_study(study).noise is None
    assert resume_study(study, watcher=Silent(), n_trials=6).study.noise is not None


@pytest.mark.slow
def test_one_trial_or_a_handful_of_users_tell_nothing(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / NOISE_NAME).unlink()
    record, encoded = read_study(study), load_data(frozen_sweep(study)).encoded
    (only, *others) = record.ranked
    alone = replace(
        record,
        trials=tuple(t if t is only else replace(t, best_rmse=None) for t in record.trials),
    )
    assert others
    write_noise(alone, encoded, ())
    assert not (study / NOISE_NAME).exists()
    write_noise(record, encoded, ())
    assert (study / NOISE_NAME).exists()
    (study / NOISE_NAME).unlink()
    monkeypatch.setattr(errors_by_user, "MIN_USERS", 1_000)
    write_noise(record, encoded, ())
    assert not (study / NOISE_NAME).exists()


def test_a_model_that_was_trained_ten_times_is_one_of_the_best_ten(tmp_path: Path) -> None:
    encoded, dice = synthetic_encoded(), np.random.default_rng(2)
    study = read_study(make_study(tmp_path))
    first, second, *_ = study.ranked
    rows = encoded.validation.rating
    one, other = (rows + dice.normal(0, 1, len(rows)) for _ in range(2))

    def noise_of(*trials: TrialRecord) -> NoiseRecord | None:
        for trial in trials:
            of_it = one if trial.values == first.values else other
            write_errors(tmp_path / "trials" / trial.name, of_it, encoded)
        write_noise(replace(study, trials=trials), encoded, ())
        return read_study(tmp_path).noise

    copies = [replace(first, number=n, name=f"{n:04d}", seed=n) for n in range(100, 111)]
    assert noise_of(*copies) is None
    noise = noise_of(*copies, second)
    assert noise is not None
    assert (noise.n_trials, noise.of_trials > 0) == (2, True)


@pytest.mark.slow
def test_a_verdict_says_beforehand_what_these_users_leave_undecided(study: Path) -> None:
    record = read_study(study)
    assert record.noise is not None
    lines = cost_lines(record, frozen_or_chosen(record), 10, 60.0)
    (said,) = (line for line in lines if line.startswith("users"))
    assert f"equal models up to {1.96 * record.noise.of_trials:.2g} apart" in said
    assert not any(
        line.startswith("users")
        for line in cost_lines(replace(record, noise=None), frozen_or_chosen(record), 10, 60.0)
    )
