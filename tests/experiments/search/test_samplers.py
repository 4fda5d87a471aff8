from __future__ import annotations

from typing import Any

import pytest

from experiments.search.pruners import PRUNERS, build_pruner, check_pruner
from experiments.search.samplers import SAMPLERS, check_sampler, sampler_factory, stable_seed


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_sound_without_arguments(name: str) -> None:
    assert check_sampler(name, {}) == []
    factory = sampler_factory(name, {})
    assert (factory is None) == (name == "grid")
    if factory is not None:
        factory(0)


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_is_sound_without_arguments(name: str) -> None:
    assert check_pruner(name, {}) == []
    build_pruner(name, {}, max_epochs=30)


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_every_pruner_lets_three_epochs_pass_unless_told_otherwise(name: str) -> None:
    warmup = next(a for a in PRUNERS[name].arguments if a.name == "n_warmup_epochs")
    assert warmup.default == 3


def test_an_unknown_name_lists_the_known_ones_and_guesses() -> None:
    (problem,) = check_sampler("tpee", {})
    assert problem.key == "search.sampler"
    assert "did you mean 'tpe'" in problem.message and "grid, random, tpe" in problem.message
    (problem,) = check_pruner("hyperbrand", {})
    assert problem.key == "search.pruner" and "did you mean 'hyperband'" in problem.message


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"n_startup": 3}, "did you mean 'n_startup_trials'"),
        ({"n_startup_trials": 0}, "at least 1"),
        ({"n_startup_trials": 2.5}, "whole number"),
        ({"n_startup_trials": True}, "whole number"),
        ({"n_startup_trials": "ten"}, "whole number"),
        ({"n_candidates": 20_000}, "1 to 10000"),
    ],
)
def test_a_wrong_argument_of_a_sampler_is_named(args: dict[str, Any], words: str) -> None:
    (problem,) = check_sampler("tpe", args)
    assert problem.key == f"search.sampler.{next(iter(args))}"
    assert words in problem.message


@pytest.mark.parametrize("owner", [*SAMPLERS.values(), *PRUNERS.values()])
def test_the_ends_of_an_argument_are_allowed_and_what_lies_beyond_is_not(owner: Any) -> None:
    for argument in owner.arguments:
        ends = [argument.low] if argument.high is None else [argument.low, argument.high]
        assert all(argument.problem_with(end) is None for end in ends)
        assert argument.problem_with(argument.default) is None
        assert argument.problem_with(argument.low - 1)
        assert argument.high is None or argument.problem_with(argument.high + 1)


def test_all_wrong_arguments_are_told_at_once() -> None:
    problems = check_pruner("hyperband", {"reduction_factor": 1, "n_warmup_epochs": 0, "rate": 3})
    assert [p.key for p in problems] == [
        "search.pruner.reduction_factor",
        "search.pruner.n_warmup_epochs",
        "search.pruner.rate",
    ]


def test_a_sampler_without_arguments_says_so() -> None:
    (problem,) = check_sampler("random", {"seed": 3})
    assert "known: none" in problem.message


def test_a_stable_seed_is_the_same_everywhere_and_fits_numpy() -> None:
    assert stable_seed(42, 7) == 2183503381
    assert len({stable_seed(42, number) for number in range(1000)}) == 1000
    assert stable_seed(1, 23) != stable_seed(12, 3)
    assert 0 <= stable_seed("a", 1) < 2**32
