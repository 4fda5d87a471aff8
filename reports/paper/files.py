"""The files of `paper/`: a new one is a line here."""

from __future__ import annotations

from collections.abc import Callable

from experiments.records import StudyRecord
from reports.paper.citations import bibtex
from reports.paper.latex import (
    breakable,
    document,
    leaderboard_table,
    unsealed_table,
    verdict_table,
)
from reports.paper.methods import methods_paragraph


def _tables(study: StudyRecord) -> str:
    return "\n".join(
        filter(None, (leaderboard_table(study), verdict_table(study), unsealed_table(study)))
    )


def _methods(study: StudyRecord) -> str:
    return breakable(methods_paragraph(study)) + "\n"


PAPER_FILES: dict[str, Callable[[StudyRecord], str]] = {
    "table.tex": _tables,
    "methods.tex": _methods,
    "paper.tex": lambda study: document(_tables(study), _methods(study)),
    "references.bib": bibtex,
}
