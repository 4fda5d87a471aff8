from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from scipy import stats

from experiments.records import Answer, StudyRecord, read_study
from reports.blocks import Block, Command, Headline, Note, Problem, Section, Table, Text
from reports.comparing.comparison import comparison_sections, write_comparison
from reports.comparing.over_splits import groups_of_splits, stand
from reports.judging.statistics import over_splits
from reports.paper.latex import document, escape
from tests.reports.latex import PDFLATEX, cells, compile_latex
from tests.reports.simulated_splits import simulate
from tests.reports.verdicts import HARDER_ON_TEST, judged, opened
from tests.synthetic_study import make_study

B = TypeVar("B")
N_SPLITS = 4
JITTER = (0.0, 0.004, -0.003, 0.001)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    folder = tmp_path_factory.mktemp("studies") / "folds"
    folder.mkdir()
    return read_study(make_study(folder, n_trials=12, seed=0))


def of_fold(study: StudyRecord, fold: int, **further: Any) -> StudyRecord:
    """The same sweep on another fold."""
    split = {"method": "folds", "folds": N_SPLITS, "fold": fold}
    data = dict(study.provenance["dataset"])
    data |= {"split": split, "split_fingerprint": f"{fold}" * 64}
    return replace(
        study,
        name=f"folds-{fold}",
        folder=study.folder.with_name(f"folds-{fold}"),
        sweep=dict(study.sweep) | {"split": split} | further,
        provenance=dict(study.provenance) | {"dataset": data},
    )


