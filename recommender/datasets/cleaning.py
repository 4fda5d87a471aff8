"""Ratings checked and put into one order, whatever file they came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.base import Ints, Strings
from recommender.datasets.findings import Findings, example
from recommender.datasets.identifiers import identifiers
from recommender.datasets.sources import N_PLACES_SHOWN, RawTable
from recommender.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Clean ratings of all parts, sorted by user and item: no pair twice, nothing missing."""

    user: Ints
    """Index into `user_ids`."""
    item: Ints
    user_ids: Strings
    """Sorted."""
    item_ids: Strings
    rating: npt.NDArray[np.float64]
    time: npt.NDArray[np.int64] | None
    """Seconds since 1970."""
    file: npt.NDArray[np.int8]
    """Which of the files read each row comes from."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rating)


def clean(tables: Sequence[RawTable], rating_range: tuple[float, float] | None) -> Ratings:
    """The ratings of one or several files, checked and sorted by user and item.

    Raises:
        DataError: a missing or damaged id, a rating that is missing, no number or outside the
            range, a missing time, a pair rated twice, no ratings at all; every problem found.
    """
    findings = [Findings(table) for table in tables]
    parsed = [_parse(found, rating_range) for found in findings]
    for found in findings:
        if found.table.frame.empty:
            found.problems.append(f"{found.table.name}: holds no ratings")
    problems = [problem for found in findings for problem in found.problems]
    if not problems:
        user, user_ids = _shared_codes([(p.user, p.user_ids) for p in parsed])
        item, item_ids = _shared_codes([(p.item, p.item_ids) for p in parsed])
        rating = np.concatenate([p.rating for p in parsed])
        order = np.lexsort((item, user))
        problems = _twice_rated(tables, user, item, rating, order)
    if problems:
        raise DataError(problems)
    times = [p.time for p in parsed if p.time is not None]
    sizes = [len(table.frame) for table in tables]
    return Ratings(
        user=user[order],
        item=item[order],
        user_ids=user_ids,
        item_ids=item_ids,
        rating=rating[order],
        time=np.concatenate(times)[order] if times else None,
        file=np.repeat(np.arange(len(tables), dtype=np.int8), sizes)[order],
        notes=tuple(note for found in findings for note in found.notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Parsed:
    user: Ints
    user_ids: list[str]
    item: Ints
    item_ids: list[str]
    rating: npt.NDArray[np.float64]
    time: npt.NDArray[np.int64] | None


def _parse(found: Findings, rating_range: tuple[float, float] | None) -> _Parsed:
    frame = found.table.frame
    user, user_ids = identifiers(frame["user"], "user", found)
    item, item_ids = identifiers(frame["item"], "item", found)
    rating = numbers(frame["rating"])
    found.refuse(frame["rating"].isna().to_numpy(), "ratings are missing")
    is_bad = ~np.isfinite(rating) & frame["rating"].notna().to_numpy()
    found.refuse(is_bad, f"ratings are no numbers, such as {example(frame['rating'], is_bad)}")
    if rating_range is not None:
        low, high = rating_range
        is_outside = np.isfinite(rating) & ((rating < low) | (rating > high))
        found.refuse(
            is_outside,
            f"ratings lie outside {low:g} to {high:g}, such as "
            f"{example(frame['rating'], is_outside)}",
            "mend them, or set dataset.rating_range",
        )
    time = _seconds(frame["time"], found) if "time" in frame else None
    return _Parsed(user, user_ids, item, item_ids, rating, time)


def numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """As numbers; NaN where missing or none."""
    numeric = pd.to_numeric(column, errors="coerce")
    return np.asarray(numeric.to_numpy(dtype=np.float64, na_value=np.nan))


# Numbers are seconds, or thousandths, millionths, billionths of them: each from this size on.
_UNITS_PER_SECOND = ((1e17, 10**9, "nano"), (1e14, 10**6, "micro"), (1e11, 10**3, "milli"))

_FIRST_SECOND, _END_SECOND = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999."""


def _seconds(column: pd.Series[Any], found: Findings) -> npt.NDArray[np.int64]:
    """Whole seconds since 1970 from numbers, dates or ISO 8601 text; UTC where no zone is given."""
    is_missing = column.isna().to_numpy()
    found.refuse(is_missing, "times are missing")
    if pd.api.types.is_datetime64_any_dtype(column) or np.isnan(numbers(column)).all():
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
        seconds = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    else:
        seconds = numbers(column)
        finite = np.abs(seconds[np.isfinite(seconds)])
        typical = np.median(finite) if len(finite) else 0.0
        for size, per_second, prefix in _UNITS_PER_SECOND:
            if typical >= size:
                seconds = seconds / per_second
                found.notes.append(f"{found.table.name}: times are read as {prefix}seconds")
                break
    is_sound = (seconds >= _FIRST_SECOND) & (seconds < _END_SECOND)
    is_bad = ~is_sound & ~is_missing
    found.refuse(is_bad, f"times are neither seconds nor dates, such as {example(column, is_bad)}")
    return np.floor(np.where(is_sound, seconds, 0)).astype(np.int64)


def _shared_codes(parts: Sequence[tuple[Ints, list[str]]]) -> tuple[Ints, Strings]:
    """Codes of several files under one sorted vocabulary."""
    ids, inverse = np.unique(np.array([i for _, part in parts for i in part]), return_inverse=True)
    starts = np.cumsum([0, *(len(part) for _, part in parts)])
    codes = [inverse[start + codes] for (codes, _), start in zip(parts, starts, strict=False)]
    return np.concatenate(codes).astype(np.int32), ids


def _twice_rated(
    tables: Sequence[RawTable],
    user: Ints,
    item: Ints,
    rating: npt.NDArray[np.float64],
    order: npt.NDArray[np.intp],
) -> list[str]:
    """A sentence if pairs are rated more than once; `order` sorts by pair and keeps file order."""
    earlier, later = order[:-1], order[1:]
    is_again = (user[earlier] == user[later]) & (item[earlier] == item[later])
    n_again = int(is_again.sum())
    if not n_again:
        return []
    n_conflicts = int((is_again & (rating[earlier] != rating[later])).sum())
    place = _place_of(tables)
    first = np.argsort(later[is_again])[:N_PLACES_SHOWN]
    examples = ", ".join(
        f"{place(int(later[is_again][i]))} after {place(int(earlier[is_again][i]))}" for i in first
    )
    where = " and ".join(table.name for table in tables)
    return [
        f"{where}: {n_again:,} rows rate a user-item pair again, {n_conflicts:,} of them "
        f"differently ({examples}); keep one row a pair"
    ]


def _place_of(tables: Sequence[RawTable]) -> Callable[[int], str]:
    starts = np.cumsum([0, *(len(table.frame) for table in tables)])

    def place(row: int) -> str:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        table = tables[number]
        counted = int(table.frame.index[row - starts[number]]) + table.first
        prefix = f"{table.name} " if len(tables) > 1 else ""
        return f"{prefix}{table.unit} {counted}"

    return place
