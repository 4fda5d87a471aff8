"""The drawings of a study: dots in a row each, trials by arm, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import numbers
from reports.drawing.canvas import (
    COLOURS,
    DASHES,
    WIDE,
    best_ring,
    epoch_axes,
    heights_apart,
    legend_above,
    new_axes,
    new_figure,
    row_labels,
)
from reports.drawing.fitting import room_for


@dataclass(frozen=True, slots=True)
class Dot:
    """One row of the dot plot."""

    label: str
    rmse: float
    colour: str
    is_baseline: bool
    may_be_off: bool = False
    """Far to the right it is drawn at the edge with an arrow, so that it squeezes nobody."""
    interval: tuple[float, float] | None = None
    """Of a mean over seeds, which is drawn filled."""


@dataclass(frozen=True, slots=True)
class Curve:
    """`val_rmse` by epoch of one trial."""

    label: str
    epochs: tuple[int, ...]
    rmse: tuple[float, ...]
    colour: str | None
    """None draws it grey, in the background."""
    is_pruned: bool


def dot_scale(dots: Sequence[Dot]) -> tuple[float, float]:
    """The ends of a dot plot's scale; what lies above stands there as an arrow."""
    values = [value for dot in dots for value in (dot.rmse, *(dot.interval or ()))]
    low = min(values)
    near = max(
        (max(dot.rmse, *(dot.interval or (low,))) for dot in dots if not dot.may_be_off),
        default=low,
    )
    return low, min(max(values), low + 1.7 * max(near - low, 0.003))


def dot_plot(dots: Sequence[Dot], *, shaded_to: float | None, width: int) -> Figure:
    """Rows from best to worst: hollow circles for one seed each, filled ones for a mean over seeds
    with its interval, filled diamonds for baselines.

    `shaded_to`: right end of the band that begins at the best.
    """
    is_wide = width >= WIDE
    row_px, bottom_px = 23, 44
    height = 8 + row_px * len(dots) + bottom_px
    figure = new_figure(width, height)
    left = _left_of([dot.label for dot in dots], 160) if is_wide else 138
    right = math.ceil(room_for([numbers.rmse(dot.rmse) for dot in dots])) + 14
    axes = new_axes(figure, left=left, right=right, top=8, bottom=bottom_px)
    low, high = dot_scale(dots)
    pad = 0.05 * (high - low) or 0.001
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(dots) - 0.4, -0.6)
    if shaded_to is not None:
        first = min(dot.rmse for dot in dots if not dot.is_baseline)
        axes.axvspan(first, min(shaded_to, high + pad), color=COLOURS["band"], lw=0, zorder=0)
    for y, dot in enumerate(dots):
        text_colour = COLOURS["muted"] if dot.is_baseline else COLOURS["ink"]
        axes.axhline(y, color=COLOURS["rule"], lw=1, zorder=1)
        is_off = dot.rmse > high
        marker = ">" if is_off else "D" if dot.is_baseline else "o"
        x = high + pad if is_off else dot.rmse
        if dot.interval is not None and not is_off:
            ends = [max(low - pad, dot.interval[0]), min(high + pad, dot.interval[1])]
            axes.plot(ends, [y, y], color=dot.colour, lw=2.2, solid_capstyle="butt", zorder=3)
        is_hollow = not dot.is_baseline and dot.interval is None
        _mark(axes, x, y, marker, dot.colour, is_hollow=is_hollow)
        axes.annotate(
            numbers.rmse(dot.rmse), (1, y), xycoords=("axes fraction", "data"), xytext=(14, 0),
            textcoords="offset points", va="center", ha="left", color=text_colour,
        )  # fmt: skip
    row_labels(axes, [dot.label for dot in dots])
    for text, dot in zip(axes.get_yticklabels(), dots, strict=True):
        text.set_color(COLOURS["muted"] if dot.is_baseline else COLOURS["ink"])
    axes.xaxis.set_major_locator(MaxNLocator(6 if is_wide else 3))
    axes.set_xlabel("validation RMSE (lower is better)" if is_wide else "validation RMSE")
    return figure


