"""Drawings of several studies beside one another, each by the gap to its own bias baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import numbers
from reports.drawing.canvas import (
    COLOURS,
    DASHES,
    WIDE,
    heights_apart,
    legend_above,
    legend_height,
    new_axes,
    new_figure,
)
from reports.drawing.fitting import room_for

ROW_PX = 58


@dataclass(frozen=True, slots=True)
class StudyGaps:
    """One study: RMSE minus that of the bias baseline on the same rows, so below 0 is better; in
    hundredths of the rating range where those of the studies differ."""

    label: str
    colour: str | None
    """None: one of many, in grey."""
    gaps: tuple[float, ...]
    """Of every COMPLETE trial, best first."""
    judged: tuple[float, float, float] | None
    """Mean, low and high of a verdict's leading finalist; None without a verdict."""
    so_far: tuple[tuple[int, float], ...]
    """The best gap after so many finished trials, where it changed, and at the end."""


def gap_plot(studies: Sequence[StudyGaps], *, width: int, is_of_range: bool = False) -> Figure:
    """A row a study: a hollow dot a trial, the best filled; a diamond on a line a verdict."""
    is_wide = width >= WIDE
    figure = new_figure(width, 26 + ROW_PX * len(studies) + 44)
    room = _room([_number(study) for study in studies], is_of_range=is_of_range)
    axes = new_axes(figure, left=room // 2, right=room + 8, top=26, bottom=44)
    ends = [end for study in studies for end in study.judged or ()]
    low, high = _reach(
        [study.gaps[0] for study in studies] + ends,
        [gap for study in studies for gap in study.gaps],
    )
    pad = 0.05 * (high - low)
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(len(studies) - 0.5, -0.5)
    axes.axvline(0, color=COLOURS["muted"], lw=1.2, ls=(0, (3, 3)), zorder=1)
    axes.annotate(
        "bias baseline", (0, 1), xycoords=("data", "axes fraction"), xytext=(0, 6), ha="center",
        textcoords="offset points", color=COLOURS["muted"], fontsize=12,
    )  # fmt: skip
    for y, study in enumerate(studies):
        _row(axes, y, study, right=high + pad, is_of_range=is_of_range)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(7 if is_wide else 4))
    axes.xaxis.set_major_formatter(_ticks(is_of_range=is_of_range))
    of_range = " in % of the rating range" if is_of_range else ""
    axes.set_xlabel(
        f"RMSE minus the bias baseline's{of_range} (lower is better)"
        if is_wide
        else f"gap to bias{of_range}"
    )
    return figure


