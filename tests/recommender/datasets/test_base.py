from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from recommender.datasets.base import SideTable, SplitConfig
from tests.recommender.datasets.tables import load_table
from tests.synthetic import synthetic_encoded, synthetic_ratings


def test_a_description_survives_json(tmp_path) -> None:
    plain = load_table(tmp_path, synthetic_ratings()).description.to_json()
    assert json.loads(json.dumps(plain)) == plain


def test_rows_of_unequal_length_are_refused() -> None:
    rows = synthetic_encoded().train
    with pytest.raises(ValueError, match="user must be int32 of shape"):
        replace(rows, user=rows.user[:-1])


def test_an_index_beyond_the_vocabulary_is_refused() -> None:
    encoded = synthetic_encoded()
    with pytest.raises(ValueError, match="item must lie in 0 to 18"):
        replace(encoded, item_vocabulary=encoded.item_vocabulary[:-1])


def test_an_item_table_must_be_silent_about_the_unknown_item() -> None:
    with pytest.raises(ValueError, match="row 0"):
        SideTable("number", ("year",), np.ones((3, 1), np.float32))


def test_only_a_split_by_time_needs_times(tmp_path) -> None:
    path = tmp_path / "x.csv"
    assert SplitConfig("time-range").needs_time
    assert not SplitConfig("random").needs_time
    assert SplitConfig("files", train_path=path, test_path=path).needs_time
    assert not SplitConfig("files", train_path=path, validation_path=path).needs_time
