from __future__ import annotations

import pytest

from search_spaces import Case, Choice, Float, Int, SpaceError
from search_spaces.cases import holds, spell_conditions


def test_when_takes_one_value_or_several() -> None:
    case = Float(0, 1).when(optimizer=["adam", "adamw"], side_features=True)
    assert case.conditions == {"optimizer": ("adam", "adamw"), "side_features": (True,)}


def test_each_follows_a_distribution_or_its_conditions() -> None:
    assert Choice([32, 64]).each("n_layers") == Case(Choice([32, 64]), {}, "n_layers")
    assert Int(1, 2).when(a=1).each(2) == Case(Int(1, 2), {"a": (1,)}, 2)
    assert Int(1, 2).each(2).when(a=1) == Case(Int(1, 2), {"a": (1,)}, 2)
    with pytest.raises(SpaceError, match=r"when\.a: has a condition already"):
        Int(1, 2).when(a=1).when(a=2)
    assert Int(1, 2).when(a=1).when(b=[2, 3]) == Case(Int(1, 2), {"a": (1,), "b": (2, 3)})


def test_all_conditions_must_hold_and_one_on_an_absent_dimension_does_not() -> None:
    when = {"a": (1, 2), "b": ("x",)}
    assert holds(when, {"a": 2, "b": "x", "c": 0})
    assert not holds(when, {"a": 2, "b": "y"})
    assert not holds(when, {"a": 2})
    assert not holds({"a": (1,)}, {"a": True})
    assert holds({}, {})


def test_a_condition_without_values_or_with_one_twice_is_refused() -> None:
    with pytest.raises(SpaceError) as raised:
        Int(1, 2).when(a=[], b=["x", "x"], c=float("nan"))
    assert [problem.key for problem in raised.value.problems] == ["a", "b", "c"]


@pytest.mark.parametrize("count", [0, -1, 101, True, 1.5])
def test_each_takes_a_name_or_a_sensible_number(count: int) -> None:
    with pytest.raises(SpaceError, match="each must be"):
        Int(1, 2).each(count)


def test_different_conditions_are_spelled_differently() -> None:
    assert spell_conditions({"o": ("adam", "adamw"), "s": (True,)}) == "o=adam|adamw,s=true"
    assert spell_conditions({"o": ("a|b",)}) != spell_conditions({"o": ("a", "b")})
    assert spell_conditions({"o": ("1",)}) == "o=1"
