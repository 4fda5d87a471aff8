"""Drawings of the expected best against what was spent on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports import numbers
from reports.drawing.canvas import COLOURS, DASHES, WIDE, legend_above, legend_height, new_figure
from reports.judging.expected_best import ExpectedBest

ROUND_COUNTS = tuple(d * 10**e for e in range(6) for d in (1, 2, 5))
_ROUND_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 18_000,
                  36_000, 86_400, 172_800, 432_000, 864_000)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BudgetCurve:
    """One arm: what to expect of n complete trials, what they cost, and how it really went."""

    label: str
    colour: str
    points: tuple[ExpectedBest, ...]
    seconds_a_trial: float
    """Of all the arm's trials, divided by the complete ones."""
    values: tuple[float, ...]
    """Of the complete trials, in the order of the search."""


def budget_curves(curves: Sequence[BudgetCurve], bias: float | None, *, width: int) -> Figure:
    """Two panels over one another's scale: against complete trials, and against training time.

    Lines with bands: the expectation; thin, on the left: the order that the search took.
    """
    is_wide = width >= WIDE
    left_px, panel_h = (74, 300) if is_wide else (50, 236)
    low = min(point.low for curve in curves for point in curve.points)
    first = max(curve.points[0].mean for curve in curves)
    high = max(first + 0.3 * (first - low), low + 0.002)
    pad = 0.06 * (high - low)
    has_bias = bias is not None and low - pad < bias < high
    n_columns = 3 if is_wide else 2
    top_px = legend_height(len(curves) + has_bias, n_columns)
    figure = new_figure(width, top_px + (panel_h if is_wide else 2 * panel_h))
    for i, is_time in enumerate((False, True)):
        axes = _panel(figure, i, is_wide=is_wide, left_px=left_px, top_px=top_px)
        axes.set_xscale("log")
        axes.set_ylim(low - pad, high)
        axes.grid(axis="y")
        if bias is not None and has_bias:
            axes.axhline(
                bias, color=COLOURS["muted"], lw=1.2, ls=(0, (3, 3)), zorder=2,
                label=f"bias · {numbers.rmse(bias)}",
            )  # fmt: skip
        for curve, dashes in zip(curves, cycle(DASHES), strict=False):
            cost = curve.seconds_a_trial if is_time else 1.0
            x = [point.n * cost for point in curve.points]
            axes.fill_between(
                x, [p.low for p in curve.points], [p.high for p in curve.points],
                color=curve.colour, alpha=0.16, lw=0, zorder=3,
            )  # fmt: skip
            axes.plot(
                x, [p.mean for p in curve.points], color=curve.colour, lw=2, ls=dashes, zorder=5,
                label=curve.label,
            )  # fmt: skip
            axes.plot(x[-1], curve.points[-1].mean, "o", ms=6, color=curve.colour, zorder=6)
            if not is_time:
                went = tuple(accumulate(curve.values, min))
                axes.step(
                    range(1, len(went) + 1), went, where="post", color=curve.colour, lw=1.2,
                    ls=(0, (2, 2)), zorder=4,
                )  # fmt: skip
        _log_ticks(axes, is_time=is_time, at_most=6 if is_wide else 5)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
        axes.set_xlabel("training time of the arm" if is_time else "complete trials")
        if i == 0:
            axes.set_ylabel("expected best RMSE" if is_wide else "")
            legend_above(figure, axes, n_columns)
        elif is_wide:
            axes.tick_params(axis="y", labelleft=False)
    return figure


def _panel(figure: Figure, index: int, *, is_wide: bool, left_px: int, top_px: int) -> Axes:
    width, height = figure.get_size_inches() * 72
    if is_wide:
        each = (width - left_px - 24 - 12) / 2
        box = (left_px + index * (each + 24), 44, each, height - top_px - 44 - 12)
    else:
        each = (height - top_px) / 2
        box = (left_px, (1 - index) * each + 44, width - left_px - 14, each - 44 - 12)
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))


def _log_ticks(axes: Axes, *, is_time: bool, at_most: int) -> None:
    """Round numbers within the panel, as many as have room."""
    low, high = axes.get_xlim()
    ticks = _ROUND_SECONDS if is_time else ROUND_COUNTS
    inside = [tick for tick in ticks if low <= tick <= high]
    every = -(-len(inside) // at_most) or 1
    axes.xaxis.set_major_locator(FixedLocator(inside[::every]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: _short_time(x) if is_time else f"{x:,.0f}")
    )


def _short_time(seconds: float) -> str:
    """`30 s`, `5 min`, `2 h`, `1 d`: of the round numbers on the axis."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
