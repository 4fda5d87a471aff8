"""A data set that a function of the researcher's own gives as one tidy table.

A row a rating: `user`, `item`, `rating`, `time` where there are times; every other column is a
feature of the item, the same in all rows of an item: lists of words, text (a category) or numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.datasets.base import DatasetConfig, FeatureKind
from recommender.datasets.sources import TIME_FEATURES, Problem, RawItems, RawTable, Source
from recommender.errors import DataError, OwnCodeError
from recommender.own import OwnArchitecture
from recommender.own_loading import blamed_on, load

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("user", "item", "rating", "time")


def own_source(own: OwnArchitecture) -> Source:
    """How its data is read; the function is called once for each of these."""

    @functools.cache
    def table(path: Path | None) -> pd.DataFrame:
        return _called(own, path)

    def features(dataset: DatasetConfig) -> tuple[str, ...]:
        frame = table(dataset.path)
        times = TIME_FEATURES if "time" in frame else ()
        return ("user_id", "item_id", *_item_columns(frame), *times)

    def read_ratings(dataset: DatasetConfig, _path: Path | None) -> RawTable:
        frame = table(dataset.path)
        return RawTable(frame[[c for c in _COLUMNS if c in frame]], own.where, "row", 0)

    def read_items(dataset: DatasetConfig) -> RawItems | None:
        return _items(own, table(dataset.path))

    return Source(None, features, _problems, read_ratings, read_items)


def _problems(dataset: DatasetConfig, files: Mapping[str, Path]) -> list[Problem]:
    """Features are looked at when the function has been called."""
    problems = [
        (f"dataset.{key}", "is for tables in files; the function names its columns itself")
        for key, given in (("columns", dataset.columns), ("items", dataset.items))
        if given
    ]
    if files:
        problems.append(("split.method", "files needs tables in files; choose another method"))
    if dataset.path is not None and not dataset.path.exists():
        problems.append(("dataset.path", f"{dataset.path} is not there"))
    return problems


def _called(own: OwnArchitecture, path: Path | None) -> pd.DataFrame:
    import pandas as pd

    try:
        function = load(own)
        with blamed_on(own):
            frame = function(str(path)) if path is not None else function()
    except OwnCodeError as error:
        raise DataError([error.in_full]) from error
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


def _item_columns(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if name not in _COLUMNS]


def _items(own: OwnArchitecture, frame: pd.DataFrame) -> RawItems | None:
    import pandas as pd

    from recommender.datasets.identifiers import as_text

    columns = _item_columns(frame)
    if not columns:
        return None
    told = frame[["item", *columns]].copy()
    # `5` and ` 5` are one item, here as in the ratings.
    told["item"] = told["item"].map(as_text, na_action="ignore")
    kinds: dict[str, FeatureKind] = {}
    for name in columns:
        kinds[name] = _kind(told[name])
        if kinds[name] == "list":
            words = told[name].astype(object)  # Arrow's lists would become lists again
            told[name] = words.map(lambda value, name=name: _as_tuple(value, own, name))
    first = told.drop_duplicates("item")
    of_item = first.set_index("item")
    problems = []
    for name in columns:
        expected = told["item"].map(of_item[name])
        differs = ~((told[name] == expected) | (told[name].isna() & expected.isna()))
        if differs.any():
            row = int(differs.to_numpy().argmax())
            problems.append(
                f"{own.where}: {name} of item {told['item'].iloc[row]} is "
                f"{expected.iloc[row]} in one row and {told[name].iloc[row]} in another; every "
                "column but user, item, rating and time is a feature of the item, the same in all "
                "its rows"
            )
    if problems:
        raise DataError(problems)
    is_known = first["item"].notna()
    table = RawTable(pd.DataFrame(first[is_known]), own.where, "row", 0)
    return RawItems(table, kinds)


def _kind(column: pd.Series[Any]) -> FeatureKind:
    import pandas as pd

    from recommender.datasets.features import LISTS

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return "number"
    has_lists = any(isinstance(value, LISTS) for value in column)
    return "list" if has_lists else "category"


def _as_tuple(value: Any, own: OwnArchitecture, name: str) -> Any:
    """A list of words, which can be compared; a set in order."""
    from recommender.datasets.features import LISTS, WORDS_WANTED, is_word

    if not isinstance(value, LISTS):
        return value
    if odd := [part for part in value if not is_word(part)]:
        told = f"{name} holds lists of {type(odd[0]).__name__}"
        raise DataError([f"{own.where}: {told}; {WORDS_WANTED}"])
    return tuple(sorted(value, key=str) if isinstance(value, set) else value)
