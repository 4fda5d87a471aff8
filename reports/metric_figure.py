"""How a further metric went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures import (
    COLOURS,
    DASHES,
    WIDE,
    legend_above,
    legend_height,
    new_axes,
    new_figure,
)


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """One trial's metric by epoch."""

    label: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    best_epoch: int | None
    """The epoch with the lowest RMSE."""
    colour: str


def metric_curves(name: str, curves: Sequence[MetricCurve], *, width: int) -> Figure:
    """A ring marks the epoch that the RMSE chose."""
    is_wide = width >= WIDE
    n_columns = 3 if is_wide else 2
    top_px = 14 + legend_height(len(curves), n_columns)
    figure = new_figure(width, top_px + (306 if is_wide else 266))
    axes = new_axes(figure, left=58 if is_wide else 46, right=12, top=top_px, bottom=44)
    axes.grid(axis="y")
    for curve, dashes in zip(curves, cycle(DASHES), strict=False):
        axes.plot(
            curve.epochs, curve.values, color=curve.colour, ls=dashes, lw=2, label=curve.label
        )
        if curve.best_epoch in curve.epochs:
            at = curve.epochs.index(curve.best_epoch)
            axes.plot(
                curve.best_epoch, curve.values[at], "o", ms=7, color=COLOURS["paper"],
                mec=curve.colour, mew=2, zorder=6,
            )  # fmt: skip
    longest = max(curve.epochs[-1] for curve in curves)
    axes.set_xlim(0.7, longest + max(0.3, 0.02 * longest))
    axes.xaxis.set_major_locator(MaxNLocator(10 if is_wide else 5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {name}" if is_wide else "")
    legend_above(figure, axes, n_columns)
    return figure
