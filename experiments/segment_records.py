"""Where models err, and how widely they predict, as the study folder keeps it: the finalists of a
verdict, before one the best trials of the search; the bias baseline beside them.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.files import read_record

SEGMENTS_NAME = "segments.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """Validation rows that have something in common."""

    kind: str
    """`user`, `user activity`, `item`, `item popularity`, `rating`, `genres` (any list feature)."""
    name: str
    n_rows: int
    rmse: Mapping[str, float]
    """By model: over these rows, the mean over seeds."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How widely a model predicts over all validation rows, the mean over seeds."""

    sd: float
    low: float
    """5 % of its predictions lie below."""
    high: float
    """5 % lie above."""
    shares: tuple[float, ...]
    """Of its predictions, by the bins of `edges`; those outside count to the bins at the ends."""


@dataclass(frozen=True, slots=True)
class SegmentsRecord:
    segments: tuple[Segment, ...]
    edges: tuple[float, ...]
    """Of the bins, ascending; one more than there are bins."""
    labels: Spread
    """Of the ratings themselves."""
    spreads: Mapping[str, Spread]
    """By model."""


def read_segments(folder: Path) -> SegmentsRecord | None:
    """A study's segments; None where no predictions were judged.

    Raises:
        StateError: the file is damaged; names it.
    """
    return read_record(folder / SEGMENTS_NAME, _segments, "segments")


def _segments(plain: Mapping[str, Any]) -> SegmentsRecord:
    return SegmentsRecord(
        segments=tuple(Segment(**row) for row in plain["segments"]),
        edges=tuple(plain["edges"]),
        labels=_spread(plain["labels"]),
        spreads={name: _spread(row) for name, row in plain["spreads"].items()},
    )


def _spread(row: Mapping[str, object]) -> Spread:
    return Spread(**dict(row) | {"shares": tuple(row["shares"])})  # type: ignore[arg-type]  # JSON
