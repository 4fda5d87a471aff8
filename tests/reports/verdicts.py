"""A made-up verdict for a made-up study: errors drawn around a mean RMSE of each finalist's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from experiments.records import (
    FIRST_NUMBER_BESIDE,
    CrossingRecord,
    Finalist,
    FinalistResult,
    Opening,
    Purpose,
    RefitResult,
    Segment,
    SegmentsRecord,
    Spread,
    StudyRecord,
    UnsealedRecord,
    VerdictRecord,
)
from experiments.verdict.size_control import size_control
from reports.judging.judgement import judge

N_USERS, N_ROWS_EACH, N_SEEDS = 120, 40, 5
HARDER_ON_TEST = 0.05
"""What every RMSE on the test rows lies above that on the validation rows."""
WIDE = {"layer_size_0": 99, "layer_size_1": 50}
"""The dense layers of a size control."""


def judged(
    study: StudyRecord,
    offsets: Mapping[int, float],
    failed: tuple[int, ...] = (),
    control: float | None = None,
) -> StudyRecord:
    """The study with a verdict on these trials and its best baseline.

    Args:
        offsets: by number of trial, what its predictions are off by beside what all share.
        failed: numbers of trials that failed under the second seed.
        control: what the size control of the best dcn is off by; None: there is none.
    """
    dice = np.random.default_rng(3)
    finalists = tuple(
        Finalist(trial.name, trial.number, ("place 1",))
        for trial in study.ranked
        if trial.number in offsets
    )
    off_by = {finalist.name: offsets[finalist.number or 0] for finalist in finalists}
    if control is not None and (beside := size_control(study)) is not None:
        finalists = (*finalists, replace(beside, values={"architecture": "plain", **WIDE}))
        off_by[beside.name] = control
    baseline = min(study.baselines, key=lambda b: b.val_rmse)
    record = VerdictRecord(
        frozen_at=1_770_000_000.0,
        top=2,
        seeds=tuple(range(100, 100 + N_SEEDS)),
        finalists=(*finalists, Finalist(baseline.name, None, ("best baseline",))),
    )
    users = np.repeat(np.arange(N_USERS), N_ROWS_EACH)
    actual = np.zeros(len(users))
    shared = dice.choice([-1.0, 1.0], len(users))
    predicted, rmse_by_seed = {}, {}
    for finalist in finalists:
        off = off_by[finalist.name] + dice.normal(0, 0.0005, (N_SEEDS, 1))
        rows = shared * (1 + off) + dice.normal(0, 0.002, (N_SEEDS, len(users)))
        rmse: tuple[float | None, ...] = tuple(np.sqrt((rows**2).mean(axis=1)).tolist())
        if finalist.number in failed and not finalist.is_control:
            rmse = (rmse[0], None, *rmse[2:])
        else:
            predicted[finalist.name] = rows
        rmse_by_seed[finalist.name] = rmse
    predicted[baseline.name] = shared[None, :] * 1.039
    rmse_by_seed[baseline.name] = (1.039,)
    results = judge(
        study, record, predicted=predicted, rmse_by_seed=rmse_by_seed, actual=actual, users=users
    )
    replicates = [
        replace(
            study.trials[0],
            number=FIRST_NUMBER_BESIDE,
            name=f.replicate(0),
            purpose=Purpose.VERDICT,
            n_parameters=54_321,
        )
        for f in finalists
        if f.is_control
    ]
    return replace(
        study,
        trials=(*study.trials, *replicates),
        verdict=replace(record, results=results),
        segments=segments_of_names(tuple(predicted)),
    )


def crossing_record(moved: float, n_layers: int = 2) -> CrossingRecord:
    """Three features under five seeds; user_id × item_id in the first layer has grown by 2."""
    dice = np.random.default_rng(5)
    start = dice.uniform(0.3, 0.5, (5, n_layers, 3, 3))
    trained = start.copy()
    trained[:, 0, 0, 1] += 2.0

    def norms(array: np.ndarray) -> tuple:
        return tuple(tuple(tuple(map(tuple, layer)) for layer in seed) for seed in array.tolist())

    return CrossingRecord(
        ("user_id", "item_id", "year"),
        (8, 8, 1),
        norms(trained),
        norms(start),
        norms(moved * start),
    )


def opened(study: StudyRecord, n_openings: int = 1) -> StudyRecord:
    """A judged study whose finalists and baselines did on test as on validation but for
    HARDER_ON_TEST, the leader refitted.

    The first opening is its own, the others are those of studies beside it.
    """
    assert study.verdict is not None and study.verdict.results is not None
    results = study.verdict.results
    test = UnsealedRecord(
        results=replace(results, n_rows=5_432, finalists=tuple(map(_harder, results.finalists))),
        baselines={b.name: b.val_rmse + HARDER_ON_TEST for b in study.baselines},
        refit=RefitResult(results.finalists[0].name, (0.91, 0.92, 0.913, 0.917, 0.915)),
    )
    openings = tuple(
        Opening(
            1_770_000_001.0 + i,
            f"study-{i}" if i else study.name,
            "c" * 64,
            "me on host-a",
            "for <the> paper",
        )
        for i in range(n_openings)
    )
    return replace(study, test=test, openings=openings)


def _harder(found: FinalistResult) -> FinalistResult:
    def more(rmse: float | None) -> float | None:
        return None if rmse is None else rmse + HARDER_ON_TEST

    return replace(
        found,
        rmse_by_seed=tuple(map(more, found.rmse_by_seed)),
        mean=more(found.mean),
        low=more(found.low),
        high=more(found.high),
    )


LABELS = Spread(sd=1.0, low=1.0, high=5.0, shares=(0.1, 0.4, 0.5))


def segments_of_names(names: tuple[str, ...], **sds: float) -> SegmentsRecord:
    """One segment, in which each name's RMSE is .1 above the one before; spreads .5 or as given."""
    return SegmentsRecord(
        segments=(
            Segment("user", "seen in training", 1234, {n: 1 + i / 10 for i, n in enumerate(names)}),
        ),
        edges=(0.0, 2.0, 4.0, 6.0),
        labels=LABELS,
        spreads={n: Spread(sds.get(f"_{n}", 0.5), 3.0, 4.0, (0.0, 1.0, 0.0)) for n in names},
    )
