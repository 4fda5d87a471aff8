from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.sweep_files.toml_text import toml_section
from search_spaces import Choice, Float, Int, SearchSpace, SpaceError, parse_space, shipped_space
from search_spaces.checks import check
from search_spaces.drafts import drafts_of
from tests.search_spaces.strategies import spaces

TOML = """
[space.architecture]
choices = ["plain", "dcn"]

[space.optimizer]
choices = ["adam", "adamw", "adagrad"]

[[space.learning_rate]]
when = { optimizer = ["adam", "adamw"] }
low = 3e-4
high = 5e-3
log = true
[[space.learning_rate]]
when = { optimizer = "adagrad" }
low = 0.03
high = 0.3
log = true

[space.n_layers]
low = 1
high = 3

[space.layer_size]
choices = [32, 64]
each = "n_layers"

[space.cross_layers]
when = { architecture = "dcn" }
low = 1
high = 3

[space.cross_rank]
when = { architecture = "dcn", cross_layers = [2, 3] }
choices = [0, 8]
"""

PYTHON = SearchSpace.of(
    architecture=Choice(["plain", "dcn"]),
    optimizer=Choice(["adam", "adamw", "adagrad"]),
    learning_rate=[
        Float(3e-4, 5e-3, log=True).when(optimizer=["adam", "adamw"]),
        Float(0.03, 0.3, log=True).when(optimizer="adagrad"),
    ],
    n_layers=Int(1, 3),
    layer_size=Choice([32, 64]).each("n_layers"),
    cross_layers=Int(1, 3).when(architecture="dcn"),
    cross_rank=Choice([0, 8]).when(architecture="dcn", cross_layers=[2, 3]),
)


def read(toml: str, **fixed: Any) -> SearchSpace:
    space, problems = parse_space(tomllib.loads(toml).get("space", {}), fixed=fixed)
    assert not problems, "\n".join(map(str, problems))
    assert space
    return space


def problems_of(toml: str, **fixed: Any) -> list[str]:
    space, problems = parse_space(tomllib.loads(toml).get("space", {}), fixed=fixed)
    assert space is None
    return [str(problem) for problem in problems]


def keys_of(toml: str, **fixed: Any) -> list[str]:
    return [problem.split(": ")[0] for problem in problems_of(toml, **fixed)]


def names_of(space: SearchSpace) -> list[str]:
    return [dimension.name for dimension in space.dimensions]


def test_toml_and_python_make_the_same_space() -> None:
    assert read(TOML) == PYTHON


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_every_space_comes_back_from_the_toml_written_of_it(space: SearchSpace) -> None:
    findings = check(drafts_of(space.dimensions))
    toml = toml_section("[space]", space.to_table())
    parsed, problems = parse_space(tomllib.loads(toml)["space"])
    if findings.holes:
        assert [p.key for p in problems] == [f"space.{name}" for name in findings.holes]
        some = {"fixed": dict.fromkeys(findings.holes, 1)}
        depend_on_holes = any(
            dimension.parents & findings.holes.keys() for dimension in space.dimensions
        )
        assert (parse_space(space.to_table(), **some)[0] == space) != depend_on_holes
    else:
        assert (parsed, problems) == (space, [])


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["low", "high", "log", "step", "choices", "when", "each", "type", "a", "b"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "n_layers", "use", "without", "c d"]), nonsense),
    st.dictionaries(st.sampled_from(["a", "n_layers"]), nonsense),
)
def test_no_table_whatever_raises(table: dict[str, Any], fixed: dict[str, Any]) -> None:
    space, problems = parse_space(table, fixed=fixed)
    assert (space is None) == bool(problems)
    assert all(problem.key.startswith("space") for problem in problems)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_sound_table_with_one_slip_is_told_or_still_sound(
    data: st.DataObject,
) -> None:
    table = tomllib.loads(TOML)["space"]
    name = data.draw(st.sampled_from(sorted(table)))
    case = table[name] if isinstance(table[name], dict) else data.draw(st.sampled_from(table[name]))
    key = data.draw(st.sampled_from(["low", "high", "log", "step", "choices", "when", "each"]))
    case[key] = data.draw(nonsense)
    space, problems = parse_space(table)
    assert (space is None) == bool(problems)
    if space:
        assert space.problems(space.project({})) == []


