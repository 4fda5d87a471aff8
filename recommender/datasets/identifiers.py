"""User and item ids as text, however they were stored."""

from __future__ import annotations

import ast
import re
import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.encoded import Ints
from recommender.datasets.findings import Findings, Mask, example
from recommender.datasets.sources import counted


def identifiers(column: pd.Series[Any], what: str, found: Findings) -> tuple[Ints, list[str]]:
    """Ids as text: for each row an index into the different ids, -1 where missing; and the ids.

    Whole numbers and bytes become text; surrounding blanks go; `42.0` becomes `42` where all ids
    are written so; `b'42'`, bytes printed as text, does, too, and is refused where only some are.
    """
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        kind = type(column.dropna().iloc[0]).__name__
        found.refuse_table(f"{what} ids are of kind {kind}; they must be text or whole numbers")
        return np.full(len(column), -1, np.int32), []
    texts = [as_text(value) for value in values]
    printed = [_printed_bytes(text) for text in texts]
    is_printed = np.array([value is not None for value in printed], dtype=bool)
    if is_printed.any() and is_printed.all():
        texts = [as_text(value) for value in printed]
        found.note(f"{what} ids are bytes printed as text (b'...') and are read as that text")
    elif is_printed.any():
        found.refuse(
            _rows_of(is_printed, codes),
            f"{what} id is bytes printed as text (b'...') while others are not",
            f"{what} ids are bytes printed as text (b'...') while others are not",
            cure="write all of them as plain text",
        )
    if texts and all(map(_WHOLE_FLOAT.fullmatch, texts)):
        # As pandas writes whole numbers of a column in which some were missing.
        texts = [text.removesuffix(".0") for text in texts]
        found.note(f"{what} ids are written as {values[0]} and are read as {texts[0]}")
    is_damaged = np.array([not {_NUL, "\n", "\r"}.isdisjoint(t) for t in texts], dtype=bool)
    found.refuse(
        _rows_of(is_damaged, codes),
        f"{what} id holds NUL or a line break, or is not UTF-8",
        f"{what} ids hold NUL or a line break, or are not UTF-8",
    )
    is_rounded = np.array([_ROUNDED.fullmatch(text) is not None for text in texts], dtype=bool)
    found.refuse(
        _rows_of(is_rounded, codes),
        f"{what} id is a number that a spreadsheet rounded",
        f"{what} ids are numbers that a spreadsheet rounded",
        such_as=example(column, _rows_of(is_rounded, codes)),
        cure="export them as text: different ones became the same",
    )
    merged, ids = pd.factorize(np.array(texts, dtype=object))
    if len(ids) < len(texts):
        found.note(
            counted(len(texts) - len(ids), f"{what} id differs", f"{what} ids differ")
            + " from others only in blanks around them or in how they are stored, and count as the "
            "same"
        )
    if n_alike := len(ids) - len({_as_read(text) for text in ids}):
        found.note(
            counted(n_alike, f"{what} id looks", f"{what} ids look")
            + " like others (accents composed otherwise, invisible characters, or a .0 behind "
            "them) and count as different"
        )
    codes = np.append(merged, -1)[codes]
    codes[_rows_of(ids == "", codes)] = -1
    found.refuse(codes < 0, f"{what} id is missing", f"{what} ids are missing")
    return codes.astype(np.int32), list(ids)


_NUL = "\0"
_ROUNDED = re.compile(r"\d[.,]\d+[eE]\+\d\d")
"""`9.78014E+12`, once an ISBN."""
_WHOLE_FLOAT = re.compile(r"\d+\.0")


def as_text(value: Any) -> str:
    """An id, however it is stored; with NUL where it cannot be text."""
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            return _NUL
    # Whole numbers beside missing ones are stored as floats: 42.0 is the id 42.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _as_read(text: str) -> str:
    """What a reader takes an id for."""
    if not text.isascii():
        shown = unicodedata.normalize("NFC", text)
        text = "".join(c for c in shown if unicodedata.category(c) != "Cf")
    return text.removesuffix(".0")


def _printed_bytes(text: str) -> bytes | None:
    """The bytes that `b'42'` stands for; None for other text."""
    if not (text.startswith(("b'", 'b"')) and text.endswith(text[1]) and len(text) > 2):
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, bytes) else None


def _rows_of(is_bad_id: Mask, codes: npt.NDArray[Any]) -> Mask:
    return np.asarray(np.append(is_bad_id, False)[codes], dtype=bool)
