"""What the cross layers of a verdict's DCNs cross, as the study folder keeps it.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.files import read_record

CROSSING_NAME = "crossing.json"

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


def read_crossings(folder: Path) -> Mapping[str, CrossingRecord]:
    """By finalist; empty where no DCN was judged, or not by a version that keeps this.

    Raises:
        StateError: the file is damaged; names it.
    """
    found = read_record(folder / CROSSING_NAME, _records, "crossings")
    return {} if found is None else found


def _records(plain: Mapping[str, Any]) -> Mapping[str, CrossingRecord]:
    return {name: _record(row) for name, row in plain.items()}


def _record(row: Mapping[str, Any]) -> CrossingRecord:
    return CrossingRecord(
        features=tuple(row["features"]),
        widths=tuple(row["widths"]),
        trained=_norms(row["trained"]),
        start=_norms(row["start"]),
        moved=_norms(row["moved"]),
    )


def _norms(seeds: Any) -> Norms:  # JSON
    return tuple(
        tuple(tuple(tuple(float(v) for v in line) for line in layer) for layer in layers)
        for layers in seeds
    )
