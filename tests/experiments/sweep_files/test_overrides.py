from __future__ import annotations

from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.sweep_files.overrides import (
    OverrideError,
    apply_override,
    format_key,
    parse_key,
    parse_set,
    read_environment,
)

KEYS = ("name", "seed", "search", "space")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("search.trials=100", 100),
        ("search.trials = 100", 100),
        ("search.sampler=random", "random"),
        ("search.timeout=2h", "2h"),
        ("model.learning_rate=1e-3", 1e-3),
        ("model.biases=false", False),
        ('space.architecture.choices=["dcn"]', ["dcn"]),
        ('search.pruner={ name = "hyperband" }', {"name": "hyperband"}),
        ("note=a = b", "a = b"),
        ("dataset.path=/data/my ratings.csv", "/data/my ratings.csv"),
        ("note=1\nseed = 2", "1\nseed = 2"),
        ("note=", ""),
    ],
)
def test_a_value_is_toml_or_else_a_word(text: str, value: Any) -> None:
    override = parse_set(text)
    assert override.value == value
    assert override.origin == f"--set {text}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search.trials", "write --set key=value"),
        ("=3", "write --set key=value"),
        ("search..trials=3", "is no key"),
        ("a b=3", "is no key"),
        ('space.x.choices=["dcn"', "is no TOML"),
        ("space.x.choices=[dcn]", "in a shell put all of it between quotes"),
        ('note="open', "is no TOML"),
    ],
)
def test_an_override_that_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(OverrideError, match=said) as caught:
        parse_set(text)
    assert f"--set {text}" in str(caught.value)


def test_an_override_makes_the_tables_on_its_way() -> None:
    table: dict[str, Any] = {"search": {"trials": 60, "pruner": "none"}}
    for text in ("search.trials=2", "space.architecture.choices=['dcn']"):
        apply_override(table, parse_set(text))
    assert table == {
        "search": {"trials": 2, "pruner": "none"},
        "space": {"architecture": {"choices": ["dcn"]}},
    }


def test_one_case_of_a_dimension_is_reached_by_its_index() -> None:
    table: dict[str, Any] = {"space": {"learning_rate": [{"low": 1}, {"low": 2}]}}
    apply_override(table, parse_set("space.learning_rate[1].low=3"))
    assert table["space"]["learning_rate"] == [{"low": 1}, {"low": 3}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed.trials=1", "seed is no table"),
        ("cases.low=1", r"cases is a list; name an entry, such as \[0\]"),
        ("cases[2].low=1", r"cases has no entry \[2\]"),
        ("seed[0]=1", r"seed has no entry \[0\]"),
    ],
)
def test_a_way_that_leads_nowhere_is_named(text: str, said: str) -> None:
    with pytest.raises(OverrideError, match=said) as caught:
        apply_override({"seed": 1, "cases": [{}, {}]}, parse_set(text))
    assert f"--set {text}" in str(caught.value)


def test_the_environment_goes_down_one_table_at_each_double_underscore() -> None:
    environ = {"RECSWEEP_SEARCH__TRIALS": "100", "RECSWEEP_NAME": "mine", "HOME": "/root"}
    overrides, problems = read_environment(environ, KEYS)
    assert problems == []
    assert [(o.key, o.value) for o in overrides] == [("name", "mine"), ("search.trials", 100)]
    assert overrides[1].origin == "RECSWEEP_SEARCH__TRIALS=100"


def test_a_variable_that_looks_like_a_slip_is_named_and_others_are_left_alone() -> None:
    environ = {
        "RECSWEEP_SAERCH__TRIALS": "100",
        "RECSWEEP_SEEDS": "1",
        "RECSWEEP_ML100K": "/data",
        "RECSWEEP_SEARCH_MAX_EPOCHS": "4",
        "RECSWEEP_SEARCH__": "5",
        "RECSWEEP_NAME_SPACE": "somebody else's",
        "RECSWEEP_SPACE": "[1",
    }
    overrides, problems = read_environment(environ, KEYS)
    assert overrides == []
    assert [problem.split(":")[0] for problem in problems] == [
        "RECSWEEP_SAERCH__TRIALS=100",
        "RECSWEEP_SEARCH_MAX_EPOCHS=4",
        "RECSWEEP_SEARCH__=5",
        "RECSWEEP_SEEDS=1",
        "RECSWEEP_SPACE=[1",
    ]
    assert "did you mean 'search'" in problems[0]
    assert problems[1].endswith("go down into a table: RECSWEEP_SEARCH__MAX_EPOCHS")


_parts = st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True)


@settings(max_examples=50)
@given(_parts, st.lists(_parts | st.integers(0, 99), max_size=4))
def test_a_key_is_read_as_it_is_written(first: str, rest: list[str | int]) -> None:
    assert parse_key(format_key((first, *rest))) == (first, *rest)


@settings(max_examples=50)
@given(st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text())
def test_any_toml_value_comes_through(value: Any) -> None:
    written = tomli_w.dumps({"v": value}).partition("=")[2].strip()
    assert parse_set(f"note={written}").value == value
