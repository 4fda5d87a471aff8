"""The frozen finalists on the test split, once it is on record that it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.data.study_data import read_data
from experiments.errors import StateError
from experiments.files import write_json
from experiments.folder.folders import refuse_changed_data
from experiments.ledger.lock import StudyLock
from experiments.records import StudyRecord, TrialRecord, read_study
from experiments.records.openings import record_opening
from experiments.records.values import plural
from experiments.records.verdict_records import (
    TEST_NAME,
    RefitResult,
    UnsealedRecord,
    VerdictResults,
)
from experiments.request.frozen import frozen_sweep
from experiments.running.replicas import Replicas
from experiments.running.stopping import StopSwitch
from experiments.typed import typed
from experiments.verdict.scores import finite_ratings
from experiments.waiting import waiting
from experiments.watcher import StudyWatcher
from recommender.baselines import BASELINES
from recommender.checkpoints import write_checkpoint
from recommender.datasets.description import DatasetDescription
from recommender.datasets.encoded import Rows
from recommender.datasets.unsealing import RefitData, open_test
from recommender.errors import Interrupted
from recommender.metrics import rmse

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class UnsealedEvidence:
    """What finalists and baselines make of the test rows."""

    predicted: Mapping[str, Floats]
    """By finalist, (n_seeds, n_rows); one row for a baseline. Those that did not complete, or gave
    what is no rating, under some seed are left out."""
    rmse_by_seed: Mapping[str, tuple[float | None, ...]]
    actual: Floats
    users: npt.NDArray[np.integer[Any]]
    baselines: Mapping[str, float]
    apart: Mapping[str, float]
    """As `UnsealedRecord` has it."""
    to_refit: RefitData | None
    """What the leader can be trained on once more; None where that was not asked for."""


def refuse_unjudged(study: StudyRecord) -> None:
    """Raises StateError where there is no verdict whose finalists could be scored."""
    if study.is_finished and not study.ranked:
        raise StateError(
            f"{study.name} has no complete trial: there is nothing to score. What became of its "
            f"trials: recsweep show {typed(study.folder)}"
        )
    if study.verdict_results is None:
        raise StateError(
            f"{study.name} has no verdict: the test split is for finalists that are frozen and "
            f"judged. First: recsweep verdict {typed(study.folder)}"
        )
    test = study.dataset.get("test") or {}
    if test.get("n_users") == 1:
        raise StateError(
            f"{study.name}: the test ratings are all of one user, and what holds for other users "
            "takes two at least; the test split stays sealed"
        )


def score_on_test(
    folder: Path, why: str, watcher: StudyWatcher, *, is_refit: bool = False
) -> UnsealedEvidence:
    """Open the test split, on record, and score the finalists' kept weights on it.

    Args:
        is_refit: `refit_leader` comes next.

    Raises:
        StateError: there is no verdict, another driver runs the study, or the data changed.
    """
    refuse_unjudged(read_study(folder))
    with StudyLock(folder):
        StopSwitch(folder).clear()  # whoever asks from now on means this one
        study = read_study(folder)
        sweep = frozen_sweep(folder)

        def record(found: DatasetDescription) -> None:
            refuse_changed_data(study, found)
            record_opening(folder, found.sealed_fingerprint, why)

        opened = read_data(sweep, partial(open_test, record=record, is_refit=is_refit))
        verdict = study.verdict
        assert verdict is not None and verdict.results is not None
        replicas = Replicas(folder, sweep, opened.encoded, watcher.message)
        predicted: dict[str, Floats] = {}
        rmse_by_seed: dict[str, tuple[float | None, ...]] = {}
        actual = opened.rows.rating
        with waiting("fitting the baselines"):
            baselines = {
                name: fit(opened.encoded)(opened.rows) for name, (_, fit) in BASELINES.items()
            }
        for found in verdict.results.finalists:  # the leader of the verdict first
            finalist = verdict.finalist(found.name)
            assert finalist is not None
            if finalist.is_baseline:
                predicted[finalist.name] = baselines[finalist.name][None, :]
                rmse_by_seed[finalist.name] = (rmse(baselines[finalist.name], actual),)
            elif found.mean is not None:
                watcher.message(f"scoring {finalist.name} under {len(verdict.seeds)} seeds")
                trials = study.replicates(finalist)
                with waiting(f"scoring {finalist.name}"):
                    rows = [
                        finite_ratings(partial(_ratings, replicas, t, opened.rows), t.name, watcher)
                        for t in trials
                    ]
                scores = [None if row is None else rmse(row, actual) for row in rows]
                rmse_by_seed[finalist.name] = tuple(scores)
                finite = [row for row in rows if row is not None]
                if len(finite) == len(rows):
                    predicted[finalist.name] = np.stack(finite)
                for trial, row, score in zip(trials, rows, scores, strict=True):
                    if row is not None:
                        place = folder / "predictions" / "test" / trial.name
                        write_checkpoint(place, {"predicted": row}, {"test_rmse": score})
            else:
                rmse_by_seed[finalist.name] = tuple(None for _ in verdict.seeds)
    return UnsealedEvidence(
        predicted=predicted,
        rmse_by_seed=rmse_by_seed,
        actual=actual,
        users=opened.users,
        baselines={name: rmse(rows, actual) for name, rows in baselines.items()},
        apart=replicas.apart,
        to_refit=opened.refit,
    )


def write_test(
    folder: Path,
    evidence: UnsealedEvidence,
    results: VerdictResults,
    refit: RefitResult | None = None,
) -> None:
    """Write `test.json`, whole or not at all."""
    record = UnsealedRecord(results, dict(evidence.baselines), refit, dict(evidence.apart))
    write_json(folder / TEST_NAME, asdict(record))


def refit_leader(folder: Path, data: RefitData, watcher: StudyWatcher) -> RefitResult | None:
    """Train the verdict's leader on train and validation, each seed for as many epochs as it
    needed before: there is nothing left to stop it by.

    None, and said, where it diverges or fails, or where somebody asks for a stop: nothing of it is
    kept then. KeyboardInterrupt is said and passed on.
    """
    switch = StopSwitch(folder, "unseal --refit")
    with StudyLock(folder):
        study = read_study(folder)
        if study.verdict is None or study.leader is None:
            return None
        leader = study.verdict.finalist(study.leader.name)
        assert leader is not None
        replicas = Replicas(folder, frozen_sweep(folder), data.encoded)
        scores = []
        for trial in study.replicates(leader):
            assert trial.best_epoch is not None
            watcher.message(f"refitting {trial.name} for {plural(trial.best_epoch, 'epoch')}")
            trained = partial(_refitted, replicas, trial, data.rows, switch)
            try:
                ratings = finite_ratings(trained, f"{trial.name} refitted", watcher)
            except (Interrupted, KeyboardInterrupt) as stop:
                switch.clear()
                watcher.message(f"the refit was given up; to begin it anew: {switch.way_on}")
                if isinstance(stop, KeyboardInterrupt):
                    raise
                return None
            if ratings is None:
                watcher.message("without the refit, which needs all seeds")
                return None
            scores.append(rmse(ratings, data.rows.rating))
    return RefitResult(leader.name, tuple(scores))


def _ratings(replicas: Replicas, trial: TrialRecord, rows: Rows) -> Floats:
    return replicas.run_of(trial).predict(rows)


def _refitted(replicas: Replicas, trial: TrialRecord, rows: Rows, switch: StopSwitch) -> Floats:
    """Raises Interrupted where somebody asks for a stop."""
    assert trial.best_epoch is not None
    run = replicas.new_run(trial, trial.best_epoch)
    while run.stop_reason is None:
        if switch.cause is not None:
            raise Interrupted
        with waiting(f"training epoch {run.epoch + 1}"):
            run.step(lambda: switch.cause is None)
    return run.predict(rows)
