from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import (
    BaselineRecord,
    Purpose,
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from reports import labels, ranking
from reports.paper.latex import leaderboard_table
from reports.sections.summary import headline, summary
from reports.sections.watch_outs import watch_outs
from tests.reports.conftest import MakeStudy


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
    assert labels.label(shown, found).endswith("default")
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
    told = [ranking.model_label(shown, row) for _, row in models]
    mean = f"{(11 * 1.03 + 1.0301) / 12:.4f}"
    assert told[0] == f"#0 default, 11 more of the same values, mean {mean}"
    assert "more" not in told[1]
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
