"""Nasty tables, as bytes: each is read where that is safe, else refused with a message."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import load_dataset

HEADER = "user,item,rating,time"
ROWS = [
    f"u{i % 12},i{i * 7 % 17},{1 + i * 5 % 9 * 0.5:g},{1_000_000 + 977 * i}" for i in range(120)
]


@dataclass(frozen=True)
class Case:
    name: str
    content: bytes
    message: str | None
    """A regular expression found in the refusal; None: the table is read."""
    file: str = "ratings.csv"
    rating_range: tuple[float, float] | None = (0.5, 5)


def text(*lines: str, end: str = "\n", encoding: str = "utf-8") -> bytes:
    return (end.join(lines) + end).encode(encoding)


def with_rows(*rows: str) -> bytes:
    """The sound table and some more rows: they stand from line 122 on."""
    return text(HEADER, *ROWS, *rows)


def changed(change: Callable[[str], str], header: str = HEADER) -> bytes:
    return text(header, *map(change, ROWS))


SOUND = text(HEADER, *ROWS)

CASES = [
    Case("sound", SOUND, None),
    Case("byte-order-mark", b"\xef\xbb\xbf" + SOUND, None),
    Case("crlf", text(HEADER, *ROWS, end="\r\n"), None),
    Case("cr-only", text(HEADER, *ROWS, end="\r"), None),
    Case("no-last-newline", SOUND.rstrip(b"\n"), None),
    Case("blank-lines", text(HEADER, "", *ROWS[:60], "", "", *ROWS[60:]), None),
    Case("latin-1", text(HEADER, *ROWS, "Zoë,Amélie,4,1050000", encoding="latin-1"), None),
    Case("utf-16", text(HEADER, *ROWS, encoding="utf-16"), "UTF-16"),
    Case("tabs", SOUND.replace(b",", b"\t"), None),
    Case("semicolons", SOUND.replace(b",", b";"), None),
    Case("pipes", SOUND.replace(b",", b"|"), None),
    Case("quoted", text(HEADER, *('"' + row.replace(",", '","') + '"' for row in ROWS)), None),
    Case("blanks-after-commas", SOUND.replace(b",", b", "), None),
    Case("emoji-ids", with_rows("👤,🎬,4,1050000"), None),
    Case("right-to-left", with_rows("\u202eevil,new,4,1050000"), None),
    Case("markup-ids", with_rows("<script>alert(1)</script>,new,4,1050000"), None),
    Case("formula-ids", with_rows("=cmd|' /C calc'!A0,new,4,1050000"), None),
    Case("latex-ids", with_rows("\\input{/etc/passwd},new,4,1050000"), None),
    Case("path-ids", with_rows("../../etc/passwd,new,4,1050000"), None),
    Case("leading-zeros", with_rows("007,new,4,1050000", "7,new,3,1050001"), None),
    Case("gzipped", gzip.compress(SOUND), None, "ratings.csv.gz"),
    Case("empty", b"", "first line is empty"),
    Case("one-newline", b"\n", "first line is empty"),
    Case("header-only", text(HEADER), "holds no ratings"),
    Case("one-row", text(HEADER, ROWS[0]), "leaves no row for validation and test out of 1"),
    Case("two-rows", text(HEADER, *ROWS[:2]), "leaves no row for validation"),
    Case("no-header", text(*ROWS), "unknown column 'user'"),
    Case("wrong-separator", SOUND.replace(b",", b":"), "unknown column"),
    Case("missing-column", changed(lambda row: row, "user,item,stars,time"), "'rating'"),
    Case(
        "column-twice",
        changed(lambda row: row, "user,item,rating,rating"),
        "column 'rating' is there 2 times",
    ),
    Case(
        "bytes-reprs", changed(lambda row: f"b'{row.split(',')[0]}',{row.partition(',')[2]}"), None
    ),
    Case("decimal-commas", with_rows("u1,new,3,5,1050000"), "more fields than the header.*line"),
    Case("short-row", with_rows("u1,new"), r"1 rating is missing \(line 122\)"),
    Case("unclosed-quote", with_rows('u1,"new,4,1050000'), "cannot be read as a table"),
    Case("nul-bytes", with_rows("u1\x00x,new,4,1050000"), r"1 user id holds NUL .*\(line 122\)"),
    Case("binary", bytes(range(256)) * 40, "holds NUL"),
    Case("huge-field", with_rows("u" * 200_000 + ",new,4,1050000"), None),
    Case(
        "nan-rating",
        with_rows("u1,new,NaN,1050000"),
        r"1 rating is no number, such as 'NaN' \(line 122\)",
    ),
    Case(
        "inf-rating",
        with_rows("u1,new,inf,1050000"),
        r"1 rating is no number, such as 'inf' \(line 122\)",
    ),
    Case(
        "overflowing-rating",
        with_rows("u1,new,1e999,1050000"),
        r"1 rating is no number.*\(line 122\)",
    ),
    Case("empty-rating", with_rows("u1,new,,1050000"), r"1 rating is missing \(line 122\)"),
    Case(
        "text-rating",
        with_rows("u1,new,five,1050000"),
        r"1 rating is no number, such as 'five' \(line 122\)",
    ),
    Case(
        "rating-9999",
        with_rows("u1,new,9999,1050000"),
        r"1 rating lies outside 0.5 to 5.*\(line 122\)",
    ),
    Case(
        "rating-1e9",
        with_rows("u1,new,1e9,1050000"),
        r"1 rating lies outside 0.5 to 5.*\(line 122\)",
    ),
    Case("empty-user", with_rows(",new,4,1050000"), r"1 user id is missing \(line 122\)"),
    Case("blank-item", with_rows("u1,   ,4,1050000"), r"1 item id is missing \(line 122\)"),
    Case("na-user", with_rows("NA,new,4,1050000"), None),
    Case(
        "text-time",
        with_rows("u1,new,4,yesterday"),
        r"1 time is neither seconds nor a date, such as 'yesterday' \(line 122\)",
    ),
    Case("negative-time", with_rows("u1,new,4,-5"), "leaves no row"),
    Case(
        "time-beyond-the-calendar",
        with_rows("u1,new,4,1e300"),
        r"1 time is neither.*\(line 122\)",
    ),
    Case(
        "iso-times",
        with_rows("u1,new,4,2020-01-01T00:00:00Z"),
        r"1 time is neither.*\(line 122\)",
    ),
    Case(
        "equal-times",
        changed(lambda row: row.rpartition(",")[0] + ",1000000"),
        "leaves no row for validation and test",
    ),
    Case(
        "duplicate-row",
        with_rows(ROWS[3]),
        r"1 row rates a user-item pair again, 0 of them differently \(line 122 after line 5\)",
    ),
    Case(
        "conflicting-ratings",
        with_rows("u0,i0,4.5,1050000"),
        r"again, 1 of them differently \(line 122 after line 2\)",
    ),
    Case(
        "equal-ratings",
        changed(lambda row: ",".join([*row.split(",")[:2], "3", row.split(",")[3]])),
        "all ratings of train and validation are 3",
        rating_range=None,
    ),
    Case(
        "one-user",
        changed(lambda row: "u0," + row.partition(",")[2]),
        r"103 rows rate .*\(line 19 after line 2, .*6\)",
    ),
    Case(
        "cut-gzip",
        gzip.compress(SOUND)[:200],
        "cannot be read as a table: Compressed file ended",
        "ratings.csv.gz",
    ),
    Case("no-gzip", SOUND, "Not a gzipped file", "ratings.csv.gz"),
    Case("no-parquet", SOUND, "is no Parquet file", "ratings.parquet"),
    Case("cut-parquet", b"PAR1" + b"\x00" * 50 + b"PAR1", "is no Parquet file", "ratings.parquet"),
    Case("spreadsheet", b"PK\x03\x04" + b"\x00" * 100, "unknown kind of file", "ratings.xlsx"),
    Case("pickle", b"\x80\x04cos\nsystem\n", "unknown kind of file", "ratings.pkl"),
]


def load(case: Case, folder: Path) -> LoadedDataset:
    path = folder / case.file
    path.write_bytes(case.content)
    columns = {name: name for name in HEADER.split(",")}
    return load_dataset(
        DatasetConfig(path=path, columns=columns, rating_range=case.rating_range), SplitConfig()
    )
