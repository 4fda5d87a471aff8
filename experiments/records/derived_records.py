"""What recsweep itself works out of a study's trials, as the study folder keeps it.

A file that is not there yet gives None, or nothing; a damaged one raises a StateError that names
it. Standard library only; `experiments.records` hands all of it on to the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from experiments.files import read_record

SEGMENTS_NAME = "segments.json"
NOISE_NAME = "noise.json"
CROSSING_NAME = "crossing.json"
BOARD_CHECK_NAME = "board.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """Validation rows that have something in common."""

    MIN_ROWS: ClassVar[int] = 30
    """An RMSE over fewer says too little to be shown: there is no record."""

    kind: str
    """`user`, `user activity`, `item`, `item popularity`, `rating`, any list feature (`genres`) and
    any category of users (`gender`)."""
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
    """Where models err, and how widely they predict: the finalists of a verdict, before one the
    best trials of the search; the bias baseline beside them."""

    segments: tuple[Segment, ...]
    edges: tuple[float, ...]
    """Of the bins, ascending; one more than there are bins."""
    labels: Spread
    """Of the ratings themselves."""
    spreads: Mapping[str, Spread]
    """By model."""


@dataclass(frozen=True, slots=True)
class NoiseRecord:
    """How far as many other validation users would move a difference between two RMSE: standard
    deviations over draws of users."""

    of_trials: float
    """Of two of the best trials: the median over all pairs."""
    n_trials: int
    """So many of the best, at least two; equal ones count once."""
    of_baselines: Mapping[str, float]
    """Of the best trial and a baseline, by its name."""


Norms = tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
"""By seed, by cross layer: a row a feature of the input, a column one of what comes in."""


@dataclass(frozen=True, slots=True)
class CrossingRecord:
    """The cross kernels of one finalist under every seed, by blocks of features."""

    features: tuple[str, ...]
    widths: tuple[int, ...]
    """Of each feature: so many inputs of the network are it."""
    trained: Norms
    """Frobenius norms."""
    start: Norms
    """Of the random weights that training began with."""
    moved: Norms
    """Of the difference between both."""


@dataclass(frozen=True, slots=True)
class BoardCheck:
    """All of what `recsweep board --check` compares, as of the end of the last run."""

    n_trials: int
    n_columns: int
    differences: tuple[str, ...]


def read_segments(folder: Path) -> SegmentsRecord | None:
    return read_record(folder / SEGMENTS_NAME, _segments, "segments")


def read_noise(folder: Path) -> NoiseRecord | None:
    return read_record(folder / NOISE_NAME, lambda plain: NoiseRecord(**plain), "noise")


def read_crossings(folder: Path) -> Mapping[str, CrossingRecord]:
    """By finalist."""
    return read_record(folder / CROSSING_NAME, _crossings, "crossings") or {}


def read_board_check(folder: Path) -> BoardCheck | None:
    return read_record(folder / BOARD_CHECK_NAME, _board_check, "check")


def _segments(plain: Mapping[str, Any]) -> SegmentsRecord:
    return SegmentsRecord(
        segments=tuple(Segment(**row) for row in plain["segments"]),
        edges=tuple(plain["edges"]),
        labels=_spread(plain["labels"]),
        spreads={name: _spread(row) for name, row in plain["spreads"].items()},
    )


def _spread(row: Mapping[str, Any]) -> Spread:
    return Spread(**row | {"shares": tuple(row["shares"])})  # type: ignore[operator]  # a dict


def _crossings(plain: Mapping[str, Any]) -> dict[str, CrossingRecord]:
    return {name: CrossingRecord(**_tuples(row)) for name, row in plain.items()}


def _tuples(plain: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(plain, dict):
        return {key: _tuples(value) for key, value in plain.items()}
    return tuple(map(_tuples, plain)) if isinstance(plain, list) else plain


def _board_check(plain: Mapping[str, Any]) -> BoardCheck:
    return BoardCheck(plain["n_trials"], plain["n_columns"], tuple(plain["differences"]))
