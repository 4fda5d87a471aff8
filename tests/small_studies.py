"""A real study, small enough to train in this process, and its verdict."""

from __future__ import annotations

from pathlib import Path

from experiments.cli.judged import write_judged
from experiments.records import VerdictResults
from experiments.sweep import SweepConfig
from experiments.verdict.verdict import gather_evidence
from experiments.watcher import Silent
from recsweep import Choice, Float, Sweep, space
from tests.synthetic import ratings_table


def a_sweep(ratings: Path) -> SweepConfig:
    return Sweep(
        name="small",
        dataset=ratings_table(ratings),
        space=space(
            architecture=Choice(["plain", "dcn"]), learning_rate=Float(1e-3, 1e-1, log=True)
        ),
        compare="architecture",
        model={"embedding_size": 4, "n_layers": 1, "layer_size": 4, "batch_size": 256},
        trials=4,
        max_epochs=2,
        patience=0,
        pruner="none",
    )


def decide(folder: Path, **options: int) -> VerdictResults:
    verdict = gather_evidence(folder, watcher=Silent(), **options)
    assert verdict.evidence is not None
    return write_judged(folder, verdict, verdict.evidence)
