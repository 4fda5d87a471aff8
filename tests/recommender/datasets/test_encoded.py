from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.datasets.encoded import SideTable
from tests.synthetic import synthetic_encoded


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