def folds(study: StudyRecord, dcn: float = 0.0, plain: float = 0.02) -> list[StudyRecord]:
    """Judged, with arms off by so much, a little more or less in each fold."""
    best = {arm: next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn")}
    return [
        judged(of_fold(study, fold), {best["plain"]: plain + JITTER[fold - 1], best["dcn"]: dcn})
        for fold in range(1, N_SPLITS + 1)
    ]


def section(studies: list[StudyRecord]) -> Section:
    return comparison_sections(studies)["splits-1"]


def headline(studies: list[StudyRecord]) -> Headline:
    block = comparison_sections(studies)["summary"].blocks[0]
    assert isinstance(block, Headline)
    return block


def only(kind: type[B], blocks: tuple[Block, ...]) -> B:
    (found,) = (block for block in blocks if isinstance(block, kind))
    return found


def test_the_variance_of_the_mean_over_splits_counts_the_train_rows_that_they_share() -> None:
    differences = [0.01, 0.02, 0.015, 0.03]
    found = over_splits(differences, 0.5)
    error = np.std(differences, ddof=1) * (1 / 4 + 0.5) ** 0.5
    assert found.estimate == pytest.approx(np.mean(differences))
    assert found.high - found.estimate == pytest.approx(stats.t.ppf(0.975, 3) * error)
    assert found.p == pytest.approx(2 * stats.t.sf(np.mean(differences) / error, 3))
    assert found.degrees_of_freedom == 3
    turned = over_splits([-apart for apart in differences], 0.5)
    assert (turned.low, turned.high, turned.p) == (-found.high, -found.low, found.p)
    same = over_splits([0.1, 0.1], 0.5)
    assert (same.low, same.high, same.degrees_of_freedom, same.p) == (0.1, 0.1, 1, 0)
    assert over_splits([0.0, 0.0], 0.5).p == 1
    with pytest.raises(ValueError, match="two splits, got 1"):
        over_splits([0.1], 0.5)


def test_the_interval_holds_the_truth_where_that_of_independent_splits_does_not() -> None:
    found = simulate(60, (3.0, 25.0), 5, seed=2, is_random=True)
    assert found.corrected >= 0.87 > found.uncorrected


def test_arms_are_compared_over_splits_with_a_search_of_their_own(made: StudyRecord) -> None:
    studies = folds(made)
    assert groups_of_splits(studies) == [studies]
    standing, _ = stand(studies, on_test=False)
    apart = []
    for study in studies:
        assert study.verdict_results is not None
        means = {f.name: f.mean for f in study.verdict_results.finalists}
        dcn, plain = (
            means[next(t.name for t in study.ranked if t.arm == arm)] for arm in ("dcn", "plain")
        )
        assert dcn is not None and plain is not None
        apart.append(plain - dcn)
    rows = studies[0].provenance["dataset"]["train"]["n_rows"]
    assert studies[0].verdict_results is not None
    expected = over_splits(apart, studies[0].verdict_results.n_rows / rows)
    assert standing.found.low == pytest.approx(expected.low)
    assert standing.answer is Answer.WORSE
    assert headline(studies).text.startswith("dcn beats plain by 0.02")
    assert headline(studies).text.endswith("over 4 splits")
    table = only(Table, section(studies).blocks)
    assert [row.cells[0] for row in table.rows] == ["dcn", "plain", "matrix factorisation"]
    assert [row.cells[-1] for row in table.rows] == ["the first", "worse", "worse"]
    assert table.rows[1].cells[3] == f"{np.mean(apart):+.4f}"


def test_near_arms_are_not_decided_and_equal_ones_tie(made: StudyRecord) -> None:
    assert (
        "Not decided over 4 splits: dcn is ahead of plain" in headline(folds(made, 0, 0.004)).text
    )
    best = {arm: next(t.number for t in made.ranked if t.arm == arm) for arm in ("plain", "dcn")}
    same = [
        judged(of_fold(made, fold), {best["plain"]: 0.0, best["dcn"]: 0.0})
        for fold in range(1, N_SPLITS + 1)
    ]
    assert "tie within 0.003 over 4 splits" in headline(same).text


def test_a_baseline_that_is_ahead_is_the_headline(made: StudyRecord) -> None:
    assert headline(folds(made, 0.1, 0.2)).text.startswith("No model beats ")


def test_test_rows_stand_beside_where_every_split_was_opened(made: StudyRecord) -> None:
    studies = folds(made)
    assert "have opened their test parts" in section(studies).blocks[-1].text  # type: ignore[union-attr]
    all_but_one = [*map(opened, studies[1:]), studies[0]]
    assert sum(isinstance(block, Table) for block in section(all_but_one).blocks) == 1
    both = [b for b in section([opened(s) for s in studies]).blocks if isinstance(b, Table)]
    assert [table.caption for table in both] == [
        "RMSE on the validation rows of 4 splits",
        "RMSE on the test rows of 4 splits",
    ]
    on_validation, on_test = ([row.cells for row in table.rows] for table in both)
    for before, after in zip(on_validation, on_test, strict=True):
        assert after[0] == before[0]
        assert float(after[1]) == pytest.approx(float(before[1]) + HARDER_ON_TEST, abs=2e-4)
        assert (after[2], after[3]) == (before[2], before[3])
    assert on_test[1][4] != on_validation[1][4]  # of other rows beside those that train


def test_an_arm_that_one_split_lacks_is_named(made: StudyRecord) -> None:
    studies = folds(made)
    results = studies[1].verdict_results
    assert studies[1].verdict is not None and results is not None
    dcn = next(t.name for t in made.ranked if t.arm == "dcn")
    finalists = tuple(replace(f, mean=None) if f.name == dcn else f for f in results.finalists)
    lost = replace(studies[1].verdict, results=replace(results, finalists=finalists))
    told = [b.text for b in section(studies).blocks if isinstance(b, Note)]
    assert not any("Left out" in text for text in told)
    baseline_and_plain = section([studies[0], replace(studies[1], verdict=lost), *studies[2:]])
    told = [b.text for b in baseline_and_plain.blocks if isinstance(b, Note)]
    said = "Left out, since what the search put first of them has no mean in every split: dcn (not"
    assert any(text.startswith(f"{said} in folds-2)") for text in told)


@pytest.mark.parametrize("has_arms", [True, False])
def test_models_that_one_split_caveats_on_test_leave_the_answer_on_validation(
    made: StudyRecord, has_arms: bool
) -> None:
    if has_arms:
        studies = [opened(study) for study in folds(made)]
    else:
        without = {key: value for key, value in made.sweep.items() if key != "compare"}
        trials = tuple(replace(trial, arm=None) for trial in made.trials)
        made = replace(made, sweep=without, trials=trials)
        studies = [opened(study) for study in folds_without_arms(made)]
    test = studies[1].test
    assert test is not None
    trained = {trial.name for trial in made.trials}
    finalists = tuple(
        replace(f, mean=None) if f.name in trained else f for f in test.results.finalists
    )
    lost = replace(test, results=replace(test.results, finalists=finalists))
    shown = section([studies[0], replace(studies[1], test=lost), *studies[2:]])
    assert only(Table, shown.blocks).caption == "RMSE on the validation rows of 4 splits"
    assert "No answer on the test rows" in only(Problem, shown.blocks).text
    (left_out,) = (b.text for b in shown.blocks if isinstance(b, Note) and "Left out" in b.text)
    named = "plain (not in folds-2); dcn (not in folds-2)"
    assert left_out.endswith(
        f"{named}." if has_arms else "the first of the search (not in folds-2)."
    )


def test_an_arm_with_more_finalists_does_not_stand_by_the_best_of_them(made: StudyRecord) -> None:
    second = [t.number for t in made.ranked if t.arm == "dcn"][1]
    best = {arm: next(t.number for t in made.ranked if t.arm == arm) for arm in ("plain", "dcn")}
    offsets = {best["plain"]: 0.02, best["dcn"]: 0.0}
    few, more = (
        [judged(of_fold(made, fold), offsets | further) for fold in range(1, N_SPLITS + 1)]
        for further in ({}, {second: -0.01})
    )
    assert all(
        study.verdict_results and study.verdict_results.finalists[0].name == f"{second:04d}"
        for study in more
    )
    before, after = (
        {row.cells[0]: float(row.cells[1]) for row in only(Table, section(studies).blocks).rows}
        for studies in (few, more)
    )
    assert after == pytest.approx(before, abs=0.002)


def test_without_arms_the_first_of_the_search_stands_against_the_best_baseline(
    made: StudyRecord,
) -> None:
    without = {key: value for key, value in made.sweep.items() if key != "compare"}
    trials = tuple(replace(trial, arm=None) for trial in made.trials)
    table = only(
        Table, section(folds_without_arms(replace(made, sweep=without, trials=trials))).blocks
    )
    assert table.rows[0].cells[0] == "the first of the search"
    assert len(table.rows) == 2


def folds_without_arms(study: StudyRecord) -> list[StudyRecord]:
    offsets = {trial.number: 0.01 * place for place, trial in enumerate(study.ranked[:2])}
    return [judged(of_fold(study, fold), offsets) for fold in range(1, N_SPLITS + 1)]


def test_what_lacks_a_verdict_is_named_with_the_command(made: StudyRecord) -> None:
    studies = folds(made)
    studies[1] = of_fold(made, 2)
    blocks = section(studies).blocks
    assert "1 has no verdict" in only(Problem, blocks).text
    assert only(Command, blocks).lines == (f"recsweep verdict {studies[1].folder}",)
    assert headline(studies).text.startswith("Not ranked together")


def test_a_split_that_is_there_twice_is_refused(made: StudyRecord) -> None:
    studies = folds(made)
    again = replace(studies[0], name="folds-1-2", folder=studies[0].folder.with_name("folds-1-2"))
    told = only(Problem, section([*studies, again]).blocks).text
    assert "folds-1 and folds-1-2 judge the same split" in told


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"trials": 12, "max_epochs": 99}},
        {"split": {"method": "time-range", "train": 0.6, "validation": 0.2}},
    ],
)
def test_sweeps_that_differ_in_more_than_the_split_are_no_group(
    made: StudyRecord, change: dict[str, Any]
) -> None:
    studies = folds(made)
    studies[0] = replace(studies[0], sweep=dict(studies[0].sweep) | change)
    assert groups_of_splits(studies) == [studies[1:]]
    assert not groups_of_splits(studies[:3])
    assert isinstance(section(studies).blocks[0], Text)
    assert "Over" not in headline(studies).text


