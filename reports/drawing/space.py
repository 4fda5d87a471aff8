"""Drawings of where in the space the trials lie: parallel coordinates, and a slice a dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.records import ColumnRecord, Value
from reports import numbers
from reports.drawing.canvas import (
    COLOURS,
    DASHES,
    WIDE,
    legend_above,
    legend_height,
    new_axes,
    new_figure,
)
from reports.drawing.fitting import fitted, room_for

N_TICKS = 8
"""Of more choices the axis names the first and the last."""
_LEAST_TICK_PX = 36
"""In less room nothing of a name can be read."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension, laid out from 0 to 1."""

    column: ColumnRecord

    @property
    def name(self) -> str:
        number = self.column.name.removeprefix("layer_size_")
        is_width = number != self.column.name and number.isdigit()
        return f"width {int(number) + 1}" if is_width else self.column.name

    @property
    def has_names(self) -> bool:
        """Whether its ticks are words, which can be told by a part of them."""
        return any(isinstance(choice, str) for choice in self.column.choices)

    @property
    def is_discrete(self) -> bool:
        """Few places, on which many trials would cover one another."""
        return bool(self.column.choices) or len(self.ticks) > 2

    def place(self, value: Value) -> float:
        """From 0 (low, or the first choice) to 1, on the scale that is drawn from."""
        column = self.column
        if column.choices:
            if value not in column.choices:
                return 0.5
            n = len(column.choices)
            return column.choices.index(value) / (n - 1) if n > 1 else 0.5
        assert column.low is not None and column.high is not None
        low, high, at = column.low, column.high, float(value)
        if column.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        column = self.column
        if column.choices:
            shown = column.choices
            if len(shown) > N_TICKS:
                shown = (shown[0], shown[-1])
            return tuple((self.place(choice), numbers.value(choice)) for choice in shown)
        assert column.low is not None and column.high is not None
        ends: list[Value] = [column.low, column.high]
        if column.kind == "int" and column.high - column.low < N_TICKS:
            ends = list(range(int(column.low), int(column.high) + 1))
        elif column.kind == "int":
            ends = [int(column.low), int(column.high)]
        return tuple((self.place(end), numbers.value(end)) for end in ends)


@dataclass(frozen=True, slots=True)
class Line:
    """One trial: its values, its RMSE, and the colour of those that stand out."""

    places: tuple[float | None, ...]
    """By axis; None where the dimension is not active."""
    rmse: float
    colour: str | None
    label: str = ""
    """Of one in colour."""


def parallel_coordinates(axes_: Sequence[Axis], lines: Sequence[Line], *, width: int) -> Figure:
    """A horizontal rail a dimension, a line a trial from top to bottom; the best in colour.

    Rails lie so that names and ends have room on a phone as on a desk.
    """
    is_wide = width >= WIDE
    row_px, left_px = 46, 140 if is_wide else 112
    named = [line for line in lines if line.label]
    dashes = dict(zip((line.label for line in named), cycle(DASHES), strict=False))
    n_columns = 3 if is_wide else 2
    top_px = 20 + legend_height(len(named), n_columns)
    n_rows = max(1, len(axes_) - 1)  # a lone rail stands above an empty row
    figure = new_figure(width, top_px + row_px * n_rows + 34)
    axes = new_axes(figure, left=left_px, right=24, top=top_px, bottom=34)
    axes.set_xlim(0, 1)
    axes.set_ylim(n_rows, 0)
    axes.set_axis_off()
    for y, axis in enumerate(axes_):
        (name,) = fitted([axis.name], left_px - 6)
        axes.plot([0, 1], [y, y], color=COLOURS["ghost"], lw=1, zorder=1, clip_on=False)
        axes.annotate(
            name, (0, y), xytext=(1 - left_px, 0), va="center", ha="left",
            textcoords="offset points", fontsize=12.5,
        )  # fmt: skip
        for x, text in _ticks_with_room(axis, width - left_px - 24):
            axes.plot([x], [y], "|", color=COLOURS["ghost"], ms=7, zorder=1, clip_on=False)
            axes.annotate(
                text, (x, y), xytext=(0, -7), textcoords="offset points", va="top", fontsize=11,
                ha="left" if x == 0 else "right" if x == 1 else "center", color=COLOURS["muted"],
                bbox={"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 0.8}, zorder=5,
            )  # fmt: skip
    for line in sorted(lines, key=lambda line: (line.colour is not None, -line.rmse)):
        # A gap where a dimension is not active: the line goes straight on to the next one.
        points = [(x, y) for y, x in enumerate(line.places) if x is not None]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], clip_on=False,
            color=line.colour or COLOURS["ghost"], lw=1.7 if line.colour else 0.7,
            alpha=0.9 if line.colour else 0.45, zorder=4 if line.colour else 2,
            marker="o" if line.colour else None, ms=4, label=line.label or None,
            ls=dashes.get(line.label, "-"),
        )  # fmt: skip
    legend_above(figure, axes, n_columns, is_last_first=True)  # best first, as everywhere
    return figure


