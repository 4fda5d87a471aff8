from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.cli.wording import data_lines
from experiments.records import BaselineRecord, NoiseRecord, StudyRecord, TrialState
from reports import noise
from reports.described import described
from reports.model_card import model_card
from reports.render import write_report
from tests.reports.simulated_verdicts import simulate_gap, simulate_noise


def own_table(study: StudyRecord, span: tuple[float, float], spread: float) -> StudyRecord:
    """The study on a table of one's own, whose ratings spread so many times as MovieLens's."""
    data = study.provenance["dataset"] | {"name": "books.csv", "rating_range": list(span)}
    mean = BaselineRecord("train_mean", "train mean", spread * noise.SPREAD, 0.001)
    others = [baseline for baseline in study.baselines if baseline.name != "train_mean"]
    return replace(
        study,
        provenance={"dataset": data},
        sweep={"dataset": {"path": "books.csv"}},
        baselines=(mean, *others),
    )


def test_noise_is_what_two_equal_models_of_one_seed_differ_by() -> None:
    assert simulate_gap(2_000, seed=5) == pytest.approx(noise.NOISE, rel=0.05)


def test_noise_measured_on_the_study_holds_for_equal_models_whatever_the_users() -> None:
    assert simulate_noise(60, 229, seed=5) == pytest.approx(0.95, abs=0.02)
    assert simulate_noise(60, 50, seed=5) == pytest.approx(0.95, abs=0.03)


def test_noise_is_the_measured_one_where_there_is_one(study: StudyRecord) -> None:
    measured = replace(study, noise=NoiseRecord(0.002, 10, {"bias": 0.004}))
    usual = 1.96 * math.hypot(0.002, noise.SEEDS * 2**0.5)
    assert noise.usual(measured).rmse == pytest.approx(usual)
    assert "two of the best 10 models by 0.002, another seed an RMSE by 0.0017" in (
        noise.usual(measured).source
    )
    # A baseline has no seed, and users tell it from a model more than one model from another.
    to_bias = noise.usual(measured, baseline="bias").rmse
    assert to_bias == pytest.approx(1.96 * math.hypot(0.004, noise.SEEDS))
    own = own_table(measured, (0, 100), spread=25)
    assert noise.usual(own).rmse == pytest.approx(
        1.96 * math.hypot(0.002, 25 * noise.SEEDS * 2**0.5)
    )
    assert "MovieLens 100K, scaled to the spread of these ratings" in noise.usual(own).source


