"""Side features as numbers: of each item its genres, of each user the age, of each row the hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.cleaning import numbers
from recommender.datasets.config import FeatureKind, Of
from recommender.datasets.encoded import Floats, Ints, SideTable, Strings
from recommender.datasets.findings import Findings, example
from recommender.datasets.identifiers import identifiers
from recommender.datasets.sources import TIME_FEATURES, RawSide
from recommender.errors import DataError

MAX_MATRIX_BYTES = 1 << 30
ARTICLES = {"item": "an item", "user": "a user"}
LISTS = (list, tuple, set, np.ndarray)
"""What holds several words in one cell."""
WORDS_WANTED = "give words, or numbers as columns of their own"


def context_columns(features: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{feature}_{function}"
        for feature in TIME_FEATURES
        if feature in features
        for function in ("sin", "cos")
    )


def context(time: npt.NDArray[np.int64] | None, n_rows: int, features: Sequence[str]) -> Floats:
    """Hour (0 to 23) and weekday (Monday 0) of each row in UTC, as points on a circle.

    sin and cos of 2 pi hour / 24 with hour = time // 3600 % 24, and of 2 pi weekday / 7 with
    weekday = (time // 86400 + 3) % 7: 1970 began on a Thursday. Columns as `context_columns`.
    """
    columns = []
    for feature in TIME_FEATURES:
        if time is not None and feature in features:
            is_hour = feature == "hour_of_day"
            turn = time // 3600 % 24 / 24 if is_hour else (time // 86_400 + 3) % 7 / 7
            angle = 2 * np.pi * turn
            columns += [np.sin(angle), np.cos(angle)]
    return np.array(columns, np.float32).reshape(-1, n_rows).T.copy()


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The features asked for of the items, or of the users."""

    of: Of
    name: str
    """Of their table."""
    frame: pd.DataFrame
    """A row an id, a column a feature."""
    kinds: Mapping[str, FeatureKind]


def side_features(raw: RawSide, features: Sequence[str]) -> tuple[Side, list[str]]:
    """The features asked for, and notes.

    Raises:
        DataError: an id is missing or appears twice, or a number is none.
    """
    found = Findings(raw.table)
    frame = raw.table.frame
    codes, ids = identifiers(frame[raw.of], raw.of, found)
    is_again = pd.Series(codes).duplicated().to_numpy() & (codes >= 0)
    found.refuse(
        is_again,
        f"{raw.of} id appears a second time",
        f"{raw.of} ids appear a second time",
        cure=f"keep one row {ARTICLES[raw.of]}",
    )
    columns = [name for name in features if name in raw.kinds]
    for name in columns:
        if raw.kinds[name] == "number":
            is_bad = ~np.isfinite(numbers(frame[name])) & frame[name].notna().to_numpy()
            shown = example(frame[name], is_bad)
            found.refuse(
                is_bad,
                f"value of {name} is no number",
                f"values of {name} are no numbers",
                such_as=shown,
            )
            continue
        _check_lists(name, frame[name], found)
        if raw.kinds[name] == "list":
            _check_texts(name, frame[name], found)
    if found.problems:
        raise DataError(found.problems)
    told = frame[columns].set_axis([ids[code] for code in codes], axis=0)
    return Side(raw.of, raw.table.name, told, raw.kinds), found.notes


def _check_lists(name: str, column: pd.Series[Any], found: Findings) -> None:
    lists = [value for value in column if isinstance(value, LISTS)]
    if odd := [part for value in lists for part in value if not is_word(part)]:
        found.refuse_table(f"{name} holds lists of {type(odd[0]).__name__}; {WORDS_WANTED}")


def _check_texts(name: str, column: pd.Series[Any], found: Findings) -> None:
    texts = [value for value in column if isinstance(value, str)]
    is_otherwise = [text for text in texts if text.startswith("[") or ", " in text]
    if 2 * len(is_otherwise) > len(texts) and not any("|" in text for text in texts):
        found.note(
            f"no value of {name} holds |, which is between words, so that each counts as one, "
            f"such as {is_otherwise[0]!r}"
        )


def is_word(part: Any) -> bool:
    """Whether an element of a list can be a word, or a missing one."""
    is_text = isinstance(part, str | int | np.integer)
    return part is None or is_text or (isinstance(part, float | np.floating) and np.isnan(part))


def side_tables(side: Side, ids: Strings, train: Ints) -> dict[str, SideTable]:
    """Each feature of each of these ids as numbers, what train does not show left out.

    Args:
        train: the number (from 1) of each train row's id.
    """
    index: Literal["catalog", "roster"] = "catalog" if side.of == "item" else "roster"
    tables = {}
    for name, column in side.frame.reindex(ids).items():
        kind = side.kinds[str(name)]
        columns, matrix = (
            _number_table(str(name), column, train)
            if kind == "number"
            else _word_table(str(name), kind, column, train)
        )
        tables[str(name)] = SideTable(kind, columns, matrix, index)
    return tables


def notes_on_sameness(tables: Mapping[str, SideTable], train: Mapping[str, Ints]) -> list[str]:
    """A note on each feature that tells the items, or users, of train not apart.

    Args:
        train: the numbers that `tables` are looked up by, of the train rows.
    """
    notes = []
    for name, table in tables.items():
        first, *others = np.unique(train[table.index])
        if all(np.array_equal(table.matrix[row], table.matrix[first]) for row in others):
            whom = "items" if table.index == "catalog" else "users"
            of_texts = "; of texts words count that are in two or more" * (table.kind == "text")
            notes.append(
                f"{name} is the same for all {whom} in train, and tells models nothing{of_texts}"
            )
    return notes


def _number_table(name: str, column: pd.Series[Any], train: Ints) -> tuple[tuple[str, ...], Floats]:
    values = np.concatenate([[np.nan], numbers(column)])
    seen = values[train]
    seen = seen[np.isfinite(seen)]
    mean = seen.mean() if len(seen) else 0.0
    # What is the same for all has a spread of rounding errors: 1e-17 for values of .1.
    spread = seen.std() if len(seen) and np.ptp(seen) else 1.0
    with np.errstate(over="ignore"):
        standardised = ((values - mean) / spread).astype(np.float32)
    if np.isinf(standardised).any():
        row = int(np.isinf(standardised).argmax())
        raise DataError(
            [
                f"feature {name}: {values[row]:g} is too far from the values in train "
                f"(mean {mean:g}, standard deviation {spread:g}); mend it, or give its logarithm"
            ]
        )
    # A missing number counts as the mean.
    return (name,), np.nan_to_num(standardised)[:, None]


def _word_table(
    name: str, kind: FeatureKind, column: pd.Series[Any], train: Ints
) -> tuple[tuple[str, ...], Floats]:
    words_of = [_words(value, kind) for value in column]
    seen = np.unique(train) - 1
    columns = sorted({word for row in seen for word in words_of[row]})
    n_bytes = 4 * (len(column) + 1) * len(columns)
    if n_bytes > MAX_MATRIX_BYTES:
        raise DataError(
            [
                f"feature {name} has {len(columns):,} different values for {len(column):,} ids, "
                f"{n_bytes / (1 << 30):.1f} GiB as a table; group rare values, or leave it out"
            ]
        )
    number_of = {word: number for number, word in enumerate(columns)}
    matrix = np.zeros((len(column) + 1, len(columns)), np.float32)
    for row, words in enumerate(words_of, start=1):
        for word in words:
            if word in number_of:
                matrix[row, number_of[word]] = 1
    return tuple(columns), matrix


def _words(value: Any, kind: FeatureKind) -> list[str]:
    """`Action|Comedy` as two words (`list`), other values as one; nothing as none."""
    if isinstance(value, LISTS):
        parts = [str(part) for part in value if not pd.isna(part)]
    elif pd.isna(value):
        parts = []
    else:
        parts = str(value).split("|") if kind == "list" else [str(value)]
    return [word for part in parts if (word := part.strip())]