def test_a_finalist_that_stands_for_the_first_of_its_arm_is_named(made: StudyRecord) -> None:
    studies = folds(made)
    dcn = next(t.number for t in made.ranked if t.arm == "dcn")
    first, other, *_ = (t.number for t in made.ranked if t.arm == "plain")
    off = {first: 0.02, other: 0.02, dcn: 0.0}
    assert "stands for" not in repr(section(studies))
    studies[0] = judged(of_fold(made, 1), off, failed=(first,))
    told = f"in folds-1 #{other} plain stands for #{first} plain"
    assert told in repr(section(studies)).replace(", default", "")


def test_own_code_that_changed_in_between_is_another_sweep(made: StudyRecord) -> None:
    def with_code(study: StudyRecord, sha256: str) -> StudyRecord:
        code = {"gated": {"sha256": sha256, "files": ["gated.py"]}}
        return replace(study, provenance=dict(study.provenance) | {"code": code})

    studies = folds(made)
    same = [with_code(study, "a" * 64) for study in studies]
    assert groups_of_splits(same) == [same]
    edited = [with_code(study, f"{fold}" * 64) for fold, study in enumerate(studies)]
    assert groups_of_splits(edited) == []


def test_the_tables_for_latex_hold_what_the_page_does(made: StudyRecord, tmp_path: Path) -> None:
    studies = folds(made)
    text = write_comparison(studies, tmp_path).tables.read_text("utf-8")
    table = only(Table, section(studies).blocks)
    wanted = [[escape(cell) for cell in row.cells] for row in table.rows]
    assert [row for row in cells(text) if row in wanted] == wanted
    assert text.count(r"\begin{tabular}") == 4
    assert len(set(re.findall(r"\\label\{(.*?)\}", text))) == 4
    for column in table.columns:
        assert escape(column.definition[2:].removesuffix(".")) in text


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex; Debian: texlive-latex-recommended")
def test_the_tables_for_latex_fit_a_page(
    made: StudyRecord, judged_study: StudyRecord, tmp_path: Path
) -> None:
    for i, studies in enumerate((folds(made), [made, judged_study])):
        folder = tmp_path / str(i)
        tables = write_comparison(studies, folder).tables.read_text("utf-8")
        done = compile_latex(
            document(tables, "").replace(r"\usepackage[margin=2cm]{geometry}", ""), folder
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout
