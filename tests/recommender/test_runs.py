"""A process that trains one model after another."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest

from recommender.config import RankingConfig, TrainingConfig, ranking_config
from recommender.own import read_own
from recommender.runs import Trainer
from recommender.runtime import tf
from tests.synthetic import synthetic_encoded

SMALL = RankingConfig(embedding_size=2, n_layers=1, layer_sizes=(4,))


def test_the_first_run_is_not_kept_by_what_an_import_left_behind() -> None:
    left_behind = []

    def configure() -> None:
        try:
            raise ImportError("as TensorFlow does, and keeps it")
        except ImportError as error:
            left_behind.append(error)

    trainer = Trainer(synthetic_encoded(), configure)

    def trained() -> weakref.ref[object]:
        run = trainer.begin(SMALL, TrainingConfig())
        return weakref.ref(run)

    assert trained()() is None
    assert left_behind
    trained()
    assert len(trainer.device_data().graphs) == 1


def test_the_devices_are_configured_once_before_the_first_run() -> None:
    calls = []
    trainer = Trainer(synthetic_encoded(), lambda: calls.append(1))
    assert not trainer.has_begun
    for _ in range(2):
        trainer.begin(SMALL, TrainingConfig())
    assert trainer.has_begun
    assert calls == [1]


PRECISE = """\
import tensorflow as tf

set_to = tf.keras.mixed_precision.set_global_policy
{at_import}


class Precise:
    def __init__(self, data):
        {when_made}
        policy = tf.keras.mixed_precision.global_policy().name
        assert policy == "mixed_float16", policy

    def fit_epoch(self): ...
    def predict(self, rows): ...
"""
SETS = 'set_to("mixed_float16")'


@pytest.mark.parametrize(("at_import", "when_made"), [(SETS, "pass"), ("", SETS)])
def test_the_precision_that_a_model_sets_holds_for_its_trials_and_no_others(
    at_import: str, when_made: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(PRECISE.format(at_import=at_import, when_made=when_made))
    own = read_own("mine.py:Precise", tmp_path)
    trainer = Trainer(synthetic_encoded(), lambda: None)
    for _ in range(2):
        trainer.begin(ranking_config({"architecture": "a"}, {"a": own}), TrainingConfig())
        trainer.begin(SMALL, TrainingConfig())
        assert tf.keras.mixed_precision.global_policy().name == "float32"


def test_layers_follow_the_floatx_that_a_model_sets_as_it_is_imported(tmp_path: Path) -> None:
    sets = 'tf.keras.backend.set_floatx("float16")'
    looks = 'assert tf.keras.layers.Dense(1).compute_dtype == "float16"'
    (tmp_path / "mine.py").write_text(PRECISE.format(at_import=sets, when_made=f"{looks}; {SETS}"))
    own = read_own("mine.py:Precise", tmp_path)
    trainer = Trainer(synthetic_encoded(), lambda: None)
    for _ in range(2):
        trainer.begin(SMALL, TrainingConfig())
        trainer.begin(ranking_config({"architecture": "a"}, {"a": own}), TrainingConfig())
    trainer.begin(SMALL, TrainingConfig())
    assert tf.keras.layers.Dense(1).compute_dtype == tf.keras.backend.floatx() == "float32"
