from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Case, Choice, Int
from search_spaces.tree import ancestors, dependency_order, independent_groups, situations

graphs = st.dictionaries(
    st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef")), max_size=6
)


def test_parents_come_first_and_the_rest_stays_in_order() -> None:
    parents = {"c": frozenset("a"), "b": frozenset(), "a": frozenset("b"), "d": frozenset()}
    assert dependency_order(parents) == (("b", "a", "c", "d"), ())


@given(graphs)
def test_every_name_is_ordered_or_in_a_cycle(parents: dict[str, frozenset[str]]) -> None:
    order, cycles = dependency_order(parents)
    in_cycles = [name for cycle in cycles for name in cycle]
    assert sorted([*order, *in_cycles]) == sorted(parents)
    for name in order:
        for above in parents[name]:
            assert above not in order or order.index(above) < order.index(name)
    for cycle in cycles:
        for name, above in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert above in parents[name]


def test_ancestors_reach_all_the_way_up() -> None:
    parents = {"c": frozenset("b"), "b": frozenset("a"), "a": frozenset(), "x": frozenset("x")}
    assert ancestors("c", parents) == {"a", "b"}
    assert ancestors("a", parents) == frozenset()
    assert ancestors("x", parents) == {"x"}


@given(graphs)
def test_groups_share_out_the_names_and_no_parent_is_in_another(
    parents: dict[str, frozenset[str]],
) -> None:
    known = {name: above & parents.keys() for name, above in parents.items()}
    groups = independent_groups(known)
    assert sorted(name for group in groups for name in group) == sorted(known)
    assert all(known[name] <= set(group) for group in groups for name in group)


def test_values_that_no_condition_tells_apart_come_as_one() -> None:
    branches = {
        "n": [Case(Int(1, 1_000_000))],
        "o": [Case(Choice(["a", "b", "c"]), {"n": (7, 8)})],
    }
    found = list(situations(("n", "o"), branches, [{"n": (7, 8)}, {"o": ("b",)}]))
    assert found == [
        ({"n": 7, "o": "b"}, 2),
        ({"n": 7, "o": "a"}, 4),
        ({"n": 1}, 999_998),
    ]
