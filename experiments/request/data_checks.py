"""The `[dataset]` and `[split]` tables, and whether the data can be what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from experiments.sweep_files.sweep_file import SweepSource
from experiments.sweep_files.sweep_tables import (
    ColumnsTable,
    DatasetTable,
    FeaturesTable,
    Report,
    SplitTable,
    is_whole,
    read_table,
)
from recommender.datasets.config import (
    SPLIT_KEYS,
    DatasetConfig,
    ItemsConfig,
    SideConfig,
    SplitConfig,
    UsersConfig,
)
from recommender.datasets.registry import DATASETS, problems_with
from recommender.errors import ModelError
from recommender.own import OwnDefinition
from recommender.own_functions import is_reference, read_function

_Side = TypeVar("_Side", bound=SideConfig)


def read_data(
    table: Mapping[str, Any], source: SweepSource, report: Report
) -> tuple[DatasetConfig, SplitConfig] | None:
    """Data set and split of a sweep's tables; None where a table has not even its shape.

    Every mistake is reported, those too that show only in files: one that is not there, a column
    that a table lacks. No rating is read.
    """
    dataset = _read_dataset(table, source, report)
    split = _read_split(table.get("split", {}), source, report)
    if dataset is None:
        return None
    if split is None:  # the data can still be looked at, as under the split that is the default
        for key, message in problems_with(dataset, SplitConfig()):
            if key.startswith("dataset"):
                report(key, message)
        return None
    for key, message in problems_with(dataset, split):
        report(key, message)
    if dataset.own is None and dataset.name is not None and dataset.name not in DATASETS:
        _check_paths(dataset, split, report)
    return dataset, split


def read_reference(
    key: str,
    reference: str,
    takes: Sequence[str],
    source: SweepSource,
    report: Report,
    further: Sequence[str] = (),
) -> OwnDefinition | None:
    """The function that a key of the sweep names; None after its mistake was reported."""
    try:
        return read_function(reference, source.resolve(key, "."), takes, further)
    except ModelError as error:
        report(key, str(error))
        return None


def _wants_more(key: str, own: OwnDefinition, report: Report) -> bool:
    """Whether a function has parameters that no key of the sweep gives."""
    lacking = [p.name for p in own.parameters if p.is_required]
    if lacking:
        report(key, f"{own.where} needs {', '.join(lacking)}; give it a default")
    return bool(lacking)


def _read_dataset(
    table: Mapping[str, Any], source: SweepSource, report: Report
) -> DatasetConfig | None:
    raw = table.get("dataset")
    if raw is None:
        report("dataset", 'is missing; write [dataset] and name = "movielens-small" below')
        return None
    inner: dict[str, Any] = {"columns": None, "items": None, "users": None}
    if isinstance(raw, dict):
        inner |= {key: raw[key] for key in inner if key in raw}
        raw = {key: value for key, value in raw.items() if key not in inner}
    read = read_table(DatasetTable, raw, "dataset", report, also_known=tuple(inner))
    columns = None
    if inner["columns"] is not None:
        columns = read_table(ColumnsTable, inner["columns"], "dataset.columns", report)
    sides = {
        key: read_table(FeaturesTable, inner[key], f"dataset.{key}", report)
        for key in ("items", "users")
        if inner[key] is not None
    }
    # With a mistake in any of them, the data is not looked at.
    parts = (
        (read, raw),
        (columns, inner["columns"]),
        *((side, inner[key]) for key, side in sides.items()),
    )
    for part, given in parts:
        if given is not None and (part is None or not is_whole(part, given)):
            return None
    assert read is not None
    own = None
    if read.name is not None and is_reference(read.name):
        takes = ("path",) if read.path is not None else ()
        own = read_reference("dataset.name", read.name, takes, source, report)
        if own is None or _wants_more("dataset.name", own, report):
            return None
    return DatasetConfig(
        name=own.where if own else read.name,
        own=own,
        path=source.resolve("dataset.path", read.path) if read.path is not None else None,
        columns=columns.model_dump(exclude_none=True) if columns else {},
        rating_range=(read.rating_range[0], read.rating_range[1]) if read.rating_range else None,
        duplicates=read.duplicates,
        items=_side_config(ItemsConfig, "items", sides.get("items"), source),
        users=_side_config(UsersConfig, "users", sides.get("users"), source),
        features=tuple(read.features),
    )


def _side_config(
    config: type[_Side], key: str, table: FeaturesTable | None, source: SweepSource
) -> _Side | None:
    if table is None:
        return None
    path = source.resolve(f"dataset.{key}.path", table.path)
    features = table.model_dump(exclude={"path", "key"})
    return config(path, table.key, **{kind: tuple(n) for kind, n in features.items()})


def _read_split(raw: Any, source: SweepSource, report: Report) -> SplitConfig | None:
    own = None
    if isinstance(raw, dict) and is_reference(raw.get("method")):
        own = read_reference("split.method", raw["method"], ("frame",), source, report)
        raw = {key: value for key, value in raw.items() if key != "method"}
        if own is None or _wants_more("split.method", own, report):
            return None
    read = read_table(SplitTable, raw, "split", report)
    if read is None or not is_whole(read, raw):
        return None
    method = read.method if own is None else "own"
    # A path without method "files" is told by the data's own checks.
    for key in ("train", "validation", "seed", "folds", "fold"):
        if key in read.model_fields_set and key not in SPLIT_KEYS[method]:
            told = own.where if own else repr(method)
            report(f"split.{key}", f"means nothing to method {told}; leave it out")
    paths: dict[str, Any] = {
        key: source.resolve(f"split.{key}", getattr(read, key))
        for key in SPLIT_KEYS["files"]
        if getattr(read, key) is not None
    }
    others = read.model_dump(exclude={"method", *SPLIT_KEYS["files"]})
    return SplitConfig(method=method, own=own, **others, **paths)


def _check_paths(dataset: DatasetConfig, split: SplitConfig, report: Report) -> None:
    """The files of a data set that nobody knows: without its name nothing else looks at them."""
    paths = {f"split.{key}": getattr(split, key) for key in SPLIT_KEYS["files"]}
    paths["dataset.path"] = dataset.path
    paths |= {f"dataset.{of}s.path": side.path for of, side in dataset.sides.items()}
    for key, path in paths.items():
        if path is not None and not path.exists():
            report(key, f"{path} is not there")
