"""Drawings as SVG text: matplotlib without pyplot, colours that follow the page's mode.

Each picture is painted twice, for a desk and for a phone, and the page shows the one that fits.
The same study gives the same bytes: a fixed hash salt and no dates.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import numbers
from reports.blocks import Picture
from reports.fitting import fitted, room_for
from reports.fonts import families, told_once

WIDE, NARROW = 720, 350
"""Widths in CSS pixels; a unit of the drawing is a pixel where it is shown in full."""

PRINT_WIDTH_IN, PRINT_DPI = 7, 300
"""Of a PNG file: the text width of a page, where the drawing's 12.5 points become 8.75; of the
narrow drawing they do in a column of 3.4 inches."""

COLOURS = {
    "ink": "#1c2128",
    "muted": "#5f6a76",
    "rule": "#dfe3e8",
    "ghost": "#b9c0c9",
    "band": "#eef1f5",
    "paper": "#fffffe",
    "series-0": "#1b62b5",
    "series-1": "#c2570c",
    "series-2": "#1f7a4d",
    "series-3": "#8a3fa0",
    "series-4": "#9a6a00",
}
"""Light colours by name; the page has the dark ones under the same names (`--ink`, ...)."""

SERIES = tuple(COLOURS[f"series-{i}"] for i in range(5))

DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
"""Of lines beside one another, so that colour alone never tells them apart; with the five colours
they repeat after twenty."""
MARKERS = "os^D"
"""The same for dots."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recsweep",
    "text.parse_math": False,  # an arm may have a dollar sign in its name
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "font.size": 12.5,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["ghost"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.labelsize": 12.0,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": COLOURS["ghost"],
    "ytick.color": COLOURS["ghost"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["ink"],
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.5,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 1.0,
    "path.simplify": True,
}


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


def picture(name: str, caption: str, alt: str, paint: Callable[[int], Figure]) -> Picture:
    """A block of what `paint(width in pixels)` draws, at both widths."""
    figures, wide, narrow = draw(paint)
    return Picture(
        name=name,
        caption=caption,
        alt=alt,
        wide=_inline(wide, f"{name}-w"),
        narrow=_inline(narrow, f"{name}-n"),
        svg=wide,
        prints=partial(paint_prints, figures, name, caption),
    )


def draw(paint: Callable[[int], Figure]) -> tuple[tuple[Figure, Figure], str, str]:
    """The figures for a desk and for a phone, and their SVG text."""
    with _style():
        wide, narrow = paint(WIDE), paint(NARROW)
        return (wide, narrow), _svg(wide), _svg(narrow)


@contextmanager
def _style() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE | {"font.family": list(families())}), told_once():
        yield


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
    longest = math.ceil(room_for([dot.label for dot in dots])) + 6
    left = max(160, min(longest, 240)) if is_wide else 138
    axes = new_axes(figure, left=left, right=62, top=8, bottom=bottom_px)
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
    axes = new_axes(figure, left=120 if is_wide else 84, right=20, top=24, bottom=44)
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
            middle = sorted(row)[(len(row) - 1) // 2 : len(row) // 2 + 1]
            median = sum(middle) / len(middle)
            if median <= high:
                axes.plot([median] * 2, [y - 0.36, y + 0.36], color=COLOURS["ink"], lw=2, zorder=5)
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


def epoch_axes(
    longest: int, n_named: int, heights: tuple[int, int], *, width: int
) -> tuple[Figure, Axes]:
    """Axes of curves by epoch, below room for a legend.

    Args:
        heights: of the axes and what stands below them, on a desk and on a phone.
    """
    is_wide = width >= WIDE
    top_px = 14 + legend_height(n_named, 3 if is_wide else 2)
    figure = new_figure(width, top_px + heights[0 if is_wide else 1])
    axes = new_axes(figure, left=58 if is_wide else 46, right=12, top=top_px, bottom=44)
    axes.grid(axis="y")
    axes.set_xlim(0.7, longest + max(0.3, 0.02 * longest))
    axes.xaxis.set_major_locator(MaxNLocator(10 if is_wide else 5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
    axes.set_xlabel("epoch")
    return figure, axes


def best_ring(axes: Axes, epoch: int, value: float, colour: str) -> None:
    """Marks a curve's best epoch."""
    axes.plot(epoch, value, "o", ms=7, color=COLOURS["paper"], mec=colour, mew=2, zorder=6)


def legend_height(n_names: int, n_columns: int) -> int:
    """In pixels, of `legend_above`."""
    return 20 * -(-n_names // n_columns)


def legend_above(
    figure: Figure, axes: Axes, n_columns: int, *, is_last_first: bool = False
) -> None:
    """What the lines of these axes are, in columns at the top left, where it covers none of them;
    nothing where none is named."""
    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    if is_last_first:
        handles, names = handles[::-1], names[::-1]
    room = figure.get_size_inches()[0] * 72 / n_columns - 46
    figure.legend(
        handles, fitted(names, room, 12),
        loc="upper left", ncols=n_columns, fontsize=12,
        frameon=False, handlelength=2, borderaxespad=0, borderpad=0, columnspacing=1.6,
    )  # fmt: skip


def new_figure(width: int, height: int) -> Figure:
    return Figure(figsize=(width / 72, height / 72), dpi=72)


def new_axes(figure: Figure, *, left: int, right: int, top: int, bottom: int) -> Axes:
    """The one pair of axes of a figure, with these margins in pixels."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    return figure.add_axes(box)


def row_labels(axes: Axes, labels: Sequence[str]) -> None:
    """Names of the rows, from the left edge of the figure as the page's text is; cut to the room
    that there is."""
    left = axes.get_position().x0 * axes.get_figure().get_size_inches()[0] * 72  # type: ignore[union-attr]  # it has one
    axes.set_yticks(range(len(labels)), fitted(labels, left - 6))
    axes.tick_params(axis="y", length=0, pad=left - 1)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
    axes.spines["left"].set_visible(False)


def _mark(axes: Axes, x: float, y: float, marker: str, colour: str, *, is_hollow: bool) -> None:
    axes.plot(
        x, y, marker, ms=8 if marker != "D" else 6.5, mew=1.8, color=colour,
        mfc=COLOURS["paper"] if is_hollow else colour, zorder=4, clip_on=False,
    )  # fmt: skip


def heights_apart(n: int) -> list[float]:
    """Heights of n dots around 0, so that equal values stay apart; the same for every run."""
    golden = (math.sqrt(5) - 1) / 2
    return [0.5 * ((i * golden) % 1 - 0.5) for i in range(n)]


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    no_metadata: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=no_metadata)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", buffer.getvalue())
    svg = re.sub(r"font-family: '[^;\"]*", "font-family: 'DejaVu Sans', Arial, sans-serif", svg)
    return re.sub(r' (?:d|x|y)="[^"]*"', _two_decimals, svg)


def paint_prints(figures: tuple[Figure, Figure], name: str, caption: str) -> dict[str, bytes]:
    """For papers, by name of the file: the wide drawing as PNG, on white, with the caption in its
    metadata, and as PDF; the narrow one as PDF for a column."""
    wide, narrow = figures
    with _style():
        return {
            f"{name}.png": _saved(
                wide,
                format="png",
                dpi=PRINT_DPI * PRINT_WIDTH_IN / wide.get_size_inches()[0],
                facecolor="white",
                metadata={"Title": name, "Description": caption, "Software": None},
                # At level 3 it takes half the time and an eighth more bytes.
                pil_kwargs={"dpi": (PRINT_DPI, PRINT_DPI), "compress_level": 3},
            ),
            f"{name}.pdf": _pdf(wide, name, caption),
            f"{name}-column.pdf": _pdf(narrow, name, caption),
        }


def _pdf(figure: Figure, name: str, caption: str) -> bytes:
    no_more = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    return _saved(figure, format="pdf", metadata={"Title": name, "Subject": caption, **no_more})


def _saved(figure: Figure, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    return buffer.getvalue()


def _two_decimals(attribute: re.Match[str]) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute[0])


def _inline(svg: str, prefix: str) -> str:
    """The drawing for inside the page: colours as variables, the page's font, ids its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', _open_tag, svg, count=1)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(#|href="#)([^")]+)', rf"\1{prefix}-\2", svg)
    svg = svg.replace("xlink:href", "href")
    svg = svg.replace("font-family: 'DejaVu Sans', Arial, sans-serif; ", "")
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return re.sub(r"\n\s*", "\n", svg).strip()


def _open_tag(match: re.Match[str]) -> str:
    width = float(match[1].split()[2])
    return (
        f'<svg viewBox="{match[1]}" style="max-width: {width:.0f}px" aria-hidden="true" '
        'focusable="false">'
    )
