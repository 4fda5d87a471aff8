"""Ratings checked and put into one order, whatever file they came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.config import PARTS, Duplicates
from recommender.datasets.encoded import Ints, Strings
from recommender.datasets.findings import MEND, Findings, Mask, example
from recommender.datasets.identifiers import identifiers
from recommender.datasets.sources import N_PLACES_SHOWN, RawTable, counted
from recommender.errors import DataError

LARGEST_RATING = 1e15
"""Its squares still fit into single precision, in which models compute."""


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
    part: npt.NDArray[np.int8]
    """Which of `PARTS` the split's files or a column of the table name; all 0 where none does."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rating)


def clean(
    tables: Sequence[RawTable],
    rating_range: tuple[float, float] | None,
    duplicates: Duplicates = "refuse",
) -> Ratings:
    """The ratings of one or several files, checked and sorted by user and item.

    Raises:
        DataError: a missing or damaged id, a rating that is missing, no number or outside the
            range, a missing time, a pair rated twice where that is refused or in two files, no
            ratings at all; every problem found.
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
        rating = _joined([p.rating for p in parsed])
        times = [p.time for p in parsed if p.time is not None]
        time = _joined(times) if times else None
        part = _joined([p.part for p in parsed])
        del parsed  # of large tables it is most of what there is
        by_time = () if time is None or duplicates == "refuse" else (time,)
        order = np.lexsort((*by_time, user.astype(np.int64) * len(item_ids) + item))
        if duplicates == "refuse":
            problems = _twice_rated(tables, user, item, rating, order)
    if problems:
        raise DataError(problems)
    ratings = Ratings(
        user=user[order],
        item=item[order],
        user_ids=user_ids,
        item_ids=item_ids,
        rating=rating[order],
        time=time[order] if time is not None else None,
        part=part[order],
        notes=tuple(note for found in findings for note in found.notes),
    )
    return _once_a_pair(ratings, duplicates, " and ".join(table.name for table in tables))


def findings_of(table: RawTable, rating_range: tuple[float, float] | None) -> Findings:
    """What is wrong with the rows of a table, each by itself."""
    found = Findings(table)
    _parse(found, rating_range)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Parsed:
    user: Ints
    user_ids: list[str]
    item: Ints
    item_ids: list[str]
    rating: npt.NDArray[np.float64]
    time: npt.NDArray[np.int64] | None
    part: npt.NDArray[np.int8]


def _parse(found: Findings, rating_range: tuple[float, float] | None) -> _Parsed:
    frame = found.table.frame
    user, user_ids = identifiers(frame["user"], "user", found)
    item, item_ids = identifiers(frame["item"], "item", found)
    rating = numbers(frame["rating"])
    is_missing = frame["rating"].isna().to_numpy()
    found.refuse(is_missing, "rating is missing", "ratings are missing")
    is_bad = ~np.isfinite(rating) & ~is_missing
    shown = example(frame["rating"], is_bad)
    cure = next((cure for wrong, cure in _COMMAS.items() if re.fullmatch(wrong, shown)), MEND)
    found.refuse(is_bad, "rating is no number", "ratings are no numbers", such_as=shown, cure=cure)
    is_huge = np.isfinite(rating) & (np.abs(rating) > LARGEST_RATING)
    shown = example(frame["rating"], is_huge)
    found.refuse(is_huge, "rating is too large", "ratings are too large", such_as=shown)
    if rating_range is not None:
        low, high = rating_range
        is_outside = np.isfinite(rating) & ((rating < low) | (rating > high))
        found.refuse(
            is_outside,
            f"rating lies outside {low:g} to {high:g}",
            f"ratings lie outside {low:g} to {high:g}",
            such_as=example(frame["rating"], is_outside),
            cure="mend them, or set dataset.rating_range",
        )
    time = _seconds(frame["time"], found) if "time" in frame else None
    part = _parts(frame["part"], found) if "part" in frame else np.zeros(len(frame), np.int8)
    return _Parsed(user, user_ids, item, item_ids, rating, time, part)


_PART_WORDS = {
    **{part: part for part in PARTS[:3]},
    "training": "train",
    **dict.fromkeys(("valid", "val", "dev"), "validation"),
    "testing": "test",
}


def _parts(column: pd.Series[Any], found: Findings) -> npt.NDArray[np.int8]:
    """Words such as `train` and `Valid` as places in `PARTS`."""
    codes, words = pd.factorize(column)
    named = [_PART_WORDS.get(str(word).strip().lower()) for word in words]
    is_bad = np.array([name is None for name in named], bool)[codes] & (codes >= 0)
    found.refuse(codes < 0, "part is missing", "parts are missing")
    found.refuse(
        is_bad,
        f"part is neither {', '.join(PARTS[:2])} nor {PARTS[2]}",
        f"parts are neither {', '.join(PARTS[:2])} nor {PARTS[2]}",
        such_as=example(column, is_bad),
    )
    return np.array([PARTS.index(name or PARTS[0]) for name in named], np.int8)[codes]


def numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """As numbers; NaN where missing or none, as dates are."""
    if _is_dates(column) or pd.api.types.is_timedelta64_dtype(column):
        return np.full(len(column), np.nan)
    numeric = pd.to_numeric(column, errors="coerce")
    return np.asarray(numeric.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_dates(column: pd.Series[Any]) -> bool:
    is_period = isinstance(column.dtype, pd.PeriodDtype)
    return is_period or pd.api.types.is_datetime64_any_dtype(column)


_COMMAS = {
    r"'-?\d{1,3}(,\d{3})+'": "write them with a decimal point, or without commas between digits",
    r"'-?\d+,\d+'": "write them with a decimal point",
}
"""What may be wrong with a number, as `example` shows it, and its cure."""

_UNITS = (
    (0.0, 1, "seconds"),
    (1e11, 10**3, "milliseconds"),
    (1e14, 10**6, "microseconds"),
    (1e17, 10**9, "nanoseconds"),
)
"""What a number may count: from this size on, so many to a second."""

_WRITE_TIMES = "write them as seconds since 1970, or such as 2020-09-13 12:26:40"

_FIRST_SECOND, _END_SECOND = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999."""
_END_OF_1970, _FIRST_OF_2100 = 31_536_000, 4_102_444_800

