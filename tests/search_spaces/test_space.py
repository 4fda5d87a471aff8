from __future__ import annotations

import itertools
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import Case, Choice, Dimension, Float, Int, SearchSpace, SpaceError, space
from tests.search_spaces.strategies import sampler, spaces

HOUSE = SearchSpace.of(
    cross_layers=Int(1, 3).when(architecture="dcn"),
    cross_rank=Choice([0, 8]).when(architecture="dcn", cross_layers=[2, 3]),
    architecture=Choice(["plain", "dcn"]),
    optimizer=Choice(["adam", "adamw", "adagrad"]),
    learning_rate=[
        Float(3e-4, 5e-3, log=True).when(optimizer=["adam", "adamw"]),
        Float(0.03, 0.3, log=True).when(optimizer="adagrad"),
    ],
    n_layers=Int(1, 3),
    layer_size=Choice([32, 64, 128]).each("n_layers"),
)


def first(**chosen: Any) -> dict[str, Any]:
    """The point with these values and the first or lowest elsewhere."""
    return HOUSE.project(chosen)


def test_cross_layers_are_absent_when_the_architecture_is_plain() -> None:
    assert "cross_layers" not in first(architecture="plain")
    assert first(architecture="dcn")["cross_layers"] == 1


def test_nested_conditions_need_every_level() -> None:
    assert "cross_rank" not in first(architecture="dcn", cross_layers=1)
    assert first(architecture="dcn", cross_layers=3, cross_rank=8)["cross_rank"] == 8
    assert "cross_rank" not in first(architecture="plain", cross_layers=3)


def test_parents_are_drawn_before_children_whatever_the_order_of_the_space() -> None:
    drawn: list[str] = []
    HOUSE.walk(lambda slot: drawn.append(slot.name) or slot.distribution.clip("dcn"))  # type: ignore[func-returns-value]
    assert drawn.index("architecture") < drawn.index("cross_layers")


def test_each_layer_below_the_count_has_a_value() -> None:
    point = first(n_layers=2)
    assert [name for name in point if name.startswith("layer_size")] == [
        "layer_size_0",
        "layer_size_1",
    ]


def test_the_default_is_projected_onto_the_case_that_holds() -> None:
    defaults = {"learning_rate": 1e-3, "layer_size": 64, "layer_size_1": 128, "n_layers": 2}
    adam = HOUSE.project({**defaults, "optimizer": "adamw"})
    adagrad = HOUSE.project({**defaults, "optimizer": "adagrad"})
    unknown = HOUSE.project({**defaults, "optimizer": "lion"})
    assert (adam["learning_rate"], adagrad["learning_rate"]) == (1e-3, 0.03)
    assert unknown["optimizer"] == "adam"
    assert (adam["layer_size_0"], adam["layer_size_1"]) == (64, 128)


def test_problems_name_what_is_missing_superfluous_or_out_of_range() -> None:
    good = first(architecture="dcn")
    assert HOUSE.problems(good) == []
    assert HOUSE.problems({**good, "n_layers": 1.0, "optimzer": "adam"}) == [
        "n_layers must be a whole number from 1 to 3, got 1.0",
        "unknown dimension 'optimzer'; did you mean 'optimizer'? Known: architecture, "
        "cross_layers, cross_rank, layer_size_0, layer_size_1, layer_size_2, learning_rate, "
        "n_layers, optimizer",
    ]
    assert HOUSE.problems({**good, "architecture": "plain"}) == [
        "cross_layers is not active here, got 1"
    ]
    without_rate = {name: value for name, value in good.items() if name != "learning_rate"}
    assert HOUSE.problems(without_rate) == ["learning_rate is missing"]


def test_active_gives_slots_with_values_and_refuses_what_is_no_point() -> None:
    point = first(optimizer="adagrad")
    by_key = {slot.key: value for slot, value in HOUSE.active(point)}
    assert by_key["learning_rate[optimizer=adagrad]"] == 0.03
    assert len(by_key) == len(point)
    with pytest.raises(SpaceError, match="n_layers is missing"):
        HOUSE.active({name: value for name, value in point.items() if name != "n_layers"})


def test_an_arm_keeps_what_its_choice_needs_and_loses_the_rest() -> None:
    plain, dcn = HOUSE.restrict("architecture", "plain"), HOUSE.restrict("architecture", "dcn")
    names = [dimension.name for dimension in plain.dimensions]
    assert names == ["architecture", "optimizer", "learning_rate", "n_layers", "layer_size"]
    assert len(dcn.dimensions) == len(HOUSE.dimensions)
    assert dcn.project({"architecture": "plain"})["architecture"] == "dcn"


def test_an_arm_narrows_the_cases_that_name_several_choices() -> None:
    keys = [slot.key for slot in HOUSE.restrict("optimizer", "adamw").slots]
    assert "learning_rate" in keys


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architectur", "dcn"),
        ("n_layers", 1),
        ("architecture", "mlp"),
        ("cross_rank", 8),
        ("layer_size", 32),
    ],
)
def test_only_a_choice_that_is_always_there_makes_arms(name: str, value: Any) -> None:
    with pytest.raises(SpaceError):
        HOUSE.restrict(name, value)