def test_many_mistakes_are_told_at_once_each_once() -> None:
    assert keys_of(
        """
        [space]
        use = "rankin"
        dropout = 0.3
        [space.architecture]
        choices = ["plain", "dcn", "plain"]
        [space.optimizer]
        choices = ["adam", "sgd", "adagrad"]
        [[space.learning_rate]]
        when = { optimizer = "adam" }
        low = 3e-3
        high = 5e-4
        log = true
        [[space.learning_rate]]
        when = { optimzer = "sgd" }
        low = 0.0
        high = 0.3
        log = true
        [[space.embedding_l2]]
        when = { optimizer = ["adam", "sgd"] }
        low = 1e-6
        high = 1e-3
        [[space.embedding_l2]]
        when = { optimizer = "sgd" }
        low = 1e-6
        high = 1e-3
        [space.cross_layers]
        when = { architecture = "dcnn" }
        low = 1
        high = 3
        stepp = 2
        [space.layer_size]
        choices = [32, 64]
        each = "n_layers"
        [space.user_oov_rate]
        low = 0.0
        """
    ) == [
        "space.use",
        "space.dropout",
        "space.architecture.choices",
        "space.learning_rate[0].low",
        "space.learning_rate[1].low",
        "space.cross_layers.stepp",
        "space.user_oov_rate.high",
        "space.learning_rate[1].when.optimzer",
        "space.layer_size.each",
        "space.embedding_l2[1]",
        "space.embedding_l2",
    ]


def test_an_empty_space_is_refused() -> None:
    assert problems_of("[space]") == [
        "space: a space needs a dimension: a table [space.NAME], or use"
    ]


def test_a_case_that_can_never_hold_is_refused_in_the_users_own_tables() -> None:
    assert problems_of(
        """
        [space.a]
        choices = ["x", "y"]
        [space.b]
        when = { a = "x" }
        choices = [1, 2]
        [space.c]
        when = { a = "y", b = 1 }
        low = 1
        high = 2
        """
    ) == ["space.c: is never used: its conditions cannot hold together"]


# Fixed values


def test_a_condition_on_a_fixed_value_is_decided_at_once() -> None:
    space = read(
        """
        [[space.rate]]
        when = { optimizer = ["adam", "adamw"], side = true }
        low = 0.1
        high = 0.2
        [space.side]
        choices = [true, false]
        """,
        optimizer="adam",
    )
    assert space == SearchSpace.of(rate=Float(0.1, 0.2).when(side=True), side=Choice([True, False]))


def test_a_condition_that_a_fixed_value_rules_out_is_refused() -> None:
    assert problems_of(
        """
        [space.rate]
        when = { optimizer = "adam" }
        low = 0.1
        high = 0.2
        """,
        optimizer="sgd",
    ) == [
        "space.rate.when.optimizer: 'optimizer' is fixed to 'sgd' in [model], so this never holds"
    ]


def test_a_fixed_count_gives_that_many_layers() -> None:
    toml = "[space.layer_size]\nchoices = [32, 64]\neach = 'n_layers'"
    assert [slot.name for slot in read(toml, n_layers=2).slots] == ["layer_size_0", "layer_size_1"]
    assert "there is no layer" in problems_of(toml, n_layers=0)[0]
    assert "counts no layers" in problems_of(toml, n_layers="two")[0]
    assert "unknown dimension 'n_layers'" in problems_of(toml)[0]


def test_a_name_that_is_varied_and_fixed_is_refused() -> None:
    toml = "[space.dropout]\nlow = 0.0\nhigh = 0.5"
    assert keys_of(toml, dropout=0.1) == ["space.dropout"]
    layers = "[space.n]\nlow = 1\nhigh = 2\n[space.size]\nchoices = [8, 16]\neach = 'n'"
    assert keys_of(layers, size=8) == ["space.size"]
    assert keys_of(layers, size_1=8) == ["space.size"]


