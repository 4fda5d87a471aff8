from __future__ import annotations

import numpy as np
import pytest

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.loading import load_dataset
from recommender.datasets.odd_ratings import note_on_spread, note_on_stand_in, note_on_tail
from tests.recommender.datasets.tables import NAMES

STARS = [1.0, 2.0, 3.0, 4.0, 5.0]
JOKES = [-9.5, -3.25, 0.0, 2.5, 9.75]


@pytest.mark.parametrize(
    ("levels", "odd", "cure"),
    [
        ([0.0, *STARS], "10 ratings are 0 (17% of", "--range 1 5"),
        ([-1.0, *STARS], "10 ratings are -1 (17% of", "--range 1 5"),
        ([-1.0, 0.0, *STARS], "10 ratings are -1 (14% of", "--range 0 5"),
        ([*JOKES, 99.0], "10 ratings are 99 (17% of", "--range -10 10"),
        ([-1.0, *STARS[2:], 7.0, 8.0], "10 ratings are -1 (17% of", "--range 1 10"),
        ([-99.0, *STARS], "10 ratings are -99 (17% of", "--range 1 5"),
    ],
)
def test_a_number_that_may_stand_for_no_rating_is_said_with_its_cure(
    levels: list[float], odd: str, cure: str
) -> None:
    (note,) = note_on_stand_in("r.csv", np.repeat(levels, 10))
    assert note.startswith(odd)
    assert note.endswith(f"recsweep data clean r.csv {cure}")


@pytest.mark.parametrize(
    "levels",
    [STARS, JOKES, [0.0, 1.0], [-1.0, 1.0], [-1.0, 0.0, 1.0], [0.5, *STARS],
     [0.0, 3.0, 17.0, 250.0, 9000.0, 446_500.0], [0.0, 0.13, 0.5, 0.9, 1.0, 7.0]],
)  # fmt: skip
def test_of_other_ratings_nothing_is_said(levels: list[float]) -> None:
    assert note_on_stand_in("r.csv", np.repeat(levels, [10] * (len(levels) - 1) + [1])) == []


def test_a_range_that_is_said_settles_it(tmp_path) -> None:
    path = tmp_path / "r.csv"
    rows = [f"u{i % 9},x{i},{i % 6},{i}" for i in range(90)]
    path.write_text("\n".join(["user,item,rating,time", *rows, ""]))
    asked = DatasetConfig(path=path, columns=NAMES)
    said = DatasetConfig(path=path, columns=NAMES, rating_range=(0, 5))
    notes, none = (load_dataset(it, SplitConfig()).description.notes for it in (asked, said))
    assert [note for note in notes if note not in none] == [
        "12 ratings are 0 (17% of train and validation): where that stands for none, leave it out: "
        "recsweep data clean r.csv --range 1 5"
    ]


@pytest.mark.parametrize(("spread", "factor"), [(0.01, "100"), (0.03, "100"), (1e-5, "100,000")])
def test_a_spread_that_four_decimals_hardly_show_is_said(spread: float, factor: str) -> None:
    rating = 0.5 + spread * np.tile([-1.0, 1.0], 50)
    (note,) = note_on_spread("r.csv", rating)
    assert f"deviation of {spread:.2g}, and" in note and f"multiply them by {factor} to" in note


@pytest.mark.parametrize("levels", [STARS, [0.0, 1.0], [3.0, 3.0]])
def test_of_a_usual_spread_nothing_is_said(levels: list[float]) -> None:
    assert note_on_spread("r.csv", np.repeat(levels, 10)) == []


def test_a_few_ratings_that_make_the_rmse_are_said() -> None:
    rng = np.random.default_rng(0)
    (note,) = note_on_tail("r.csv", np.exp(rng.normal(4, 2.3, 10_000)))
    assert note.startswith("r.csv: 1% of the ratings makes ") and "logarithm" in note
    thumbs = (rng.random(10_000) < 0.01) * 1.0
    for rating in (rng.integers(1, 6, 10_000) * 1.0, rng.normal(0, 4, 500), thumbs):
        assert note_on_tail("r.csv", rating) == []
