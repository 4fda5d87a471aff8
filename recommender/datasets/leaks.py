"""Features made of ratings that no model may know: those of validation, test and confirm."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from recommender.datasets.cleaning import Ratings, numbers
from recommender.datasets.features import Side
from recommender.datasets.splits import CONFIRM, TEST, TRAIN, VALIDATION, Parts

OF_RATINGS = frozenset(
    ("rating", "ratings", "rated", "star", "stars", "score", "scores", "scored", "vote", "votes",
     "voters", "review", "reviews")
)  # fmt: skip
"""Words in the names of what ratings came to."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

LEAST_ITEMS, LEAST_SHARE = 10, 0.9
"""Of the items, or users, with ratings outside train: so many, and so much of them, must agree."""
MOST_DECIMALS = 4

Numbers = npt.NDArray[np.float64]


def sounds_of_ratings(name: str) -> bool:
    """Whether a column's name, such as `average_rating`, says that it was made of ratings."""
    return not OF_RATINGS.isdisjoint(word.lower() for word in _WORD.findall(name))


def notes_on_names(side: Side) -> list[str]:
    """A note on each feature that is a number and made of ratings, going by its name."""
    return [
        f"{side.name}: {name}, going by its name, was made of ratings; if test rows are among "
        "them, models are told what is sealed: leave it out of dataset.features"
        for name in side.frame.columns
        if side.kinds[name] == "number" and sounds_of_ratings(name)
    ]


def leaks(side: Side, ratings: Ratings, parts: Parts) -> list[str]:
    """A problem for each feature that is the mean or the count of each item's, or user's, ratings,
    with rows that do not train among them."""
    columns = [name for name in side.frame.columns if side.kinds[name] == "number"]
    if not columns:
        return []
    is_items = side.of == "item"
    ids, codes = (ratings.item_ids, ratings.item) if is_items else (ratings.user_ids, ratings.user)
    by_id = side.frame[columns].reindex(ids)

    def made_of(is_in: npt.NDArray[np.bool_]) -> dict[str, Numbers]:
        counts = np.bincount(codes[is_in], minlength=len(ids))
        sums = np.bincount(codes[is_in], ratings.rating[is_in], minlength=len(ids))
        return {"mean": sums / np.maximum(counts, 1), "count": counts.astype(float)}

    is_train = parts == TRAIN
    train = made_of(is_train)
    groups = [(is_train | (parts == VALIDATION), "validation rows")]
    if (parts == CONFIRM).any():
        groups.append((parts != TEST, "validation rows"))  # with those kept for a verdict
    groups.append((np.ones(len(parts), bool), "test rows"))
    problems = []
    for is_in, told in groups:
        made = made_of(is_in)
        problems += [
            f"{side.name}: {name} is the {what} of each {side.of}'s ratings, {told} among them; "
            "no model may know those: leave it out of dataset.features, or make it of train rows"
            for name in columns
            for what, of_all in made.items()
            if _is_made_of(numbers(by_id[name]), of_all, train[what], is_count=what == "count")
        ]
    return list(dict.fromkeys(problems))


def _is_made_of(values: Numbers, of_all: Numbers, of_train: Numbers, *, is_count: bool) -> bool:
    """Whether the values are these, to their own decimals, where train rows alone say otherwise."""
    there = np.isfinite(values)
    decimals = next(
        (d for d in range(MOST_DECIMALS) if np.allclose(values[there], values[there].round(d), 0)),
        MOST_DECIMALS,
    )
    if not is_count and decimals == 0:
        return False  # whole numbers are near many a mean
    tolerance = 0.51 * 10.0**-decimals
    differs = there & (abs(of_all - of_train) > 2 * tolerance)
    if differs.sum() < LEAST_ITEMS:
        return False
    is_it = abs(values - of_all)[differs] <= (0 if is_count else tolerance)
    return bool(is_it.mean() >= LEAST_SHARE)
