"""Tables as text, whatever is between their columns; what would be read wrong is refused."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import math
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from recommender.datasets.other_files import with_blanks, with_colons, with_doubled_quotes
from recommender.datasets.sources import N_PLACES_SHOWN, RawTable, counted
from recommender.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", "\t", ";", "|")
LATIN_1 = "latin-1"
_LINE_END = r"\r\n?|\n"
PIECE_ROWS = 1_000_000
"""Rows of a table that are read at once."""
_NO_TEXT = {
    b"PAR1": "Parquet; call it .parquet",
    b"\x1f\x8b": "gzip; call it .csv.gz",
    b"PK\x03\x04": "ZIP, as spreadsheets are; save it as CSV in UTF-8",
}
"""How files begin that often go by the name of a text."""


def read_text(path: Path, columns: Sequence[str], text: Sequence[str]) -> RawTable:
    """Some columns of a text file, its index counting lines; those of `text` as they are written.

    Raises:
        DataError: the file cannot be read as a table.
    """
    names, separator, encoding = read_header(path, columns)
    if encoding != LATIN_1:
        with contextlib.suppress(UnicodeDecodeError):
            frame = _parse(path, names, separator, encoding, columns, text)
            return RawTable(frame, path.name, "line", 2)
    _refuse_damaged_utf8(path)
    frame = _parse(path, names, separator, LATIN_1, columns, text)
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
            long := _long_lines(path, separator, encoding, surplus, n_blank=1)
        ):
            raise _too_long(path, separator, long) from error
        raise DataError([f"{path.name}: cannot be read as a table: {error}"]) from error
    # pandas takes no field for one too many where the first row has as many.
    first_rows = islice(_rows(path, separator, encoding), 1, 2)
    if any(len(row) > surplus + 1 for _, row in first_rows) and (
        long := _long_lines(path, separator, encoding, surplus)
    ):
        raise _too_long(path, separator, long)
    if len(frame) + 1 < _n_lines(path):
        frame = _by_lines(frame, path, separator, guessed, surplus)
    frame = frame[frame.notna().any(axis=1)]
    too_long = frame.index[frame[surplus].notna()] + 2
    if len(too_long):
        raise _too_long(path, separator, list(too_long))
    return frame[chosen].set_axis(list(columns), axis=1)


def _too_long(path: Path, separator: str, lines: Sequence[int]) -> DataError:
    with _open(path) as file:
        is_escaped = any(b'\\"' in line for line in islice(file, int(lines[0])))
    cure = f"quote fields that hold the separator {separator!r}, and end no line with one"
    if is_escaped:
        cure = with_doubled_quotes(path)
    told = counted(len(lines), "line has", "lines have")
    return DataError(
        [f"{path.name}: {told} more fields than the header ({_places(lines)}); {cure}"]
    )


def _places(lines: Sequence[int]) -> str:
    """`line 3`, `lines 3, 17, ...`."""
    shown = ", ".join(map(str, lines[:N_PLACES_SHOWN]))
    more = ", ..." if len(lines) > N_PLACES_SHOWN else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"


def _long_lines(
    path: Path, separator: str, encoding: str, n_fields: int, n_blank: float = math.inf
) -> list[int]:
    """Where pandas says no more than the first.

    Args:
        n_blank: so many fields at the end may be blank.
    """
    rows = _rows(path, separator, encoding)
    return [line for line, row in rows if any(row[n_fields:]) or len(row) > n_fields + n_blank]


def _rows(path: Path, separator: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that rows end on, and their fields."""
    # A quote that is never closed makes a field too long for this reader; pandas tells of it.
    with _open(path) as file, contextlib.suppress(csv.Error):
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
        for row in reader:
            yield reader.line_num, row


def _n_lines(path: Path) -> int:
    n_ends, last = 0, b"\n"
    with _open(path) as file:
        while chunk := file.read(1 << 20):
            n_ends += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
            n_ends -= last == b"\r" and chunk.startswith(b"\n")
            last = chunk[-1:]
    return n_ends + (last not in b"\r\n")


