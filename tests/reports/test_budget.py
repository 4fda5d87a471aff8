from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from statistics import mean

import numpy as np
import pytest

from experiments.records import StudyRecord
from reports.blocks import Picture, Section, Table, Text
from reports.judging.expected_best import budgets, expected_best
from reports.sections.budget import budget
from tests.reports.conftest import MakeStudy, with_one_complete, without_complete

FIVE = (1.04, 1.01, 1.03, 1.03, 1.02)


@pytest.mark.parametrize("n", range(1, 6))
def test_the_expectation_is_the_mean_over_all_orders(n: int) -> None:
    (found,) = expected_best(FIVE, [n])
    firsts = [min(order[:n]) for order in permutations(FIVE)]
    assert found.mean == pytest.approx(mean(firsts), abs=1e-12)
    low, high = np.quantile(firsts, (0.1, 0.9), method="inverted_cdf")
    assert (found.low, found.high) == (low, high)


def test_a_worked_number() -> None:
    # Two of 1, 2, 4: the pairs' lowest are 1, 1 and 2.
    assert expected_best((4.0, 1.0, 2.0), [2])[0].mean == pytest.approx(4 / 3)


def test_thousands_of_trials_are_exact_at_both_ends() -> None:
    values = np.random.default_rng(1).normal(1.03, 0.01, 5_000)
    ns = budgets(len(values))
    assert len(ns) <= 60 and ns[0] == 1 and ns[-1] == 5_000
    found = expected_best(values.tolist(), ns)
    assert found[0].mean == pytest.approx(values.mean(), abs=1e-9)
    assert (found[-1].low, found[-1].mean, found[-1].high) == (min(values),) * 3
    assert all(a.mean >= b.mean for a, b in pairwise(found))


@pytest.mark.parametrize("n", [0, 6])
def test_more_or_fewer_than_there_are_cannot_be_drawn(n: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 5, the number of values; got {n}"):
        expected_best(FIVE, [n])


def table_of(section: Section | None) -> Table:
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Table))


def test_each_arm_ends_where_its_search_did_and_is_charged_for_all_its_trials(
    study: StudyRecord,
) -> None:
    last = {row.cells[0]: row.cells for row in table_of(budget(study)).rows}
    assert set(last) == {"plain", "dcn"}
    for arm, (_, n, _, best, band) in last.items():
        ranked = [trial for trial in study.ranked if trial.arm == arm]
        assert int(n) == len(ranked)
        assert best == f"{ranked[0].best_rmse:.4f}"
        assert band == f"{best} to {best}"
    unfinished = replace(study.search_trials[0], number=99, name="0099", state="PRUNED")
    costlier = replace(study, trials=(*study.trials, unfinished))
    times = [table_of(budget(s)).rows[0].cells[2] for s in (study, costlier)]
    assert times[0] != times[1]


def test_arms_are_compared_at_equal_training_time(study: StudyRecord) -> None:
    section = budget(study)
    assert section is not None
    text = next(block for block in section.blocks if isinstance(block, Text)).text
    assert "For the same " in text and "plain 1.0" in text and "dcn 1.0" in text


def test_what_equal_training_time_pays_for_is_counted_by_the_trial(study: StudyRecord) -> None:
    dcn = next(trial for trial in study.ranked if trial.arm == "dcn")
    plain = next(trial for trial in study.ranked if trial.arm == "plain")
    cost = {"dcn": 1.0, "plain": 91.0}
    trials = tuple(
        replace(trial, number=number, epochs=(replace(trial.epochs[0], seconds=cost[trial.arm]),))
        for number, trial in enumerate([plain] * 2 + [dcn] * 200)
        if trial.arm
    )
    section = budget(replace(study, trials=trials))
    assert section is not None and isinstance(section.blocks[0], Text)
    assert "(182 complete trials)" in section.blocks[0].text


def test_a_study_without_arms_has_one_curve(make: MakeStudy) -> None:
    section = budget(make(compare=False))
    assert section is not None
    assert {row.cells[0] for row in table_of(section).rows} == {"all trials"}
    picture = next(block for block in section.blocks if isinstance(block, Picture))
    assert ">all trials<" in picture.wide and "Pruned" in picture.caption


def test_half_the_search_of_the_only_arm_with_a_curve_is_named_as_its_own(
    study: StudyRecord, make: MakeStudy
) -> None:
    best = next(trial for trial in study.ranked if trial.arm == "plain")
    left = tuple(t for t in study.trials if t.arm == "dcn" or t.number == best.number)
    section = budget(replace(study, trials=left))
    assert section is not None and isinstance(section.blocks[0], Text)
    assert section.blocks[0].text.startswith("About half the search of dcn, ")
    whole = budget(make(n_trials=12, compare=False))
    assert whole is not None and isinstance(whole.blocks[0], Text)
    assert whole.blocks[0].text.startswith("About half the search, ")


def test_one_complete_trial_draws_no_curve(study: StudyRecord) -> None:
    assert budget(with_one_complete(study)) is None
    assert budget(without_complete(study)) is None


def test_an_arm_whose_trial_costs_more_than_the_others_whole_search_found_nothing(
    study: StudyRecord,
) -> None:
    slow = tuple(
        replace(t, epochs=tuple(replace(e, seconds=1e6) for e in t.epochs)) if t.arm == "dcn" else t
        for t in study.trials
    )
    section = budget(replace(study, trials=slow))
    assert section is not None
    text = next(block for block in section.blocks if isinstance(block, Text)).text
    assert "nothing of dcn, of which one complete trial takes longer." in text
