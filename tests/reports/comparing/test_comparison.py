from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.records import (
    BaselineRecord,
    ColumnRecord,
    NoiseRecord,
    Opening,
    StudyRecord,
    TrialState,
    read_study,
)
from reports.blocks import Headline, Picture, Table, Text
from reports.comparing import side_by_side
from reports.comparing.changes import changes, recorded_changes
from reports.comparing.comparison import comparison_sections, studies_by_rows, write_comparison
from reports.comparing.side_by_side import study_gaps
from reports.drawing.canvas import SERIES, WIDE
from reports.drawing.comparison import StudyGaps, best_so_far
from reports.judging.decision import headline_of_verdict
from tests.reports.conftest import without_complete
from tests.reports.verdicts import judged
from tests.synthetic_study import make_study

MakeTwo = Callable[..., tuple[StudyRecord, StudyRecord]]


@pytest.fixture
def two(tmp_path: Path) -> tuple[StudyRecord, StudyRecord]:
    """Two sweeps over the same rows, of another seed and size."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = read_study(make_study(tmp_path / "first", n_trials=12, seed=0))
    return first, read_study(make_study(tmp_path / "second", n_trials=16, seed=1))


def on_other_rows(study: StudyRecord, **dataset: Any) -> StudyRecord:
    changed = dict(study.provenance["dataset"]) | dataset
    return replace(study, provenance=dict(study.provenance) | {"dataset": changed})


def headline(studies: tuple[StudyRecord, ...]) -> Headline:
    block = comparison_sections(studies)["summary"].blocks[0]
    assert isinstance(block, Headline)
    return block


def test_studies_of_the_same_rows_share_one_ranking(two: tuple[StudyRecord, ...]) -> None:
    table = comparison_sections(two)["ranked-1"].blocks[1]
    assert isinstance(table, Table)
    assert {row.cells[1] for row in table.rows} == {"first", "second"}
    assert not any("architecture" in row.cells[-1] for row in table.rows)  # it is in the name
    best = min(t.best_rmse for study in two for t in study.ranked if t.best_rmse is not None)
    assert table.rows[0].cells[3] == f"{best:.4f}"
    assert [row.cells[3] for row in table.rows] == sorted(row.cells[3] for row in table.rows)
    assert "one seed each" in headline(two).text
    assert "than the 0.01 that one seed and these users usually make" in headline(two).detail
    strong = (BaselineRecord("bias", "user + item bias", best, 0.1),)
    beaten = headline(tuple(replace(study, baselines=strong) for study in two))
    assert beaten.text == "No model beats the bias baseline"
    assert f"user + item bias has {best:.4f}" in beaten.detail
    stronger = (*strong, BaselineRecord("matrix_factorisation", "matrix factorisation", 0.1, 1.0))
    beaten = headline((two[0], replace(two[1], baselines=stronger)))
    assert beaten.text == "No model beats matrix factorisation"


def test_runs_of_one_model_take_one_place_in_a_common_ranking(two: tuple[StudyRecord, ...]) -> None:
    first, other = two
    best = first.ranked[0]
    trials = tuple(replace(t, values=best.values) for t in first.trials)
    table = comparison_sections((replace(first, trials=trials), other))["ranked-1"].blocks[1]
    assert isinstance(table, Table)
    assert f"of {1 + len(other.ranked)} models" in table.caption
    (row,) = (row for row in table.rows if row.cells[1] == "first")
    assert f"#{best.number} " in row.cells[2] and "more of the same values" in row.cells[2]


def test_noise_that_was_not_measured_decides_nothing_beside_a_measured_one(
    two: tuple[StudyRecord, ...],
) -> None:
    first, other = two
    measured = replace(other, noise=NoiseRecord(0.0001, 10, {}))
    assert "than the 0.01 that" in headline((first, other)).detail
    assert "than the 0.01 that" not in headline((first, measured)).detail


def test_verdicts_and_openings_stand_beside_each_other(two: tuple[StudyRecord, ...]) -> None:
    first, other = two
    assert len(comparison_sections(two)["summary"].blocks) == 3
    opened = replace(other, openings=(Opening(0.0, "second", "", "me", ""),))
    with_verdict = judged(first, {0: -0.02, 1: 0.0})
    blocks = comparison_sections((with_verdict, opened))["summary"].blocks
    verdicts = blocks[2]
    assert isinstance(verdicts, Table) and verdicts.caption == "Verdicts"
    said = headline_of_verdict(with_verdict)
    assert said is not None
    assert [row.cells for row in verdicts.rows] == [
        ("first", said.text, "sealed, never opened"),
        ("second", "–", "opened 1 time, 1 early"),
    ]


def test_where_some_share_their_rows_the_headline_tells_what_they_came_to(
    two: tuple[StudyRecord, ...],
) -> None:
    third = on_other_rows(replace(two[0], name="third"), split_fingerprint="other")
    said = headline((*two, third))
    assert said.text.startswith("Not all ranked together")
    assert f"first and second: {headline(two).text}. {headline(two).detail}" in said.detail


def test_ranges_of_the_same_ratings_are_one(two: tuple[StudyRecord, ...]) -> None:
    first, other = two
    wide = on_other_rows(other, rating_range=[0.0, 10.0])
    assert side_by_side.unit_of(first, (first, wide)) == side_by_side.unit_of(wide, (first, wide))
    elsewhere = on_other_rows(wide, fingerprint="others")
    assert side_by_side.unit_of(elsewhere, (first, elsewhere)) == 0.1


def test_code_with_uncommitted_changes_is_not_called_the_same(
    two: tuple[StudyRecord, ...],
) -> None:
    def told(*studies: StudyRecord) -> str:
        return repr(comparison_sections(studies)["changes"].blocks)

    def with_git(study: StudyRecord, is_dirty: bool) -> StudyRecord:
        git = {"commit": "c0", "dirty": is_dirty}
        return replace(study, provenance=dict(study.provenance) | {"git": git})

    first = two[0]
    other = replace(first, name="other")
    assert "machine are the same." in told(with_git(first, False), with_git(other, False))
    assert "the same; of uncommitted" in told(with_git(first, True), with_git(other, True))
    assert "uncommitted changes" in dict(
        recorded_changes((with_git(first, True), with_git(other, False)))
    )


def test_a_method_by_its_bare_name_is_the_one_under_its_defaults(
    two: tuple[StudyRecord, ...],
) -> None:
    def searched(study: StudyRecord, sampler: object, left: dict[str, int]) -> StudyRecord:
        sweep = study.sweep | {"search": study.sweep["search"] | {"sampler": sampler}}
        left_open = {"model": {"plain": {"input_dropout": 0.3}}, "sampler": left}
        provenance = dict(study.provenance) | {"left_open": left_open}
        return replace(study, sweep=sweep, provenance=provenance)

    first = two[0]
    bare = searched(first, "tpe", {"n_startup_trials": 10})
    said = searched(first, {"name": "tpe", "n_startup_trials": 10}, {})
    assert not changes((bare, said))
    other = searched(first, {"name": "tpe", "n_startup_trials": 5}, {})
    assert changes((bare, other)) == (("search.sampler.n_startup_trials", ("10", "5")),)
    # And a value that one space varies and the other sweep leaves open is told.
    space = first.sweep["space"] | {"input_dropout": {"low": 0.0, "high": 0.5}}
    varied = replace(bare, sweep=bare.sweep | {"space": space})
    assert ("model.input_dropout", ("–", "0.3")) in changes((varied, bare))


def test_a_default_that_is_the_best_has_gained_nothing_over_the_default(
    two: tuple[StudyRecord, ...],
) -> None:
    plain, dcn, *_ = two[0].trials
    first = replace(two[0], trials=(replace(plain, best_rmse=0.96), replace(dcn, best_rmse=0.95)))
    table = comparison_sections((first, two[1]))["summary"].blocks[1]
    assert isinstance(table, Table)
    at = [column.title for column in table.columns].index("to default")
    assert {row.cells[0]: row.cells[at] for row in table.rows}["first"] == "0.0000"


def test_under_a_first_far_ahead_the_line_calls_nobody_alike(
    two: tuple[StudyRecord, ...],
) -> None:
    ahead = replace(two[0].ranked[0], best_rmse=0.5)
    trials = tuple(ahead if t.number == ahead.number else t for t in two[0].trials)
    table = comparison_sections((replace(two[0], trials=trials), two[1]))["ranked-1"].blocks[1]
    assert isinstance(table, Table)
    rules = [row.rule for row in table.rows]
    assert rules == ["from here on more than 0.01 RMSE behind the first", *[""] * (len(rules) - 1)]


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_measures_of_the_noise_the_larger_holds_in_any_order(
    two: tuple[StudyRecord, ...], turn: int
) -> None:
    quiet, loud = (replace(study, noise=NoiseRecord(i, 10, {})) for i, study in enumerate(two))
    shown = (quiet, loud)[::turn]
    assert "less than the 2 that one seed" in headline(shown).detail
    table = comparison_sections(shown)["ranked-1"].blocks[1]
    assert isinstance(table, Table)
    assert "above this line apart (within 2 RMSE)" in repr(table.rows)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"split_fingerprint": "d" * 64, "split": {"method": "random"}}, "another split"),
        ({"fingerprint": "d" * 64, "n_ratings": 7}, "other ratings"),
        ({"split_fingerprint": None}, "not on record"),
    ],
)
def test_studies_of_other_rows_are_never_ranked_together_and_the_reason_is_said(
    two: tuple[StudyRecord, StudyRecord], changed: dict[str, Any], reason: str
) -> None:
    apart = (two[0], on_other_rows(two[1], **changed))
    assert len(studies_by_rows(apart)) == 2
    assert not [anchor for anchor in comparison_sections(apart) if anchor.startswith("ranked")]
    assert reason in headline(apart).detail


def test_studies_of_other_features_are_judged_on_the_same_rows(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    ablated = on_other_rows(two[1], items_fingerprint="d" * 64)
    assert studies_by_rows((two[0], ablated)) == ((two[0], ablated),)


def test_no_two_kinds_of_rows_have_one_letter(two: tuple[StudyRecord, ...]) -> None:
    apart = [
        replace(on_other_rows(two[0], fingerprint=f"{i:064}"), folder=two[0].folder / str(i))
        for i in range(28)
    ]
    table = comparison_sections(apart)["summary"].blocks[1]
    assert isinstance(table, Table)
    assert sorted({row.cells[1] for row in table.rows}) == sorted([*ascii_uppercase, "A1", "B1"])


def test_side_by_side_the_gap_to_its_own_bias_baseline_decides_the_order(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    # The second has the higher RMSE on harder rows, and the larger gap.
    harder = replace(
        two[1],
        baselines=tuple(replace(b, val_rmse=b.val_rmse + 1) for b in two[1].baselines),
        trials=tuple(
            replace(t, best_rmse=None if t.best_rmse is None else t.best_rmse + 0.9)
            for t in two[1].trials
        ),
    )
    apart = (two[0], on_other_rows(harder, split_fingerprint="d" * 64))
    table = comparison_sections(apart)["summary"].blocks[1]
    assert isinstance(table, Table)
    assert [row.cells[0] for row in table.rows] == ["second", "first"]
    assert "not comparable" in table.note and "ranges differ" not in table.note


def test_gaps_in_other_units_are_told_and_drawn_as_a_share_of_the_range(
    two: tuple[StudyRecord, ...],
) -> None:
    first, second = two
    other = on_other_rows(second, fingerprint="d" * 64, rating_range=[0, 100])
    best = other.ranked[0]
    assert best.best_rmse is not None
    ahead = replace(best, best_rmse=best.best_rmse - 0.1)
    trials = tuple(ahead if t.number == best.number else t for t in other.trials)
    sections = comparison_sections((first, replace(other, trials=trials)))
    table = sections["summary"].blocks[1]
    assert isinstance(table, Table)
    assert "own ratings, whose ranges differ: 0 to 100, 1 to 5; the order" in table.note
    assert [row.cells[0] for row in table.rows] == ["first", "second"]  # .01 of 4 against .1 of 100
    gaps, so_far = (block for block in sections["side-by-side"].blocks)
    assert isinstance(gaps, Picture) and isinstance(so_far, Picture)
    assert "in hundredths of its ratings' range" in gaps.caption
    share = 100 * float(table.rows[0].cells[2].replace("−", "-")) / 4
    assert f"first: best −{-share:.2f} %" in gaps.alt and " %" in so_far.alt
    assert "% of the rating range" in gaps.wide and "% of the rating range" in gaps.narrow


def test_only_what_differs_between_the_sweeps_is_listed(two: tuple[StudyRecord, ...]) -> None:
    assert dict(changes(two)) == {"seed": ("0", "1"), "search.trials": ("12", "16")}
    assert changes((two[0], two[0])) == ()
    extended = replace(two[0], n_trials_asked_for=14)
    assert dict(changes((extended, two[0]))) == {"search.trials": ("14", "12")}


def test_what_a_sweep_leaves_open_is_compared_as_it_came_out(two: tuple[StudyRecord, ...]) -> None:
    def study(said: dict[str, object], **left_open: object) -> StudyRecord:
        study = two[0]
        data = study.provenance["dataset"] | {"features": ["user_id", "year"]}
        models = {"plain": left_open | {"cross": 0}, "dcn": left_open | {"cross": 1}}
        recorded = {**study.provenance, "dataset": data, "left_open": {"model": models}}
        return replace(study, sweep={**study.sweep, **said}, provenance=recorded)

    features = {"features": ["user_id", "year"]}
    data = {k: v for k, v in two[0].sweep["dataset"].items() if k != "features"}
    said = study({"model": {"batch_size": 64}, "dataset": data | features})
    left = study({"model": {}, "dataset": data}, batch_size=64)
    assert changes((said, left)) == ()
    other = study({"model": {}, "dataset": data}, batch_size=32, user_oov_rate=0.1)
    assert changes((said, other)) == (("model.batch_size", ("64", "32")),)
    later = study({"model": {}, "dataset": data}, batch_size=32, user_oov_rate=0.2)
    assert changes((other, later)) == (("model.user_oov_rate", ("0.1", "0.2")),)


def test_own_code_that_was_edited_in_between_is_listed(two: tuple[StudyRecord, ...]) -> None:
    before, after = (
        replace(two[0], provenance=dict(two[0].provenance) | {"code": {"gated": {"sha256": sha}}})
        for sha in ("a" * 64, "b" * 64)
    )
    assert recorded_changes((before, after)) == (("own code: gated", ("a" * 64, "b" * 64)),)
    assert recorded_changes((before, before)) == ()


def test_a_study_without_a_complete_trial_is_shown_without_a_rank(
    two: tuple[StudyRecord, StudyRecord], tmp_path: Path
) -> None:
    paths = write_comparison((two[0], without_complete(two[1])), tmp_path / "out")
    text = paths.markdown.read_text("utf-8")
    assert "Nothing to compare yet" in text and "Not drawn: second" in text
    nothing = write_comparison([without_complete(study) for study in two], tmp_path / "nothing")
    assert nothing.figures == ()


def test_pictures_show_every_trial_the_verdict_and_the_best_so_far(
    two: tuple[StudyRecord, StudyRecord], tmp_path: Path
) -> None:
    first, second = two[0].ranked[:2]
    decided = judged(two[0], {first.number: 0.01, second.number: 0.02})
    bias = decided.baseline("bias")
    assert bias is not None and decided.verdict is not None and decided.verdict.results is not None
    gaps = study_gaps(decided, "#123456")
    assert gaps.gaps == tuple((t.best_rmse or 0) - bias.val_rmse for t in decided.ranked)
    leader = decided.verdict.results.finalists[0]
    assert gaps.judged == tuple(x - bias.val_rmse for x in (leader.mean, leader.low, leader.high))  # type: ignore[operator]  # it completed
    assert gaps.so_far[-1] == (len(decided.search_trials), gaps.gaps[0])
    heights = [gap for _, gap in gaps.so_far]
    assert heights == sorted(heights, reverse=True)
    paths = write_comparison((decided, two[1]), tmp_path / "out")
    assert {p.name for p in paths.figures if p.is_file()} == {
        "gaps.svg", "best-so-far.svg", "gaps.png", "best-so-far.png", "captions.txt",
    }  # fmt: skip
    assert "after a verdict" in paths.markdown.read_text("utf-8")


def test_a_sixth_line_has_the_first_ones_colour_and_not_its_dashes() -> None:
    rows = [
        StudyGaps(str(i), SERIES[i % len(SERIES)], (-0.1,), None, ((1, 0.1), (9, -0.1)))
        for i in range(6)
    ]
    lines = [line for line in best_so_far(rows, width=WIDE).axes[0].lines if line.get_lw() == 2]
    looks = [(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines]  # type: ignore[attr-defined]  # it has no getter
    assert len(looks) == len(set(looks)) == 6
    assert looks[0][0] == looks[5][0]
    assert len({dashes for _, dashes in looks[:4]}) == 4


def test_of_many_studies_the_lowest_ten_stand_out_and_no_two_lines_look_alike(
    two: tuple[StudyRecord, StudyRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bias = two[0].baseline("bias")
    assert bias is not None
    studies = [
        replace(two[0], name=f"s{i:02d}", baselines=(replace(bias, val_rmse=1.2 + i / 100),))
        for i in range(25)
    ]
    drawn: list[Figure] = []

    def drawing(*args: Any, **kwargs: Any) -> Figure:
        drawn.append(best_so_far(*args, **kwargs))
        return drawn[-1]

    monkeypatch.setattr(side_by_side, "best_so_far", drawing)
    section = side_by_side.side_by_side(studies)
    assert section is not None
    captions = [block.caption for block in section.blocks if isinstance(block, Picture)]
    assert all("In colour: the 10 studies that got lowest" in caption for caption in captions)
    for figure in drawn:
        lines = [line for line in figure.axes[0].lines if line.get_lw() == 2]
        assert [line.get_label() for line in lines] == [f"s{i}" for i in range(15, 25)]
        looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines}  # type: ignore[attr-defined]  # it has no getter
        assert len(looks) == 10
    html = write_comparison(studies, tmp_path / "out").html.read_text("utf-8")
    assert "s08 · s09 · 15 more" in html and ">s24<" in html


def test_a_best_so_far_begins_at_the_first_complete_trial_and_counts_the_others(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    trials = tuple(
        replace(two[0].ranked[0], number=i, best_rmse=rmse, state=state, ended_at=100.0 - i)
        for i, (rmse, state) in enumerate(
            ((1.5, TrialState.COMPLETE), (1.2, TrialState.PRUNED), (1.3, TrialState.COMPLETE),
             (1.4, TrialState.COMPLETE), (None, TrialState.FAIL))
        )
    )  # fmt: skip
    bias = BaselineRecord("bias", "bias", 1.0, 0.1)
    # They ended in reverse order: a failed one, 1.4, 1.3, a pruned one, 1.5.
    study = replace(two[0], trials=trials, baselines=(bias,))
    steps = study_gaps(study, "#123456").so_far
    assert [n for n, _ in steps] == [2, 3, 5]
    assert [gap for _, gap in steps] == pytest.approx([0.4, 0.3, 0.3])


def test_names_are_escaped_in_the_pictures(two: tuple[StudyRecord, ...], tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>&\"'$x_1$"
    studies = [replace(study, name=f"{hostile}{i}") for i, study in enumerate(two)]
    paths = write_comparison(studies, tmp_path / "out")
    html = paths.html.read_text("utf-8")
    assert "<script>alert" not in html and "$x_1$0" in html
    for path in paths.figures:
        if path.suffix == ".svg":
            ElementTree.parse(path)


def test_the_csv_holds_the_trials_of_every_study(
    two: tuple[StudyRecord, ...], tmp_path: Path
) -> None:
    frame = pd.read_csv(write_comparison(two, tmp_path / "out").csv)
    assert frame["study"].value_counts().to_dict() == {"first": 12, "second": 16}
    assert list(frame.columns[:4]) == ["study", "rows", "joint_rank", "number"]
    assert set(frame["rows"]) == {"A"}
    placed = frame[frame["joint_rank"].notna()].sort_values("joint_rank")
    assert list(placed["joint_rank"]) == list(range(1, len(placed) + 1))
    assert placed["best_rmse"].is_monotonic_increasing
    assert set(placed["state"]) == {"COMPLETE"} and set(placed["study"]) == {"first", "second"}
    table = next(b for b in comparison_sections(two)["ranked-1"].blocks if isinstance(b, Table))
    told = [(row.cells[0], row.cells[1], row.cells[2].split()[0]) for row in table.rows]
    in_csv = zip(placed["joint_rank"], placed["study"], placed["number"], strict=True)
    assert told == [(f"{place:.0f}", study, f"#{n}") for place, study, n in in_csv][: len(told)]


def test_the_csv_says_which_studies_were_judged_on_the_same_rows(
    two: tuple[StudyRecord, ...], tmp_path: Path
) -> None:
    first, second = two
    dataset = {**second.dataset, "fingerprint": "f" * 64}
    apart = replace(second, provenance={**second.provenance, "dataset": dataset})
    frame = pd.read_csv(write_comparison((first, apart), tmp_path / "out").csv)
    assert frame.groupby("study")["rows"].unique().map(list).to_dict() == {
        "first": ["A"],
        "second": ["B"],
    }
    assert list(frame[frame["joint_rank"] == 1]["study"]) == ["first", "second"]
    formula = (replace(first, name="=1+1"), replace(apart, trials=()))
    frame = pd.read_csv(write_comparison(formula, tmp_path / "out").csv)
    assert set(frame["study"]) == {"'=1+1"}


@pytest.mark.usefixtures("undrawn")
def test_a_dimension_called_study_stands_beside_the_study(
    two: tuple[StudyRecord, ...], tmp_path: Path
) -> None:
    columns = (ColumnRecord("study", "int", 1, 9, False, ()),)
    trials = tuple(replace(trial, values={"study": 3}) for trial in two[0].trials)
    paths = write_comparison([replace(two[0], columns=columns, trials=trials), two[1]], tmp_path)
    frame = pd.read_csv(paths.csv)
    assert set(frame["study"]) == {"first", "second"} and 3 in set(frame["space.study"])


@pytest.mark.usefixtures("undrawn")
def test_the_command_compares_several_studies_and_reports_one(
    two: tuple[StudyRecord, StudyRecord], tmp_path: Path
) -> None:
    def lines(*arguments: str) -> list[str]:
        done = CliRunner().invoke(app, ["report", *arguments, "--studies", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output.split()

    compared = lines("first", "second")
    assert Path(compared[0]) == tmp_path / "compared" / "first-vs-second" / "comparison.html"
    assert "first · second" in Path(compared[0]).read_text("utf-8")
    for place in ("a", "b", "c"):
        shutil.copytree(tmp_path / "first", tmp_path / place / "first")
    of_one_name = {lines("first", str(tmp_path / place / "first"))[0] for place in ("a", "b", "c")}
    assert len(of_one_name) == 3
    long = ["a" * 60, "b" * 59]
    for name in (*long, f"{long[1]}-2"):
        shutil.copytree(tmp_path / "first", tmp_path / name)
    others = {Path(lines(long[0], name)[0]).parent for name in (long[1], f"{long[1]}-2")}
    assert len(others) == 2 and all(len(folder.name) == 100 for folder in others)
    assert Path(lines("first", "first")[0]) == tmp_path / "first" / "report" / "report.html"


@pytest.mark.usefixtures("undrawn")
def test_studies_of_one_name_are_called_by_their_paths(
    two: tuple[StudyRecord, StudyRecord], tmp_path: Path
) -> None:
    first, second = two
    for study, folder in ((first, "a/tiny"), (second, "b/tiny")):
        shutil.copytree(study.folder, tmp_path / folder)
    studies = [read_study(tmp_path / folder) for folder in ("a/tiny", "b/tiny", "second")]
    paths = write_comparison(studies, tmp_path / "compared")
    assert set(pd.read_csv(paths.csv)["study"]) == {"a/tiny", "b/tiny", "second"}
    assert "# a/tiny · b/tiny · second" in paths.markdown.read_text("utf-8")


def _arms_text_and_table(studies: tuple[StudyRecord, ...]) -> tuple[str, Table]:
    text, table, _ = comparison_sections(studies)["arms"].blocks
    assert isinstance(text, Text)
    assert isinstance(table, Table)
    return text.text, table


def test_the_arms_of_studies_that_compare_the_same_stand_study_by_study(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    text, table = _arms_text_and_table(two)
    assert [row.cells[0] for row in table.rows] == ["first", "second"]
    for study, row in zip(two, table.rows, strict=True):
        bias = study.baseline("bias")
        assert bias is not None
        for arm, cell in zip(("plain", "dcn"), row.cells[1:3], strict=True):
            best = min(t.best_rmse for t in study.ranked if t.arm == arm and t.best_rmse)
            assert cell == f"{best - bias.val_rmse:+.4f}".replace("-", "−")
    assert "After a verdict: none yet in 2." in text


def test_arms_that_share_no_more_than_a_name_are_told_so(two: tuple[StudyRecord, ...]) -> None:
    def with_code(study: StudyRecord, sha256: str) -> StudyRecord:
        code = {"dcn": {"sha256": sha256, "files": ["mine.py"]}}
        return replace(study, provenance=dict(study.provenance) | {"code": code})

    def told(*codes: str) -> str:
        studies = tuple(with_code(study, code) for study, code in zip(two, codes, strict=True))
        return repr(comparison_sections(studies)["arms"].blocks)

    assert "Not the same code in all of them: dcn." in told("a", "b")
    assert "Not the same code" not in told("a", "a")


def test_what_the_verdicts_decided_is_counted_by_arm(two: tuple[StudyRecord, ...]) -> None:
    best = {arm: next(t.number for t in two[0].ranked if t.arm == arm) for arm in ("plain", "dcn")}
    decided = judged(two[0], {best["plain"]: 0.3, best["dcn"]: 0.0})
    text, table = _arms_text_and_table((decided, two[1]))
    assert "After a verdict: decided for dcn in 1, none yet in 1." in text
    assert table.rows[0].cells[3].startswith("dcn beats plain by")
    lost = judged(two[0], {best["plain"]: 0.3, best["dcn"]: 0.1})
    text, table = _arms_text_and_table((lost, two[1]))
    assert "After a verdict: a baseline unbeaten in 1, none yet in 1." in text
    assert table.rows[0].cells[3] == "No model beats the bias baseline"


def test_a_verdict_whose_finalists_of_an_arm_failed_decided_nothing(
    two: tuple[StudyRecord, ...],
) -> None:
    best = {arm: next(t.number for t in two[0].ranked if t.arm == arm) for arm in ("plain", "dcn")}
    lost = judged(two[0], {best["plain"]: 0.3, best["dcn"]: 0.0}, failed=(best["plain"],))
    text, table = _arms_text_and_table((lost, two[1]))
    assert "After a verdict: not decided in 1, none yet in 1." in text
    assert table.rows[0].cells[3].startswith("Not decided: no plain finalist completed")


def test_studies_that_share_fewer_than_two_arms_ask_no_question_together(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    only_plain = tuple(t for t in two[1].trials if t.arm == "plain")
    assert "arms" not in comparison_sections((two[0], replace(two[1], trials=only_plain)))
    unasked = {key: value for key, value in two[1].sweep.items() if key != "compare"}
    assert "arms" not in comparison_sections((two[0], replace(two[1], sweep=unasked)))


def test_a_best_so_far_that_begins_above_its_picture_is_said(
    two: tuple[StudyRecord, StudyRecord],
) -> None:
    def told(first_rmse: float) -> str:
        trials = tuple(
            replace(two[0].ranked[0], number=i, best_rmse=rmse, ended_at=100.0 + i)
            for i, rmse in enumerate((first_rmse, 0.99))
        )
        bias = BaselineRecord("bias", "bias", 1.0, 0.1)
        studies = [replace(s, trials=trials, baselines=(bias,)) for s in two]
        pictures = comparison_sections(studies)["side-by-side"].blocks
        return next(b.caption for b in pictures if isinstance(b, Picture) and "step" in b.caption)

    said = "A line that comes in at the top: what came first is far off."
    assert said in told(1.5) and said not in told(1.0)
