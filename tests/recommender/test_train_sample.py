from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.train_sample import TRAIN_SAMPLE_ROWS, train_sample
from tests.synthetic import synthetic_encoded


def test_a_large_train_part_is_judged_on_the_same_of_its_rows_every_time() -> None:
    rows = synthetic_encoded().train
    assert train_sample(rows) is rows
    places = np.arange(TRAIN_SAMPLE_ROWS + 1_000)
    many = replace(rows[places % len(rows)], rating=places.astype(np.float32))
    one, other = train_sample(many), train_sample(many)
    assert len(one) == TRAIN_SAMPLE_ROWS
    np.testing.assert_array_equal(one.rating, other.rating)
    assert (np.diff(one.rating) > 0).all()  # each row once, in their order
    assert 0 < (one.rating < 1_000).sum() < 1_000
    np.testing.assert_array_equal(one.user, rows.user[one.rating.astype(int) % len(rows)])
