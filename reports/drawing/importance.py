"""Drawing of how much each dimension matters, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.records import ImportanceRecord
from reports.drawing.canvas import COLOURS, MARKERS, WIDE, new_axes, new_figure, row_labels
from reports.drawing.fitting import fitted


@dataclass(frozen=True, slots=True)
class ShareSeries:
    """The shares of one arm, by dimension."""

    label: str
    colour: str
    records: Mapping[str, ImportanceRecord]


def importance_plot(series: Sequence[ShareSeries], *, width: int) -> Figure:
    """A row a dimension, the most important first; a dot a series on the line of its interval."""
    is_wide = width >= WIDE
    names = list(dict.fromkeys(name for each in series for name in each.records))
    names.sort(
        key=lambda name: -max(s.records[name].importance for s in series if name in s.records)
    )
    row_px, top_px, bottom_px = 12 + 14 * len(series), 30 if len(series) > 1 else 8, 44
    figure = new_figure(width, top_px + row_px * len(names) + bottom_px)
    axes = new_axes(figure, left=150 if is_wide else 122, right=16, top=top_px, bottom=bottom_px)
    step = 0.62 / len(series)
    right = 0.0
    for y, name in enumerate(names):
        axes.axhline(y, color=COLOURS["rule"], lw=1, zorder=1)
        for i, each in enumerate(series):
            record = each.records.get(name)
            if record is None:
                continue
            at = y + step * (i - (len(series) - 1) / 2)
            if record.low is not None and record.high is not None:
                axes.plot(
                    [record.low, record.high], [at, at], color=each.colour, lw=2.2, alpha=0.55,
                    solid_capstyle="butt", zorder=3,
                )  # fmt: skip
            axes.plot(
                record.importance, at, MARKERS[i % len(MARKERS)], ms=7, color=each.colour,
                zorder=4, clip_on=False,
                label=each.label if name == next(iter(each.records)) else None,
            )  # fmt: skip
            right = max(right, record.high or record.importance)
    axes.set_xlim(0, 1.02 * right or 1)
    axes.set_ylim(len(names) - 0.4, -0.6)
    row_labels(axes, names)
    axes.spines["left"].set_visible(True)
    axes.xaxis.set_major_locator(MaxNLocator(6 if is_wide else 4))
    axes.set_xlabel("share of what sets the good trials apart" if is_wide else "share")
    if len(series) > 1:
        handles, labels = axes.get_legend_handles_labels()
        room = axes.bbox.width / len(series) - 40
        axes.legend(
            handles, fitted(labels, room, 12),
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series), frameon=False, fontsize=12,
            handlelength=1, borderaxespad=0.1,
        )  # fmt: skip
    return figure
