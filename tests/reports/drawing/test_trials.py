from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.drawing.budget import BudgetCurve, budget_curves
from reports.drawing.canvas import NARROW, SERIES, WIDE
from reports.drawing.comparison import StudyGaps, best_so_far, gap_plot
from reports.drawing.trials import Curve, Dot, dot_plot, learning_curves
from reports.judging.expected_best import expected_best
from reports.sections.metrics import MetricCurve, metric_curves

EPOCHS, FALLING = (1, 2, 3), (1.2, 1.1, 1.05)


def drawn(kind: str, width: int) -> Figure:
    """Two named lines."""
    if kind == "curves":
        two = [Curve(f"#{i}", EPOCHS, FALLING, SERIES[i], False) for i in range(2)]
        return learning_curves(two, 1.02, width=width)
    if kind == "metric":
        more = [MetricCurve(f"#{i}", EPOCHS, FALLING, 2, SERIES[i]) for i in range(2)]
        return metric_curves("mae", more, width)
    if kind == "so-far":
        gaps = [StudyGaps(f"s{i}", SERIES[i], (i,), None, ((1, i), (9, i))) for i in range(2)]
        return best_so_far(gaps, width=width)
    points = expected_best([1.0, 1.1, 1.2], [1, 2, 3])
    arms = [BudgetCurve(f"arm {i}", SERIES[i], points, 1.0, (1.2, 1.1, 1.0)) for i in range(2)]
    return budget_curves(arms, 1.01, width=width)


def cut_off(figure: Figure) -> set[str]:
    """Texts that stand beyond the left or right edge; of ticks only those on the scale."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    unseen = set()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=True)
        unseen |= {tick.label1 for tick, at in ticks if not low <= at <= high}
    spans = {t: t.get_window_extent() for t in figure.findobj(Text) if t.get_text()}
    return {
        text.get_text()
        for text, span in spans.items()
        if text not in unseen and not -1 < span.x0 < span.x1 < figure.bbox.x1 + 1
    }


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("unit", [1.0, 12.0, 20_000.0])
def test_numbers_of_any_size_stand_within_the_picture(unit: float, width: int) -> None:
    dots = [Dot(f"#{i}", unit * (1 + i / 100), SERIES[i], False) for i in range(3)]
    assert not cut_off(dot_plot(dots, shaded_to=None, width=width))
    gaps = [StudyGaps(f"s{i}", SERIES[i], (-unit - i,), None, ((1, -unit),)) for i in range(2)]
    for is_of_range in (False, True):
        assert not cut_off(gap_plot(gaps, width=width, is_of_range=is_of_range))
        assert not cut_off(best_so_far(gaps, width=width, is_of_range=is_of_range))


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("kind", ["curves", "metric", "so-far", "budget"])
def test_a_legend_covers_no_line_and_tells_them_apart_without_colour(kind: str, width: int) -> None:
    figure = drawn(kind, width)
    (legend,) = figure.legends
    assert all(
        legend.get_window_extent().y0 >= axes.get_window_extent().y1 for axes in figure.axes[:1]
    )
    named = [line for line in legend.get_lines() if "bias" not in line.get_label()]
    dashes = {str(line._dash_pattern) for line in named}
    assert len(named) == len(dashes) == 2
