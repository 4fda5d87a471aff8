"""Features of items that know ratings which are to be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommender.datasets.config import ItemsConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.errors import DataError
from tests.recommender.datasets.tables import load_table
from tests.synthetic import synthetic_ratings

RATINGS = synthetic_ratings()
START, SPAN = RATINGS["time"].min(), np.ptp(RATINGS["time"])


def made_of(rows: pd.DataFrame) -> pd.DataFrame:
    """What many a notebook joins to the items: how often and how well they are rated."""
    made = rows.groupby("item")["rating"].agg(["mean", "count"])
    every = made.reindex(RATINGS["item"].unique())
    return every.rename(columns={"mean": "liked", "count": "popularity"}).reset_index()


def load(
    folder: Path, items: pd.DataFrame, *names: str, split: SplitConfig | None = None
) -> LoadedDataset:
    path = folder / "items.csv"
    items.to_csv(path, index=False)
    config = ItemsConfig(path, "item", number=names)
    features = ("user_id", "item_id", *names)
    return load_table(folder, RATINGS, split or SplitConfig(), items=config, features=features)


def until(share: float) -> pd.DataFrame:
    return RATINGS[RATINGS["time"] <= START + share * SPAN]


@pytest.mark.parametrize(
    ("share", "told"), [(1.0, "test rows among them"), (0.8, "validation rows among them")]
)
def test_mean_and_count_of_rows_outside_train_are_refused(
    tmp_path: Path, share: float, told: str
) -> None:
    with pytest.raises(DataError) as refused:
        load(tmp_path, made_of(until(share)), "liked", "popularity")
    mean, count = refused.value.problems
    assert mean.startswith("items.csv: liked is the mean of each item's ratings") and told in mean
    assert count.startswith("items.csv: popularity is the count") and told in count


def test_rows_kept_for_a_verdict_are_validation_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        load(tmp_path, made_of(until(0.8)), "liked", split=SplitConfig(confirm=0.5))
    (told,) = refused.value.problems
    assert "validation rows among them" in told


def test_a_rounded_mean_is_a_mean(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="liked is the mean"):
        load(tmp_path, made_of(RATINGS).round({"liked": 2}), "liked")


def test_those_of_train_rows_alone_are_features_like_others(tmp_path: Path) -> None:
    assert load(tmp_path, made_of(until(0.6)), "liked", "popularity").description.notes == ()


def test_numbers_near_the_mean_are_no_mean(tmp_path: Path) -> None:
    made = made_of(RATINGS)
    near = made.assign(liked=made["liked"] + np.resize([0.1, -0.1], len(made)))
    load(tmp_path, near, "liked")
    load(tmp_path, made.round({"liked": 0}), "liked")


def test_a_name_that_speaks_of_ratings_is_noted(tmp_path: Path) -> None:
    made = made_of(until(0.6)).rename(columns={"liked": "averageRating"})
    (note,) = load(tmp_path, made, "averageRating").description.notes
    assert note.startswith("items.csv: averageRating, going by its name, was made of ratings")
