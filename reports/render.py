"""A study as a report: HTML, Markdown, CSV, Parquet and figures, from the same objects."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.records import StudyRecord
from reports import ranking
from reports.blocks import Beside, Picture, Problem, Section
from reports.described import described
from reports.exports import trials_frame, write_csv
from reports.figures import COLOURS
from reports.sections.registry import SECTIONS

_TEMPLATES = Path(__file__).parent / "templates"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """What was written."""

    html: Path
    markdown: Path
    csv: Path
    parquet: Path
    figures: tuple[Path, ...]


def write_report(
    study: StudyRecord, folder: Path | None = None, *, now: datetime | None = None
) -> ReportPaths:
    """Write the report of one study; each file whole or not at all, an older one replaced.

    Args:
        folder: `report/` in the study's folder unless given.
        now: what an unfinished study's report is "as of"; the clock unless given.
    """
    folder = study.folder / "report" if folder is None else folder
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    sections = build_sections(study)
    status = _status(study, now or datetime.now().astimezone())
    paths = ReportPaths(
        html=folder / "report.html",
        markdown=folder / "report.md",
        csv=folder / "trials.csv",
        parquet=folder / "trials.parquet",
        figures=tuple(folder / "figures" / f"{p.name}.svg" for p in _pictures(sections)),
    )
    for path, drawing in zip(paths.figures, _pictures(sections), strict=True):
        with _replacing(path) as temporary:
            temporary.write_text(drawing.file, "utf-8")
    frame = trials_frame(study)
    with _replacing(paths.csv) as temporary:
        write_csv(frame, temporary)
    with _replacing(paths.parquet) as temporary:
        frame.to_parquet(temporary, index=False)
    with _replacing(paths.markdown) as temporary:
        temporary.write_text(_markdown(study, sections, status), "utf-8")
    with _replacing(paths.html) as temporary:
        temporary.write_text(_html(study, sections, status), "utf-8")
    return paths


def build_sections(study: StudyRecord) -> dict[str, Section]:
    """All sections by anchor; one that fails is there with its error in place of its content."""
    sections = {}
    for anchor, build in SECTIONS.items():
        try:
            section = build(study)
        except Exception as error:
            _log.exception("report section %s failed", anchor)
            what = f"This section could not be made: {type(error).__name__}: {error}"
            section = Section(anchor.capitalize(), (Problem(what),))
        if section is not None:
            sections[anchor] = section
    return sections


def _pictures(sections: dict[str, Section]) -> list[Picture]:
    blocks = [block for section in sections.values() for block in section.blocks]
    blocks += [block.picture for block in blocks if isinstance(block, Beside)]
    return [block for block in blocks if isinstance(block, Picture)]


def _status(study: StudyRecord, now: datetime) -> str:
    """`running: 27 of 60, as of 14:02`; empty for a finished study, whose report has no date."""
    if study.is_finished:
        return ""
    n = ranking.counts(study.search_trials).finished
    asked = max(study.n_trials_asked_for, len(study.search_trials))
    return f"{study.state}: {n:,} of {asked:,} trials finished, as of {now:%H:%M} on {now:%d %B %Y}"


def _html(study: StudyRecord, sections: dict[str, Section], status: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = described(study)
    return environment.get_template("report.html.j2").render(
        study=study,
        sections=sections,
        status=status,
        colours=COLOURS,
        subject=f"{data.name}, {data.split.get('method', 'unknown')} split" if data.name else "",
    )


def _markdown(study: StudyRecord, sections: dict[str, Section], status: str) -> str:
    environment = Environment(  # noqa: S701  # Markdown: every text goes through `md`
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _md
    text = environment.get_template("report.md.j2").render(
        study=study, sections=sections, status=status
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _md(text: str) -> str:
    """Text for any place in Markdown, a table's cell included: one line, nothing interpreted."""
    line = re.sub(r"([\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
    return re.sub(r"^([#+\-]|\d+[.)])(?=\s|$)", r"\\\1", line)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place once it is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
