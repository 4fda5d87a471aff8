from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import StateError
from experiments.records.derived_records import (
    SEGMENTS_NAME,
    Segment,
    SegmentsRecord,
    read_segments,
)
from experiments.running.segments import segments_of, write_segments
from recommender.datasets.encoded import SideTable
from tests.synthetic import synthetic_encoded

DATA = synthetic_encoded(30, 60, 1700)
ACTUAL = DATA.validation.rating.astype(np.float64)


def found(record: SegmentsRecord, kind: str, name: str) -> Segment:
    return next(s for s in record.segments if (s.kind, s.name) == (kind, name))


def test_each_segment_has_the_error_of_its_own_rows() -> None:
    off = np.where(DATA.validation.user == 0, 2.0, 0.5)
    record = segments_of(DATA, {"0001": np.stack([ACTUAL + off, ACTUAL - off])})
    assert found(record, "user", "unseen in training").rmse["0001"] == pytest.approx(2.0)
    assert found(record, "user", "seen in training").rmse["0001"] == pytest.approx(0.5)
    assert found(record, "user", "unseen in training").n_rows == (DATA.validation.user == 0).sum()


def test_the_error_is_the_mean_over_seeds_of_each_seeds_rmse() -> None:
    record = segments_of(DATA, {"0001": np.stack([ACTUAL + 1, ACTUAL + 3])})
    assert found(record, "rating", "3").rmse["0001"] == pytest.approx(2.0)


def test_rows_are_cut_by_activity_popularity_rating_and_genre() -> None:
    record = segments_of(DATA, {"0001": ACTUAL[None, :]})
    kinds = list(dict.fromkeys(segment.kind for segment in record.segments))
    assert kinds == ["user", "user activity", "item", "item popularity", "rating", "genres"]
    seen = found(record, "user", "seen in training").n_rows
    assert sum(s.n_rows for s in record.segments if s.kind == "user activity") == seen
    assert all(segment.n_rows >= Segment.MIN_ROWS for segment in record.segments)


def test_rows_are_cut_by_what_users_are_too() -> None:
    n_users = DATA.n_users + 1
    matrix = np.zeros((n_users + 1, 2), np.float32)
    matrix[1:] = np.eye(2)[np.arange(n_users) % 2]
    validation, train = (replace(r, roster=r.user + 1) for r in (DATA.validation, DATA.train))
    data = replace(
        DATA,
        train=train,
        validation=validation,
        roster=np.array([f"u{n}" for n in range(n_users)]),
        side_tables={"gender": SideTable("category", ("F", "M"), matrix, "roster")},
    )
    off = np.where(validation.user % 2, 2.0, 0.5)
    record = segments_of(data, {"0001": (ACTUAL + off)[None, :]})
    assert found(record, "gender", "F").rmse["0001"] == pytest.approx(0.5)
    assert found(record, "gender", "M").rmse["0001"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("kind", "of_row", "of_train"),
    [
        ("user activity", DATA.validation.user, DATA.train.user),
        ("item popularity", DATA.validation.item, DATA.train.item),
    ],
)
def test_thirds_are_cut_by_the_ratings_that_train_has_of_each(
    kind: str, of_row: np.ndarray, of_train: np.ndarray
) -> None:
    off = np.random.default_rng(1).normal(size=len(ACTUAL))
    record = segments_of(DATA, {"0001": (ACTUAL + off)[None, :]})
    counts = np.unique(of_train, return_counts=True)[1]
    first, second = (int(np.quantile(counts, share)) for share in (1 / 3, 2 / 3))
    n_train = np.array([(of_train == one).sum() for one in of_row])
    for name, is_in in (
        (f"up to {first} train ratings", (n_train > 0) & (n_train <= first)),
        (f"{first + 1} to {second}", (n_train > first) & (n_train <= second)),
        (f"more than {second}", n_train > second),
    ):
        segment = found(record, kind, name)
        assert segment.n_rows == is_in.sum()
        assert segment.rmse["0001"] == pytest.approx(np.sqrt(np.mean(off[is_in] ** 2)))


def test_a_genre_has_the_rows_of_its_items() -> None:
    off = np.random.default_rng(2).normal(size=len(ACTUAL))
    record = segments_of(DATA, {"0001": (ACTUAL + off)[None, :]})
    table = DATA.side_tables["genres"]
    for column, genre in enumerate(table.columns):
        has = table.matrix[DATA.validation.catalog, column] == 1
        segment = found(record, "genres", genre)
        assert segment.n_rows == has.sum()
        assert segment.rmse["0001"] == pytest.approx(np.sqrt(np.mean(off[has] ** 2)))
    sizes = [segment.n_rows for segment in record.segments if segment.kind == "genres"]
    assert sizes == sorted(sizes, reverse=True)


def test_many_words_are_not_laid_out_for_every_row() -> None:
    n_words, n_rows = 4_000, len(DATA.validation)
    matrix = np.zeros((len(DATA.catalog) + 1, n_words), np.float32)
    matrix[1:, 7], matrix[1:20, 8] = 1, 1
    tags = SideTable("list", tuple(f"tag {i}" for i in range(n_words)), matrix)
    data = replace(DATA, side_tables={"tags": tags})
    tracemalloc.start()
    record = segments_of(data, {"0001": ACTUAL[None, :]})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n_rows * n_words
    assert [s.name for s in record.segments if s.kind == "tags"] == ["tag 7", "tag 8"]
    assert found(record, "tags", "tag 7").n_rows == n_rows


def test_more_models_take_no_more_memory() -> None:
    rows = np.stack([ACTUAL] * 50).astype(np.float32)

    def peak(n_models: int) -> int:
        predicted = {str(number): rows for number in range(n_models)}
        tracemalloc.start()
        segments_of(DATA, predicted)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken

    assert peak(8) < 1.5 * peak(1)


def test_a_model_that_predicts_the_mean_has_no_spread() -> None:
    record = segments_of(DATA, {"mean": np.full((2, len(ACTUAL)), 3.5), "all": ACTUAL[None, :]})
    assert record.spreads["mean"].sd == 0
    assert record.spreads["all"] == record.labels
    assert record.labels.sd == pytest.approx(ACTUAL.std())
    assert sum(record.labels.shares) == pytest.approx(1)
    assert (record.labels.low, record.labels.high) == (1, 5)  # stars; a quarter of them a bin
    assert record.edges == tuple(np.arange(0, 6.25, 0.25))
    assert record.labels.shares[12] == pytest.approx((ACTUAL == 3).mean())
    evenly = np.linspace(2, 4, len(ACTUAL))
    spread = segments_of(DATA, {"evenly": np.stack([evenly, evenly])}).spreads["evenly"]
    assert (spread.low, spread.high) == pytest.approx((2.1, 3.9), abs=0.01)
    assert spread.sd == pytest.approx(evenly.std())


def test_predictions_beyond_the_bins_are_counted_at_the_ends() -> None:
    record = segments_of(DATA, {"wild": np.full((1, len(ACTUAL)), 1e6)})
    assert record.spreads["wild"].shares[-1] == 1


def test_segments_read_as_they_were_written(tmp_path: Path) -> None:
    record = segments_of(DATA, {"0001": ACTUAL[None, :]})
    assert read_segments(tmp_path) is None
    write_segments(tmp_path, record)
    assert read_segments(tmp_path) == record


@pytest.mark.parametrize("text", ["{}", '{"segments": [{"kind": 1}]}', "[]", "{"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SEGMENTS_NAME).write_text(text, "utf-8")
    with pytest.raises(StateError, match=SEGMENTS_NAME):
        read_segments(tmp_path)
