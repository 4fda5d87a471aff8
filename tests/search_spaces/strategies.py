"""Hypothesis strategies: distributions, and whole spaces with nested conditions."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import strategies as st

from search_spaces import (
    Case,
    Choice,
    Dimension,
    Distribution,
    Float,
    Int,
    SearchSpace,
    Slot,
    Value,
)
from search_spaces.checks import check
from search_spaces.drafts import drafts_of

texts = st.text(st.characters(codec="utf-8"), max_size=6)


@st.composite
def plain_floats(draw: st.DrawFn) -> Float:
    ends = st.floats(-1e9, 1e9, allow_subnormal=False)
    low, high = sorted((draw(ends), draw(ends)))
    return Float(low, high)


@st.composite
def log_floats(draw: st.DrawFn) -> Float:
    ends = st.floats(1e-12, 1e6)
    low, high = sorted((draw(ends), draw(ends)))
    return Float(low, high, log=True)


@st.composite
def stepped_floats(draw: st.DrawFn) -> Float:
    """Decimal numbers, as people write them."""
    digits = draw(st.integers(0, 4))
    low, step = draw(st.integers(-1000, 1000)), draw(st.integers(1, 500))
    high = low + step * draw(st.integers(0, 20))
    return Float(low / 10**digits, high / 10**digits, step=step / 10**digits)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    low, step = draw(st.integers(-50, 50)), draw(st.integers(1, 7))
    return Int(low, low + step * draw(st.integers(0, 6)), step=step)


@st.composite
def log_ints(draw: st.DrawFn) -> Int:
    low, high = sorted((draw(st.integers(1, 2000)), draw(st.integers(1, 2000))))
    return Int(low, high, log=True)


choices = st.one_of(
    st.lists(texts, min_size=1, max_size=4, unique=True),
    st.lists(st.integers(-100, 100), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
).map(Choice)

ranges: st.SearchStrategy[Float | Int] = st.one_of(
    plain_floats(), log_floats(), stepped_floats(), ints(), log_ints()
)
distributions: st.SearchStrategy[Distribution] = st.one_of(ranges, choices)


@st.composite
def spaces(draw: st.DrawFn, *, is_finite: bool = False) -> SearchSpace:
    """Spaces of up to seven dimensions: conditions on several, cases, holes, values per layer."""
    leaves = st.one_of(stepped_floats(), ints(), choices) if is_finite else distributions
    dimensions: list[Dimension] = []
    for name in draw(st.permutations("abcdefg"))[: draw(st.integers(1, 7))]:
        parents = [d for d in dimensions if d.each is None and _is_discrete(d)]
        counts = [d.name for d in dimensions if d.each is None and _counts(d)]
        shape = draw(st.sampled_from(["count", "always", "conditional", "cases", "layers"]))
        if shape == "count":
            cases = [Case(Int(draw(st.integers(0, 1)), draw(st.integers(1, 3))))]
        elif shape == "layers" and counts:
            cases = [Case(draw(leaves), count=draw(st.sampled_from([*counts, 2])))]
        elif shape == "conditional" and parents:
            some = draw(st.lists(st.sampled_from(parents), min_size=1, max_size=2, unique=True))
            cases = [Case(draw(leaves), {d.name: draw(_some_values(d)) for d in some})]
        elif shape == "cases" and parents:
            cases = draw(_cases_by(draw(st.sampled_from(parents)), leaves))
        else:
            cases = [Case(draw(leaves))]
        dimensions.append(Dimension(name, tuple(cases)))
    # Two conditions may contradict each other: such a case goes, and what depends on it.
    while True:
        findings = check(drafts_of(dimensions))
        idle = {case.key.split("[")[0] for case in findings.idle}
        bad = idle | {problem.key.split("[")[0].split(".")[0] for problem in findings.problems}
        if not bad:
            break
        dimensions = [d for d in dimensions if d.name not in bad] or [
            Dimension("a", (Case(Choice([1, 2])),))
        ]
    return SearchSpace(tuple(draw(st.permutations(dimensions))))


def sampler(seed: int) -> Callable[[Slot], Value]:
    """Draws for `SearchSpace.walk`, without any library."""
    generator = random.Random(seed)

    def draw(slot: Slot) -> Value:
        distribution = slot.distribution
        if isinstance(distribution, Choice):
            return generator.choice(distribution.choices)
        return distribution.clip(generator.uniform(distribution.low, distribution.high))

    return draw


def _is_discrete(dimension: Dimension) -> bool:
    return all(
        not isinstance(case.distribution, Float) and case.distribution.size <= 10
        for case in dimension.cases
    )


def _counts(dimension: Dimension) -> bool:
    return all(
        isinstance(d := case.distribution, Int) and 0 <= d.low <= d.high <= 3
        for case in dimension.cases
    )


def _values_of(dimension: Dimension) -> list[Value]:
    values: list[Value] = []
    for case in dimension.cases:
        values += [value for value in case.distribution.grid() if value not in values]
    return values


def _some_values(dimension: Dimension) -> st.SearchStrategy[tuple[Value, ...]]:
    values = st.sampled_from(_values_of(dimension))
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def _cases_by(
    draw: st.DrawFn, parent: Dimension, leaves: st.SearchStrategy[Distribution]
) -> list[Case]:
    """Cases that share out the values of the parent; the last group may be left out: a hole."""
    first = draw(leaves)
    groups: dict[int, list[Value]] = {}
    for value in _values_of(parent):
        groups.setdefault(draw(st.integers(0, 2)), []).append(value)
    shared_out = list(groups.values())
    if len(shared_out) > 1 and draw(st.booleans()):
        shared_out.pop()
    same_kind = leaves.filter(
        lambda d: (
            d.kind == first.kind
            and not (
                isinstance(d, Choice)
                and isinstance(first, Choice)
                and d.value_kind != first.value_kind
            )
        )
    )
    return [Case(draw(same_kind), {parent.name: tuple(group)}) for group in shared_out]
