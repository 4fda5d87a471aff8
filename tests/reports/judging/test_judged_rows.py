from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.cli.judged import cost_lines, verdict_lines
from experiments.cli.judged import test_lines as lines_of_test
from experiments.cli.wording import data_lines
from experiments.records import StudyRecord
from reports.blocks import Note, Numbers
from reports.judging.decision import headline_of_verdict
from reports.judging.optimism import optimism_of_best
from reports.model_card import model_card
from reports.paper.latex import unsealed_table, verdict_table
from reports.paper.methods import methods_paragraph
from reports.sections.baselines import baselines
from reports.sections.data import data
from reports.sections.summary import summary
from reports.sections.unsealed import unsealed
from reports.sections.verdict import verdict
from tests.reports.simulated_verdicts import simulate_choice, simulate_leader
from tests.reports.verdicts import judged, opened


@pytest.fixture
def verdict_on_same(study: StudyRecord) -> StudyRecord:
    plain, dcn = (next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    return judged(study, {plain: 0.03, dcn: 0.01})


def with_results(study: StudyRecord, **changes: Any) -> StudyRecord:
    assert study.verdict is not None and study.verdict.results is not None
    results = replace(study.verdict.results, **changes)
    return replace(study, verdict=replace(study.verdict, results=results))


@pytest.fixture
def confirmed(verdict_on_same: StudyRecord) -> StudyRecord:
    """57 users and 4,038 rows kept; they are easier than the search's by .02."""
    dataset = dict(verdict_on_same.provenance["dataset"])
    dataset["confirm"] = {**dataset["validation"], "n_rows": 4_038, "n_users": 57}
    shown = with_results(
        verdict_on_same,
        is_confirmed=True,
        n_rows=4_038,
        n_users=57,
        baselines={b.name: b.val_rmse - 0.02 for b in verdict_on_same.baselines},
    )
    return replace(shown, provenance=dict(shown.provenance) | {"dataset": dataset})


def test_it_is_said_that_finalists_are_judged_on_users_whom_the_search_never_saw(
    confirmed: StudyRecord,
) -> None:
    where = "4,038 rows of 57 users whom the search never saw"
    for said in (
        repr(verdict(confirmed)),
        repr(headline_of_verdict(confirmed)),
        "\n".join(cost_lines(confirmed, confirmed.verdict, 10, 60.0)),  # type: ignore[arg-type]  # there is one
        methods_paragraph(confirmed),
        verdict_table(confirmed),
    ):
        assert where in said
    for said in (repr(data(confirmed)), repr(baselines(confirmed)), methods_paragraph(confirmed)):
        assert "57 of the validation users (4,038 rows) are kept for the verdict" in said
    assert "57 validation users" in "\n".join(data_lines(confirmed))
    assert "too good" not in "\n".join(verdict_lines(confirmed))


def test_who_leads_on_kept_users_is_said_to_be_flattered_by_that(confirmed: StudyRecord) -> None:
    shown = with_results(confirmed, optimism=0.0056, n_choosable=7)
    assert "choosing it among 7 under some" in repr(verdict(shown))
    assert "comes out 0.0056 higher: at most" in repr(verdict(shown))
    assert shown.leader is not None
    first = f"on these users alone, #{shown.leader.number} looks up to 0.0056 too good."
    assert first in repr(summary(shown)) and first in "\n".join(verdict_lines(shown))
    assert "flatters its mean by up to 0.0056. " in methods_paragraph(shown)
    assert "looks up to 0.0056 too good." in verdict_table(shown)
    little = with_results(shown, optimism=-0.001)
    assert "comes out no higher" in repr(verdict(little))
    assert "too good" not in "\n".join(verdict_lines(little)) + repr(summary(little))
    assert "rather too low" in repr(verdict(confirmed))  # an older verdict, or a handful of users
    alone = repr(verdict(with_results(confirmed, n_choosable=1)))
    assert "leads" not in alone


def test_before_the_verdict_the_first_screen_says_who_is_kept(confirmed: StudyRecord) -> None:
    before = replace(confirmed, verdict=None, segments=None)
    said = repr(summary(before))
    assert "15,778 validation rows of the 229 users whom the search sees" in said
    assert "57 of the validation users (4,038 rows) are kept for the verdict" in said


def test_the_first_screen_names_the_rows_of_each_of_its_numbers(confirmed: StudyRecord) -> None:
    (note,) = (block.text for block in summary(confirmed).blocks if isinstance(block, Note))
    assert note.startswith("RMSE in stars over 4,038 rows of 57 users whom the search never saw")
    (_, numbers) = (
        block.items for block in summary(confirmed).blocks if isinstance(block, Numbers)
    )
    assert numbers[-1][1] == "to its own number in the search, on the search's rows"


def test_finalists_meet_the_baselines_of_the_rows_that_judge_them(confirmed: StudyRecord) -> None:
    assert "1.0200" in repr(summary(confirmed))  # the bias baseline on the 57 users
    # Both means lie between the bias baseline's two numbers: on these users it is not beaten.
    lower = {b.name: 0.9 for b in confirmed.baselines}
    said = headline_of_verdict(with_results(confirmed, baselines=lower))
    assert said is not None and said.text == "No model beats the bias baseline"
    assert "0.9000" in said.detail and "never saw" in said.detail


def test_the_kept_rows_are_no_validation_rows_and_a_refit_is_trained_on_them(
    confirmed: StudyRecord,
) -> None:
    said = methods_paragraph(confirmed)
    assert "15,778 validation and 18,886 test ratings, and 4,038 kept for the verdict." in said
    shown = opened(confirmed)
    assert shown.test is not None
    for said in (
        methods_paragraph(shown),
        repr(unsealed(shown)),
        unsealed_table(shown),
        "\n".join(lines_of_test(shown)),
    ):
        assert "on train, validation and the kept rows" in said


def test_a_model_card_sets_beside_a_mean_the_baselines_of_its_rows(confirmed: StudyRecord) -> None:
    assert confirmed.leader is not None
    lines = model_card(confirmed, confirmed.leader).splitlines()
    (mean,) = (line for line in lines if line.startswith("- mean over 5 fresh seeds"))
    assert "never saw; there matrix factorisation 1.0184, user + item bias 1.0200, " in mean


def test_without_such_users_it_is_said_how_much_too_good_the_best_is(
    verdict_on_same: StudyRecord,
) -> None:
    shown = with_results(verdict_on_same, optimism=0.00214, n_choosable=43)
    assert "Choosing the best of 43 complete trials" in repr(verdict(shown))
    assert "comes out 0.0021 higher: at most" in repr(verdict(shown))
    assert "confirm = 0.25" in repr(verdict(shown))
    first = f"#{shown.ranked[0].number}, first of the search, looks up to 0.0021 too good"
    assert first in repr(summary(shown))
    assert first in "\n".join(verdict_lines(shown))
    # A better one that came later was not among those chosen from.
    assert shown.verdict is not None
    best, second = shown.ranked[:2]
    late = replace(best, ended_at=shown.verdict.frozen_at + 1)
    extended = replace(shown, trials=tuple(late if t == best else t for t in shown.trials))
    assert f"#{second.number}, first of the search, looks" in repr(summary(extended))
    assert "flatters them, by up to 0.0021" in methods_paragraph(shown)
    # An older verdict does not know.
    assert "By how much is not known" in repr(verdict(verdict_on_same))
    assert "no higher" in repr(verdict(with_results(shown, optimism=-0.001)))
    assert "flatters them. " in methods_paragraph(with_results(shown, optimism=0.00004))


@pytest.mark.parametrize(
    ("margin", "optimism", "told"),
    [
        (0.003, 0.00006, "0.00006"), (0.003, 0.00004, ""), (0.0006, 0.00004, "0.00004"),
        (600.0, 9.9, ""), (600.0, 12.3, "12"),
    ],
)  # fmt: skip
def test_how_much_too_good_is_worth_a_number_depends_on_what_matters(
    verdict_on_same: StudyRecord, margin: float, optimism: float, told: str
) -> None:
    shown = with_results(verdict_on_same, margin=margin, optimism=optimism, n_choosable=43)
    assert (f"{told} higher: at most" if told else "comes out no higher") in repr(verdict(shown))
    assert ("looks up to" in repr(summary(shown))) == bool(told)
    assert (f"flatters them, by up to {told}. " in methods_paragraph(shown)) == bool(told)


@pytest.mark.parametrize("spread_of_truth", [0.0, 0.003])
def test_the_best_is_too_good_on_those_who_chose_it_and_not_on_others(
    spread_of_truth: float,
) -> None:
    luck = simulate_choice(120, spread_of_truth, seed=5)
    assert luck.on_those_who_chose < -10 * luck.error_on_others
    assert abs(luck.on_others) < 3 * luck.error_on_others
    # What a verdict says of it is right where trials are equal, and rather high where they differ.
    assert 0.85 < luck.estimated / luck.on_those_who_chose < 1.4


@pytest.mark.parametrize("spread_of_truth", [0.0, 0.003])
def test_who_leads_on_kept_users_is_too_good_by_about_what_a_verdict_says(
    spread_of_truth: float,
) -> None:
    off, said = simulate_leader(150, spread_of_truth, seed=5)
    assert off < -0.003
    assert 0.85 < said / off < 1.4


def test_of_one_trial_or_a_handful_of_users_nothing_is_said() -> None:
    assert optimism_of_best(np.ones((1, 1, 50)), np.ones(50, int)) is None
    assert optimism_of_best(np.ones((9, 1, 5)), np.ones(5, int)) is None
    assert optimism_of_best(np.ones((0, 1, 50)), np.ones(50, int)) is None


def test_equal_trials_cannot_be_chosen_wrongly() -> None:
    sums = np.tile(np.arange(1.0, 31.0), (4, 2, 1))
    assert optimism_of_best(sums, np.ones(30, int)) == pytest.approx(0.0, abs=1e-12)
