"""One's own ratings: a CSV, TSV or Parquet table with named columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.datasets.config import DatasetConfig, FeatureKind, Of, SideConfig
from recommender.datasets.other_files import of_other_kind
from recommender.datasets.sources import (
    TIME_FEATURES,
    Problem,
    RawSide,
    RawTable,
    Source,
)
from recommender.datasets.text_files import read_header, read_text
from recommender.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("user", "item", "rating", "time")
ROLES = (*COLUMNS, "part")
NO_FEATURES = ("user_id", "item_id", *TIME_FEATURES, *COLUMNS[:3])
"""What no feature may be called: other features, and what models of one's own are given beside."""
MOST_WORDS = 1_000
"""Of a column of texts: so many words at most, those that most items have, and two at least."""
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")


def column_names(path: Path, wanted: Sequence[str] = ()) -> list[str]:
    """The columns of a table; of a text file those of its first line.

    Raises:
        DataError: the file is not there, of no known kind, or cannot be read.
    """
    _check_file(path)
    if is_parquet(path):
        return _parquet_columns(path)
    return read_header(path, wanted)[0]


def read_table(path: Path, columns: Sequence[str], text: Sequence[str]) -> RawTable:
    """Some columns of a table; those of `text` as they are written (`007` stays `007`).

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    known = column_names(path, columns)
    problems = _header_problems(path, known, columns)
    if problems:
        raise DataError(problems)
    if is_parquet(path):
        return RawTable(_read_parquet(path, columns), path.name, "row", 1)
    return read_text(path, columns, text)


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


def is_parquet(path: Path) -> bool:
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
        told = f"{path.name}: unknown kind of file; known endings: {', '.join(known)}"
        raise DataError(["; ".join(filter(None, [told, of_other_kind(path)]))])


def _problems(dataset: DatasetConfig, files: Mapping[str, Path]) -> list[Problem]:
    problems: list[Problem] = [
        ("dataset.columns", unknown("column role", role, ROLES))
        for role in dataset.columns
        if role not in ROLES
    ]
    problems += [
        ("dataset.columns", f"which column holds the {role}? columns = {{ {role} = ... }}")
        for role in COLUMNS[:3]
        if role not in dataset.columns
    ]
    named = [dataset.columns[role] for role in ROLES if role in dataset.columns]
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
    taken = [*NO_FEATURES]
    for of, side in dataset.sides.items():
        key, names = f"dataset.{of}s", side.features
        problems += _column_problems(key, side.path, (side.key, *names))
        problems += [
            (key, f"the feature name {name!r} is taken; rename the column")
            for name in names
            if name in taken
        ] + [
            (key, f"column {name!r} is named more than once")
            for name in dict.fromkeys(names)
            if names.count(name) > 1 or name == side.key
        ]
        taken += names
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
            if len(known) == 1 and not is_parquet(path):
                told += "; columns are separated by a comma, a tab, a semicolon or |"
            problems.append(told)
        elif known.count(name) > 1:
            problems.append(f"{path.name}: column {name!r} is there {known.count(name)} times")
    return problems


def _features(dataset: DatasetConfig) -> tuple[str, ...]:
    told = [name for side in dataset.sides.values() for name in side.features]
    return ("user_id", "item_id", *told, *(TIME_FEATURES if "time" in dataset.columns else ()))


def _read_ratings(dataset: DatasetConfig, path: Path | None) -> RawTable:
    path = path or dataset.path
    assert path is not None
    columns = {role: dataset.columns[role] for role in ROLES if role in dataset.columns}
    texts = [columns[role] for role in ("user", "item", "part") if role in columns]
    raw = read_table(path, tuple(dict.fromkeys(columns.values())), texts)
    return replace(raw, frame=_renamed(raw.frame, columns))


def _read_sides(dataset: DatasetConfig) -> list[RawSide]:
    return [_read_side(of, side) for of, side in dataset.sides.items()]


def _read_side(of: Of, side: SideConfig) -> RawSide:
    texts = (side.key, *side.category, *side.list, *side.text)
    raw = read_table(side.path, (side.key, *side.features), texts)
    columns = {of: side.key} | {name: name for name in side.features}
    frame = _renamed(raw.frame, columns)
    for name in side.text:
        frame[name] = frequent_words(frame[name])
    kinds: dict[str, FeatureKind] = {}
    kinds |= dict.fromkeys(side.category, "category")
    kinds |= dict.fromkeys(side.list, "list")
    kinds |= dict.fromkeys(side.number, "number")
    kinds |= dict.fromkeys(side.text, "text")
    return RawSide(of, replace(raw, frame=frame), kinds)


def frequent_words(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Of each text its words, in lower case, that are among the frequent ones of all texts."""
    import pandas as pd

    told = texts.astype(object).fillna("")
    words_of = [sorted(set(_WORD.findall(str(text).lower()))) for text in told]
    n_texts = Counter(word for words in words_of for word in words)
    by_count = sorted(n_texts, key=lambda word: (-n_texts[word], word))
    known = {word for word in by_count[:MOST_WORDS] if n_texts[word] > 1}
    kept = [[word for word in words if word in known] for words in words_of]
    return pd.Series(kept, texts.index, dtype=object)


_WORD = re.compile(r"[^\W_]+")


def _renamed(frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    return frame[list(columns.values())].set_axis(list(columns), axis=1)


TABLE = Source(
    rating_range=None,
    features=_features,
    problems=_problems,
    read_ratings=_read_ratings,
    read_sides=_read_sides,
)
