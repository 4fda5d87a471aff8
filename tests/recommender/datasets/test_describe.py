from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from recommender.datasets.config import SplitConfig
from recommender.datasets.describe import description_lines
from recommender.datasets.description import LongTail, PartDescription
from tests.recommender.datasets.tables import NAMES, load_table, load_text
from tests.synthetic import synthetic_ratings

RATINGS = synthetic_ratings()


def test_lines_tell_counts_ratings_tail_parts_and_fingerprints(tmp_path) -> None:
    description = load_table(tmp_path, RATINGS).description
    text = "\n".join(description_lines(description))
    assert "ratings.csv: 300 ratings of 30 users and 20 items, rated 1 to 5, steps of 1" in text
    assert "50.00% of all pairs" in text
    assert "busiest tenth" in text
    assert "train" in text
    assert "2001-09-09" in text
    assert description.fingerprint[:16] in text


def test_counts_and_cold_shares_of_each_part_are_those_counted_by_hand(tmp_path) -> None:
    """Train knows users a and b, items x and y."""
    rows = ["a,x,1,0,train", "a,y,2,1,train", "b,x,3,2,train",
            "a,z,4,86400,val", "c,x,5,86401,val", "b,y,1,86402,val", "c,z,2,86403,val",
            "c,y,2,172800,val", "d,x,3,259200,test", "a,w,4,345600,test"]  # fmt: skip
    text = "\n".join(["user,item,rating,time,set", *rows])
    columns = NAMES | {"part": "set"}
    told = load_text(tmp_path, text, SplitConfig("column"), columns=columns).description
    assert told.train == PartDescription(3, 2, 2, 0.0, 0.0, 1.0, 0, 2)
    assert told.validation == PartDescription(5, 3, 3, 0.6, 0.4, 0.2, 86_400, 172_800)
    assert told.test == PartDescription(2, 2, 2, 0.5, 0.5, 0.0, 259_200, 345_600)
    assert (told.n_ratings, told.n_users, told.n_items, told.density) == (10, 4, 4, 10 / 16)
    assert told.rating_counts == ((1.0, 2), (2.0, 3), (3.0, 1), (4.0, 1), (5.0, 1))
    assert told.user_tail == LongTail(1, 2.5, 4, 0.4)  # a 4, c 3, b 2, d 1
    lines = description_lines(told)
    assert "users       1 to 4 ratings each, median 2.5; the busiest tenth has 40%" in lines
    assert [line.split() for line in lines if line.startswith("validation")] == [
        ["validation", "5", "50.0%", "3", "3", "60.0%", "40.0%", "20.0%",
         "1970-01-02", "to", "1970-01-03"]
    ]  # fmt: skip
    assert "        2            3  37.5%  " + "#" * 40 in lines
    assert "        1            2  25.0%  " + "#" * 27 in lines


def test_the_busiest_tenth_of_30_users_are_3(tmp_path) -> None:
    told = load_table(tmp_path, RATINGS).description.user_tail
    counts = RATINGS["user"].value_counts()
    assert told.top_tenth_share == pytest.approx(counts[:3].sum() / 300)
    assert (told.minimum, told.maximum) == (counts.min(), counts.max())


def test_lines_do_without_times_steps_and_notes(tmp_path) -> None:
    noise = np.random.default_rng(0).random(300)
    ratings = RATINGS.drop(columns="time").assign(rating=RATINGS["rating"] + noise)
    description = load_table(tmp_path, ratings, SplitConfig("random")).description
    assert description.step is None
    assert len(description.rating_counts) == 10
    text = "\n".join(description_lines(description))
    assert "steps" not in text
    assert "random: train 0.6, validation 0.2, seed 0" in text


@pytest.mark.parametrize(
    ("factor", "unit"), [(1, None), (1000, 1024.0), (0.1, 0.125), (0.01, 0.0078125)]
)
def test_what_models_count_ratings_in_is_on_record_where_it_is_not_1(
    tmp_path, factor: float, unit: float | None
) -> None:
    rated = RATINGS.assign(rating=RATINGS["rating"] * factor)
    loaded = load_table(tmp_path, rated)
    assert loaded.description.to_json().get("rating_unit") == unit
    assert loaded.encoded.rating_unit == (unit or 1)


def test_lines_end_with_the_notes(tmp_path) -> None:
    description = load_table(tmp_path, RATINGS).description
    noted = replace(description, notes=("a.csv: read as Latin-1",))
    assert description_lines(noted)[-1].endswith("a.csv: read as Latin-1")


def test_a_split_is_told_with_what_it_was_given(tmp_path) -> None:
    for split, told in (
        (SplitConfig(), "time-range: train 0.6, validation 0.2"),
        (SplitConfig("leave-last-out"), "leave-last-out"),
    ):
        lines = description_lines(load_table(tmp_path, RATINGS, split).description)
        assert f"split       {told}" in lines


@pytest.mark.parametrize(
    ("ratings", "step"),
    [([1, 2, 5], 1.0), ([0.5, 1.0, 4.5], 0.5), ([1, 2.5, 3.3], None)],
)
def test_a_step_is_told_where_ratings_are_regular(tmp_path, ratings, step) -> None:
    table = RATINGS.assign(rating=np.resize(ratings, 300))
    assert load_table(tmp_path, table).description.step == step


def test_histogram_counts_train_and_validation_alone(tmp_path) -> None:
    description = load_table(tmp_path, RATINGS).description
    n_open = description.train.n_rows + description.validation.n_rows
    assert sum(count for _, count in description.rating_counts) == n_open


def test_another_rating_is_another_fingerprint(tmp_path) -> None:
    other = RATINGS.copy()
    other.loc[0, "rating"] = 6 - other.loc[0, "rating"] + (other.loc[0, "rating"] == 3)
    one, two = (load_table(tmp_path, r).description for r in (RATINGS, other))
    assert one.fingerprint != two.fingerprint


def test_a_description_survives_json(tmp_path) -> None:
    plain = load_table(tmp_path, RATINGS).description.to_json()
    assert json.loads(json.dumps(plain)) == plain