def best_so_far(studies: Sequence[StudyGaps], *, width: int, is_of_range: bool = False) -> Figure:
    """The lowest gap that each search had reached after so many finished trials."""
    is_wide = width >= WIDE
    drawn = [study for study in studies if study.so_far]
    n_columns = 3 if is_wide else 2
    named = [study for study in drawn if study.colour is not None]
    top_px = 14 + legend_height(len(named) + 1, n_columns)
    figure = new_figure(width, top_px + (306 if is_wide else 266))
    room = _room([study.so_far[-1][1] for study in drawn], is_of_range=is_of_range)
    left = room + (24 if is_wide else 7)
    axes = new_axes(figure, left=left, right=14, top=top_px, bottom=44)
    axes.set_ylim(_heights(drawn))
    axes.grid(axis="y")
    axes.axhline(0, color=COLOURS["muted"], lw=1.2, ls=(0, (3, 3)), zorder=2, label="bias baseline")
    for study in drawn:
        if study.colour is None:
            axes.step(
                [n for n, _ in study.so_far], [gap for _, gap in study.so_far], where="post",
                lw=0.9, color=COLOURS["ghost"], zorder=3,
            )  # fmt: skip
    for study, dashes in zip(named, cycle(DASHES), strict=False):
        axes.step(
            [n for n, _ in study.so_far], [gap for _, gap in study.so_far], where="post", lw=2,
            ls=dashes, color=study.colour, zorder=4, label=study.label,
        )  # fmt: skip
        axes.plot(*study.so_far[-1], "o", ms=6, color=study.colour, zorder=5, clip_on=False)
    axes.set_xlim(0, 1.02 * max(study.so_far[-1][0] for study in drawn))
    axes.xaxis.set_major_locator(MaxNLocator(8 if is_wide else 5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(_ticks(is_of_range=is_of_range))
    axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
    axes.set_xlabel("finished trials")
    axes.set_ylabel("best gap to bias so far" if is_wide else "")
    legend_above(figure, axes, n_columns)
    return figure


def begins_above(studies: Sequence[StudyGaps]) -> bool:
    """Whether a line of `best_so_far` comes in at its top."""
    _, top = _heights(studies)
    return any(gap > top for study in studies for _, gap in study.so_far)


def _heights(studies: Sequence[StudyGaps]) -> tuple[float, float]:
    low, high = _reach(
        [study.so_far[-1][1] for study in studies if study.so_far],
        [gap for study in studies for _, gap in study.so_far],
    )
    pad = 0.08 * (high - low)
    return low - pad, high + pad


def _ticks(*, is_of_range: bool) -> FuncFormatter:
    if is_of_range:
        return FuncFormatter(lambda at, _: f"{at:g} %".replace("-", "−"))
    return FuncFormatter(lambda at, _: numbers.plain(at))


def _told(gap: float, *, is_of_range: bool) -> str:
    return numbers.gap_of_range(gap) if is_of_range else numbers.gap(gap)


def _room(gaps: Sequence[float], *, is_of_range: bool) -> int:
    """For the longest of these numbers, in pixels: half of it stands beyond the end of a scale."""
    return math.ceil(room_for([_told(gap, is_of_range=is_of_range) for gap in gaps]))


def _number(study: StudyGaps) -> float:
    """The one that counts: of the verdict, or of the best trial."""
    return study.judged[0] if study.judged else study.gaps[0]


def _reach(within: Sequence[float], every: Sequence[float]) -> tuple[float, float]:
    """From the lowest gap to a little over the baseline and `within`: what is far off it would
    squeeze the rest, and stands at the end."""
    low, near = min([0.0, *within]), max([0.0, *within])
    return low, max(near, min(max(every), low + 1.7 * max(near - low, 0.003)))


def _row(axes: Axes, y: int, study: StudyGaps, *, right: float, is_of_range: bool) -> None:
    """The name above the row's dots; the number that counts at the right."""
    axes.axhline(y + 0.5, color=COLOURS["rule"], lw=1, zorder=0)
    axes.annotate(
        study.label, (0, y - 0.5), xycoords=("figure fraction", "data"), xytext=(1, -5), va="top",
        textcoords="offset points", fontsize=12.5, annotation_clip=False, zorder=2,
        bbox={"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip
    heights = [y + 0.14 + 0.5 * offset for offset in heights_apart(len(study.gaps))]
    inside = [min(gap, right) for gap in study.gaps]  # the worst may be beyond
    colour = study.colour or COLOURS["muted"]
    axes.scatter(
        inside, heights, s=30, facecolors="none", edgecolors=colour, linewidths=1.1,
        alpha=0.75, zorder=3, clip_on=False,
    )  # fmt: skip
    axes.scatter(inside[:1], heights[:1], s=42, color=colour, zorder=4)
    number = _number(study)
    if study.judged is not None:
        _, low, high = study.judged
        axes.plot([low, high], [y + 0.38] * 2, color=COLOURS["ink"], lw=2.2, zorder=5)
        axes.plot(number, y + 0.38, "D", ms=6.5, color=COLOURS["ink"], zorder=6)
    axes.annotate(
        _told(number, is_of_range=is_of_range), (1, y + (0.38 if study.judged else 0.14)),
        va="center", ha="left", xycoords=("axes fraction", "data"), xytext=(8, 0),
        textcoords="offset points",
        annotation_clip=False,
    )  # fmt: skip
