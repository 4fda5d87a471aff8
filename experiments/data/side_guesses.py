"""Which columns of a table of items or users are features, and of which kind, by what they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from experiments.data.column_names import best_match, plain_name
from experiments.errors import RequestError
from recommender.datasets.config import ItemsConfig, Of, UsersConfig
from recommender.datasets.leaks import sounds_of_ratings
from recommender.datasets.table import NO_FEATURES, column_names, frequent_words, read_table

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("category", "list", "number", "text")
_IS_ID = re.compile(r"(?:^|[\W_])[iI][dD]$|[a-z]I[dD]$")
"""`imdbId`, `store_id`, but not `paid`."""
_IS_CODE = re.compile(
    r"(isbn|ean|upc|gtin|sku|barcode|postalcode|postcode|zip|zipcode|phone)(10|13)?"
)
"""Numbers to look something up by: half of one means nothing."""
_MOST_WORDS = 200
"""Different words of a column that is a category."""
_LEAST_WORDS = 2
"""That half of the values of a column of texts share with others, numbers not counted."""


@dataclass(frozen=True, slots=True)
class SideGuess:
    """What a table of items, or users, has to tell."""

    config: ItemsConfig | UsersConfig
    left_out: tuple[str, ...]
    """Columns that are no feature: ids, dates, and what never changes."""
    of_ratings: tuple[str, ...]
    """Numbers that are none either, since test ratings may be in them."""


def guessed_side(path: Path, of: Of, name: str, taken: Sequence[str] = ()) -> SideGuess:
    """The features of the items, or of the users.

    Args:
        name: of the column with their ids in the ratings.
        taken: features of the other table: a column of that name is left out.

    Raises:
        DataError: the table cannot be read.
        RequestError: no column looks like the id.
    """
    names = column_names(path, [name])
    key = name if name in names else best_match(names, of)
    key = key or next((name for name in names if plain_name(name) == "id"), None)
    if key is None:
        raise RequestError(
            f"{path.name}: no column looks like the {of} id; it has {', '.join(names)}. Call it "
            f"{name!r}, as the ratings do"
        )
    columns = tuple(name for name in dict.fromkeys(names) if name != key)
    frame = read_table(path, (key, *columns), (key,)).frame
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    left_out: list[str] = []
    of_ratings: list[str] = []
    for name in columns:
        is_code = _IS_ID.search(name) or _IS_CODE.fullmatch(plain_name(name)) or name in taken
        kind = None if is_code else _kind(frame[name])
        if kind is not None and name in NO_FEATURES and not sounds_of_ratings(name):
            kind = None
        if kind == "number" and sounds_of_ratings(name):
            of_ratings.append(name)
        else:
            (left_out if kind is None else kinds[kind]).append(name)
    config = ItemsConfig if of == "item" else UsersConfig
    features = {kind: tuple(found) for kind, found in kinds.items()}
    return SideGuess(config(path, key, **features), tuple(left_out), tuple(of_ratings))


def _kind(column: pd.Series[Any]) -> str | None:
    import pandas as pd

    values = column.dropna()
    if values.empty or values.astype(str).nunique() < 2:
        return None
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return "number"
    texts = values.astype(str)
    if texts.str.contains("|", regex=False).mean() > 0.2:
        return "list"
    # `Bars, Food`: the words of each count, and not each combination as one.
    if texts.str.contains(", ", regex=False).mean() > 0.5 and _shares_words(texts):
        return "text"
    if texts.nunique() <= min(_MOST_WORDS, len(texts) / 2):
        return "category"
    # Without blanks they are addresses of pages and pictures, which share words, too.
    if texts.str.contains(" ", regex=False).mean() <= 0.5:
        return None
    return "text" if _shares_words(texts) else None


def _shares_words(texts: pd.Series[Any]) -> bool:
    """Whether half of them have words that others have, too."""
    n_words = [sum(not word.isdigit() for word in words) for words in frequent_words(texts)]
    return median(n_words) >= _LEAST_WORDS
