"""How predictions spread beside the ratings."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from reports.figures import COLOURS, WIDE, new_axes, new_figure


def histogram_pair(
    edges: Sequence[float],
    predicted: Sequence[float],
    actual: Sequence[float],
    unit: str,
    colour: str,
    *,
    width: int,
) -> Figure:
    """Shares by bin: predictions filled, ratings as an outline."""
    is_wide = width >= WIDE
    figure = new_figure(width, 260 if is_wide else 220)
    axes = new_axes(figure, left=46, right=12, top=30, bottom=44)
    axes.stairs(predicted, edges, fill=True, color=colour, alpha=0.75, label="predictions")
    axes.stairs(actual, edges, color=COLOURS["ink"], lw=1.5, label="ratings")
    axes.set_xlim(edges[0], edges[-1])
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
    axes.set_xlabel(unit)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=12,
        handlelength=1.2, borderaxespad=0.1,
    )  # fmt: skip
    return figure
