from __future__ import annotations

import pytest

from search_spaces import Case, Choice, Column, Dimension, Float, Int, SearchSpace
from search_spaces.dimensions import layer_counts


def test_a_dimension_knows_what_it_depends_on() -> None:
    dimension = Dimension(
        "size", (Case(Int(1, 2), {"a": (1,)}, "n"), Case(Int(3, 4), {"b": (1,)}, "n"))
    )
    assert dimension.parents == {"a", "b", "n"}
    assert dimension.each == "n"
    assert Dimension("x", (Case(Int(1, 2), count=3),)).parents == frozenset()


def test_a_slot_per_case_has_a_key_of_its_own_and_the_columns_name() -> None:
    space = SearchSpace.of(
        optimizer=Choice(["adam", "adamw", "adagrad"]),
        learning_rate=[
            Float(3e-4, 5e-3, log=True).when(optimizer=["adam", "adamw"]),
            Float(0.03, 0.3).when(optimizer="adagrad"),
        ],
    )
    assert [(slot.key, slot.name) for slot in space.slots] == [
        ("optimizer", "optimizer"),
        ("learning_rate[optimizer=adam|adamw]", "learning_rate"),
        ("learning_rate[optimizer=adagrad]", "learning_rate"),
    ]
    assert space.columns[1] == Column("learning_rate", "float", 3e-4, 0.3, True, ())


def test_layers_are_columns_up_to_the_most_there_can_be() -> None:
    space = SearchSpace.of(n_layers=Int(0, 3), layer_size=Choice([32, 64]).each("n_layers"))
    assert [column.name for column in space.columns] == [
        "n_layers",
        "layer_size_0",
        "layer_size_1",
        "layer_size_2",
    ]
    assert [dict(slot.conditions) for slot in space.slots[1:]] == [
        {"n_layers": (1, 2, 3)},
        {"n_layers": (2, 3)},
        {"n_layers": (3,)},
    ]


def test_layers_of_cases_have_a_slot_per_layer_and_case() -> None:
    space = SearchSpace.of(
        a=Choice(["x", "y"]),
        size=[Int(1, 2).when(a="x").each(2), Int(3, 4).when(a="y").each(2)],
    )
    keys = ["size_0[a=x]", "size_0[a=y]", "size_1[a=x]", "size_1[a=y]"]
    assert [slot.key for slot in space.slots[1:]] == keys
    assert [column.name for column in space.columns] == ["a", "size_0", "size_1"]


def test_a_condition_on_the_count_itself_narrows_the_layers() -> None:
    space = SearchSpace.of(n=Int(1, 3), size=Int(1, 2).when(n=[1, 2]).each("n"))
    assert [dict(slot.conditions) for slot in space.slots[1:]] == [{"n": (1, 2)}, {"n": (2,)}]
    assert set(space.walk(lambda slot: 3 if slot.name == "n" else 1)) == {"n"}


def test_a_column_is_logarithmic_only_above_zero() -> None:
    space = SearchSpace.of(
        o=Choice(["a", "b"]), x=[Float(1, 2, log=True).when(o="a"), Float(0, 2).when(o="b")]
    )
    assert (space.columns[1].low, space.columns[1].log) == (0.0, False)


@pytest.mark.parametrize(
    ("distribution", "counts"),
    [
        (Int(0, 3), (0, 1, 2, 3)),
        (Int(1, 5, step=2), (1, 3, 5)),
        (Choice([4, 1]), (1, 4)),
        (Choice(["a"]), ()),
        (Int(1, 10**9), ()),
        (Float(1, 1), ()),
    ],
)
def test_layer_counts_are_whole_and_few(
    distribution: Float | Int | Choice, counts: tuple[int, ...]
) -> None:
    assert layer_counts([distribution]) == counts