HOLE = """
[space.optimizer]
choices = ["adam", "adamw", "sgd"]
[[space.rate]]
when = { optimizer = "adam" }
low = 0.1
high = 0.2
[[space.rate]]
when = { optimizer = "adamw" }
low = 0.1
high = 0.3
"""


def test_a_fixed_value_fills_the_hole_that_cases_leave() -> None:
    assert problems_of(HOLE) == [
        "space.rate: has no case where optimizer=sgd; add one, or give 'rate' a fixed value "
        "for the rest in [model]"
    ]
    space = read(HOLE, rate=0.5)
    assert "rate" not in space.project({"optimizer": "sgd"})


def test_where_a_dimension_means_nothing_no_case_is_wanting() -> None:
    table = tomllib.loads(HOLE)["space"]
    _, problems = parse_space(table, meaningless={"rate": {"optimizer": ("adam",)}})
    assert [problem.key for problem in problems] == ["space.rate"]
    space, _ = parse_space(table, meaningless={"rate": {"optimizer": ("sgd",)}})
    assert space is not None
    assert "rate" not in space.project({"optimizer": "sgd"})
    assert parse_space(table, is_resolved=True) == (space, [])


def test_a_fixed_value_fills_in_where_the_only_case_does_not_hold() -> None:
    toml = """
    [space.optimizer]
    choices = ["adam", "sgd"]
    [space.rate]
    when = { optimizer = "sgd" }
    low = 0.1
    high = 0.2
    """
    assert read(toml, rate=1e-3) == read(toml)


def test_nothing_can_depend_on_a_name_that_is_fixed_in_some_cases_only() -> None:
    toml = HOLE.replace("low = 0.1\nhigh = 0.2", "choices = [1]")
    toml = toml.replace("low = 0.1\nhigh = 0.3", "choices = [2]")
    toml += "[space.x]\nwhen = { rate = 1 }\nlow = 1\nhigh = 2"
    assert keys_of(toml, rate=3) == ["space.x"]


# Shipped spaces


def test_a_table_replaces_a_shipped_dimension_in_its_place() -> None:
    space = read(
        "[space]\nuse = 'ranking'\n[space.n_layers]\nlow = 1\nhigh = 2\n[space.z]\nchoices = [1]"
    )
    assert names_of(space) == [*names_of(shipped_space("ranking")), "z"]
    assert "layer_size_1" in {slot.name for slot in space.slots}
    assert "layer_size_2" not in {slot.name for slot in space.slots}


def test_what_narrowed_choices_leave_no_room_for_goes_without_a_word() -> None:
    space = read(
        """
        [space]
        use = "ranking"
        [space.architecture]
        choices = ["plain"]
        [space.optimizer]
        choices = ["adam", "adagrad"]
        """
    )
    assert not [name for name in names_of(space) if name.startswith("cross")]
    assert [slot.key for slot in space.slots if slot.name == "learning_rate"] == [
        "learning_rate[optimizer=adam]",
        "learning_rate[optimizer=adagrad]",
    ]


def test_a_dimension_can_be_left_out_and_fixed() -> None:
    toml = "[space]\nuse = 'ranking'\nwithout = ['optimizer', 'n_layers', 'architecture']"
    space = read(toml, optimizer="sgd", n_layers=1, architecture="dcn")
    keys = [slot.key for slot in space.slots]
    assert {"learning_rate", "layer_size_0", "cross_layers"} <= set(keys)
    assert not {"optimizer", "n_layers", "architecture", "layer_size_1"} & set(keys)
    (rate,) = (slot for slot in space.slots if slot.key == "learning_rate")
    assert (rate.distribution, rate.conditions) == (Float(0.01, 0.3, log=True), {})
    assert "cross_layers" not in names_of(
        read(toml, optimizer="sgd", n_layers=1, architecture="plain")
    )
    assert "layer_size" not in names_of(
        read(toml, optimizer="sgd", n_layers=0, architecture="plain")
    )