_DATE_FORMATS = (
    ("YYYYMMDD", "%Y%m%d", 19_000_101, 20_991_231),
    ("YYYYMMDDhhmm", "%Y%m%d%H%M", 190_001_010_000, 209_912_312_359),
    ("YYYYMMDDhhmmss", "%Y%m%d%H%M%S", 19_000_101_000_000, 20_991_231_235_959),
)
"""Numbers that are such dates throughout, of these years, are read as dates: as seconds they would
lie in some weeks of 1970, as milliseconds in 1976 or around the year 2600."""


def _seconds(column: pd.Series[Any], found: Findings) -> npt.NDArray[np.int64]:
    """Whole seconds since 1970 from numbers, dates or ISO 8601 text; UTC where no zone is given."""
    is_missing = column.isna().to_numpy()
    found.refuse(is_missing, "time is missing", "times are missing")
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    given = numbers(column)
    if np.isnan(given).all():
        # These two pandas knows as the moment at which they are read.
        dated = column.mask(column.isin(("now", "today")))
        seconds = _since_1970(pd.to_datetime(dated, errors="coerce", utc=True, format="ISO8601"))
    elif (dates := _compact_dates(given, is_missing, found)) is not None:
        seconds = _since_1970(dates)
    else:
        seconds = _in_seconds(given, column, found)
    is_sound = (seconds >= _FIRST_SECOND) & (seconds < _END_SECOND)
    is_bad = ~is_sound & ~is_missing
    found.refuse(
        is_bad,
        "time is neither seconds nor a date",
        "times are neither seconds nor dates",
        such_as=example(column, is_bad),
        cure=_WRITE_TIMES if is_bad.all() else MEND,
    )
    return np.floor(np.where(is_sound, seconds, 0)).astype(np.int64)


