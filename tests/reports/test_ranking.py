from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli.wording import data_lines
from experiments.records import (
    BaselineRecord,
    NoiseRecord,
    Purpose,
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from reports import ranking
from reports.described import described
from reports.model_card import model_card
from reports.paper.latex import leaderboard_table
from reports.render import write_report
from reports.sections.summary import headline, summary
from reports.sections.watch_outs import watch_outs
from tests.reports.conftest import MakeStudy
from tests.reports.simulated_verdicts import simulate_gap, simulate_noise


def trial(number: int, rmse: float, state: TrialState = TrialState.COMPLETE) -> TrialRecord:
    reason = StopReason.PATIENCE if state is TrialState.COMPLETE else StopReason.PRUNER
    return TrialRecord(
        number=number,
        name=f"{number:04d}",
        purpose=Purpose.SEARCH,
        arm=None,
        arm_number=number,
        values={},
        seed=1,
        is_default=number == 0,
        state=state,
        stop_reason=reason,
        error=None,
        best_epoch=1,
        best_rmse=rmse,
    )


def study_of(study: StudyRecord, *rmse: float) -> StudyRecord:
    return replace(study, trials=tuple(trial(i, value) for i, value in enumerate(rmse)))


def test_a_pruned_trial_with_the_lowest_rmse_is_not_ranked(study: StudyRecord) -> None:
    trials = (trial(0, 1.03), trial(1, 0.9, TrialState.PRUNED))
    ranked = replace(study, trials=trials).ranked
    assert [t.number for t in ranked] == [0]


def test_equal_trials_stand_in_the_order_of_their_numbers(study: StudyRecord) -> None:
    trials = (trial(3, 1.02), trial(2, 1.03), trial(1, 1.02))
    assert [t.number for t in replace(study, trials=trials).ranked] == [1, 3, 2]


def test_baselines_stand_in_their_places_without_a_rank(study: StudyRecord) -> None:
    rows = ranking.standings(study_of(study, 1.03, 1.039))
    assert [(row.rank, row.baseline.name if row.baseline else None) for row in rows[:4]] == [
        (1, None),
        (None, "matrix_factorisation"),
        (2, None),
        (None, "bias"),
    ]


def test_gaps_are_to_the_bias_baseline_and_to_the_first(study: StudyRecord) -> None:
    first, _, second, *_ = ranking.standings(study_of(study, 1.03, 1.039))
    assert first.to_bias == pytest.approx(-0.01)
    assert first.to_first == 0
    assert second.to_first == pytest.approx(0.009)


def test_noise_is_what_two_equal_models_of_one_seed_differ_by() -> None:
    assert simulate_gap(2_000, seed=5) == pytest.approx(ranking.NOISE, rel=0.05)


def test_noise_measured_on_the_study_holds_for_equal_models_whatever_the_users() -> None:
    assert simulate_noise(60, 229, seed=5) == pytest.approx(0.95, abs=0.02)
    assert simulate_noise(60, 50, seed=5) == pytest.approx(0.95, abs=0.03)


def test_noise_is_the_measured_one_where_there_is_one(study: StudyRecord) -> None:
    measured = replace(study, noise=NoiseRecord(0.002, 10, {"bias": 0.004}))
    usual = 1.96 * math.hypot(0.002, ranking.SEEDS * 2**0.5)
    assert ranking.noise(measured).rmse == pytest.approx(usual)
    assert "two of the best 10 models by 0.002, another seed an RMSE by 0.0017" in (
        ranking.noise(measured).source
    )
    # A baseline has no seed, and users tell it from a model more than one model from another.
    to_bias = ranking.noise(measured, baseline="bias").rmse
    assert to_bias == pytest.approx(1.96 * math.hypot(0.004, ranking.SEEDS))
    own = own_table(measured, (0, 100), spread=25)
    assert ranking.noise(own).rmse == pytest.approx(
        1.96 * math.hypot(0.002, 25 * ranking.SEEDS * 2**0.5)
    )
    assert "MovieLens 100K, scaled to the spread of these ratings" in ranking.noise(own).source


def test_the_seeds_of_a_verdict_say_what_a_seed_moves(judged_study: StudyRecord) -> None:
    verdict = judged_study.verdict
    assert verdict is not None and verdict.results is not None
    results = verdict.results
    runs = [np.array(f.rmse_by_seed, float) for f in results.finalists if len(f.rmse_by_seed) > 1]
    runs = sorted(runs, key=np.mean)[: -(-ranking.LEAST_FREE // (len(runs[0]) - 1))]
    pooled = math.sqrt(np.mean([run.var(ddof=1) for run in runs]))  # all have as many seeds
    measured_there, where = ranking.measured_over_seeds(judged_study) or (0, "")
    assert (measured_there, where) == (pytest.approx(pooled), "the seeds of the verdict")
    measured = replace(judged_study, noise=NoiseRecord(0.002, 10, {}))
    said = ranking.noise(measured)
    assert said.rmse == pytest.approx(1.96 * math.hypot(0.002, pooled * 2**0.5))
    assert "the latter over the seeds of the verdict" in said.source
    first = results.finalists[0]
    alike = replace(first, rmse_by_seed=first.rmse_by_seed[:1] * len(first.rmse_by_seed))
    with_alike = replace(verdict, results=replace(results, finalists=(*results.finalists, alike)))
    assert ranking.measured_over_seeds(replace(measured, verdict=with_alike)) == (
        pytest.approx(pooled),
        where,
    )
    weak = replace(first, rmse_by_seed=tuple(1 + i for i in range(len(first.rmse_by_seed))))
    with_weak = replace(verdict, results=replace(results, finalists=(*results.finalists, weak)))
    assert ranking.measured_over_seeds(replace(measured, verdict=with_weak)) == (
        pytest.approx(pooled),
        where,
    )
    few = replace(verdict, results=replace(results, finalists=results.finalists[:1]))
    assert len(runs[0]) - 1 < ranking.LEAST_FREE
    assert ranking.measured_over_seeds(replace(measured, verdict=few)) is None
    assert ranking.measured_over_seeds(replace(measured, verdict=None)) is None


def test_trials_with_the_same_values_say_what_a_seed_moves(study: StudyRecord) -> None:
    runs = (0.95, 0.952, 0.957, 0.951), (0.96, 0.964, 0.961, 0.961)
    trials = tuple(
        replace(trial, number=100 * trial.number + i, seed=i, best_rmse=rmse)
        for trial, found in zip(study.ranked, runs, strict=False)
        for i, rmse in enumerate(found)
    )
    repeated = replace(study, trials=trials, noise=NoiseRecord(0.002, 10, {}))
    pooled = math.sqrt(np.mean([np.var(found, ddof=1) for found in runs]))
    assert ranking.measured_over_seeds(repeated) == (
        pytest.approx(pooled),
        "the seeds of the best trials with the same values",
    )
    weak = tuple(  # whose best comes first all the same
        replace(trials[0], number=900 + i, seed=i, values={"n": 9}, best_rmse=0.94 + i / 10)
        for i in range(4)
    )
    with_weak = replace(repeated, trials=(*trials, *weak))
    assert ranking.measured_over_seeds(with_weak) == ranking.measured_over_seeds(repeated)
    assert ranking.noise(repeated).rmse == pytest.approx(1.96 * math.hypot(0.002, pooled * 2**0.5))
    assert "the latter over the seeds of the best trials with the same values" in (
        ranking.noise(repeated).source
    )
    one_seed = tuple(replace(trial, best_rmse=0.95) for trial in trials)
    assert ranking.measured_over_seeds(replace(repeated, trials=one_seed)) is None
    assert ranking.measured_over_seeds(replace(repeated, trials=trials[1:])) is None
    again = tuple(replace(trial, seed=0) for trial in trials)  # as studies once had them
    assert ranking.measured_over_seeds(replace(repeated, trials=again)) is None
    pruned = replace(trials[0], number=7, values={"n": 7}, state=TrialState.PRUNED)
    assert ranking.measured_over_seeds(replace(repeated, trials=(*trials, pruned))) is None


def test_fewer_users_that_judge_a_verdict_leave_more_undecided(study: StudyRecord) -> None:
    assert ranking.noise_of_users(study) is None
    measured = replace(study, noise=NoiseRecord(0.002, 10, {}))
    assert ranking.noise_of_users(measured) == pytest.approx(1.96 * 0.002)
    data = dict(study.provenance["dataset"])
    n_users = data["validation"]["n_users"]
    data["confirm"] = data["validation"] | {"n_users": n_users / 4}
    kept = replace(measured, provenance={"dataset": data})
    assert ranking.noise_of_users(kept) == pytest.approx(2 * 1.96 * 0.002)


def test_noise_cannot_tell_trials_within_it_from_the_first(study: StudyRecord) -> None:
    some = study_of(study, 1.0300, 1.0399, 1.0401)
    apart = tuple(replace(t, values={**t.values, "dropout": t.number / 10}) for t in some.trials)
    near = ranking.trials_within_noise(replace(some, trials=apart))
    assert [t.number for t in near] == [0, 1]


def test_the_line_stands_under_the_last_trial_within_noise(study: StudyRecord) -> None:
    some = study_of(study, 1.0300, 1.0399, 1.0401)
    line = ranking.line_of_noise(some, some.trials)
    assert line is not None
    assert line[0] == 2
    assert "noise cannot tell" in line[1]


def test_a_single_trial_has_no_line(study: StudyRecord) -> None:
    one = study_of(study, 1.03)
    assert ranking.line_of_noise(one, one.trials) is None


def test_a_line_under_the_first_alone_says_how_far_the_others_are(study: StudyRecord) -> None:
    two = study_of(study, 1.03, 1.05)
    line = ranking.line_of_noise(two, two.trials)
    assert line == (1, "from here on more than 0.01 RMSE behind the first")


def test_margin_and_noise_are_scaled_to_the_spread_of_other_ratings(study: StudyRecord) -> None:
    other = own_table(study, (0, 100), spread=25)
    assert (ranking.margin(study), ranking.margin(other)) == (0.003, pytest.approx(0.075))
    assert ranking.noise(other).rmse == pytest.approx(0.25)
    assert "scaled to the spread of these ratings" in ranking.noise(other).source
    assert "scaled" not in ranking.noise(study).source
    # A tail of few and large ratings does not make small differences of all others matter less.
    plays = own_table(study, (0, 1e6), spread=25)
    assert ranking.margin(plays) == ranking.margin(other)
    many = own_table(study, (0, 1e6), spread=1e5)
    assert "less than the 1,000 that one seed" in ranking.beside_noise(many, 7)
    unknown = replace(other, baselines=())
    assert ranking.margin(unknown) == pytest.approx(0.075)
    few = {"validation": {**study.provenance["dataset"]["validation"], "n_users": 57}}
    few_users = replace(study, provenance={"dataset": study.provenance["dataset"] | few})
    assert ranking.noise(few_users).rmse == pytest.approx(0.01 * (229 / 57) ** 0.5)
    assert "0.02 is that scaled to 57 users, not" in ranking.noise(few_users).source


def own_table(study: StudyRecord, span: tuple[float, float], spread: float) -> StudyRecord:
    """The study on a table of one's own, whose ratings spread so many times as MovieLens's."""
    data = study.provenance["dataset"] | {"name": "books.csv", "rating_range": list(span)}
    mean = BaselineRecord("train_mean", "train mean", spread * ranking.SPREAD, 0.001)
    others = [baseline for baseline in study.baselines if baseline.name != "train_mean"]
    return replace(
        study,
        provenance={"dataset": data},
        sweep={"dataset": {"path": "books.csv"}},
        baselines=(mean, *others),
    )


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


def test_arms_count_their_own_trials(study: StudyRecord) -> None:
    arms = ranking.arms(study)
    assert [arm.arm for arm in arms] == ["plain", "dcn"]
    assert sum(len(arm.trials) for arm in arms) == len(study.search_trials)
    for arm in arms:
        assert all(t.arm == arm.arm for t in arm.ranked)


def test_the_median_of_two_trials_lies_between_them(study: StudyRecord) -> None:
    two = ranking.ArmSummary("dcn", (), (trial(0, 1.03), trial(1, 1.05)))
    assert two.median_rmse == pytest.approx(1.04)


def test_nothing_is_compared_without_a_compared_dimension(make: MakeStudy) -> None:
    assert ranking.arms(make(n_trials=8, compare=False)) == ()


def test_diverged_trials_are_counted_apart_from_pruned_ones(study: StudyRecord) -> None:
    n = ranking.counts(study.search_trials)
    assert n.diverged == 1
    assert n.pruned == sum(t.state is TrialState.PRUNED for t in study.search_trials) - 1
    assert n.total == 24


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=12))
def test_standings_are_sorted_and_rank_every_trial_once(rmse: list[float]) -> None:
    baselines = (BaselineRecord("bias", "bias", 1.04, 0.1),)
    study = replace(_EMPTY, baselines=baselines)
    rows = ranking.standings(study_of(study, *rmse))
    assert [row.rmse for row in rows] == sorted([*rmse, 1.04])
    assert [row.rank for row in rows if row.rank] == list(range(1, len(rmse) + 1))
    near = [row.is_within_noise for row in rows if row.rank]
    assert near == sorted(near, reverse=True)


def test_a_default_that_is_tried_again_is_the_default(study: StudyRecord) -> None:
    default, other = study_of(study, 1.03, 1.02).trials
    again = replace(default, number=7, seed=7, is_default=False, best_rmse=1.01)
    other = replace(other, is_default=False, values={"embedding_size": 16})
    shown = replace(study, trials=(replace(default, is_default=True), other, again))
    found = ranking.default_trial(shown)
    assert found is not None and found.number == 7
    assert ranking.label(shown, found).endswith("default")
    assert "The best, #7, is a default configuration: nothing found is better" in (
        repr(watch_outs(shown))
    )


def test_trials_that_are_one_model_stand_once(study: StudyRecord) -> None:
    *alike, other = study_of(study, *[1.03] * 11, 1.0301, 1.03).trials
    alike = [replace(trial, seed=trial.number) for trial in alike]
    other = replace(other, values={"embedding_size": 16})
    shown = replace(study, trials=(*alike, other))
    models = ranking.models(shown)
    assert [trial.number for trial, _ in models] == [0, other.number]
    labels = [ranking.model_label(shown, row) for _, row in models]
    mean = f"{(11 * 1.03 + 1.0301) / 12:.4f}"
    assert labels[0] == f"#0 default, 11 more of the same values, mean {mean}"
    assert "more" not in labels[1]
    stopped = replace(alike[0], number=99, state=TrialState.PRUNED)
    less = ranking.model_label(replace(shown, trials=(*shown.trials, stopped)), models[0][1])
    assert less == "#0 default, 11 more of the same values, 1 pruned"
    assert len(ranking.trials_within_noise(shown)) == 2
    table = leaderboard_table(shown)
    assert table.count(r"\textbf") == 2 and "11 more of the same values" in table
    assert "The best 2 models of 13 complete trials" in table
    assert "'The best 2'" in repr(summary(shown)) and "The best 2 trials" in repr(summary(shown))
    one = headline(replace(shown, trials=tuple(alike)))
    assert one.text == "Nothing to compare: one model is complete"
    assert "was trained 12 times by the search" in one.detail


_EMPTY = StudyRecord(
    folder=Path("studies/none"),
    name="none",
    sweep={},
    provenance={},
    columns=(),
    baselines=(),
    importance=(),
    trials=(),
    state="finished",
    n_trials_asked_for=0,
)
