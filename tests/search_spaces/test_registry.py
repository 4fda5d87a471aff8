from __future__ import annotations

import pytest

from recommender.config import HYPERPARAMETERS, problem_with, ranking_config
from search_spaces import SHIPPED, parse_space, shipped_space
from tests.search_spaces.strategies import sampler

DEFAULTS = HYPERPARAMETERS | {"layer_size_1": 32}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_space_is_sound_and_comes_back_from_its_table(name: str) -> None:
    space = shipped_space(name)
    assert parse_space(space.to_table()) == (space, [])
    assert parse_space({"use": name}) == (space, [])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_point_of_a_shipped_space_is_a_model(name: str) -> None:
    space = shipped_space(name)
    for seed in range(50):
        values = space.walk(sampler(seed))
        assert [problem for n, v in values.items() if (problem := problem_with(n, v))] == []
        ranking_config(values)


def test_the_default_model_is_a_point_of_the_ranking_space() -> None:
    projected = shipped_space("ranking").project(DEFAULTS)
    assert {name: DEFAULTS.get(name, DEFAULTS["layer_size"]) for name in projected} == projected


def test_the_ranking_space_varies_what_it_promises() -> None:
    space = shipped_space("ranking")
    rates = {
        slot.key: (slot.distribution.low, slot.distribution.high)  # type: ignore[union-attr]
        for slot in space.slots
        if slot.name == "learning_rate"
    }
    assert rates == {
        "learning_rate[optimizer=adam|adamw|nadam|rmsprop]": (3e-4, 5e-3),
        "learning_rate[optimizer=adagrad]": (0.03, 0.3),
        "learning_rate[optimizer=sgd]": (0.01, 0.3),
    }
    plain = space.project({"architecture": "plain"})
    dcn = space.project({"architecture": "dcn"})
    assert dcn.keys() - plain.keys() == {"cross_layers", "cross_rank", "cross_placement"}