def strip_plot(
    arms: Mapping[str, Sequence[float]],
    colours: Mapping[str, str],
    lines: Sequence[tuple[str, float]],
    *,
    width: int,
) -> Figure:
    """A row an arm: each trial a dot, the best filled, the median a bar; baselines as lines."""
    is_wide = width >= WIDE
    figure = new_figure(width, 24 + 62 * len(arms) + 44)
    left = _left_of(list(arms), 120) if is_wide else min(_left_of(list(arms), 84), 138)
    axes = new_axes(figure, left=left, right=20, top=24, bottom=44)
    values = sorted(value for row in arms.values() for value in row)
    marked = [value for _, value in lines]
    low = min([values[0], *marked])
    # The worst twentieth would squeeze the others: it stands at the right end.
    high = max([values[math.ceil(0.95 * len(values)) - 1], low + 0.002, *marked])
    pad = 0.05 * (high - low)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    for name, value in lines:
        axes.axvline(value, color=COLOURS["muted"], lw=1, ls=(0, (3, 3)), zorder=1)
        axes.annotate(
            name, (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 5),
            textcoords="offset points", ha="center", color=COLOURS["muted"], fontsize=12,
        )  # fmt: skip
    for y, (arm, row) in enumerate(arms.items()):
        colour = colours[arm]
        heights = [y + offset for offset in heights_apart(len(row))]
        inside = [min(value, high + 0.6 * pad) for value in row]
        axes.scatter(
            inside, heights, s=34, facecolors="none", edgecolors=colour, linewidths=1.2, zorder=3
        )
        if row:
            best = min(range(len(row)), key=lambda i: row[i])
            axes.scatter([row[best]], [heights[best]], s=44, color=colour, zorder=4)
            middle = median(row)
            if middle <= high:
                axes.plot([middle] * 2, [y - 0.36, y + 0.36], color=COLOURS["ink"], lw=2, zorder=5)
    row_labels(axes, list(arms))
    axes.xaxis.set_major_locator(MaxNLocator(7 if is_wide else 3))
    axes.set_xlabel("validation RMSE (lower is better)" if is_wide else "validation RMSE")
    return figure


def learning_curves(curves: Sequence[Curve], bias: float | None, *, width: int) -> Figure:
    """`val_rmse` by epoch: the best in colour, named at their best epoch; a cross ends pruning."""
    n_named = sum(curve.colour is not None for curve in curves) + (bias is not None)
    longest = max(curve.epochs[-1] for curve in curves)
    figure, axes = epoch_axes(longest, n_named, (366, 290), width=width)
    finite = sorted(v for curve in curves for v in curve.rmse)
    low = min(finite[0], bias) if bias is not None else finite[0]
    # First epochs and diverging trials would flatten everything else: they leave at the top.
    high = max(finite[math.ceil(0.67 * len(finite)) - 1], bias or low, low + 0.002)
    pad = 0.06 * (high - low)
    axes.set_ylim(low - pad, high + pad)
    if bias is not None:
        name = f"bias · {numbers.rmse(bias)}"
        axes.axhline(bias, color=COLOURS["muted"], lw=1.2, ls=(0, (3, 3)), zorder=4, label=name)
    dashes = cycle(DASHES)
    for curve in curves:
        if curve.colour is None:
            axes.plot(curve.epochs, curve.rmse, color=COLOURS["ghost"], lw=0.9, alpha=0.7, zorder=2)
            if curve.is_pruned and curve.rmse[-1] < high:
                axes.plot(
                    curve.epochs[-1], curve.rmse[-1], "x", color=COLOURS["muted"], ms=5, mew=1.1,
                    zorder=3,
                )  # fmt: skip
    for curve in curves:
        if curve.colour is not None:
            best = min(range(len(curve.rmse)), key=lambda i: curve.rmse[i])
            axes.plot(
                curve.epochs, curve.rmse, color=curve.colour, ls=next(dashes), lw=2, zorder=5,
                label=curve.label,
            )  # fmt: skip
            best_ring(axes, curve.epochs[best], curve.rmse[best], curve.colour)
    axes.set_ylabel("validation RMSE" if width >= WIDE else "")
    legend_above(figure, axes, 3 if width >= WIDE else 2)
    return figure


def _left_of(names: Sequence[str], at_least: int) -> int:
    """The room for names of rows, in pixels; long ones are cut."""
    return max(at_least, min(math.ceil(room_for(names)) + 6, 240))


def _mark(axes: Axes, x: float, y: float, marker: str, colour: str, *, is_hollow: bool) -> None:
    axes.plot(
        x, y, marker, ms=8 if marker != "D" else 6.5, mew=1.8, color=colour,
        mfc=COLOURS["paper"] if is_hollow else colour, zorder=4, clip_on=False,
    )  # fmt: skip
