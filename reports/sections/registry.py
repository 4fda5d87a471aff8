"""The sections of a report, in order: a new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable

from experiments.records import StudyRecord
from reports.blocks import Section
from reports.sections.baselines import baselines
from reports.sections.budget import budget
from reports.sections.compare import compare
from reports.sections.crossing import crossing
from reports.sections.curves import curves
from reports.sections.data import data
from reports.sections.edges import edges
from reports.sections.failures import failures
from reports.sections.importance import importance
from reports.sections.leaderboard import leaderboard
from reports.sections.metrics import metrics
from reports.sections.paper import paper
from reports.sections.provenance import provenance
from reports.sections.segments import segments
from reports.sections.size import size
from reports.sections.space import space
from reports.sections.summary import summary
from reports.sections.unsealed import unsealed
from reports.sections.verdict import verdict

SECTIONS: dict[str, Callable[[StudyRecord], Section | None]] = {
    "summary": summary,
    "verdict": verdict,
    "size": size,
    "unsealed": unsealed,
    "leaderboard": leaderboard,
    "compare": compare,
    "budget": budget,
    "crossing": crossing,
    "curves": curves,
    "metrics": metrics,
    "space": space,
    "segments": segments,
    "importance": importance,
    "edges": edges,
    "failures": failures,
    "baselines": baselines,
    "data": data,
    "paper": paper,
    "provenance": provenance,
}
"""By anchor in the page; None leaves the section out of a study that it does not concern."""
