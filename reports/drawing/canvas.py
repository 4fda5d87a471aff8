"""What drawings share: matplotlib without pyplot, SVG text, colours that follow the page's mode.

Each picture is painted twice, for a desk and for a phone, and the page shows the one that fits.
The same study gives the same bytes: a fixed hash salt and no dates.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.blocks import Picture
from reports.drawing.fitting import fitted
from reports.drawing.fonts import families, told_once

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

MARKERS = "os^DvP"
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
