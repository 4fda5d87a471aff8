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
