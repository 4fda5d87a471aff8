from __future__ import annotations

import json
import tomllib
from collections.abc import Callable

import optuna
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.search.samplers import sampler_factory
from experiments.translate.optuna import (
    study_in_memory,
    suggest,
    to_optuna,
    to_params,
)
from search_spaces import (
    SHIPPED,
    Choice,
    Distribution,
    Float,
    Int,
    SearchSpace,
    Slot,
    Value,
    parse_space,
    shipped_space,
)
from tests.made_up_spaces import CONDITIONAL, FINITE

SPACES: dict[str, Callable[[], SearchSpace]] = {
    "conditional": lambda: CONDITIONAL,
    "finite": lambda: FINITE,
    **{name: lambda name=name: shipped_space(name) for name in SHIPPED},
}


@st.composite
def floats(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 10.0) if log else st.floats(-10.0, 10.0))
    return Float(low, low + draw(st.floats(0.001, 100.0)), log=log)


@st.composite
def stepped_floats(draw: st.DrawFn) -> Float:
    step = draw(st.sampled_from([0.05, 0.1, 0.25, 1.0, 0.3]))
    low = draw(st.integers(-20, 20)) / 10
    n_steps = draw(st.integers(1, 12))
    return Float(low, round(low + n_steps * step, 10), step=step)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -50, 50))
    step = 1 if log else draw(st.integers(1, 7))
    return Int(low, low + step * draw(st.integers(0, 30)), log=log, step=step)


choices = st.one_of(
    st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(-9, 9), min_size=1, max_size=5, unique=True),
    st.lists(st.floats(-1, 1), min_size=1, max_size=5, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
).map(Choice)

distributions = st.one_of(floats(), stepped_floats(), ints(), choices)


def ends(distribution: Distribution) -> list[Value]:
    if isinstance(distribution, Choice):
        return list(distribution.choices)
    return [distribution.low, distribution.high]


@given(distributions)
@settings(max_examples=60, deadline=None)
def test_optuna_is_told_all_of_a_distribution(distribution: Distribution) -> None:
    names = ["choices"] if isinstance(distribution, Choice) else ["low", "high", "log", "step"]
    ours, theirs = ([getattr(d, n) for n in names] for d in (distribution, to_optuna(distribution)))
    assert ours == theirs


@given(distributions)
@settings(max_examples=60, deadline=None)
def test_both_ends_and_every_choice_can_be_told_to_optuna(distribution: Distribution) -> None:
    theirs = to_optuna(distribution)
    for value in ends(distribution):
        optuna.trial.create_trial(value=0.0, params={"x": value}, distributions={"x": theirs})


@given(st.one_of(stepped_floats(), ints(), choices))
@settings(max_examples=25, deadline=None)
def test_both_ends_and_every_choice_can_be_drawn(distribution: Distribution) -> None:
    ends_only = narrowed_to_few(distribution)
    slot = Slot("x", "x", ends_only, {})
    study = study_in_memory("draws")
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    drawn = {suggest(study.ask(), slot) for _ in range(150)}
    assert drawn == set(ends(ends_only)) | drawn
    assert all(ends_only.contains(value) for value in drawn)


def narrowed_to_few(distribution: Distribution) -> Distribution:
    """The same low end with at most six values, so that a few draws find them all."""
    match distribution:
        case Float(low=low, step=step) if step is not None:
            n_steps = min(5, (distribution.size or 1) - 1)
            return Float(low, round(low + n_steps * step, 10), step=step)
        case Int(low=low, step=step, log=log):
            return Int(low, low + min(5, distribution.size - 1) * step, log=log, step=step)
        case _:
            return distribution


@given(floats(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_continuous_float_never_falls_outside(distribution: Float, seed: int) -> None:
    study = study_in_memory("draws")
    study.sampler = optuna.samplers.RandomSampler(seed=seed)
    theirs = to_optuna(distribution)
    assert isinstance(theirs, optuna.distributions.FloatDistribution)
    assert (theirs.low, theirs.high) == (distribution.low, distribution.high)
    assert distribution.contains(suggest(study.ask(), Slot("x", "x", distribution, {})))


def test_a_stepped_float_reads_as_it_is_written_here_and_in_optuna() -> None:
    slot = Slot("x", "x", Float(0.0, 0.7, step=0.1), {})
    study = study_in_memory("draws")
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    drawn = [suggest(study.ask(), slot) for _ in range(60)]
    assert set(drawn) == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    assert [trial.params["x"] for trial in study.trials] == drawn


@pytest.mark.parametrize("name", SPACES)
def test_every_slot_of_a_space_has_its_own_parameter(name: str) -> None:
    keys = [slot.key for slot in SPACES[name]().slots]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("sampler_name", ["random", "tpe"])
@pytest.mark.parametrize("name", SPACES)
def test_trials_of_a_space_lose_nothing_between_toml_python_optuna_and_json(
    name: str, sampler_name: str
) -> None:
    space = SPACES[name]()
    written = tomllib.loads(tomli_w.dumps(space.to_table()))
    read, problems = parse_space(written)
    assert not problems and read == space
    sampler = sampler_factory(
        sampler_name, {"n_startup_trials": 5} if sampler_name == "tpe" else {}
    )
    assert sampler is not None
    study = study_in_memory("walk")
    for seed in range(40):
        study.sampler = sampler(seed)
        trial = study.ask()
        values = space.walk(lambda slot, trial=trial: suggest(trial, slot))
        assert read.problems(values) == []
        params, theirs = to_params(read, json.loads(json.dumps(values)))
        assert params == study.trials[-1].params
        assert theirs == study.trials[-1].distributions
        assert space.walk(lambda slot, params=params: params[slot.key]) == values
        study.tell(trial, float(len(values)) + seed % 7)
