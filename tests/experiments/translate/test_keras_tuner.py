from __future__ import annotations

import pytest
from hypothesis import example, given, settings

from experiments.translate.keras_tuner import from_keras_tuner, to_keras_tuner
from search_spaces import Choice, Dimension, Distribution, Float, Int, SearchSpace, SpaceError
from tests.experiments.translate.test_optuna import SPACES, distributions, ends, narrowed_to_few


def _alike(first: Distribution, second: Distribution) -> bool:
    """KerasTuner's Boolean has no order."""
    if isinstance(first, Choice) and isinstance(second, Choice):
        return set(map(repr, first.choices)) == set(map(repr, second.choices))
    return first == second


def _alone(distribution: Distribution) -> SearchSpace:
    return SearchSpace.of(x=distribution)


@given(distributions)
@example(Int(0, 0, step=2))
@example(Float(0.5, 0.5, step=0.1))
@settings(max_examples=60, deadline=None)
def test_a_distribution_comes_back_from_keras_tuner_as_it_was(distribution: Distribution) -> None:
    (dimension,) = from_keras_tuner(to_keras_tuner(_alone(distribution))).dimensions
    assert _alike(dimension.cases[0].distribution, distribution)


@given(distributions)
@settings(max_examples=25, deadline=None)
def test_both_ends_and_every_choice_can_be_drawn(distribution: Distribution) -> None:
    few = narrowed_to_few(distribution)
    (theirs,) = to_keras_tuner(_alone(few)).space
    drawn = {few.clip(theirs.random_sample(seed)) for seed in range(150)}
    for seed in range(150):
        value = theirs.random_sample(seed)
        assert few.contains(few.clip(value)) and (few.contains(value) or few.clip(value) in drawn)
    if not (isinstance(few, Float) and few.step is None) and not (
        isinstance(few, Int) and few.log and few.size > 6
    ):
        assert set(ends(few)) <= drawn


@pytest.mark.parametrize("name", SPACES)
def test_conditions_and_cases_go_there_and_back(name: str) -> None:
    space = SPACES[name]()
    theirs = to_keras_tuner(space, {"optimizer": "adagrad"})
    assert theirs.values == space.project({"optimizer": "adagrad"})
    back = from_keras_tuner(theirs)
    assert {c.name for c in back.columns} == {c.name for c in space.columns}
    for seed in range(30):
        for hyperparameter in theirs.space:
            theirs.values.pop(hyperparameter.name, None)
        for hyperparameter in theirs.space:
            if theirs.is_active(hyperparameter):
                theirs.values[hyperparameter.name] = hyperparameter.random_sample(seed)
        drawn = space.walk(lambda slot: slot.distribution.clip(theirs.values[slot.name]))
        assert drawn.keys() == theirs.values.keys()
        assert back.problems(drawn) == []


def test_hyperparameters_of_a_build_function_become_a_space() -> None:
    from keras_tuner import HyperParameters

    hp = HyperParameters()
    hp.Int("units", 6, 13, step=3, default=9)
    hp.Int("batch", 2, 40, step=2, sampling="log")
    hp.Float("rate", 1e-4, 1e-1, step=10, sampling="log")
    hp.Fixed("depth", 2)
    if hp.Choice("head", ["dense", "dot"]):
        with hp.conditional_scope("head", ["dense"]):
            hp.Boolean("wide")
            with hp.conditional_scope("wide", [True]):
                hp.Float("drop", 0.0, 0.45, step=0.1)
    space = from_keras_tuner(hp)
    assert space == SearchSpace(
        tuple(
            Dimension(name, (case if not isinstance(case, Distribution) else case.when(),))
            for name, case in {
                "units": Int(6, 12, step=3),
                "batch": Choice([2, 4, 8, 16, 32]),
                "rate": Choice([1e-4, 1e-3, 1e-2, 1e-1]),
                "depth": Choice([2]),
                "head": Choice(["dense", "dot"]),
                "wide": Choice([False, True]).when(head="dense"),
                "drop": Float(0.0, 0.4, step=0.1).when(head="dense", wide=True),
            }.items()
        )
    )


def test_what_our_spaces_cannot_say_is_refused_by_name() -> None:
    from keras_tuner import HyperParameters

    hp = HyperParameters()
    hp.Float("rate", 1e-4, 1e-1, sampling="reverse_log")
    with pytest.raises(SpaceError, match=r"rate.*reverse_log"):
        from_keras_tuner(hp)


@pytest.mark.parametrize("mistake", [None, lambda hp: hp.Int("units", 1, 2)])
def test_what_has_no_hyperparameters_is_refused(mistake: object) -> None:
    with pytest.raises(SpaceError, match=r"must be keras_tuner\.HyperParameters, got "):
        from_keras_tuner(mistake)  # type: ignore[arg-type]
