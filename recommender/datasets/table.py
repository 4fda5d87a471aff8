"""One's own ratings: a CSV, TSV or Parquet table with named columns."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from recommender.datasets.base import DatasetConfig, FeatureKind
from recommender.datasets.sources import (
    N_PLACES_SHOWN,
    TIME_FEATURES,
    Problem,
    RawItems,
    RawTable,
    Source,
)
from recommender.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("user", "item", "rating", "time")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
SEPARATORS = (",", "\t", ";", "|")


def column_names(path: Path, wanted: Sequence[str] = ()) -> list[str]:
    """The columns of a table; of a text file those of its first line.

    Raises:
        DataError: the file is not there, of no known kind, or cannot be read.
    """
    _check_file(path)
    if _is_parquet(path):
        return _parquet_columns(path)
    return _read_header(path, wanted)[0]


def read_table(path: Path, columns: Sequence[str], text: Sequence[str]) -> RawTable:
    """Some columns of a table; those of `text` as they are written (`007` stays `007`).

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    known = column_names(path, columns)
    problems = _header_problems(path, known, columns)
    if problems:
        raise DataError(problems)
    if _is_parquet(path):
        return RawTable(_read_parquet(path, columns), path.name, "row", 1)
    return _read_text(path, columns, text)


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError([f"{path.name}: cannot be read: {error}"]) from error
    # Rows count from 0, whatever pandas wrote of an index; whole numbers beside missing ones stay
    # whole: an id above 2^53 would change as a float.
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    return frame[list(columns)]


def _read_text(path: Path, columns: Sequence[str], text: Sequence[str]) -> RawTable:
    names, separator, encoding = _read_header(path, columns)
    notes: tuple[str, ...] = ()
    try:
        frame = _parse(path, names, separator, encoding, columns, text)
    except UnicodeDecodeError:
        _refuse_damaged_utf8(path)
        frame = _parse(path, names, separator, "latin-1", columns, text)
        notes = (f"{path.name} is not UTF-8 and was read as Latin-1",)
    return RawTable(frame, path.name, "line", 2, notes)