def test_the_seeds_of_a_verdict_say_what_a_seed_moves(judged_study: StudyRecord) -> None:
    verdict = judged_study.verdict
    assert verdict is not None and verdict.results is not None
    results = verdict.results
    runs = [np.array(f.rmse_by_seed, float) for f in results.finalists if len(f.rmse_by_seed) > 1]
    runs = sorted(runs, key=np.mean)[: -(-noise.LEAST_FREE // (len(runs[0]) - 1))]
    pooled = math.sqrt(np.mean([run.var(ddof=1) for run in runs]))  # all have as many seeds
    measured_there, where = noise.measured_over_seeds(judged_study) or (0, "")
    assert (measured_there, where) == (pytest.approx(pooled), "the seeds of the verdict")
    measured = replace(judged_study, noise=NoiseRecord(0.002, 10, {}))
    said = noise.usual(measured)
    assert said.rmse == pytest.approx(1.96 * math.hypot(0.002, pooled * 2**0.5))
    assert "the latter over the seeds of the verdict" in said.source
    first = results.finalists[0]
    alike = replace(first, rmse_by_seed=first.rmse_by_seed[:1] * len(first.rmse_by_seed))
    with_alike = replace(verdict, results=replace(results, finalists=(*results.finalists, alike)))
    assert noise.measured_over_seeds(replace(measured, verdict=with_alike)) == (
        pytest.approx(pooled),
        where,
    )
    weak = replace(first, rmse_by_seed=tuple(1 + i for i in range(len(first.rmse_by_seed))))
    with_weak = replace(verdict, results=replace(results, finalists=(*results.finalists, weak)))
    assert noise.measured_over_seeds(replace(measured, verdict=with_weak)) == (
        pytest.approx(pooled),
        where,
    )
    few = replace(verdict, results=replace(results, finalists=results.finalists[:1]))
    assert len(runs[0]) - 1 < noise.LEAST_FREE
    assert noise.measured_over_seeds(replace(measured, verdict=few)) is None
    assert noise.measured_over_seeds(replace(measured, verdict=None)) is None


def test_trials_with_the_same_values_say_what_a_seed_moves(study: StudyRecord) -> None:
    runs = (0.95, 0.952, 0.957, 0.951), (0.96, 0.964, 0.961, 0.961)
    trials = tuple(
        replace(trial, number=100 * trial.number + i, seed=i, best_rmse=rmse)
        for trial, found in zip(study.ranked, runs, strict=False)
        for i, rmse in enumerate(found)
    )
    repeated = replace(study, trials=trials, noise=NoiseRecord(0.002, 10, {}))
    pooled = math.sqrt(np.mean([np.var(found, ddof=1) for found in runs]))
    assert noise.measured_over_seeds(repeated) == (
        pytest.approx(pooled),
        "the seeds of the best trials with the same values",
    )
    weak = tuple(  # whose best comes first all the same
        replace(trials[0], number=900 + i, seed=i, values={"n": 9}, best_rmse=0.94 + i / 10)
        for i in range(4)
    )
    with_weak = replace(repeated, trials=(*trials, *weak))
    assert noise.measured_over_seeds(with_weak) == noise.measured_over_seeds(repeated)
    assert noise.usual(repeated).rmse == pytest.approx(1.96 * math.hypot(0.002, pooled * 2**0.5))
    assert "the latter over the seeds of the best trials with the same values" in (
        noise.usual(repeated).source
    )
    one_seed = tuple(replace(trial, best_rmse=0.95) for trial in trials)
    assert noise.measured_over_seeds(replace(repeated, trials=one_seed)) is None
    assert noise.measured_over_seeds(replace(repeated, trials=trials[1:])) is None
    again = tuple(replace(trial, seed=0) for trial in trials)  # as studies once had them
    assert noise.measured_over_seeds(replace(repeated, trials=again)) is None
    pruned = replace(trials[0], number=7, values={"n": 7}, state=TrialState.PRUNED)
    assert noise.measured_over_seeds(replace(repeated, trials=(*trials, pruned))) is None


def test_fewer_users_that_judge_a_verdict_leave_more_undecided(study: StudyRecord) -> None:
    assert noise.of_users_alone(study) is None
    measured = replace(study, noise=NoiseRecord(0.002, 10, {}))
    assert noise.of_users_alone(measured) == pytest.approx(1.96 * 0.002)
    data = dict(study.provenance["dataset"])
    n_users = data["validation"]["n_users"]
    data["confirm"] = data["validation"] | {"n_users": n_users / 4}
    kept = replace(measured, provenance={"dataset": data})
    assert noise.of_users_alone(kept) == pytest.approx(2 * 1.96 * 0.002)


def test_margin_and_noise_are_scaled_to_the_spread_of_other_ratings(study: StudyRecord) -> None:
    other = own_table(study, (0, 100), spread=25)
    assert (noise.margin(study), noise.margin(other)) == (0.003, pytest.approx(0.075))
    assert noise.usual(other).rmse == pytest.approx(0.25)
    assert "scaled to the spread of these ratings" in noise.usual(other).source
    assert "scaled" not in noise.usual(study).source
    # A tail of few and large ratings does not make small differences of all others matter less.
    plays = own_table(study, (0, 1e6), spread=25)
    assert noise.margin(plays) == noise.margin(other)
    many = own_table(study, (0, 1e6), spread=1e5)
    assert "less than the 1,000 that one seed" in noise.beside(many, 7)
    unknown = replace(other, baselines=())
    assert noise.margin(unknown) == pytest.approx(0.075)
    few = {"validation": {**study.provenance["dataset"]["validation"], "n_users": 57}}
    few_users = replace(study, provenance={"dataset": study.provenance["dataset"] | few})
    assert noise.usual(few_users).rmse == pytest.approx(0.01 * (229 / 57) ** 0.5)
    assert "0.02 is that scaled to 57 users, not" in noise.usual(few_users).source


@pytest.mark.parametrize(
    ("low", "high", "unit"),
    [(0.5, 5, "stars"), (1, 10, "stars"), (0, 5, "stars"), (-10, 10, "points"), (0, 1, "points"),
     (-1, 1, "points"), (0, 446_500, "points"), (0.02, 5.31, "points")],
)  # fmt: skip
def test_only_what_can_be_stars_is_told_in_stars(
    study: StudyRecord, low: float, high: float, unit: str
) -> None:
    assert described(own_table(study, (low, high), spread=1)).unit == unit


def test_ratings_up_to_100_are_points_and_no_stars(
    judged_study: StudyRecord, tmp_path: Path
) -> None:
    data = {**judged_study.provenance["dataset"], "rating_range": [0, 100]}
    provenance = {**judged_study.provenance, "dataset": data}
    rated = replace(judged_study, provenance=provenance)
    page = write_report(rated, tmp_path).html.read_text("utf-8")
    card = model_card(rated, rated.ranked[0])
    told = data_lines(rated)[0]
    assert "RMSE in points over" in page and "<dt>points</dt><dd>0 to 100" in page
    assert "in points from 0 to 100" in card and told.endswith("points 0 to 100")
    assert "stars" not in page + card + told
