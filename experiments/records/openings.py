"""When, by whom and why a test split was opened, for every study of a folder to know.

An opening is told in two places: beside the studies, so that it outlives the study that made it,
and in that study's folder, so that it goes where the folder goes. Standard library only.
"""

from __future__ import annotations

import getpass
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.ledger.journal import Journal, read_journal

OPENINGS_NAME = "test-openings.jsonl"


@dataclass(frozen=True, slots=True)
class Opening:
    """One look at the ratings of a test split."""

    at: float
    """Wall clock, seconds since 1970."""
    study: str
    split: str
    """The split's fingerprint."""
    by: str
    """User and machine."""
    why: str


def record_opening(folder: Path, split: str, why: str) -> None:
    """Put on record, durably, that the study in this folder opens its test split now."""
    opening = Opening(
        at=time.time(),
        study=folder.resolve().name,
        split=split,
        by=f"{_user()} on {socket.gethostname()}",
        why=why,
    )
    for place in _places(folder):
        with Journal(place) as journal:
            journal.append("opening", sync=True, **asdict(opening))


def openings_of(folder: Path, split: str | None) -> tuple[Opening, ...]:
    """All openings of a split by this study or one beside it, the first first.

    Raises:
        JournalError: a record is damaged; names the file.
    """
    events = [e for place in _places(folder) if place.exists() for e in read_journal(place)[0]]
    told = {
        Opening(e["at"], e["study"], e["split"], e["by"], e["why"])
        for e in events
        if e["split"] == split
    }
    return tuple(sorted(told, key=lambda opening: (opening.at, opening.study)))


def _places(folder: Path) -> tuple[Path, Path]:
    return folder.resolve().parent / OPENINGS_NAME, folder / OPENINGS_NAME


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "somebody"
