from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.records import StudyRecord
from reports.blocks import Picture, Problem, Table, WatchOuts
from reports.sections.segments import COLLAPSED, collapsed_models, segments
from reports.sections.summary import summary
from tests.reports.verdicts import judged, segments_of_names


def with_segments(study: StudyRecord, *sds: float) -> StudyRecord:
    """A verdict on the best trials, of this spread each, and on the best baseline."""
    trials = study.ranked[: len(sds)]
    decided = judged(study, {t.number: 0.01 * i for i, t in enumerate(trials)})
    names = (*(trial.name for trial in trials), "matrix_factorisation")
    by_name = {f"_{t.name}": sd for t, sd in zip(trials, sds, strict=True)}
    record = segments_of_names(names, **by_name, _matrix_factorisation=0.01)
    return replace(decided, segments=record)


def test_a_model_that_predicts_the_mean_is_called_collapsed(study: StudyRecord) -> None:
    study = with_segments(study, 0.5, 0.02)
    collapsed = study.ranked[1]
    assert collapsed_models(study) == (collapsed.name,)
    section = segments(study)
    assert section is not None
    problem = section.blocks[0]
    assert isinstance(problem, Problem) and f"#{collapsed.number}" in problem.text
    watch_outs = [b for block in summary(study).blocks for b in getattr(block, "margin", (block,))]
    items = [i.text for b in watch_outs if isinstance(b, WatchOuts) for i in b.items]
    assert any(text.startswith("Collapsed") for text in items)


@pytest.mark.parametrize(("sd", "is_collapsed"), [(COLLAPSED - 1e-9, True), (COLLAPSED, False)])
def test_collapse_begins_under_a_tenth_of_the_labels_spread(
    study: StudyRecord, sd: float, is_collapsed: bool
) -> None:
    assert bool(collapsed_models(with_segments(study, sd, 0.5))) is is_collapsed


def test_a_baseline_is_not_called_collapsed(study: StudyRecord) -> None:
    assert collapsed_models(with_segments(study, 0.5, 0.5)) == ()


def test_the_lowest_error_of_each_segment_is_marked(study: StudyRecord) -> None:
    section = segments(with_segments(study, 0.5, 0.4))
    assert section is not None
    table = next(b for b in section.blocks if isinstance(b, Table))
    assert table.rows[0].cells[2:] == ("1,234", "1.0000*", "1.1000", "1.2000")
    assert any(isinstance(b, Picture) for b in section.blocks)


def test_only_where_errors_are_cut_by_rating_something_is_said_of_it(study: StudyRecord) -> None:
    shown = with_segments(study, 0.5, 0.4)
    assert shown.segments is not None and "By rating" not in repr(segments(shown))
    by_rating = tuple(replace(segment, kind="rating") for segment in shown.segments.segments)
    cut = replace(shown, segments=replace(shown.segments, segments=by_rating))
    assert "By rating, those far from the mean look worst" in repr(segments(cut))


def test_without_judged_predictions_there_is_no_section(study: StudyRecord) -> None:
    assert segments(study) is None
