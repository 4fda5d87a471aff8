from __future__ import annotations

import pytest

from experiments.arms import arm_name, arms_of, shares_text, unequal_problem
from search_spaces import Choice, Int, SearchSpace
from tests.made_up_spaces import CONDITIONAL, FINITE


def test_each_choice_is_an_arm_with_a_space_of_its_own() -> None:
    arms = arms_of(FINITE, "architecture")
    assert list(arms) == ["plain", "dcn"]
    assert all(p["architecture"] == "dcn" for p in arms["dcn"].points())
    assert arms["plain"].count() + arms["dcn"].count() == FINITE.count()


def test_arms_are_named_as_toml_writes_their_choice() -> None:
    assert [arm_name(choice) for choice in ("dcn", True, False, 3, 0.5)] == [
        "dcn",
        "true",
        "false",
        "3",
        "0.5",
    ]


def test_arms_that_are_numbers_are_told_from_counts_of_trials() -> None:
    words, rates = ["plain", "dcn"], [5e-4, 16.0]
    assert shares_text("architecture", words, 5, "tpe") == "architecture: 3 plain, 2 dcn"
    assert shares_text("rate", rates, 4, "tpe") == "rate: 2 at 0.0005, 2 at 16.0"


def test_arms_of_a_grid_are_named_without_the_number_of_their_trials() -> None:
    # Only the grid itself knows it: here a third of the points are plain.
    assert shares_text("architecture", ["plain", "dcn"], 27, "grid") == "architecture: plain, dcn"


def test_arms_that_would_get_more_trials_than_others_are_told_with_what_would_do() -> None:
    assert unequal_problem(61, 0) is unequal_problem(60, 3) is None
    assert str(unequal_problem(61, 2)).endswith("got 61; ask for 60 or 62")
    assert str(unequal_problem(61, 2, more_than=60)).endswith("got 61; ask for 62")
    assert str(unequal_problem(1, 2)).endswith("got 1; ask for 2")


@pytest.mark.parametrize("name", ["n_layers", "cross_layers", "depth"])
def test_only_an_unconditional_choice_can_be_compared(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        arms_of(CONDITIONAL, name)


def test_a_conditional_choice_cannot_be_compared() -> None:
    space = SearchSpace.of(depth=Int(1, 2), kind=Choice(["a", "b"]).when(depth=2))
    with pytest.raises(ValueError, match="kind"):
        arms_of(space, "kind")
