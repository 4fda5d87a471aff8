"""How often the test split was opened, and when."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import numbers


def openings_text(study: StudyRecord) -> str:
    """`sealed, never opened`, `opened 2 times`."""
    if not study.openings:
        return "sealed, never opened"
    return f"opened {numbers.plural(len(study.openings), 'time')}"


def n_early_openings(study: StudyRecord) -> int:
    """Openings from before the last trial of the search was asked for, which could know of them."""
    last = max((trial.asked_at for trial in study.search_trials), default=0.0)
    return sum(opening.at < last for opening in study.openings)
