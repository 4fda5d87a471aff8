from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings

from search_spaces import Case, Choice, Dimension, Distribution, Float, Int
from search_spaces.tables import read_dimension, write_dimension
from tests.search_spaces.strategies import distributions


def read(toml: str) -> tuple[Distribution | None, list[str]]:
    problems: list[Any] = []
    (draft,) = read_dimension("x", tomllib.loads(toml), problems)
    return draft.distribution, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("toml", "distribution"),
    [
        ("low = 1\nhigh = 3", Int(1, 3)),
        ("low = 1\nhigh = 3.0", Float(1, 3)),
        ("low = 0\nhigh = 1\nstep = 0.5", Float(0, 1, step=0.5)),
        ("low = 0\nhigh = 4\nstep = 2", Int(0, 4, step=2)),
        ("low = 1\nhigh = 3\ntype = 'float'", Float(1, 3)),
        ("low = 1\nhigh = 3\ntype = 'int'\nlog = true", Int(1, 3, log=True)),
        ("low = 1e-4\nhigh = 1e-1\nlog = true", Float(1e-4, 0.1, log=True)),
        ("choices = [1, 2]", Choice([1, 2])),
        ("choices = [true, false]", Choice([True, False])),
    ],
)
def test_toml_reads_as_the_python_it_looks_like(toml: str, distribution: Distribution) -> None:
    assert read(toml) == (distribution, [])


@pytest.mark.parametrize(
    ("toml", "problems"),
    [
        ("", ["x: give low and high, or choices"]),
        ("low = 1", ["x.high: high is missing"]),
        ("high = '3'", ["x.low: low is missing", "x.low: ", "x.high: "]),
        ("low = 1\nhigh = 2.5\ntype = 'int'", ["x.high: must be a whole number"]),
        ("low = 1\nhigh = 2\ntype = 'real'", ["x.type: type is int or float, got 'real'"]),
        ("low = '1e-3'\nhigh = 1", ["x.low: must be a finite number, got '1e-3'"]),
        ("low = inf\nhigh = nan", ["x.low: ", "x.high: "]),
        ("low = 3\nhigh = 1\nlog = 1", ["x.log: ", "x.low: must not exceed high"]),
        (
            "choices = []\nlow = 1",
            ["x.choices: choices exclude low", "x.choices: must not"],
        ),
        ("choices = 'adam'", ["x.choices: must be a list"]),
        ("choices = [1979-05-27]", ["x.choices: a choice must be text"]),
        ("lo = 1\nhigh = 2", ["x.lo: unknown key 'lo'; did you mean 'low'?", "x.low: "]),
        ("low = 1\nhigh = 2\nwhen = 'adam'", ["x.when: write when = {"]),
        ("low = 1\nhigh = 2\nwhen = { a = [], b = [[1]] }", ["x.when.a: ", "x.when.b: "]),
        ("low = 1\nhigh = 2\neach = 0", ["x.each: each must be"]),
        ("low = 1\nhigh = 2\neach = ['n']", ["x.each: each must be"]),
    ],
)
def test_each_mistake_in_a_table_is_told_with_its_key(toml: str, problems: list[str]) -> None:
    distribution, found = read(toml)
    assert len(found) == len(problems), found
    assert all(told.startswith(start) for told, start in zip(found, problems, strict=True)), found
    assert distribution is None


def test_what_is_no_table_is_told_how_to_become_one() -> None:
    for given_, cure in [
        (0.3, "a fixed value goes to [model]"),
        ("adam", "a fixed value goes to [model]"),
        ([], "give it a table"),
        ([1, 2], "write [space.x] and under it choices = [1, 2]"),
        (["a", {}, "b", "c"], "choices = ['a', {}, 'b', ...]"),
    ]:
        problems: list[Any] = []
        assert read_dimension("x", given_, problems) == []
        assert cure in problems[0].message


def test_cases_are_told_apart_by_their_index() -> None:
    problems: list[Any] = []
    read_dimension("x", [{"low": 1, "high": 2}, {"low": 2, "high": 1}, {"lw": 1}], problems)
    assert [problem.key for problem in problems] == ["x[1].low", "x[2].lw", "x[2]"]


@settings(max_examples=100, deadline=None)
@given(distributions)
def test_every_distribution_comes_back_from_its_table(distribution: Distribution) -> None:
    problems: list[Any] = []
    table = write_dimension(Dimension("x", (Case(distribution),)))
    (draft,) = read_dimension("x", table, problems)
    assert (draft.distribution, problems) == (distribution, [])


def test_a_table_says_no_more_than_it_must() -> None:
    dimension = Dimension("x", (Case(Int(1, 3), {"a": ("b",), "c": (1, 2)}, "n"),))
    assert write_dimension(dimension) == {
        "low": 1,
        "high": 3,
        "when": {"a": "b", "c": [1, 2]},
        "each": "n",
    }
