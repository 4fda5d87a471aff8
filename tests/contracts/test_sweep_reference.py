"""docs/sweep-file.md names every key of a sweep file, with its default and its limits."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from experiments.request.config import load_sweep
from experiments.search.pruners import PRUNERS
from experiments.search.samplers import SAMPLERS
from experiments.sweep_files.sweep_file import TOP_LEVEL_KEYS
from experiments.sweep_files.sweep_tables import (
    CompareTable,
    DatasetTable,
    FeaturesTable,
    HeadTable,
    MetricsTable,
    SearchTable,
    SplitTable,
    Table,
    TrainingTable,
)
from recommender.config import HYPERPARAMETERS, RankingConfig
from recommender.datasets.config import SPLIT_METHODS
from recommender.datasets.registry import DATASETS
from search_spaces.tables import KEYS

HOME = Path(__file__).parents[2]
TEXT = (HOME / "docs" / "sweep-file.md").read_text(encoding="utf-8")
SECTIONS = {
    "Above the first table": HeadTable,
    "`[dataset]`": DatasetTable,
    "`[split]`": SplitTable,
    "`[compare]`": CompareTable,
    "`[search]`": SearchTable,
    "`[metrics]`": MetricsTable,
}
TOLD_OTHERWISE = {"name", "rating_range", "features", "trials", "timeout", "trial_timeout"}
"""Their default is not what stands in the table's class."""


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def defaults(text: str) -> dict[str, str]:
    """By key, as the first table of a text has them."""
    first = text[text.index("| key |") :].partition("\n\n")[0]
    return {row[0].strip("`"): row[1] for row in rows(first) if row[0].startswith("`")}


def spelled(default: Any) -> str:
    if isinstance(default, str):
        return f'`"{default}"`' if default else '""'
    return "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_has_the_keys_of_its_table_and_their_defaults(title: str) -> None:
    table = SECTIONS[title]
    told = defaults(section(title))
    tables_of_their_own = {"columns", "items", "users"} if table is DatasetTable else set()
    assert told.keys() - tables_of_their_own == table.model_fields.keys()
    for name, field in table.model_fields.items():
        if not field.is_required() and name not in TOLD_OTHERWISE and "path" not in name:
            assert told[name] == spelled(field.default), name


def test_items_and_users_have_their_keys() -> None:
    told = defaults(section("`[dataset]`").partition("`[dataset.items]` and `[dataset.users]`")[2])
    assert told.keys() == FeaturesTable.model_fields.keys()


def test_the_training_table_is_told() -> None:
    text = section("`[training]`")
    for name, field in TrainingTable.model_fields.items():
        assert f"`{name}` ({field.default})" in text


def test_names_of_data_sets_and_split_methods_are_told() -> None:
    for name in DATASETS:
        assert f"`{name}`" in section("`[dataset]`")
    for method in SPLIT_METHODS:
        assert f"`{method}`" in section("`[split]`")


def test_every_key_of_a_dimension_is_told() -> None:
    told = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows(section("`[space]`"))))
    assert sorted(told) == sorted(KEYS)


def test_every_hyperparameter_is_told_with_default_and_limits() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows(section("`[model]`"))[1:] if "`" in row[0]}
    assert told.keys() == HYPERPARAMETERS.keys()
    limits = {f.name: f.metadata for f in fields(RankingConfig)}
    for name, default in HYPERPARAMETERS.items():
        is_yes_or_no = isinstance(default, bool)
        written = str(default).lower() if is_yes_or_no else str(default)
        if isinstance(default, float):
            written = f"{default:g}"
        assert told[name][0].partition(",")[0] == written, name
        spec = limits.get(name, {"low": 1, "high": 65_536})
        if spec.get("high") is not None:
            low = (
                f"above {spec['above']:g}" if spec.get("above") is not None else f"{spec['low']:g}"
            )
            assert told[name][1:3] == [low, f"{spec['high']:.8g}"], name
        for choice in spec.get("choices", ()):
            assert f"`{choice}`" in told[name][3], name


@pytest.mark.parametrize("registry", [SAMPLERS, PRUNERS], ids=["samplers", "pruners"])
def test_samplers_and_pruners_are_told_with_their_arguments(registry: dict[str, Any]) -> None:
    text = section("`[search]`")
    for name, entry in registry.items():
        assert f"| `{name}` |" in text
        for argument in entry.arguments:
            assert f"| `{argument.name}` | {argument.default} |" in text, (name, argument.name)


def test_every_table_is_one_of_the_reference() -> None:
    covered = {*SECTIONS.values(), FeaturesTable, TrainingTable}
    assert {table.__name__ for table in Table.__subclasses__()} - {"ColumnsTable"} == {
        table.__name__ for table in covered
    }


def test_every_key_of_the_top_level_is_told() -> None:
    above = defaults(section("Above the first table")).keys()
    for key in TOP_LEVEL_KEYS:
        assert key in above or f"\n## `[{key}]`\n" in TEXT, key


def test_the_cross_validation_of_the_statistics_page_takes_the_sweep_of_the_readme(
    tmp_path: Path,
) -> None:
    readme = (HOME / "README.md").read_text(encoding="utf-8")
    sweep = next(
        text for text in re.findall(r"```toml\n(.*?)```", readme, re.S) if "[search]" in text
    )
    file = tmp_path / "dcn.toml"
    file.write_text(sweep, encoding="utf-8")
    page = (HOME / "docs" / "statistics.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "recsweep run dcn.toml" in line)
    words = shlex.split(line.replace("$fold", "3"))
    read = load_sweep(file, [words[i + 1] for i, word in enumerate(words) if word == "--set"])
    assert (read.name, read.split.method, read.split.fold) == ("folds-3", "folds", 3)
