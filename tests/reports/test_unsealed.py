"""What the report says of finalists that do not beat the bias baseline on the test split."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.cli.judged import test_lines as lines_of_test
from experiments.records import StudyRecord
from reports.blocks import Table
from reports.judging.beaten_on_test import beaten_on_test
from reports.judging.decision import label
from reports.model_card import model_card
from reports.sections.summary import summary
from reports.sections.unsealed import unsealed
from tests.reports.verdicts import HARDER_ON_TEST, judged, opened


@pytest.fixture
def shown(study: StudyRecord) -> StudyRecord:
    plain, dcn = (next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    return opened(judged(study, {plain: 0.03, dcn: 0.01}))


def with_bias(study: StudyRecord, rmse: float) -> StudyRecord:
    assert study.test is not None
    baselines = {**study.test.baselines, "bias": rmse}
    return replace(study, test=replace(study.test, baselines=baselines))


def test_a_finalist_that_loses_to_the_bias_baseline_on_test_is_said_to(shown: StudyRecord) -> None:
    for bias, said in ((1.07, "Not all finalists beat"), (1.04, "No finalist beats")):
        lost = with_bias(shown, bias)
        assert lost.test is not None
        sentence = beaten_on_test(lost, lost.test)
        assert sentence is not None
        assert sentence.startswith(f"{said} the bias baseline ({bias:.4f}) on the test split: #")
        assert " plain" in sentence and (" dcn" in sentence) == (bias < 1.05)
        for place in (repr(unsealed(lost)), repr(summary(lost)), "\n".join(lines_of_test(lost))):
            assert sentence in place


def test_a_baseline_that_is_best_on_test_is_told_and_stands_on_the_model_card(
    shown: StudyRecord,
) -> None:
    assert shown.test is not None
    baselines = {**shown.test.baselines, "matrix_factorisation": 0.9}
    lost = replace(shown, test=replace(shown.test, baselines=baselines))
    said = "The lowest test RMSE is a baseline's: matrix factorisation 0.9000."
    for place in (repr(unsealed(lost)), repr(summary(lost)), "\n".join(lines_of_test(lost))):
        assert said in place
    assert shown.test.results.finalists and shown.leader is not None
    card = model_card(lost, shown.leader)
    mean = shown.test.results.finalist(shown.leader.name)
    assert mean is not None and f"test RMSE {mean.mean:.4f} (" in card
    assert "there matrix factorisation 0.9000" in card
    assert "On the test rows it does not beat these baselines: matrix factorisation." in card
    assert "test RMSE" not in model_card(replace(shown, test=None), shown.leader)


def test_the_test_table_has_the_validation_rmse_of_every_baseline(shown: StudyRecord) -> None:
    table = next(b for b in unsealed(shown).blocks if isinstance(b, Table))
    rows = {row.cells[0]: row.cells for row in table.rows}
    assert [rows["item mean"][i] for i in (1, 3, 4)] == ["1.1251", "+0.0351", "1.0751"]
    assert shown.leader is not None and shown.verdict_results is not None
    leader = shown.verdict_results.finalist(shown.leader.name)
    assert leader is not None and leader.mean is not None and leader.low is not None
    cells = rows[label(shown, leader.name)]
    assert cells[1] == f"{leader.mean + HARDER_ON_TEST:.4f}"
    assert cells[2].startswith(f"{leader.low + HARDER_ON_TEST:.4f} to ")
    assert cells[3] == f"{leader.mean - 1.04:+.4f}".replace("-", "−")
    assert cells[4] == f"{leader.mean:.4f}"


def test_where_all_beat_it_nothing_is_said(shown: StudyRecord) -> None:
    won = with_bias(shown, 1.2)
    assert won.test is not None and beaten_on_test(won, won.test) is None
    assert "bias baseline (" not in repr(unsealed(won))
