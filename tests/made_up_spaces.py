"""Small spaces that have every kind of dimension, and objectives over them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from experiments.arms import Defaults
from experiments.records import Value
from search_spaces import Choice, Float, Int, SearchSpace
from tests.fake_runner import TrialFailure

CONDITIONAL = SearchSpace.of(
    architecture=Choice(["plain", "dcn"]),
    optimizer=Choice(["adam", "adamw", "adagrad"]),
    learning_rate=[
        Float(3e-4, 5e-3, log=True).when(optimizer=["adam", "adamw"]),
        Float(0.03, 0.3, log=True).when(optimizer="adagrad"),
    ],
    embedding_size=Int(4, 64, log=True),
    dropout=Float(0.0, 0.7, step=0.1),
    input_dropout=Float(0.0, 0.5),
    n_layers=Int(1, 3),
    layer_size=Choice([32, 64, 128]).each("n_layers"),
    cross_layers=Int(1, 3).when(architecture="dcn"),
    biases=Choice([True, False]),
)

FINITE = SearchSpace.of(
    architecture=Choice(["plain", "dcn"]),
    learning_rate=Choice([0.001, 0.01, 0.1]),
    dropout=Float(0.0, 0.4, step=0.2),
    cross_layers=Int(1, 2).when(architecture="dcn"),
)

DEFAULTS = Defaults(
    {
        "architecture": "plain",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "embedding_size": 16,
        "dropout": 0.3,
        "input_dropout": 0.1,
        "n_layers": 2,
        "layer_size": 64,
        "cross_layers": 1,
        "biases": True,
    }
)


def slow_learner(values: Mapping[str, Value], epoch: int) -> float:
    """A curve towards a floor; both depend on the values."""
    rate = float(values["learning_rate"])
    floor = 1.0 + 0.02 * abs(math.log(rate / 2e-3)) + 0.1 * abs(float(values["dropout"]) - 0.2)
    floor += 0.01 * int(values.get("cross_layers", 0)) - 0.02 * (values["architecture"] == "dcn")
    return floor + 0.5 / (epoch * (1 + 30 * rate))


def overfitter(values: Mapping[str, Value], epoch: int) -> float:
    """A curve that turns up again after a few epochs."""
    return slow_learner(values, epoch) + 0.02 * max(0, epoch - 4)


def troubled(values: Mapping[str, Value], epoch: int) -> float:
    """Some configurations diverge, at once or later; some fail."""
    rate = float(values["learning_rate"])
    if rate > 0.1:
        return math.nan
    if 2.5e-3 < rate < 0.03 and epoch == 4:
        return math.inf
    if values.get("n_layers") == 3 and epoch == 2:
        raise TrialFailure("out of patience with three layers")
    return slow_learner(values, epoch)
