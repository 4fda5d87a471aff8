"""Small made-up ratings with something to learn in them, for fast tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from recommender.datasets.encoded import EncodedDataset, Rows, SideTable

GENRES = ("Action", "Comedy", "Drama")


def synthetic_ratings(
    n_users: int = 30, n_items: int = 20, n_ratings: int = 300, seed: int = 0
) -> pd.DataFrame:
    """A table `user, item, rating, time`: stars 1 to 5, no pair twice, in order of time."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(n_users * n_items, size=n_ratings, replace=False)
    user, item = pairs // n_items, pairs % n_items
    taste = rng.normal(0, 0.5, n_users)[user] + rng.normal(0, 0.8, n_items)[item]
    stars = np.clip(np.round(3.3 + taste + rng.normal(0, 0.5, n_ratings)), 1, 5)
    time = np.sort(1_000_000_000 + rng.integers(0, 100 * 86_400, n_ratings))
    return pd.DataFrame(
        {
            "user": [f"u{u}" for u in user],
            "item": [f"i{i}" for i in item],
            "rating": stars,
            "time": time,
        }
    )


def ratings_table(path: Path | str) -> dict[str, object]:
    """The `[dataset]` of a sweep on `synthetic_ratings` in a CSV file."""
    return {"path": str(path), "columns": {n: n for n in ("user", "item", "rating", "time")}}


def synthetic_items(n_items: int = 20, seed: int = 0) -> pd.DataFrame:
    """A table `item, genres, year, brand` for the items of `synthetic_ratings`."""
    rng = np.random.default_rng(seed)
    genres = ["|".join(g for g in GENRES if rng.random() < 0.5) for _ in range(n_items)]
    return pd.DataFrame(
        {
            "item": [f"i{i}" for i in range(n_items)],
            "genres": genres,
            "year": rng.integers(1950, 2000, n_items),
            "brand": rng.choice(["A", "B"], n_items),
        }
    )


def synthetic_encoded(
    n_users: int = 30,
    n_items: int = 20,
    n_ratings: int = 300,
    seed: int = 0,
    *,
    side_features: bool = True,
) -> EncodedDataset:
    """Encoded rows, the last quarter validation; one user and one item are unseen in train.

    With side features: `genres` (list), `year` (number), hour and weekday as context.
    """
    ratings = synthetic_ratings(n_users, n_items, n_ratings, seed)
    rng = np.random.default_rng(seed + 1)
    user = ratings["user"].str[1:].astype(int).to_numpy()
    item = ratings["item"].str[1:].astype(int).to_numpy()
    is_validation = (np.arange(n_ratings) >= 3 * n_ratings // 4) | (user == 0) | (item == 0)
    angles = 2 * np.pi * rng.random((n_ratings, 2))
    context = np.stack([f(a) for a in angles.T for f in (np.sin, np.cos)], axis=1)

    def rows(mask: np.ndarray) -> Rows:
        return Rows(
            # User and item 0 stay out of train, so that number is also the vocabulary's index.
            user=user[mask].astype(np.int32),
            item=item[mask].astype(np.int32),
            catalog=(item[mask] + 1).astype(np.int32),
            context=context[mask][:, : 4 if side_features else 0].astype(np.float32),
            rating=ratings["rating"].to_numpy(np.float32)[mask],
        )

    genres = np.zeros((n_items + 1, len(GENRES)), np.float32)
    genres[1:] = rng.random((n_items, len(GENRES))) < 0.5
    year = np.zeros((n_items + 1, 1), np.float32)
    year[1:] = rng.normal(size=(n_items, 1))
    train = rows(~is_validation)
    return EncodedDataset(
        train=train,
        validation=rows(is_validation),
        user_vocabulary=np.array([f"u{u}" for u in range(1, n_users)]),
        item_vocabulary=np.array([f"i{i}" for i in range(1, n_items)]),
        catalog=np.array([f"i{i}" for i in range(n_items)]),
        catalog_item=np.concatenate([[0], np.arange(n_items)]).astype(np.int32),
        side_tables={
            "genres": SideTable("list", GENRES, genres),
            "year": SideTable("number", ("year",), year),
        }
        if side_features
        else {},
        context_columns=(
            ("hour_of_day_sin", "hour_of_day_cos", "day_of_week_sin", "day_of_week_cos")
            if side_features
            else ()
        ),
        rating_range=(1.0, 5.0),
        train_mean=float(train.rating.mean()),
        validation_users=user[is_validation].astype(np.int32),
    )


def validated_on_strangers() -> EncodedDataset:
    """The same without side features; no user and no item of a validation row is in train."""
    data = synthetic_encoded(side_features=False)
    nobody = np.zeros(len(data.validation), np.int32)
    rows = replace(data.validation, user=nobody, item=nobody, catalog=nobody)
    return replace(data, validation=rows)