def _parse(
    path: Path,
    names: Sequence[str],
    separator: str,
    encoding: str,
    columns: Sequence[str],
    text: Sequence[str],
) -> pd.DataFrame:
    import pandas as pd

    # Columns go by position, and one beyond the header catches lines that are too long, which
    # pandas would cut silently: `a,b,3,5` with a decimal comma is not a 3.
    surplus = len(names)
    chosen = [names.index(column) for column in columns]
    guessed = [names.index(column) for column in columns if column not in text]
    try:
        frame = _read_csv(
            path,
            sep=separator,
            encoding=encoding,
            header=None,
            skiprows=1,
            names=list(range(surplus + 1)),
            index_col=False,
            dtype={position: str for position in range(surplus + 1) if position not in guessed},
            keep_default_na=False,
            na_values=[""],
            # Blank lines are kept and dropped below, so that the index still tells the line.
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame({name: pd.Series(dtype=str) for name in columns})
    except (pd.errors.ParserError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, pd.errors.ParserError) and (
            long := _long_lines(path, separator, encoding, surplus)
        ):
            raise _too_long(path, separator, long) from error
        raise DataError([f"{path.name}: cannot be read as a table: {error}"]) from error
    if len(frame) + 1 < _n_lines(path):
        frame = _by_lines(frame, path, separator, guessed, surplus)
    frame = frame[frame.notna().any(axis=1)]
    too_long = frame.index[frame[surplus].notna()] + 2
    if len(too_long):
        raise _too_long(path, separator, list(too_long))
    return frame[chosen].set_axis(list(columns), axis=1)


def _too_long(path: Path, separator: str, lines: Sequence[int]) -> DataError:
    shown = ", ".join(map(str, lines[:N_PLACES_SHOWN]))
    return DataError(
        [
            f"{path.name}: {len(lines):,} lines have more fields than the header (lines "
            f"{shown}{', ...' if len(lines) > N_PLACES_SHOWN else ''}); quote fields that "
            f"hold the separator {separator!r}"
        ]
    )


def _long_lines(path: Path, separator: str, encoding: str, n_fields: int) -> list[int]:
    """Where pandas says no more than the first."""
    with _open(path) as file:
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
        return [reader.line_num for row in reader if len(row) > n_fields]


def _n_lines(path: Path) -> int:
    with _open(path) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _by_lines(
    frame: pd.DataFrame, path: Path, separator: str, guessed: Sequence[int], n_fields: int
) -> pd.DataFrame:
    """The rows of a table with line breaks inside fields, its index counting lines, not rows.

    Raises:
        DataError: a quote that is closed lines later swallows rows.
    """
    import numpy as np

    n_breaks = {
        position: frame[position].str.count("\n").fillna(0).to_numpy(np.int64)
        for position in range(n_fields)
        if position not in guessed
    }
    ends = np.cumsum(sum(n_breaks.values(), np.ones(len(frame), np.int64)))
    index = np.concatenate([[0], ends[:-1]])
    for position, found in n_breaks.items():
        for row in np.flatnonzero(found):
            lines = frame[position].iloc[row].split("\n")
            if _holds_rows(lines, position, n_fields, separator, guessed):
                first = int(index[row]) + 2
                raise DataError(
                    [
                        f"{path.name}: line {first} opens a quote that is closed on line "
                        f"{first + len(lines) - 1}, so that {len(lines) - 1:,} line breaks are "
                        "inside one field; remove stray quotes, or double them inside quoted fields"
                    ]
                )
    return frame.set_axis(index, axis=0)


def _holds_rows(
    lines: Sequence[str], position: int, n_fields: int, separator: str, guessed: Sequence[int]
) -> bool:
    """Whether at least half of a field's lines are the rest, the whole or the start of rows.

    A text may hold as many separators by chance; it has no numbers where the table has them.
    """
    n_rows = 0
    for i, line in enumerate(lines):
        start = position if i == 0 else 0
        fields = line.split(separator)
        stop = start + len(fields)
        is_whole = stop == (position + 1 if i == len(lines) - 1 else n_fields)
        numbers = [fields[at - start] for at in guessed if start < at < stop]
        n_rows += is_whole and all(_NUMBER.fullmatch(number.strip()) for number in numbers)
    return n_rows >= max(2, len(lines) / 2)


_NUMBER = re.compile(r"[-+:.\dTZeE ]*")
"""Times count as numbers, too."""


def _refuse_damaged_utf8(path: Path) -> None:
    """Raises DataError where a file is UTF-8 but for some lines: read as Latin-1, all its accents
    would change."""
    damaged, n_sound = [], 0
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                n_sound += not line.decode().isascii()
            except UnicodeDecodeError:
                damaged.append(number)
    if n_sound:
        shown = ", ".join(map(str, damaged[:N_PLACES_SHOWN]))
        raise DataError(
            [
                f"{path.name}: {len(damaged):,} lines are not UTF-8 while {n_sound:,} others with "
                f"accents are (first of them: lines {shown}); write the file in one encoding"
            ]
        )


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    import pandas as pd

    with warnings.catch_warnings():
        # Lines with fields to spare are found and told by the caller.
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(path, **options)
    return frame


def _read_header(path: Path, wanted: Sequence[str]) -> tuple[list[str], str, str]:
    """Column names, separator and encoding as the first line of a text file tells them.

    The separator is the one under which most wanted columns are found; among equals, the one that
    gives most columns.
    """
    try:
        with _open(path) as file:
            first_line = file.readline(1 << 20)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError([f"{path.name}: cannot be read: {error}"]) from error
    if first_line.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        raise DataError([f"{path.name}: is UTF-16 or UTF-32; save it as UTF-8"])
    encoding = "utf-8-sig"
    try:
        header = first_line.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        header = first_line.decode(encoding)
    header = re.split(r"[\r\n]", header)[0]
    if not header.strip():
        raise DataError([f"{path.name}: the first line is empty; it must name the columns"])

    def names(separator: str) -> list[str]:
        reader = csv.reader([header], delimiter=separator, skipinitialspace=True)
        return [name.strip() for name in next(reader)]

    separator = max(SEPARATORS, key=lambda s: (len({*wanted} & {*names(s)}), len(names(s))))
    return names(separator), separator, encoding


def _open(path: Path) -> BinaryIO:
    is_packed = path.suffix.lower() == ".gz"
    return cast(BinaryIO, gzip.open(path)) if is_packed else path.open("rb")


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(PARQUET_SUFFIXES)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError([f"{path.name}: is no Parquet file: {error}"]) from error


def _check_file(path: Path) -> None:
    try:
        path.stat()
    except (OSError, ValueError):
        raise DataError([f"{path} is not there"]) from None
    if path.is_dir():
        raise DataError([f"{path} is a folder; name a file"])
    if not path.is_file():
        raise DataError([f"{path} is not there"])
    known = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES)
    if not path.name.lower().endswith(known):
        raise DataError([f"{path.name}: unknown kind of file; known endings: {', '.join(known)}"])


