"""A heat map of what the cross layers cross: a panel a layer, a cell a block of its kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.drawing.canvas import COLOURS, WIDE, new_figure

_CELL, _SMALL_CELL, _GAP, _TOP, _FOOT = 50, 36, 22, 70, 34
_OVERHANG = 44
"""Of the last slanting name, to the right."""
_PALEST, _DEEPEST = 0.05, 0.55
"""Opacities of the shade; text over the deepest one is still read in both modes of the page."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One cross layer; a row a feature of the input, a column one of what comes in."""

    norms: tuple[tuple[float, ...], ...]
    shades: tuple[tuple[float, ...], ...]
    """From 0 to 1."""


def crossing_map(
    features: Sequence[str], panels: Sequence[Panel], colour: str, *, width: int
) -> Figure:
    """The norm of each block, written; its shade apart from it."""
    n = len(features)
    left = 104 if width >= WIDE else 84
    room = width - left - _OVERHANG
    cells = {k: (room - _GAP * (k - 1)) / (n * k) for k in range(1, len(panels) + 1)}
    per_row = max((k for k, cell in cells.items() if cell >= _SMALL_CELL), default=1)
    cell = min(_CELL, cells[per_row])
    n_rows = math.ceil(len(panels) / per_row)
    row_px = _TOP + n * cell + _FOOT
    height = round(n_rows * row_px)
    figure = new_figure(width, height)
    for i, panel in enumerate(panels):
        row, column = divmod(i, per_row)
        x = left + column * (n * cell + _GAP)
        y = height - row * row_px - _TOP - n * cell
        axes = figure.add_axes((x / width, y / height, n * cell / width, n * cell / height))
        _draw(axes, features, panel, colour, has_names=column == 0, left=left)
        axes.set_xlabel(f"cross layer {i + 1}", labelpad=8)
    return figure


def _draw(
    axes: Axes, features: Sequence[str], panel: Panel, colour: str, *, has_names: bool, left: int
) -> None:
    n = len(features)
    axes.set_xlim(0, n)
    axes.set_ylim(n, 0)
    for side in axes.spines.values():
        side.set_visible(False)
    for row in range(n):
        for column in range(n):
            shade = _PALEST + (_DEEPEST - _PALEST) * panel.shades[row][column]
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor=colour, alpha=round(shade, 3), lw=0)
            )
            axes.add_patch(
                Rectangle((column, row), 1, 1, fill=False, edgecolor=COLOURS["paper"], lw=1.5)
            )
            axes.text(
                column + 0.5, row + 0.5, norm_text(panel.norms[row][column]), ha="center",
                va="center", fontsize=12,
            )  # fmt: skip
    axes.set_xticks([i + 0.5 for i in range(n)], list(features), rotation=40)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("bottom")
    for text in axes.get_xticklabels():
        text.set_horizontalalignment("left")
        text.set_rotation_mode("anchor")
        text.set_color(COLOURS["muted"])
    axes.tick_params(axis="both", length=0)
    axes.set_yticks([i + 0.5 for i in range(n)], list(features) if has_names else [""] * n)
    axes.tick_params(axis="y", pad=left - 2)
    for text in axes.get_yticklabels():
        text.set_horizontalalignment("left")


def norm_text(norm: float) -> str:
    """Two digits that fit a cell: `.37`, `1.2`, `15`."""
    if norm < 0.995:
        return f"{norm:.2f}".removeprefix("0")
    return f"{norm:.1f}" if norm < 9.95 else f"{norm:.0f}"
