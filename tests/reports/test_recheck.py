"""A number of a verdict that does not follow from the others is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.records import Answer, StudyRecord
from reports.recheck import verdict_differences
from tests.reports.verdicts import judged


@pytest.fixture(scope="module")
def decided(study: StudyRecord) -> StudyRecord:
    plain, dcn = (next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    other = next(t.number for t in study.ranked if t.number not in (plain, dcn))
    return judged(study, {plain: 0.03, dcn: 0.01, other: 0.012}, failed=(plain,))


def test_a_verdict_that_was_worked_out_here_follows_from_itself(
    study: StudyRecord, decided: StudyRecord
) -> None:
    assert verdict_differences(decided) == verdict_differences(study) == []


@pytest.mark.parametrize("name", ["mean", "low", "high"])
def test_a_finalist_s_mean_and_interval_are_those_of_its_seeds(
    decided: StudyRecord, name: str
) -> None:
    assert decided.verdict is not None and decided.verdict.results is not None
    results = decided.verdict.results
    first, *others = results.finalists
    wrong = replace(first, **{name: getattr(first, name) - 1e-4})
    changed = replace(results, finalists=(wrong, *others))
    told, *more = verdict_differences(
        replace(decided, verdict=replace(decided.verdict, results=changed))
    )
    assert all(name == "mean" and "difference" in text for text in more)
    assert told.startswith(f"verdict of {first.name}: {name} {getattr(wrong, name)} there, ")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("holm_p", 0.01, "corrected p 0.01, 0.00"),
        ("answer", Answer.BETTER, "better there, tie anew"),
    ],
)
def test_a_corrected_p_and_an_answer_follow_from_the_pairs(
    decided: StudyRecord, name: str, value: object, said: str
) -> None:
    assert decided.verdict is not None and decided.verdict.results is not None
    results = decided.verdict.results
    tie = next(pair for pair in results.pairs if pair.answer == Answer.TIE)
    pairs = tuple(replace(p, **{name: value}) if p is tie else p for p in results.pairs)
    changed = replace(decided.verdict, results=replace(results, pairs=pairs))
    (told,) = verdict_differences(replace(decided, verdict=changed))
    assert told.startswith(f"verdict of {tie.first} and {tie.second}: {said}")
