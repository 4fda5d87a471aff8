from __future__ import annotations

from typing import Any

import pytest

from recommender.config import RankingConfig, TrainingConfig
from recommender.errors import ModelError


@pytest.mark.parametrize("name", ["jit_compile", "biases", "side_features"])
@pytest.mark.parametrize("value", ["false", 0])
def test_what_is_true_or_false_is_nothing_else(name: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"{name} must be true or false, got {value!r}"):
        RankingConfig(**{name: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_epochs", "5"), ("max_epochs", 2.5), ("patience", True), ("seed", 1.5), ("seed", "a")],
)
def test_epochs_patience_and_seed_are_whole_numbers(field: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"{field} must be a whole number.*, got {value!r}"):
        TrainingConfig(**{field: value})


@pytest.mark.parametrize("value", [64, None, "64"])
def test_layer_sizes_are_one_width_a_layer(value: Any) -> None:
    with pytest.raises(ModelError, match=f"layer_sizes must be one width a layer.*got {value!r}"):
        RankingConfig(layer_sizes=value)


def test_a_list_of_layer_sizes_is_as_good_as_a_tuple() -> None:
    sizes: Any = [64, 32]
    assert RankingConfig(layer_sizes=sizes) == RankingConfig()


def test_the_name_of_a_model_is_no_model() -> None:
    reference: Any = "mine.py:gated"
    with pytest.raises(ModelError, match=r"own must be what .*, got 'mine\.py:gated'"):
        RankingConfig(own=reference)