def _since_1970(dates: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Seconds; NaN where there is no date. Of any year: nanoseconds end in 2262."""
    seconds = dates.dt.as_unit("ms").astype(np.int64).to_numpy() / 1000
    return np.where(dates.isna().to_numpy(), np.nan, seconds)


def _compact_dates(
    given: npt.NDArray[np.float64], is_missing: Mask, found: Findings
) -> pd.Series[Any] | None:
    """Numbers such as 20200913 as dates, where all are; else None."""
    for written, layout, first, last in _DATE_FORMATS:
        if (((given >= first) & (given <= last)) | is_missing).all():
            texts = pd.Series(given).map("{:.0f}".format, na_action="ignore")
            dates = pd.to_datetime(texts, errors="coerce", utc=True, format=layout)
            if (dates.notna() | is_missing).all():
                found.note(f"times are read as dates {written}")
                return dates
    return None


def _in_seconds(
    given: npt.NDArray[np.float64], column: pd.Series[Any], found: Findings
) -> npt.NDArray[np.float64]:
    """Numbers of the unit that most of them have."""
    unit = np.zeros(len(given), np.int8)
    for size, *_ in _UNITS[1:]:
        unit += np.abs(given) >= size
    most = int(np.bincount(unit[np.isfinite(given)], minlength=1).argmax())
    _, per_second, name = _UNITS[most]
    is_other = unit != most
    if is_other.any():
        by_its_own = given / np.array([per_second for _, per_second, _ in _UNITS])[unit]
        is_other &= (by_its_own >= _END_OF_1970) & (by_its_own < _FIRST_OF_2100)
    found.refuse(
        is_other,
        f"time is of another unit than most, which are {name}",
        f"times are of another unit than most, which are {name}",
        such_as=example(column, is_other),
        cure="write all of them in one unit",
    )
    if most:
        found.note(f"times are read as {name}")
    seconds = given / per_second
    seconds[is_other] = 0.0
    if np.nanmax(seconds) < _END_OF_1970:
        found.note(
            "times are read as seconds since 1970 and none is later than 1970: their order is "
            "right, hours and weekdays may not be"
        )
    return seconds


def _shared_codes(parts: Sequence[tuple[Ints, list[str]]]) -> tuple[Ints, Strings]:
    """Codes of several files under one sorted vocabulary."""
    ids, inverse = np.unique(np.array([i for _, part in parts for i in part]), return_inverse=True)
    starts = np.cumsum([0, *(len(part) for _, part in parts)])
    inverse = inverse.astype(np.int32)
    codes = [inverse[start + codes] for (codes, _), start in zip(parts, starts, strict=False)]
    return _joined(codes), ids


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One array of several; of one file itself, which may be gigabytes."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _twice_rated(
    tables: Sequence[RawTable],
    user: Ints,
    item: Ints,
    rating: npt.NDArray[np.float64],
    order: npt.NDArray[np.intp],
) -> list[str]:
    """A sentence if pairs are rated more than once; `order` sorts by pair and keeps file order."""
    earlier, later = order[:-1], order[1:]
    is_again = _rates_again(user[order], item[order])[1:]
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
        f"{where}: {counted(n_again, *_AGAIN)}, {n_conflicts:,} of them "
        f"differently ({examples}); keep one row a pair, or say which: dataset.duplicates = "
        '"latest", or "mean"'
    ]


_AGAIN = ("row rates a user-item pair again", "rows rate a user-item pair again")


def _rates_again(user: Ints, item: Ints) -> Mask:
    """Of rows sorted by pair, those that rate the pair of the row before."""
    is_same = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    return np.append(False, is_same)


def _once_a_pair(ratings: Ratings, duplicates: Duplicates, name: str) -> Ratings:
    """One row of each pair, of rows that are sorted by pair and, within one, by time.

    Raises:
        DataError: they lie in different parts, or have no times where the latest is asked for.
    """
    is_again = _rates_again(ratings.user, ratings.item)
    n_again = int(is_again.sum())
    if not n_again:
        return ratings
    if duplicates == "latest" and ratings.time is None:
        raise DataError(
            [
                "dataset.duplicates: latest needs times; name their column, or take "
                'duplicates = "mean"'
            ]
        )
    if (np.diff(ratings.part) != 0)[is_again[1:]].any():
        raise DataError(
            [f"{name}: user-item pairs are rated in more than one part; keep each in one of them"]
        )
    is_last = np.append(~is_again[1:], True)
    rating = ratings.rating[is_last]
    did = "the latest of each pair is kept"
    if duplicates == "latest" and ratings.time is not None:
        are_at_once = np.append(False, ratings.time[1:] == ratings.time[:-1])
        if n_at_once := int((is_again & is_last & are_at_once).sum()):
            did += f", of {n_at_once:,} at one moment the last row"
    if duplicates == "mean":
        pair = np.cumsum(~is_again) - 1
        rating = np.bincount(pair, ratings.rating) / np.bincount(pair)
        did = "the mean of each pair is taken"
    return replace(
        ratings,
        user=ratings.user[is_last],
        item=ratings.item[is_last],
        rating=rating,
        time=None if ratings.time is None else ratings.time[is_last],
        part=ratings.part[is_last],
        notes=(*ratings.notes, f"{name}: {counted(n_again, *_AGAIN)}; {did}"),
    )


def _place_of(tables: Sequence[RawTable]) -> Callable[[int], str]:
    starts = np.cumsum([0, *(len(table.frame) for table in tables)])

    def place(row: int) -> str:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        table = tables[number]
        at = int(table.frame.index[row - starts[number]]) + table.first
        prefix = f"{table.name} " if len(tables) > 1 else ""
        return f"{prefix}{table.unit} {at}"

    return place