def test_what_others_depend_on_cannot_just_be_left_out() -> None:
    toml = "[space]\nuse = 'ranking'\nwithout = ['optimizer']"
    assert problems_of(toml) == [
        "space.without: 'optimizer' cannot just go, it decides about learning_rate: "
        "fix it in [model], or leave them out too"
    ]
    read("[space]\nuse = 'ranking'\nwithout = ['optimizer', 'learning_rate']")


def test_a_shipped_dimension_that_is_fixed_must_be_left_out() -> None:
    toml = "[space]\nuse = 'ranking'"
    assert 'add without = ["dropout"] to fix it' in problems_of(toml, dropout=0.1)[0]
    assert keys_of(toml, cross_layers=2) == ["space.cross_layers"]
    assert keys_of(toml, layer_size=32) == ["space.layer_size"]
    # Where narrowed choices made it go, there is nothing to leave out.
    plain = toml + "\n[space.architecture]\nchoices = ['plain']"
    read(plain, cross_layers=2)


def test_a_new_choice_without_a_shipped_case_is_a_hole() -> None:
    toml = "[space]\nuse = 'ranking'\n[space.optimizer]\nchoices = ['adam', 'lion.py:lion']"
    (problem,) = problems_of(toml)
    assert "where optimizer='lion.py:lion'" in problem
    read(toml, learning_rate=1e-4)


def test_choices_and_fixed_values_that_no_shipped_case_fits_are_told() -> None:
    toml = "[space]\nuse = 'ranking'\n[space.optimizer]\nchoices = ['lion.py:lion']"
    (problem,) = problems_of(toml)
    assert problem.startswith("space.learning_rate: no case of the shipped space fits what optim")
    assert "learning_rate" not in names_of(read(toml, learning_rate=1e-4))
    fixed = "[space]\nuse = 'ranking'\nwithout = ['optimizer']"
    assert keys_of(fixed, optimizer="lion.py:lion") == ["space.learning_rate"]
    read(fixed, optimizer="lion.py:lion", learning_rate=1e-4)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("use = 3", "space.use: unknown space 3"),
        ("use = 'smok'", "did you mean 'smoke'?"),
        ("use = 'smoke'\nwithout = 'n_layers'", "must be a list of names"),
        ("use = 'smoke'\nwithout = ['n_layer']", "did you mean 'n_layers'?"),
        ("without = ['n_layers']\na = { choices = [1, 2] }", "needs use"),
        ("use = 'smoke'\nwithout = ['n_layers']\nn_layers = { choices = [1] }", "drop one"),
        ("use = 'smoke'\nwithout = ['n_layers', 'architecture', 'learning_rate']", "needs a dim"),
    ],
)
def test_use_and_without_say_what_is_wrong(toml: str, message: str) -> None:
    (problem,) = problems_of(f"[space]\n{toml}")
    assert message in problem


def test_an_own_condition_on_what_went_is_told_why() -> None:
    own = "[space.x]\nwhen = { cross_layers = 1 }\nlow = 1\nhigh = 2\n"
    plain = "[space]\nuse = 'ranking'\n[space.architecture]\nchoices = ['plain']\n"
    assert "'cross_layers' is never active here" in problems_of(plain + own)[0]
    without = "[space]\nuse = 'ranking'\nwithout = ['cross_layers']\n"
    assert "left out by without; fix it in [model]" in problems_of(without + own)[0]


def test_an_unknown_shipped_space_is_refused_with_those_there_are() -> None:
    with pytest.raises(SpaceError, match="Known: ranking, smoke"):
        shipped_space("rankin")


def test_an_arm_of_a_shipped_space_comes_back_from_its_table() -> None:
    for value in ("plain", "dcn"):
        arm = shipped_space("ranking").restrict("architecture", value)
        assert parse_space(arm.to_table()) == (arm, [])


def test_ints_stay_ints_and_floats_floats_on_the_way() -> None:
    space = SearchSpace.of(a=Int(1, 2), b=Float(1, 2), c=Choice([1, 2]), d=Choice([1.0, 2.0]))
    text = tomli_w.dumps(space.to_table())
    assert parse_space(tomllib.loads(text)) == (space, [])