def _by_lines(
    frame: pd.DataFrame, path: Path, separator: str, guessed: Sequence[int], n_fields: int
) -> pd.DataFrame:
    """The rows of a table with line breaks inside fields, its index counting lines, not rows.

    Raises:
        DataError: a quote that is closed lines later swallows rows.
    """
    import numpy as np

    n_breaks = {
        position: frame[position].str.count(_LINE_END).fillna(0).to_numpy(np.int64)
        for position in range(n_fields)
        if position not in guessed
    }
    ends = np.cumsum(sum(n_breaks.values(), np.ones(len(frame), np.int64)))
    index = np.concatenate([[0], ends[:-1]])
    for position, found in n_breaks.items():
        for row in np.flatnonzero(found):
            lines = re.split(_LINE_END, frame[position].iloc[row])
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
    """Whether nearly all lines of a field are the rest, the whole or the start of rows.

    A text may hold as many separators by chance, but no numbers where the table has them; without
    columns of numbers it takes more lines to tell.
    """
    n_rows, has_digit = 0, False
    for i, line in enumerate(lines):
        start = position if i == 0 else 0
        fields = line.split(separator)
        stop = start + len(fields)
        is_whole = stop == (position + 1 if i == len(lines) - 1 else n_fields)
        numbers = [fields[at - start].strip() for at in guessed if start < at < stop]
        n_rows += is_whole and all(map(_NUMBER.fullmatch, numbers))
        has_digit |= any(c.isdigit() for number in numbers for c in number)
    return n_rows >= max(2 if has_digit else 6, 0.8 * len(lines))


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
        raise DataError(
            [
                f"{path.name}: {counted(len(damaged), 'line is', 'lines are')} not UTF-8 while "
                f"{counted(n_sound, 'other', 'others')} with accents are ({_places(damaged)}); "
                "write the file in one encoding"
            ]
        )


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """As pandas reads it, in pieces: it takes half the memory, and Ctrl-C is heard between them."""
    import pandas as pd

    with warnings.catch_warnings():
        # Lines with fields to spare are found and told by the caller.
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        with pd.read_csv(path, chunksize=PIECE_ROWS, **options) as reader:
            pieces = list(reader)
        if len(pieces) == 1:
            return pieces[0]
        frame: pd.DataFrame
        if any(len({piece[name].dtype for piece in pieces}) > 1 for name in pieces[0]):
            # What a column holds shows in the whole file alone.
            del pieces
            frame = pd.read_csv(path, **options)
        else:
            frame = pd.concat(pieces)
    return frame


def read_header(path: Path, wanted: Sequence[str]) -> tuple[list[str], str, str]:
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
    for mark, told in _NO_TEXT.items():
        if first_line.startswith(mark):
            raise DataError([f"{path.name}: is no text but {told}"])
    if b"\0" in first_line:
        raise DataError([f"{path.name}: holds NUL in its first line; save it as text in UTF-8"])
    encoding = "utf-8-sig"
    try:
        header = first_line.decode(encoding)
    except UnicodeDecodeError:
        encoding = LATIN_1
        header = first_line.decode(encoding)
    header = re.split(r"[\r\n]", header)[0]
    if re.fullmatch(r"\s*sep=.\s*", header):
        raise DataError(
            [
                f"{path.name}: the first line is {header.strip()!r}, a spreadsheet's, and not the "
                "names of the columns; remove it"
            ]
        )
    if not header.strip():
        raise DataError([f"{path.name}: the first line is empty; it must name the columns"])

    def names(separator: str) -> list[str]:
        reader = csv.reader([header], delimiter=separator, skipinitialspace=True)
        return [name.strip() for name in next(reader)]

    try:
        separator = max(SEPARATORS, key=lambda s: (len({*wanted} & {*names(s)}), len(names(s))))
    except csv.Error as error:
        raise DataError(
            [f"{path.name}: the first line must name the columns and cannot: {error}"]
        ) from error
    found = names(separator)
    if len(found) == 1 and "::" in header:
        raise DataError([f"{path.name}: '::' is between its columns; {with_colons(path)}"])
    if len(found) == 1 and len(header.split()) > 1 and found[0] not in wanted:
        raise DataError([f"{path.name}: blanks are between its columns; {with_blanks(path)}"])
    return found, separator, encoding


def _open(path: Path) -> BinaryIO:
    is_packed = path.suffix.lower() == ".gz"
    return cast(BinaryIO, gzip.open(path)) if is_packed else path.open("rb")