def _problems(dataset: DatasetConfig, files: Mapping[str, Path]) -> list[Problem]:
    problems: list[Problem] = [
        ("dataset.columns", unknown("column role", role, COLUMNS))
        for role in dataset.columns
        if role not in COLUMNS
    ]
    problems += [
        ("dataset.columns", f"which column holds the {role}? columns = {{ {role} = ... }}")
        for role in COLUMNS[:3]
        if role not in dataset.columns
    ]
    named = [dataset.columns[role] for role in COLUMNS if role in dataset.columns]
    problems += [
        ("dataset.columns", f"column {name!r} cannot play more than one role")
        for name in dict.fromkeys(named)
        if named.count(name) > 1
    ]
    if files and dataset.path is not None:
        problems.append(
            ("dataset.path", "the files of the split hold the ratings; leave dataset.path out")
        )
    for part, path in files.items():
        problems += _column_problems(f"split.{part}_path", path, named)
    if dataset.path is not None and not files:
        problems += _column_problems("dataset.path", dataset.path, named)
    if dataset.items is not None:
        problems += _column_problems(
            "dataset.items", dataset.items.path, (dataset.items.key, *dataset.items.features)
        )
        taken = ("user_id", "item_id", *TIME_FEATURES)
        names = dataset.items.features
        problems += [
            ("dataset.items", f"the feature name {name!r} is taken; rename the column")
            for name in names
            if name in taken
        ] + [
            ("dataset.items", f"column {name!r} is named more than once")
            for name in dict.fromkeys(names)
            if names.count(name) > 1 or name == dataset.items.key
        ]
    return problems


def _column_problems(key: str, path: Path, wanted: Sequence[str]) -> list[Problem]:
    try:
        known = column_names(path, wanted)
    except DataError as error:
        return [(key, problem) for problem in error.problems]
    return [(key, problem) for problem in _header_problems(path, known, wanted)]


def _header_problems(path: Path, known: Sequence[str], wanted: Sequence[str]) -> list[str]:
    problems = []
    for name in dict.fromkeys(wanted):
        if name not in known:
            told = f"{path.name}: {unknown('column', name, known)}"
            if len(known) == 1 and not _is_parquet(path):
                told += "; columns are separated by a comma, a tab, a semicolon or |"
            problems.append(told)
        elif known.count(name) > 1:
            problems.append(f"{path.name}: column {name!r} is there {known.count(name)} times")
    return problems


def _features(dataset: DatasetConfig) -> tuple[str, ...]:
    items = dataset.items.features if dataset.items else ()
    return ("user_id", "item_id", *items, *(TIME_FEATURES if "time" in dataset.columns else ()))


def _read_ratings(dataset: DatasetConfig, path: Path | None) -> RawTable:
    path = path or dataset.path
    assert path is not None
    columns = {role: dataset.columns[role] for role in COLUMNS if role in dataset.columns}
    raw = read_table(
        path, tuple(dict.fromkeys(columns.values())), (columns["user"], columns["item"])
    )
    return replace(raw, frame=_renamed(raw.frame, columns))


def _read_items(dataset: DatasetConfig) -> RawItems | None:
    items = dataset.items
    if items is None:
        return None
    raw = read_table(
        items.path, (items.key, *items.features), (items.key, *items.category, *items.list)
    )
    columns = {"item": items.key} | {name: name for name in items.features}
    kinds: dict[str, FeatureKind] = {}
    kinds |= dict.fromkeys(items.category, "category")
    kinds |= dict.fromkeys(items.list, "list")
    kinds |= dict.fromkeys(items.number, "number")
    return RawItems(replace(raw, frame=_renamed(raw.frame, columns)), kinds)


def _renamed(frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    return frame[list(columns.values())].set_axis(list(columns), axis=1)


TABLE = Source(
    rating_range=None,
    features=_features,
    problems=_problems,
    read_ratings=_read_ratings,
    read_items=_read_items,
)
