"""A process that trains one model after another."""

from __future__ import annotations

import weakref

from recommender.config import RankingConfig, TrainingConfig
from recommender.runs import Trainer
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
