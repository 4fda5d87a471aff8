"""What a sweep leaves to the defaults, spelt out for its record."""

from __future__ import annotations

from pathlib import Path

from experiments.folder.left_open import default_moved, left_open
from experiments.request.config import Sweep, load_sweep
from recommender.config import HYPERPARAMETERS
from search_spaces import Choice, Float, space

GATED = "def gated(inputs, *, n_heads=2, gate_l2=1e-4):\n    return inputs\n"
SWEEP = """
name = "mine"
dataset.name = "movielens-small"
compare.dimension = "architecture"
[space]
architecture = { choices = ["plain", "dcn", "own.py:gated"] }
dropout = { low = 0.0, high = 0.5, when = { architecture = "dcn" } }
learning_rate = { low = 1e-3, high = 1e-2, log = true }
n_heads = { low = 1, high = 3 }
[model]
embedding_size = 8
[search]
trials = 6
sampler = { name = "tpe", n_startup_trials = 4 }
"""


def test_what_neither_is_fixed_nor_varies_is_told_by_architecture(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(GATED)
    (tmp_path / "mine.toml").write_text(SWEEP)
    told = left_open(load_sweep(str(tmp_path / "mine.toml"), []))
    plain, dcn, gated = (told["model"][name] for name in ("plain", "dcn", "gated"))
    assert plain["optimizer"] == dcn["optimizer"] == HYPERPARAMETERS["optimizer"]
    assert plain["layer_sizes"] == "64-32"
    assert "dropout" in plain and "dropout" not in dcn  # only there it varies
    assert "cross_layers" in dcn and "cross_layers" not in plain
    assert gated["gate_l2"] == 1e-4
    for name in ("n_heads", "layer_sizes", "embedding_size", "learning_rate", "weight_decay"):
        assert name not in gated
    assert told["sampler"] == {"n_candidates": 24}
    assert told["pruner"] == {"n_warmup_epochs": 3, "n_startup_trials": 5}


def test_layers_that_vary_or_are_fixed_are_not_left_open() -> None:
    for sweep in ("quickstart", "article-grid"):
        for of_one in left_open(load_sweep(sweep, []))["model"].values():
            assert not {name for name in of_one if name.startswith("layer_size")}


def test_a_model_without_dense_layers_has_no_widths() -> None:
    one = Sweep("one", space=space(dropout=Float(0.0, 0.5)), model={"n_layers": 0}, trials=2)
    (told,) = left_open(one)["model"].values()
    assert "layer_sizes" not in told


def test_defaults_that_the_space_does_not_hold_are_told_with_what_stands_for_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.py").write_text(GATED)
    (tmp_path / "mine.toml").write_text(SWEEP.replace("high = 3", "high = 1"))
    assert default_moved(load_sweep(str(tmp_path / "mine.toml"), [])) == {
        "plain": {}, "dcn": {}, "gated": {"n_heads": (2, 1)}
    }  # fmt: skip
    alone = Sweep("alone", space=space(embedding_size=Choice([8, 4])), trials=2)
    assert default_moved(alone) == {"": {"embedding_size": (HYPERPARAMETERS["embedding_size"], 8)}}
    assert default_moved(load_sweep("dcn-vs-plain", [])) == {"plain": {}, "dcn": {}}
