"""What a section is made of: plain values that HTML and Markdown render, each in its own way.

Every text here is unescaped; the templates escape. Numbers arrive formatted (see `numbers`), so
that all renderings show the same digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence that the study allows, and what it rests on."""

    kind: ClassVar[str] = "headline"
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """One line of numbers, each with what it counts: `(("31", "complete"), ...)`."""

    kind: ClassVar[str] = "numbers"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A small paragraph: a definition, a source, a limit."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not shown, and why."""

    kind: ClassVar[str] = "problem"
    text: str


@dataclass(frozen=True, slots=True)
class WatchOut:
    """One thing to know before believing the numbers, and the section that says more."""

    text: str
    section: str


@dataclass(frozen=True, slots=True)
class WatchOuts:
    kind: ClassVar[str] = "watch_outs"
    items: tuple[WatchOut, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """Lines to paste into a shell, and what for."""

    kind: ClassVar[str] = "command"
    purpose: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one a line."""

    kind: ClassVar[str] = "facts"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table and what stands in it."""

    title: str
    definition: str
    is_number: bool = False
    is_wide: bool = False
    """Text that may wrap, such as an error message."""


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[str, ...]
    look: Literal["plain", "best", "baseline"] = "plain"
    rule: str = ""
    """Text of a dotted line drawn under this row."""


@dataclass(frozen=True, slots=True)
class Table:
    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    """Below the table: what was left out, where the rest is."""
    is_collapsed: bool = False
    """HTML shows the caption and opens on a click; print and Markdown show all."""
    is_sortable: bool = False
    """HTML lets a reader sort and filter the rows."""

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row.cells) == len(self.columns), (self.caption, row.cells)

    @property
    def definitions(self) -> tuple[tuple[str, str], ...]:
        """Columns that hold the same, and what that is."""
        titles: dict[str, list[str]] = {}
        for column in self.columns:
            titles.setdefault(column.definition, []).append(column.title)
        return tuple((", ".join(names), definition) for definition, names in titles.items())


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing in two widths, and its files in `figures/`."""

    kind: ClassVar[str] = "picture"
    name: str
    caption: str
    alt: str
    """What a reader who cannot see it needs to know."""
    wide: str
    narrow: str
    svg: str
    """The wide drawing as a standalone SVG document."""
    prints: Callable[[], Mapping[str, bytes]]
    """Paints the same for papers, by name of the file: most of the work of a report, and of no use
    to a page."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A picture with a margin column; on a narrow screen and in Markdown one after the other."""

    kind: ClassVar[str] = "beside"
    picture: Picture
    margin: tuple[WatchOuts | Command, ...]


Block = (
    Headline | Numbers | Text | Note | Problem | WatchOuts | Command | Facts | Table | Picture
    | Beside
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]
