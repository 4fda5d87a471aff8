"""What the test rows take back of a verdict: baselines that do as well as its finalists."""

from __future__ import annotations

import math

from experiments.records import StudyRecord, UnsealedRecord
from reports import numbers
from reports.judging.decision import is_model, label


def beaten_on_test(study: StudyRecord, test: UnsealedRecord) -> str | None:
    """Which finalists a user and an item bias alone predict as well as, on the test rows, and
    which baseline does better than all of them."""
    models = {
        f.name: f.mean
        for f in test.results.finalists
        if f.mean is not None and is_model(study, f.name)
    }
    if not models:
        return None
    said = []
    bias = test.baselines.get("bias", math.inf)
    if lost := {name: rmse for name, rmse in models.items() if rmse >= bias}:
        named = ", ".join(
            f"{label(study, name)} {numbers.rmse(rmse)}" for name, rmse in lost.items()
        )
        who = "No finalist beats" if len(lost) == len(models) else "Not all finalists beat"
        said.append(f"{who} the bias baseline ({numbers.rmse(bias)}) on the test split: {named}.")
    best = min(test.baselines, key=lambda name: test.baselines[name], default="bias")
    if best != "bias" and (lowest := test.baselines[best]) <= min(models.values()):
        said.append(
            f"The lowest test RMSE is a baseline's: {label(study, best)} {numbers.rmse(lowest)}."
        )
    return " ".join(said) or None
