"""A study as a report: HTML, Markdown, CSV, Parquet and figures, from the same objects."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.files import atomic_write, replacing
from experiments.records import StudyRecord
from reports import ranking
from reports.blocks import Problem, Section
from reports.described import described
from reports.exports import (
    column_definitions,
    table_schema,
    test_frame,
    trials_frame,
    verdict_frame,
    write_csv,
    write_parquet,
)
from reports.pages import Page, figure_files, html, markdown
from reports.paper.files import PAPER_FILES
from reports.sections.registry import SECTIONS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """What was written."""

    html: Path
    markdown: Path
    csv: Path
    parquet: Path
    schema: Path
    figures: tuple[Path, ...]
    """Each as SVG, then its prints, then the captions."""
    paper: tuple[Path, ...]


def write_report(
    study: StudyRecord,
    folder: Path | None = None,
    *,
    now: datetime | None = None,
    with_prints: bool = True,
) -> ReportPaths:
    """Write the report of one study; each file whole or not at all, an older one replaced.

    Args:
        folder: `report/` in the study's folder unless given.
        now: what an unfinished study's report is "as of"; the clock unless given.
        with_prints: also the pictures as PNG and PDF, two thirds of the work; older ones are
            replaced in any case.
    """
    folder = study.folder / "report" if folder is None else folder
    for name in ("figures", "paper"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    page = _page(study, build_sections(study), now)
    has_prints = with_prints or any((folder / "figures").glob("*.png"))
    figures = figure_files(page, has_prints)
    paths = ReportPaths(
        html=folder / "report.html",
        markdown=folder / "report.md",
        csv=folder / "trials.csv",
        parquet=folder / "trials.parquet",
        schema=folder / "trials.schema.json",
        figures=tuple(folder / "figures" / name for name in figures),
        paper=tuple(folder / "paper" / name for name in PAPER_FILES),
    )
    for path in paths.figures:
        atomic_write(path, figures[path.name])
    for path in paths.paper:
        atomic_write(path, PAPER_FILES[path.name](study))
    frame = trials_frame(study)
    with replacing(paths.csv) as temporary:
        write_csv(frame, temporary)
    with replacing(paths.parquet) as temporary:
        write_parquet(frame, temporary, column_definitions(study))
    for name, decisive in (("verdict.csv", verdict_frame(study)), ("test.csv", test_frame(study))):
        if decisive is not None:
            path = folder / name
            with replacing(path) as temporary:
                write_csv(decisive, temporary)
                if not path.exists() or path.read_bytes() != temporary.read_bytes():
                    _keep_dated(paths.html)
    atomic_write(paths.schema, json.dumps(table_schema(study), indent=1) + "\n")
    atomic_write(paths.markdown, markdown(page))
    atomic_write(paths.html, html(page))
    return paths


def _keep_dated(page: Path) -> None:
    """Copy the page as it stood before a verdict or the opened test split changed it.

    What was cited does not change.
    """
    if not page.exists():
        return
    written_at = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    copy = page.parent / "earlier" / f"report-{written_at:%Y-%m-%d-%H%M%S}.html"
    copy.parent.mkdir(exist_ok=True)
    atomic_write(copy, page.read_bytes())


def first_screen(study: StudyRecord, *, now: datetime | None = None) -> str:
    """The head of the report, as a page of its own; nothing is written."""
    return html(_page(study, {"summary": build_sections(study, ("summary",))["summary"]}, now))


def _page(study: StudyRecord, sections: Mapping[str, Section], now: datetime | None) -> Page:
    data = described(study)
    return Page(
        title=study.name,
        sections=sections,
        files="The same numbers: report.md · every trial in full precision: trials.csv, "
        "trials.parquet · for papers: paper/, figures/",
        subject=f"{data.name}, {data.method} split" if data.name else "",
        note=" · ".join(part for part in (study.note, ", ".join(study.tags)) if part),
        status=_status(study, now or datetime.now().astimezone()),
    )


def build_sections(
    study: StudyRecord, anchors: Iterable[str] = tuple(SECTIONS)
) -> dict[str, Section]:
    """Sections by anchor, all unless said; one that fails has its error in place of its content."""
    sections = {}
    for anchor in anchors:
        build = SECTIONS[anchor]
        try:
            section = build(study)
        except Exception as error:
            _log.exception("report section %s failed", anchor)
            what = f"This section could not be made: {type(error).__name__}: {error}"
            section = Section(anchor.capitalize(), (Problem(what),))
        if section is not None:
            sections[anchor] = section
    return sections


def _status(study: StudyRecord, now: datetime) -> str:
    """`running: 27 of 60, as of 14:02`; empty for a finished study, whose report has no date."""
    if study.is_finished:
        return ""
    n = ranking.counts(study.search_trials).finished
    asked = max(study.n_trials_asked_for, len(study.search_trials))
    return f"{study.state}: {n:,} of {asked:,} trials finished, as of {now:%H:%M} on {now:%d %B %Y}"