def test_a_grid_counts_only_what_exists() -> None:
    grid = SearchSpace.of(
        architecture=Choice(["plain", "dcn"]),
        cross_layers=Int(1, 3).when(architecture="dcn"),
        cross_rank=Choice([0, 8]).when(cross_layers=[2, 3]),
        dropout=Float(0, 0.2, step=0.1),
    )
    # plain: 1; dcn: 1 with one cross layer, 2 x 2 with more; each with 3 dropouts.
    assert grid.count() == (1 + 1 + 4) * 3
    assert next(grid.points()) == {
        "architecture": "plain",
        "dropout": 0.0,
    }


def test_layers_multiply_in_a_grid() -> None:
    grid = SearchSpace.of(n=Int(0, 3), size=Choice([8, 16]).each("n"))
    assert grid.count() == 1 + 2 + 4 + 8 == len(list(grid.points()))


def test_a_huge_grid_is_counted_without_walking_it() -> None:
    huge = SearchSpace.of(
        n=Int(1, 10**12), a=Int(1, 10**9).when(n=[5, 6]), b=Choice(list(range(100)))
    )
    assert huge.count() == (10**12 - 2 + 2 * 10**9) * 100
    assert len(list(itertools.islice(huge.points(), 5))) == 5


def test_a_grid_of_many_independent_conditions_is_counted_at_once() -> None:
    pairs: dict[str, Any] = {}
    for i in range(40):
        pairs |= {f"p{i}": Choice([True, False]), f"c{i}": Int(1, 4).when(**{f"p{i}": True})}
    assert SearchSpace.of(**pairs).count() == 5**40


def test_a_grid_over_continua_names_each_of_them() -> None:
    for ask in (HOUSE.count, HOUSE.points):
        with pytest.raises(SpaceError) as raised:
            ask()
        assert [problem.key for problem in raised.value.problems] == [
            "learning_rate[optimizer=adam|adamw]",
            "learning_rate[optimizer=adagrad]",
        ]


def test_the_builder_tells_all_that_is_no_dimension() -> None:
    with pytest.raises(SpaceError) as raised:
        SearchSpace.of(a=3, b=[], c=[Int(1, 2), "x"], d=Int(1, 2))  # type: ignore[arg-type]
    assert [problem.key for problem in raised.value.problems] == ["a", "b", "c"]


def test_the_builder_and_the_dataclasses_make_the_same_space() -> None:
    built = space(a=Choice([1, 2]), b=Int(1, 2).when(a=1))
    assert built == SearchSpace(
        (
            Dimension("a", (Case(Choice((1, 2))),)),
            Dimension("b", (Case(Int(1, 2), {"a": (1,)}),)),
        )
    )
    assert built != space(b=Int(1, 2).when(a=1), a=Choice([1, 2]))


def test_a_space_and_its_errors_travel_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(HOUSE)) == HOUSE
    with pytest.raises(SpaceError) as raised:
        Int(2, 1)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert copy.problems == raised.value.problems


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 10))
def test_every_walk_is_a_point_and_fills_exactly_the_active_slots(
    space: SearchSpace, seed: int
) -> None:
    values = space.walk(sampler(seed))
    assert space.problems(values) == []
    assert {slot.name: value for slot, value in space.active(values)} == values
    assert space.project(values) == values
    assert set(values) <= {column.name for column in space.columns}


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_keys_are_unique_and_every_slot_has_its_column(space: SearchSpace) -> None:
    keys = [slot.key for slot in space.slots]
    assert len(keys) == len(set(keys))
    columns = {column.name: column for column in space.columns}
    assert len(columns) == len(space.columns)
    for slot in space.slots:
        column, distribution = columns[slot.name], slot.distribution
        assert column.kind == distribution.kind
        if isinstance(distribution, Choice):
            assert set(distribution.choices) <= set(column.choices)
        else:
            assert column.low is not None
            assert column.high is not None
            assert column.low <= distribution.low <= distribution.high <= column.high


@settings(max_examples=60, deadline=None)
@given(spaces(is_finite=True))
def test_a_grid_has_as_many_points_as_counted_each_once_each_sound(space: SearchSpace) -> None:
    n_points = space.count()
    points = list(itertools.islice(space.points(), 500))
    assert len(points) == min(n_points, 500)
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)
    assert all(space.problems(point) == [] for point in points[:50])
    if n_points <= 500:
        there = {c.name for c in space.columns if all(c.name in point for point in points)}
        assert {c.name for c in space.columns if c.is_always_there} == there


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 10))
def test_the_points_of_an_arm_are_points_of_the_space(space: SearchSpace, seed: int) -> None:
    for dimension in space.dimensions:
        distribution = dimension.cases[0].distribution
        if isinstance(distribution, Choice) and not dimension.parents and dimension.each is None:
            for value in distribution.choices:
                drawn = space.restrict(dimension.name, value).walk(sampler(seed))
                assert drawn[dimension.name] == value
                assert space.problems(drawn) == []
