"""A data set that a function of the researcher's own gives as one tidy table.

A row a rating: `user`, `item`, `rating`, `time` where there are times; every other column is a
feature of the item, the same in all rows of an item, or else of the user: lists of words, text (a
category) or numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.datasets.config import DatasetConfig, FeatureKind, Of
from recommender.datasets.sources import TIME_FEATURES, Problem, RawSide, RawTable, Source
from recommender.errors import DataError, OwnCodeError
from recommender.own import OwnDefinition
from recommender.own_loading import blamed_on, load

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("user", "item", "rating", "time")


def own_source(own: OwnDefinition) -> Source:
    """How its data is read; the function is called once for each of these."""

    @functools.cache
    def table(path: Path | None) -> pd.DataFrame:
        return _called(own, path)

    def features(dataset: DatasetConfig) -> tuple[str, ...]:
        frame = table(dataset.path)
        times = TIME_FEATURES if "time" in frame else ()
        return ("user_id", "item_id", *_feature_columns(frame), *times)

    def read_ratings(dataset: DatasetConfig, _path: Path | None) -> RawTable:
        frame = table(dataset.path)
        return RawTable(frame[[c for c in _COLUMNS if c in frame]], own.where, "row", 0)

    def read_sides(dataset: DatasetConfig) -> list[RawSide]:
        return _sides(own, table(dataset.path))

    return Source(None, features, _problems, read_ratings, read_sides)


def _problems(dataset: DatasetConfig, files: Mapping[str, Path]) -> list[Problem]:
    """Features are looked at when the function has been called."""
    problems = [
        (f"dataset.{key}", "is for tables in files; the function names its columns itself")
        for key, given in (
            ("columns", dataset.columns),
            *((f"{of}s", side) for of, side in dataset.sides.items()),
        )
        if given
    ]
    if files:
        problems.append(("split.method", "files needs tables in files; choose another method"))
    if dataset.path is not None and not dataset.path.exists():
        problems.append(("dataset.path", f"{dataset.path} is not there"))
    return problems


def _called(own: OwnDefinition, path: Path | None) -> pd.DataFrame:
    import pandas as pd

    try:
        function = load(own)
        with blamed_on(own):
            frame = function(str(path)) if path is not None else function()
    except OwnCodeError as error:
        told = error.in_full
        missing = error.__cause__
        if isinstance(missing, FileNotFoundError) and missing.filename and path is None:
            told += f"\n{_way_to_its_file(own, str(missing.filename))}"
        raise DataError([told]) from error
    if not isinstance(frame, pd.DataFrame):
        raise DataError([f"{own.where} must give a pandas DataFrame, got {type(frame).__name__}"])
    names = [str(name) for name in frame.columns]
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    problems = [
        f"{own.where}: column {name!r} is missing; there are {', '.join(names)}"
        for name in _COLUMNS[:3]
        if name not in names
    ]
    problems += [
        f"{own.where}: column {name!r} is there {names.count(name)} times"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    taken = ("user_id", "item_id", *TIME_FEATURES)
    problems += [
        f"{own.where}: the name {name!r} is taken; rename the column"
        for name in names
        if name in taken
    ]
    if problems:
        raise DataError(problems)
    return frame


def _way_to_its_file(own: OwnDefinition, missing: str) -> str:
    """How a function finds a file that it opens by itself."""
    if Path(missing).is_relative_to(own.root):
        return (
            f"where {own.where} runs lie only the Python files that it imports: name every other "
            "file by its whole path"
        )
    return (
        f"{own.where} names this file itself: put the file there; a function that takes a path is "
        "given dataset.path, which can be another on every machine"
    )


def _feature_columns(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if name not in _COLUMNS]


def _sides(own: OwnDefinition, frame: pd.DataFrame) -> list[RawSide]:
    import pandas as pd

    from recommender.datasets.identifiers import as_text

    columns = _feature_columns(frame)
    told = frame[["item", "user", *columns]].copy()
    for of in ("item", "user"):
        # `5` and ` 5` are one item, here as in the ratings.
        told[of] = told[of].astype(object).map(as_text, na_action="ignore")
    kinds: dict[str, FeatureKind] = {}
    for name in columns:
        kinds[name] = _kind(told[name])
        if kinds[name] == "list":
            words = told[name].astype(object)  # Arrow's lists would become lists again
            told[name] = words.map(lambda value, name=name: _as_tuple(value, own, name))
    names: dict[Of, list[str]] = {"item": [], "user": []}
    problems = []
    for name in columns:
        if (row := _other(told, "item", name)) is None:
            names["item"].append(name)
        elif _other(told, "user", name) is None:
            names["user"].append(name)
        else:
            first = told[name][told["item"] == told["item"].iloc[row]].iloc[0]
            problems.append(
                f"{own.where}: {name} of item {told['item'].iloc[row]} is {first} in one row and "
                f"{told[name].iloc[row]} in another, and those of users differ, too; every column "
                "but user, item, rating and time is a feature of the item, the same in all its "
                "rows, or of the user"
            )
    if problems:
        raise DataError(problems)
    sides = []
    for of, features in names.items():
        if features:
            first = told[told[of].notna()].drop_duplicates(of)[[of, *features]]
            table = RawTable(pd.DataFrame(first), own.where, "row", 0)
            sides.append(RawSide(of, table, {name: kinds[name] for name in features}))
    return sides


def _other(frame: pd.DataFrame, of: Of, name: str) -> int | None:
    """The first row where a column is not what it is in the first row of that item, or user."""
    has_id = frame[of].notna()  # those without are told when the ratings are read
    if not has_id.any():
        return None
    firsts = frame[has_id].drop_duplicates(of).set_index(of)[name]
    expected = frame[of].map(firsts)
    is_same = (frame[name] == expected).fillna(False).astype(bool)
    differs = has_id & ~(is_same | (frame[name].isna() & expected.isna()))
    return int(differs.to_numpy().argmax()) if differs.any() else None


def _kind(column: pd.Series[Any]) -> FeatureKind:
    import pandas as pd

    from recommender.datasets.features import LISTS

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return "number"
    has_lists = any(isinstance(value, LISTS) for value in column)
    return "list" if has_lists else "category"


def _as_tuple(value: Any, own: OwnDefinition, name: str) -> Any:
    """A list of words, which can be compared; a set in order."""
    import pandas as pd

    from recommender.datasets.features import LISTS, WORDS_WANTED, is_word

    if not isinstance(value, LISTS):
        return value
    if odd := [part for part in value if not is_word(part)]:
        told = f"{name} holds lists of {type(odd[0]).__name__}"
        raise DataError([f"{own.where}: {told}; {WORDS_WANTED}"])
    words = [word for word in value if not pd.isna(word)]  # a missing one is not equal to itself
    return tuple(sorted(words, key=str) if isinstance(value, set) else words)
