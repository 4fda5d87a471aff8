from __future__ import annotations

from recommender.datasets.config import SplitConfig


def test_only_a_split_by_time_needs_times(tmp_path) -> None:
    path = tmp_path / "x.csv"
    assert SplitConfig("time-range").needs_time
    assert not SplitConfig("random").needs_time
    assert SplitConfig("files", train_path=path, test_path=path).needs_time
    assert not SplitConfig("files", train_path=path, validation_path=path).needs_time
