from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.records import ColumnRecord, StudyRecord, Value
from reports.blocks import Picture
from reports.drawing.space import Axis, Line, parallel_coordinates
from reports.sections.space import space
from tests.reports.conftest import MakeStudy, with_one_complete, without_complete

LOG = ColumnRecord("learning_rate", "float", 1e-4, 1e-2, True, ())
INT = ColumnRecord("n_layers", "int", 1.0, 3.0, False, ())
CHOICE = ColumnRecord("optimizer", "choice", None, None, False, ("adam", "sgd", "adagrad"))
POINT = ColumnRecord("dropout", "float", 0.2, 0.2, False, ())


@pytest.mark.parametrize(
    ("column", "value", "place"),
    [
        (LOG, 1e-4, 0.0), (LOG, 1e-3, 0.5), (LOG, 1e-2, 1.0),
        (INT, 1, 0.0), (INT, 2, 0.5), (INT, 3, 1.0),
        (CHOICE, "adam", 0.0), (CHOICE, "sgd", 0.5), (CHOICE, "adagrad", 1.0),
        (POINT, 0.2, 0.5),
    ],
)  # fmt: skip
def test_a_value_lies_on_the_scale_that_it_was_drawn_from(
    column: ColumnRecord, value: Value, place: float
) -> None:
    assert Axis(column).place(value) == pytest.approx(place)


def test_whole_numbers_are_named_one_by_one_while_they_are_few() -> None:
    assert [text for _, text in Axis(INT).ticks] == ["1", "2", "3"]
    many = ColumnRecord("batch", "int", 1.0, 500.0, True, ())
    assert [text for _, text in Axis(many).ticks] == ["1", "500"]


def test_names_of_choices_are_cut_before_they_overlap_and_else_both_ends_stand() -> None:
    names = ("plain", "dcn", "gated_with_a_long_name_of_its_own", "offsets", "constant", "towers")
    axis = Axis(ColumnRecord("architecture", "choice", None, None, False, names))
    for width, n in ((720, 6), (340, 2)):
        figure = parallel_coordinates([axis], [Line((0.5,), 1.0, None)], width=width)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        ticks = [t for t in figure.axes[0].texts if t.get_fontsize() == 11]
        assert len(ticks) == n
        boxes = sorted((t.get_window_extent() for t in ticks), key=lambda box: box.x0)
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ((0.000125, 0.00025, 0.0005, 0.001), ["0.000125", "0.001"]),
        ((65536, 131072, 262144, 524288, 1048576), ["65536", "1048576"]),
        ((8, 16, 32, 64), ["8", "16", "32", "64"]),
        (("adam", "adagrad", "rmsprop", "sgd"), ["adam", "adagrad", "rmsprop", "sgd"]),
        ((False, True), ["no", "yes"]),
    ],
)
def test_ticks_are_whole_where_neighbours_leave_room_and_numbers_are_never_cut(
    choices: tuple[Value, ...], told: list[str]
) -> None:
    axis = Axis(ColumnRecord("some", "choice", None, None, False, choices))
    figure = parallel_coordinates([axis], [Line((0.5,), 1.0, None)], width=340)
    assert [t.get_text() for t in figure.axes[0].texts if t.get_fontsize() == 11] == told


def test_widths_of_layers_are_counted_from_one() -> None:
    assert Axis(ColumnRecord("layer_size_0", "choice", None, None, False, (8,))).name == "width 1"


def test_both_pictures_name_every_dimension_that_varies(study: StudyRecord) -> None:
    section = space(study)
    assert section is not None
    parallel, slices = (b for b in section.blocks if isinstance(b, Picture))
    for name in ("optimizer", "learning_rate", "width 1", "dropout", "cross_layers"):
        assert f">{name}<" in parallel.wide and f">{name}<" in slices.narrow
    assert ">architecture<" in parallel.wide and "architecture" not in parallel.alt
    assert ">architecture<" not in slices.wide  # the arms are told apart by shape and colour
    assert "; circles: plain; squares: dcn. Dashed, where" in slices.caption


def test_fewer_than_two_complete_trials_span_no_space(study: StudyRecord) -> None:
    assert space(without_complete(study)) is None
    assert space(with_one_complete(study)) is None


def test_a_study_without_arms_has_both_pictures(make: MakeStudy) -> None:
    section = space(make(n_trials=16, compare=False))
    assert section is not None and len(section.blocks) == 3


def test_a_space_of_one_dimension_is_one_rail_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = parallel_coordinates([Axis(INT)], [Line((0.5,), 1.0, None)], width=720)
    assert figure.axes[0].get_ylim() == (1, 0)
