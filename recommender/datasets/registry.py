"""The data sets that a sweep can name, and what can be wrong with how it names them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import get_args

from recommender.datasets.config import (
    SPLIT_METHODS,
    DatasetConfig,
    Duplicates,
    FeatureKind,
    ItemsConfig,
    SideConfig,
    SplitConfig,
    UsersConfig,
)
from recommender.datasets.movielens import ML_100K, MOVIELENS_SMALL, USER_KINDS
from recommender.datasets.movielens_releases import RELEASES
from recommender.datasets.own_source import own_source
from recommender.datasets.sources import NAME_TIME, TIME_FEATURES, Problem, Source
from recommender.datasets.table import TABLE
from recommender.errors import unknown
from recommender.own import OwnDefinition

DATASETS: dict[str, Source] = {
    "movielens-small": MOVIELENS_SMALL,
    "ml-100k": ML_100K,
    **RELEASES,
}
"""By name; a table of one's own, which has a path and no name, is `TABLE`."""


def source_of(dataset: DatasetConfig) -> Source:
    """How a data set is read; its name must be known."""
    if dataset.own is not None:
        return own_source(dataset.own)
    return TABLE if dataset.name is None else DATASETS[dataset.name]


def known_features(dataset: DatasetConfig) -> tuple[str, ...]:
    """All features that a data set can give; its name must be known."""
    return source_of(dataset).features(dataset)


def features_of(dataset: DatasetConfig, source: Source) -> tuple[str, ...]:
    """The features asked for, or all that the source has but hour and weekday where none are.

    Both made the default models worse: validation RMSE about .005 higher on MovieLens 100K and on
    the small MovieLens, so they are there for who asks. So are MovieLens's features of users, which
    changed nothing on 100K: 1.0332 (plain) and 1.0335 (dcn) with them, 1.0337 and 1.0330 without,
    means of three seeds.
    """
    if dataset.features:
        return tuple(dataset.features)
    is_ours = dataset.name in DATASETS
    left_out = (*TIME_FEATURES, *USER_KINDS) if is_ours else TIME_FEATURES
    return tuple(name for name in source.features(dataset) if name not in left_out)


def problems_with(dataset: DatasetConfig, split: SplitConfig) -> list[Problem]:
    """Everything wrong with a `[dataset]` and a `[split]` that shows before reading the ratings.

    It looks at names, numbers, whether files are there and at the header of a table; without
    TensorFlow and without pandas.
    """
    if problems := _type_problems(dataset, split):
        return problems
    if dataset.own is not None:
        problems = source_of(dataset).problems(dataset, split.files)
    elif dataset.name is not None and dataset.name not in DATASETS:
        own_table = "; a table of your own goes by dataset.path and needs no name"
        problems = [("dataset.name", unknown("data set", dataset.name, DATASETS) + own_table)]
    elif dataset.name is None and dataset.path is None and not split.files:
        names = ", ".join(DATASETS)
        problems = [("dataset", f"give dataset.name ({names}), or dataset.path to your own table")]
    else:
        problems = [
            *_name_problems(dataset),
            *source_of(dataset).problems(dataset, split.files),
            *feature_problems(dataset, known_features(dataset)),
        ]
        if split.needs_time and dataset.name is None and "time" not in dataset.columns:
            other = ", or give split.validation_path" if split.method == "files" else ""
            problems.append(("split.method", f"{split.method} needs times; {NAME_TIME}{other}"))
    if dataset.duplicates not in (known := get_args(Duplicates)):
        problems.append(("dataset.duplicates", unknown("way", dataset.duplicates, known)))
    problems += _part_problems(dataset, split) + _range_problems(dataset)
    return problems + _split_problems(split)


def _part_problems(dataset: DatasetConfig, split: SplitConfig) -> list[Problem]:
    """Whether a column says the part of each row, and is asked to."""
    is_asked, is_named = split.method == "column", "part" in dataset.columns
    if is_asked and dataset.name is not None:
        return [("split.method", "column is for a table of your own; choose another method")]
    if is_asked and not is_named:
        told = "which column holds train, validation or test? columns = { part = ... }"
        return [("dataset.columns", told)]
    if is_named and not is_asked and dataset.name is None:
        told = f"part means nothing to the split method {split.method}; leave it out, or set "
        return [("dataset.columns", told + 'split.method = "column"')]
    return []


