"""Gathers what the cross layers of a verdict's DCNs cross, from what their workers kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.files import write_json
from experiments.records import StudyRecord, TrialRecord, TrialState, VerdictRecord
from experiments.records.derived_records import CROSSING_NAME, CrossingRecord
from experiments.running.orders import predictions_folder
from experiments.running.replicas import Replicas
from experiments.sweep import SweepConfig, model_of
from recommender.checkpoints import read_metadata


def crossings_of(
    study: StudyRecord, frozen: VerdictRecord, sweep: SweepConfig, replicas: Replicas
) -> dict[str, CrossingRecord]:
    """By finalist, of the DCNs that completed under every seed."""
    found = {}
    for finalist in frozen.finalists:
        if finalist.is_baseline:
            continue
        trials = study.replicates(finalist)
        is_dcn = model_of(sweep, trials[0].values).architecture == "dcn"
        if is_dcn and all(trial.state is TrialState.COMPLETE for trial in trials):
            found[finalist.name] = _together([_kept(study.folder, t, replicas) for t in trials])
    return found


def write_crossings(folder: Path, crossings: Mapping[str, CrossingRecord]) -> None:
    """Write `crossing.json`, where there is anything to write."""
    if crossings:
        write_json(folder / CROSSING_NAME, {name: asdict(c) for name, c in crossings.items()})


def _kept(folder: Path, trial: TrialRecord, replicas: Replicas) -> Mapping[str, Any]:
    place = predictions_folder(folder, trial)
    if read_metadata(place).get("crossing") is None:
        # Kept by a version that did not look at the kernels.
        replicas.keep_predictions(trial, place)
    crossing: Mapping[str, Any] = read_metadata(place)["crossing"]
    return crossing


def _together(crossings: Sequence[Mapping[str, Any]]) -> CrossingRecord:
    """One model under several seeds."""
    norms = {
        name: tuple(tuple(layer[name] for layer in crossing["layers"]) for crossing in crossings)
        for name in ("trained", "start", "moved")
    }
    first = crossings[0]
    return CrossingRecord(features=tuple(first["features"]), widths=tuple(first["widths"]), **norms)
