"""Sections as a page: one self-contained HTML file, and the same as Markdown."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.blocks import Beside, Picture, Section, Table
from reports.drawing.canvas import COLOURS

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Page:
    """What stands around the sections."""

    title: str
    sections: Mapping[str, Section]
    """By anchor."""
    files: str
    """The other files of the same report, in a line."""
    subject: str = ""
    note: str = ""
    """The researcher's own words."""
    status: str = ""
    """How far an unfinished study is, and as of when."""

    @property
    def pictures(self) -> tuple[Picture, ...]:
        blocks = [block for section in self.sections.values() for block in section.blocks]
        blocks += [block.picture for block in blocks if isinstance(block, Beside)]
        return tuple(block for block in blocks if isinstance(block, Picture))

    @property
    def has_sortable_table(self) -> bool:
        blocks = [block for section in self.sections.values() for block in section.blocks]
        return any(isinstance(block, Table) and block.is_sortable for block in blocks)


def html(page: Page) -> str:
    """Opens offline, asks for nothing, every text in it escaped.

    Its one script sorts and filters tables; the page's policy names its hash: no other runs.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (_TEMPLATES / "report.js").read_text("utf-8") if page.has_sortable_table else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        page=page, colours=COLOURS, script=script, script_hash=f"sha256-{digest}"
    )


def markdown(page: Page) -> str:
    environment = Environment(  # noqa: S701  # Markdown: every text goes through `md`
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = as_markdown
    text = environment.get_template("report.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def figure_files(page: Page, with_prints: bool = True) -> dict[str, bytes]:
    """The pictures as files, by name: SVG, where asked PNG and PDF, and `captions.txt`."""
    files: dict[str, bytes] = {}
    captions = []
    for picture in page.pictures:
        its = {f"{picture.name}.svg": picture.svg.encode()}
        if with_prints:
            its |= picture.prints()
        files |= its
        captions.append(f"{', '.join(its)}\n{picture.caption}\n")
    return files | ({"captions.txt": "\n".join(captions).encode()} if captions else {})


def as_markdown(text: str) -> str:
    """Text for any place in Markdown, a table's cell included: one line, nothing interpreted."""
    line = re.sub(r"([\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
    return re.sub(r"^([#+\-]|\d+[.)])(?=\s|$)", r"\\\1", line)