def _type_problems(dataset: object, split: object) -> list[Problem]:
    """What no sweep file gets wrong, but Python may."""
    rules: list[tuple[str, object, tuple[type, ...], str]] = []
    if isinstance(dataset, DatasetConfig):
        rules += [
            ("dataset.path", dataset.path, (Path, NoneType), "a path"),
            ("dataset.columns", dataset.columns, (Mapping,), 'a dict as {"user": "uid", ...}'),
            ("dataset.features", dataset.features, (tuple, list), "a list of names"),
            ("dataset.items", dataset.items, (ItemsConfig, NoneType), "an ItemsConfig"),
            ("dataset.users", dataset.users, (UsersConfig, NoneType), "a UsersConfig"),
            ("dataset.own", dataset.own, (OwnDefinition, NoneType), _FROM_READ_FUNCTION),
        ]
        for of, side in dataset.sides.items():
            if isinstance(side, SideConfig):
                rules.append((f"dataset.{of}s.path", side.path, (Path,), "a path"))
                rules += [
                    (f"dataset.{of}s.{k}", getattr(side, k), (tuple, list), "a list of columns")
                    for k in get_args(FeatureKind)
                ]
    else:
        rules.append(("dataset", dataset, (DatasetConfig,), 'a DatasetConfig("movielens-small")'))
    if isinstance(split, SplitConfig):
        rules.append(("split.own", split.own, (OwnDefinition, NoneType), _FROM_READ_FUNCTION))
        rules += [
            (f"split.{name}", getattr(split, name), (Path, NoneType), "a path")
            for name in ("train_path", "test_path", "validation_path")
        ]
    else:
        rules.append(("split", split, (SplitConfig,), 'a SplitConfig("time-range")'))
    return [
        (key, f"must be {rule}, got {_short(value)}")
        for key, value, kinds, rule in rules
        if not isinstance(value, kinds)
    ]


def _short(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float) else type(value).__name__


_FROM_READ_FUNCTION = "what recommender.own_functions.read_function gives"


def _name_problems(dataset: DatasetConfig) -> list[Problem]:
    if dataset.name is None:
        return []
    own = {
        "dataset.columns": dataset.columns,
        **{f"dataset.{of}s": side for of, side in dataset.sides.items()},
    }
    return [
        (key, f"is only for a table of your own; leave it out, {dataset.name} has its own")
        for key, given in own.items()
        if given
    ]


def feature_problems(dataset: DatasetConfig, known: Sequence[str]) -> list[Problem]:
    """What is wrong with the features asked for, where these are known."""
    if not dataset.features:
        return []
    problems = []
    for name in dict.fromkeys(dataset.features):
        if name not in known:
            wrong = f"needs times; {NAME_TIME}" if name in TIME_FEATURES else None
            problems.append(f"{name} {wrong}" if wrong else unknown("feature", name, known))
        if dataset.features.count(name) > 1:
            problems.append(f"{name} is listed more than once")
    problems += [
        f"{name} is missing; every model rates by user and item"
        for name in ("user_id", "item_id")
        if name not in dataset.features
    ]
    return [("dataset.features", problem) for problem in problems]


def _range_problems(dataset: DatasetConfig) -> list[Problem]:
    if dataset.rating_range is None:
        return []
    both: object = dataset.rating_range
    given = tuple(both) if isinstance(both, tuple | list) else (both,)
    if len(given) == 2 and all(map(_is_finite, given)) and given[0] < given[1]:
        return []
    told = " and ".join(f"{n:g}" if _is_finite(n) else repr(n) for n in given)
    return [("dataset.rating_range", f"must be two numbers going up, got {told}")]


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _split_problems(split: SplitConfig) -> list[Problem]:
    if split.own is None and split.method not in SPLIT_METHODS:
        return [("split.method", unknown("split method", split.method, SPLIT_METHODS))]
    shares = {"train": split.train, "validation": split.validation, "confirm": split.confirm}
    wrong: list[Problem] = [
        (f"split.{name}", f"must be a number, got {value!r}")
        for name, value in shares.items()
        if not isinstance(value, int | float)
    ]
    wrong += [
        (f"split.{name}", f"must be a whole number, got {value!r}")
        for name, value in (("seed", split.seed), ("folds", split.folds), ("fold", split.fold))
        if not isinstance(value, int)
    ]
    if wrong:
        return wrong
    if not 0 <= split.confirm < 1:
        message = "must be at least 0 and below 1, a share of the validation users, got"
        return [("split.confirm", f"{message} {split.confirm:g}"), *_method_problems(split)]
    return _method_problems(split)


def _fold_problems(split: SplitConfig) -> list[Problem]:
    if split.folds < 3:
        told = f"must be at least 3: one tests, one validates, one trains, got {split.folds}"
        return [("split.folds", told)]
    if not 1 <= split.fold <= split.folds:
        return [("split.fold", f"must lie from 1 to {split.folds}, got {split.fold}")]
    return []


def _method_problems(split: SplitConfig) -> list[Problem]:
    paths = {
        "split.train_path": split.train_path,
        "split.test_path": split.test_path,
        "split.validation_path": split.validation_path,
    }
    if split.method == "files":
        return [
            (key, "is missing; the split method files needs it")
            for key, path in list(paths.items())[:2]
            if path is None
        ]
    problems: list[Problem] = [
        (key, "is only for the split method files")
        for key, path in paths.items()
        if path is not None
    ]
    for key, share in (("split.train", split.train), ("split.validation", split.validation)):
        if not 0 < share < 1:
            problems.append((key, f"must lie between 0 and 1, got {share:g}"))
    if not problems and split.train + split.validation >= 1:
        problems.append(
            (
                "split.validation",
                f"train {split.train:g} and validation {split.validation:g} leave nothing for the "
                "sealed test; together they must stay under 1",
            )
        )
    if split.method == "folds":
        problems += _fold_problems(split)
    if split.seed < 0:
        problems.append(("split.seed", f"must be at least 0, got {split.seed}"))
    return problems