def _ticks_with_room(axis: Axis, rail_px: float) -> Sequence[tuple[float, str]]:
    """All of them, with names cut if need be; both ends where too little is left of names, or
    numbers have no room."""
    ticks = axis.ticks
    spans = [_span(x, text, rail_px) for x, text in ticks]
    if all(right + 4 <= left for (_, right), (left, _) in pairwise(spans)):
        return ticks
    apart = min(b - a for (a, _), (b, _) in pairwise(ticks))
    room = 2 / 3 * apart * rail_px - 4  # one at an end stands beside its place, not around it
    if room < _LEAST_TICK_PX or not axis.has_names:
        ticks, room = (ticks[0], ticks[-1]), rail_px / 2 - 4
    texts = [text for _, text in ticks]
    if axis.has_names:
        texts = fitted(texts, room, 11)
    return [(x, text) for (x, _), text in zip(ticks, texts, strict=True)]


def _span(x: float, text: str, rail_px: float) -> tuple[float, float]:
    """From where to where a tick is written, in pixels along its rail."""
    width = room_for([text], 11)
    left = x * rail_px - width * (0 if x == 0 else 1 if x == 1 else 0.5)
    return left, left + width


@dataclass(frozen=True, slots=True)
class Dots:
    """The trials of one slice: place along its dimension, RMSE, colour, marker."""

    axis: Axis
    points: tuple[tuple[float, float, str, str], ...]


def slices(panels: Sequence[Dots], bias: float | None, *, width: int) -> Figure:
    """A small plot a dimension: RMSE of every complete trial against its value."""
    n_columns = 3 if width >= WIDE else 2
    n_rows = -(-len(panels) // n_columns)
    cell_w, cell_h = width / n_columns, 168
    figure = new_figure(width, cell_h * n_rows)
    every = sorted(rmse for panel in panels for _, rmse, *_ in panel.points)
    low = every[0]
    # The worst tenth would flatten the others: it stands at the top.
    high = max(every[math.ceil(0.9 * len(every)) - 1], low + 0.002)
    pad = 0.06 * (high - low)
    for i, panel in enumerate(panels):
        row, column = divmod(i, n_columns)
        left, bottom = 46 if column == 0 else 30, 28
        box = (
            (column * cell_w + left) / width,
            1 - ((row + 1) * cell_h - bottom) / (cell_h * n_rows),
            (cell_w - left - 8) / width,
            (cell_h - bottom - 26) / (cell_h * n_rows),
        )
        axes = figure.add_axes(box)
        axes.set_xlim(-0.06, 1.06)
        axes.set_ylim(low - pad, high + pad)
        axes.set_title(panel.axis.name, loc="left", fontsize=12.5, color=COLOURS["ink"], pad=6)
        axes.grid(axis="y")
        if bias is not None and low - pad < bias < high + pad:
            axes.axhline(bias, color=COLOURS["muted"], lw=1, ls=(0, (3, 3)), zorder=2)
        for kind in dict.fromkeys((colour, marker) for *_, colour, marker in panel.points):
            points = [(x, rmse) for x, rmse, *rest in panel.points if tuple(rest) == kind]
            axes.scatter(
                [x for x, _ in points], [min(rmse, high + 0.6 * pad) for _, rmse in points],
                s=15, facecolors="none", edgecolors=kind[0], marker=kind[1], linewidths=1.1,
                zorder=3,
            )  # fmt: skip
        ticks = panel.axis.ticks
        if len(ticks) > 4:
            ticks = (ticks[0], ticks[-1])
        axes.set_xticks([x for x, _ in ticks], [text for _, text in ticks])
        for (x, _), text in zip(ticks, axes.get_xticklabels(), strict=True):
            text.set_horizontalalignment("left" if x == 0 else "right" if x == 1 else "center")
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="both", length=0, labelsize=11, labelcolor=COLOURS["muted"])
        if column:
            axes.set_yticklabels([])
    return figure
