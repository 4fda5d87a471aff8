"""What is said while trials run."""

from __future__ import annotations

from experiments.running.driver import how_trials_stop
from recommender.epochs import CHUNK_ROWS


def test_a_stop_in_the_midst_of_a_long_epoch_costs_the_epoch_and_that_is_said() -> None:
    told = "running trials are checkpointed at the end of their epoch"
    assert how_trials_stop(CHUNK_ROWS) == told
    assert how_trials_stop(CHUNK_ROWS + 1) == f"{told}, or begin it anew"
