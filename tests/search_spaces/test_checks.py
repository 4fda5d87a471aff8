from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Case, Choice, Dimension, Float, Int, SearchSpace, SpaceError

ARCHITECTURE = Choice(["plain", "dcn"])
OPTIMIZER = Choice(["adam", "adamw", "adagrad"])


def problems_of(**dimensions: Any) -> list[str]:
    with pytest.raises(SpaceError) as raised:
        SearchSpace.of(**dimensions)
    return [str(problem) for problem in raised.value.problems]


def test_a_condition_on_an_unknown_dimension_guesses_the_one_meant() -> None:
    assert problems_of(optimizer=OPTIMIZER, a=Int(1, 2).when(optimzer="adam")) == [
        "a.when.optimzer: unknown dimension 'optimzer'; did you mean 'optimizer'? "
        "Known: a, optimizer"
    ]
    (told,) = problems_of(size=Choice([8, 16]).each("n_layers"))
    assert "give it a dimension, or a value under [model]" in told
    (told,) = problems_of(a=Int(1, 2).when(side_features=True))
    assert told.endswith("a condition needs one that varies here: of what does not, leave it out")


def test_a_condition_on_a_value_that_never_comes_names_those_that_do() -> None:
    assert problems_of(optimizer=OPTIMIZER, a=Int(1, 2).when(optimizer=["adam", "sgd"])) == [
        "a.when.optimizer: 'optimizer' is never 'sgd'; it is one of 'adam', 'adamw', 'adagrad'"
    ]
    assert problems_of(n=Int(1, 3), a=Int(1, 2).when(n=4)) == [
        "a.when.n: 'n' is never 4; it is a whole number from 1 to 3"
    ]


def test_a_condition_needs_a_single_discrete_value() -> None:
    assert problems_of(x=Float(0, 1), a=Int(1, 2).when(x=0.5)) == [
        "a.when.x: 'x' is a continuous range; a condition needs choices or whole numbers"
    ]
    assert problems_of(size=Int(1, 9).each(2), a=Int(1, 2).when(size=3)) == [
        "a.when.size: 'size' has one value per layer; a condition needs a single value"
    ]


def test_a_circle_of_conditions_is_spelled_out_once() -> None:
    assert problems_of(a=Int(1, 2).when(b=1), b=Int(1, 2).when(c=1), c=Int(1, 2).when(a=1)) == [
        "a: conditions go round in a circle: a -> b -> c -> a"
    ]
    assert problems_of(a=Int(1, 2).when(a=1)) == ["a: conditions go round in a circle: a -> a"]
    two = problems_of(
        a=Int(1, 2).when(b=1), b=Int(1, 2).when(a=1), c=Int(1, 2).when(d=1), d=Int(1, 2).when(c=1)
    )
    assert len(two) == 2


def test_layers_of_a_dimension_that_depends_on_itself_are_a_circle_too() -> None:
    assert problems_of(n=Int(1, 2).each("n"))[0] == "n: conditions go round in a circle: n -> n"


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (Float(1, 2), "'n' does not count"),
        (Choice(["a", "b"]), "'n' does not count"),
        (Choice([1.5, 2.0]), "'n' does not count"),
        (Int(-1, 2), "'n' goes from -1 to 2"),
        (Int(1, 101), "'n' goes from 1 to 101"),
        (Choice([1, 500]), "'n' goes from 1 to 500"),
        (Int(1, 2).each(3), "'n' has one value per layer itself"),
    ],
)
def test_layers_need_a_dimension_that_counts(count: Any, message: str) -> None:
    (problem,) = problems_of(n=count, size=Choice([8, 16]).each("n"))
    assert problem.startswith(f"size.each: {message}")


def test_layers_of_an_unknown_dimension_are_refused() -> None:
    (problem,) = problems_of(n_layers=Int(1, 2), size=Choice([8, 16]).each("n_layer"))
    assert "did you mean 'n_layers'?" in problem


def test_cases_must_be_of_one_kind() -> None:
    kinds = problems_of(
        optimizer=Choice(["adam", "sgd"]),
        a=[Float(0, 1).when(optimizer="adam"), Int(0, 1).when(optimizer="sgd")],
        b=[Choice(["x"]).when(optimizer="adam"), Choice([1]).when(optimizer="sgd")],
        c=[Int(1, 2).when(optimizer="adam").each(2), Int(1, 2).when(optimizer="sgd")],
    )
    assert [problem.split(":")[0] for problem in kinds] == ["a[1]", "b[1]", "c[1].each"]


def test_cases_with_whole_and_other_numbers_to_choose_from_are_of_one_kind() -> None:
    space = SearchSpace.of(
        o=Choice(["a", "b"]), x=[Choice([0, 1]).when(o="a"), Choice([0, 0.5]).when(o="b")]
    )
    assert space.columns[1].choices == (0, 1, 0.5)


def test_two_dimensions_cannot_share_a_column() -> None:
    assert problems_of(n=Int(1, 2), size=Int(1, 9).each("n"), size_1=Int(1, 9)) == [
        "size_1: 'size_1' and 'size' would both have a column 'size_1'"
    ]


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ä", "use", "without", "a\n"])
def test_a_name_that_no_column_can_have_is_refused(name: str) -> None:
    with pytest.raises(SpaceError):
        SearchSpace((Dimension(name, (Case(Int(1, 2)),)),))


def test_a_dimension_cannot_be_there_twice_and_a_space_cannot_be_empty() -> None:
    dimension = Dimension("a", (Case(Int(1, 2)),))
    with pytest.raises(SpaceError, match="twice"):
        SearchSpace((dimension, dimension))
    with pytest.raises(SpaceError, match="needs a dimension"):
        SearchSpace(())
    with pytest.raises(SpaceError, match="at least one case"):
        Dimension("a", ())


def test_all_mistakes_are_told_at_once() -> None:
    found = problems_of(
        architecture=ARCHITECTURE,
        a=Int(1, 2).when(architectur="dcn"),
        b=Int(1, 2).when(architecture="gated"),
        c=[Int(1, 2).when(architecture="dcn"), Int(3, 4).when(architecture=["plain", "dcn"])],
        d=Int(1, 2).when(e=1),
        e=Int(1, 2).when(d=1),
        f=Int(1, 2).each("architecture"),
    )
    assert [problem.split(":")[0] for problem in found] == [
        "d",
        "a.when.architectur",
        "b.when.architecture",
        "f.each",
        "c[1]",
    ]
