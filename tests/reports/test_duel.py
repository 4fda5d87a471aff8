"""Crossing or size, and what the cross layers cross: the sections of a duel of plain and dcn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.records import StudyRecord, Value
from reports.blocks import Command, Note, Picture, Problem, Section, Table, Text
from reports.described import layers
from reports.drawing.crossing import norm_text
from reports.judging.decision import deciding_pair, label, leading_finalist
from reports.sections.crossing import N_PICTURES, crossing
from reports.sections.segments import collapsed_models
from reports.sections.size import size
from reports.sections.summary import summary
from reports.sections.verdict import verdict
from tests.reports.verdicts import crossing_record, judged


def arms_judged(study: StudyRecord, dcn: float, control: float, **options: object) -> StudyRecord:
    """The best of each arm and the control beside the dcn, each off by so much."""
    best = {arm: next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn")}
    offsets = {best["plain"]: 0.02, best["dcn"]: dcn}
    return judged(study, offsets, control=control, **options)  # type: ignore[arg-type]


def text_of(section: Section | None) -> str:
    assert section is not None
    return next(b.text for b in section.blocks if isinstance(b, Text | Problem))


def table_of(section: Section | None) -> Table:
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Table))


def best_dcn(study: StudyRecord) -> str:
    return f"#{next(t.number for t in study.ranked if t.arm == 'dcn')}"


@pytest.mark.parametrize(
    ("dcn", "control", "said"),
    [
        (0.0, 0.02, "its size alone does not explain that"),
        (0.01, 0.0105, "tie within 0.003: the crossing adds nothing that matters"),
        (0.01, 0.0125, "is ahead of a plain model by"),
        (0.0125, 0.01, "a plain model is ahead of #"),
        (0.0125, 0.01, "it may be less than the 0.003 that matters"),
        (0.02, 0.0, "better spent on wider layers than on crossing"),
    ],
)
def test_each_answer_has_its_sentence(
    study: StudyRecord, dcn: float, control: float, said: str
) -> None:
    assert said in text_of(size(arms_judged(study, dcn, control)))


def test_the_sizes_stand_beside_the_difference_to_the_dcn(study: StudyRecord) -> None:
    found = arms_judged(study, 0.0, 0.02)
    rows = [row.cells for row in table_of(size(found)).rows]
    dcn = best_dcn(study)
    assert [cells[0].split(",")[0] for cells in rows[:2]] == [f"{dcn} dcn", "plain"]
    assert rows[1][0] == f"plain, size of {dcn}"
    assert rows[1][2:4] == ("54,321", "99-50")
    section = size(found)
    assert section is not None
    (again,) = (block for block in section.blocks if isinstance(block, Command))
    assert again.lines[0].startswith("recsweep best made-up:1000000 > ")
    assert rows[0][5] == "–" and float(rows[1][5]) == pytest.approx(0.02, abs=2e-4)
    assert "plain" in rows[2][0] and rows[2][0] != rows[1][0]
    turned = [row.cells for row in table_of(size(arms_judged(study, 0.02, 0.0))).rows]
    gap, low, high = (
        float(text.replace("−", "-")) for text in (turned[1][5], *turned[1][6].split(" to "))
    )
    assert low < gap < high < 0 and gap == pytest.approx(-0.02, abs=2e-4)


@pytest.mark.parametrize(
    ("is_default", "what"),
    [(True, "the best plain of the list"), (False, "the best plain of the list, tuned")],
)
def test_only_what_the_search_proposed_is_called_tuned(
    study: StudyRecord, is_default: bool, what: str
) -> None:
    trials = tuple(replace(trial, is_default=is_default) for trial in study.trials)
    found = arms_judged(replace(study, trials=trials), 0.0, 0.02)
    assert table_of(size(found)).rows[2].cells[1] == what


def test_a_dcn_that_did_not_complete_decides_nothing(study: StudyRecord) -> None:
    number = int(best_dcn(study)[1:])
    assert "did not complete" in text_of(size(arms_judged(study, 0.0, 0.02, failed=(number,))))


def test_there_is_nothing_to_say_without_a_control(study: StudyRecord) -> None:
    assert size(study) is None
    assert size(judged(study, {study.ranked[0].number: 0.01})) is None


def test_a_control_is_judged_and_shown_but_never_leads(study: StudyRecord) -> None:
    found = arms_judged(study, 0.01, 0.0)
    assert found.verdict is not None and found.verdict.results is not None
    results = found.verdict.results
    control = results.finalists[0].name
    assert label(found, control) == f"plain, size of {best_dcn(study)}"
    leader, pair = leading_finalist(found), deciding_pair(found, results)
    assert leader is not None and leader.name != control
    assert pair is not None and control not in (pair.first, pair.second)
    first = table_of(verdict(found)).rows[0]
    assert first.cells[0] == label(found, control) and first.look == "best"
    assert first.cells[1] == "size control" and first.cells[-1] == "54,321"
    number = next(f"{f.mean:.4f}" for f in results.finalists if f.name == control[8:])
    said = repr(summary(found).blocks)
    assert f"dcn, default, {number}, is beaten by a plain model of its size" in said
    undecided = repr(summary(arms_judged(study, 0.0125, 0.01)).blocks)
    assert "was not shown to beat a plain model of its size" in undecided
    assert "a plain model of its size" not in repr(summary(arms_judged(study, 0.0, 0.02)).blocks)
    assert found.segments is not None
    spreads = found.segments.spreads
    flat = {**spreads, control: replace(spreads[control], sd=0.01)}
    assert collapsed_models(replace(found, segments=replace(found.segments, spreads=flat))) == (
        control,
    )


def with_crossings(study: StudyRecord, moved: float, n: int = 1) -> StudyRecord:
    found = arms_judged(study, 0.0, 0.02)
    assert found.verdict is not None and found.verdict.results is not None
    names = [f.name for f in found.verdict.results.finalists][:1]
    dcns = [t.name for t in study.ranked if t.arm == "dcn"]
    assert names[0] == dcns[0]
    results = found.verdict.results
    more = tuple(replace(results.finalists[0], name=name) for name in dcns[1:n])
    results = replace(results, finalists=(*results.finalists, *more))
    return replace(
        found,
        verdict=replace(found.verdict, results=results),
        crossings={name: crossing_record(moved) for name in dcns[:n]},
    )


def test_a_block_that_grew_is_named_and_drawn(study: StudyRecord) -> None:
    section = crossing(with_crossings(study, moved=0.9))
    assert section is not None
    texts = [block.text for block in section.blocks if isinstance(block, Text)]
    assert "the maps show more than that start" in texts[0]
    assert "largest block user_id × item_id in layer 1 (2.4" in texts[1]
    (drawn,) = (block for block in section.blocks if isinstance(block, Picture))
    for text in ("user_id", "item_id", "year", "cross layer 1", "cross layer 2"):
        assert f">{text}<" in drawn.wide and f">{text}<" in drawn.narrow
    assert "user_id with user_id" in drawn.alt
    rows = table_of(section).rows
    assert len(rows) == 2 * 3 * 3
    start, norm = float(rows[1].cells[6]), float(rows[1].cells[4])
    assert rows[1].cells[1:4] == ("1", "user_id", "item_id") and norm == pytest.approx(start + 2)


def test_kernels_that_training_hardly_moved_are_called_their_start(study: StudyRecord) -> None:
    section = crossing(with_crossings(study, moved=0.1))
    assert "by 10 % of the length" in text_of(section) and "mostly still that start" in text_of(
        section
    )


def test_the_best_are_drawn_and_the_others_counted(study: StudyRecord) -> None:
    section = crossing(with_crossings(study, moved=0.9, n=N_PICTURES + 2))
    assert section is not None
    assert sum(isinstance(block, Picture) for block in section.blocks) == N_PICTURES
    one_more = crossing(with_crossings(study, moved=0.9, n=N_PICTURES + 1))
    assert "1 more finalist is in crossing.json" in repr(one_more)
    assert "2 more finalists" in next(b.text for b in section.blocks if isinstance(b, Note))


def test_nothing_is_crossed_without_a_judged_dcn(study: StudyRecord) -> None:
    assert crossing(study) is None
    assert crossing(judged(study, {study.ranked[0].number: 0.01})) is None


@pytest.mark.parametrize(
    ("norm", "text"), [(0.372, ".37"), (0.996, "1.0"), (1.25, "1.2"), (14.6, "15")]
)
def test_norms_fit_a_cell(norm: float, text: str) -> None:
    assert norm_text(norm) == text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"n_layers": 2, "layer_size_0": 128, "layer_size_1": 16}, "128-16"),
        ({"n_layers": 0}, "none"),
        ({"architecture": "dcn"}, "64-32"),
        ({"architecture": "dcn", "n_layers": 1}, "64"),
        ({"architecture": "dcn", "n_layers": 3}, None),
        ({"architecture": "plain"}, "48-48-48"),
        ({"architecture": "plain", "layer_size_1": 8}, "48-8-48"),
    ],
)
def test_layers_are_told_where_the_sweep_fixes_them_or_says_nothing(
    study: StudyRecord, values: dict[str, Value], told: str | None
) -> None:
    left_open = {"dcn": {"n_layers": 2, "layer_sizes": "64-32"}}
    fixed = {"n_layers": 3, "layer_size": 48} if values.get("architecture") == "plain" else {}
    found = replace(
        study,
        sweep={**study.sweep, "model": fixed},
        provenance={**study.provenance, "left_open": {"model": left_open}},
    )
    assert layers(found, values) == told


def test_layers_that_are_not_on_record_are_not_told(study: StudyRecord) -> None:
    found = replace(study, sweep={}, provenance={})
    assert layers(found, {"architecture": "dcn"}) is None
    assert layers(found, {"architecture": "dcn", "n_layers": 2}) is None
