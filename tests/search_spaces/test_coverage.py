from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from search_spaces import Choice, Float, Int, SearchSpace, SpaceError
from search_spaces.cases import holds
from search_spaces.checks import check
from search_spaces.drafts import drafts_of
from tests.search_spaces.strategies import sampler, spaces


def holes_of(**dimensions: Any) -> dict[str, str]:
    findings = check(drafts_of(SearchSpace.of(**dimensions).dimensions))
    return {name: hole.message for name, hole in findings.holes.items()}


def overlap_of(**dimensions: Any) -> str:
    with pytest.raises(SpaceError) as raised:
        SearchSpace.of(**dimensions)
    (problem,) = raised.value.problems
    return str(problem)


def test_cases_that_overlap_say_where() -> None:
    assert (
        overlap_of(
            optimizer=Choice(["adam", "adamw", "sgd"]),
            rate=[
                Float(0, 1).when(optimizer=["adam", "adamw"]),
                Float(0, 2).when(optimizer="adamw"),
            ],
        )
        == "rate[1]: holds at the same time as rate[0] where optimizer=adamw"
    )


def test_two_cases_without_a_condition_overlap() -> None:
    assert overlap_of(a=[Int(1, 2), Int(3, 4)]) == "a[1]: holds at the same time as a[0]"


def test_cases_on_different_dimensions_overlap_where_both_hold() -> None:
    assert (
        overlap_of(
            a=Choice(["x", "y"]), b=Int(1, 3), c=[Int(1, 2).when(a="x"), Int(3, 4).when(b=[2, 3])]
        )
        == "c[1]: holds at the same time as c[0] where a=x,b=2"
    )


def test_cases_that_only_seem_to_overlap_do_not() -> None:
    # b is 1 only under a=x, so the two never hold together.
    SearchSpace.of(
        a=Choice(["x", "y"]),
        b=[Choice([1]).when(a="x"), Choice([2]).when(a="y")],
        c=[Int(1, 2).when(a="y"), Int(3, 4).when(b=1)],
    )


def test_a_hole_names_each_choice_without_a_case() -> None:
    holes = holes_of(
        optimizer=Choice(["adam", "adamw", "adagrad", "sgd"]),
        rate=[Float(0, 1).when(optimizer="adam"), Float(0, 2).when(optimizer="adamw")],
    )
    assert holes == {
        "rate": "has no case where optimizer=adagrad, where optimizer=sgd; "
        "add one, or give 'rate' a fixed value for the rest in [model]"
    }


def test_many_holes_are_counted() -> None:
    (hole,) = holes_of(
        n=Choice(list(range(10))), a=[Int(1, 2).when(n=0), Int(1, 3).when(n=1)]
    ).values()
    assert "where n=6 and 3 more;" in hole


def test_a_single_case_says_when_the_dimension_exists_and_leaves_no_hole() -> None:
    assert not holes_of(a=Choice(["plain", "dcn"]), cross_layers=Int(1, 3).when(a="dcn"))


def test_what_all_cases_share_says_when_the_dimension_exists() -> None:
    shared = {"a": "dcn"}
    dimensions: dict[str, Any] = {"a": Choice(["plain", "dcn"]), "p": Choice(["under", "beside"])}
    under, beside = Int(1, 2).when(p="under", **shared), Int(1, 3).when(p="beside", **shared)
    assert not holes_of(**dimensions, rank=[under, beside])
    assert holes_of(**dimensions, rank=[under, Int(1, 3).when(p="beside")])


def test_where_a_parent_is_absent_there_is_no_hole() -> None:
    assert not holes_of(
        a=Choice(["plain", "dcn"]),
        p=Choice(["under", "beside"]).when(a="dcn"),
        rank=[Int(1, 2).when(p="under"), Int(1, 3).when(p="beside")],
    )


def test_a_case_whose_conditions_contradict_each_other_is_idle() -> None:
    space = SearchSpace.of(
        a=Choice(["plain", "dcn"]),
        p=Choice(["under", "beside"]).when(a="dcn"),
        rank=Int(1, 2).when(p="under", a="plain"),
    )
    (idle,) = check(drafts_of(space.dimensions)).idle
    assert idle.key == "rank"


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_whatever_is_drawn_at_most_one_case_holds_and_none_only_where_it_may(
    space: SearchSpace,
) -> None:
    activities = check(drafts_of(space.dimensions)).activities
    for seed in range(20):
        values = space.walk(sampler(seed))
        for dimension in space.dimensions:
            n_active = sum(holds(case.conditions, values) for case in dimension.cases)
            assert n_active == 1 or (
                n_active == 0 and activities[dimension.name].is_sometimes_absent
            )
