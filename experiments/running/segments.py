"""Where models err: their validation predictions by segment, and how widely they spread.

Of the best models it is known when the driver ends, without a verdict and without TensorFlow. A
verdict's own record, of its finalists under all their seeds, takes the place of that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.files import write_json
from experiments.records import StudyRecord
from experiments.records.derived_records import SEGMENTS_NAME, Segment, SegmentsRecord, Spread
from experiments.running.keeping import leaders
from experiments.running.orders import predictions_folder
from experiments.watcher import StudyWatcher
from recommender.baselines import Baseline
from recommender.checkpoints import CheckpointError, read_checkpoint
from recommender.datasets.encoded import EncodedDataset

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

N_BEST = 3
"""Models of a search that are looked at, and the best of each arm."""
MAX_WORDS = 24
MAX_RATINGS = 12
N_BINS = 24


def segments_of(dataset: EncodedDataset, predicted: Mapping[str, Floats]) -> SegmentsRecord:
    """The validation rows cut in several ways.

    Args:
        predicted: by model, (n_seeds, n_rows) in stars, unclipped.
    """
    actual = dataset.validation.rating.astype(np.float64)
    segments = [
        # The errors of one segment at a time: those of all millions of rows would be gigabytes.
        Segment(
            kind,
            name,
            int(mask.sum()),
            {who: _mean_rmse(rows[:, mask], actual[mask]) for who, rows in predicted.items()},
        )
        for kind, name, mask in _masks(dataset)
        if mask.sum() >= Segment.MIN_ROWS
    ]
    low, high = dataset.rating_range
    step = (high - low) / 16
    edges = np.linspace(low - 4 * step, high + 4 * step, N_BINS + 1)
    return SegmentsRecord(
        segments=tuple(segments),
        edges=tuple(edges.tolist()),
        labels=_spread(actual[None, :], edges),
        spreads={name: _spread(rows, edges) for name, rows in predicted.items()},
    )


def _mean_rmse(rows: Floats, actual: Floats) -> float:
    return float(np.sqrt(((rows - actual) ** 2).mean(axis=1)).mean())


def write_segments(folder: Path, record: SegmentsRecord) -> None:
    write_json(folder / SEGMENTS_NAME, asdict(record))


def write_best_segments(
    study: StudyRecord,
    encoded: EncodedDataset,
    baselines: Sequence[Baseline],
    watcher: StudyWatcher,
) -> None:
    """Cut the errors of the best models, the best of each arm and the bias baseline.

    Trials without predictions are left out: they are of an older version, or damaged, which is
    said. Nothing is written where none is left, nor over what a verdict wrote.
    """
    if study.verdict_results is not None:
        return
    predicted: dict[str, Floats] = {}
    for trial in leaders(study.ranked_models, N_BEST):
        place = predictions_folder(study.folder, trial)
        if not place.is_dir():
            continue
        try:
            rows = read_checkpoint(place)[0]["predicted"]
        except (CheckpointError, KeyError) as error:
            watcher.message(f"{error}; {trial.name} is left out where errors are cut by segment")
            continue
        if rows.shape == encoded.validation.rating.shape:
            predicted[trial.name] = rows[None, :]
    if not predicted:
        return
    predicted |= {
        baseline.name: baseline.model(encoded.validation)[None, :]
        for baseline in baselines
        if baseline.name == "bias"
    }
    write_segments(study.folder, segments_of(encoded, predicted))


def _masks(dataset: EncodedDataset) -> Iterator[tuple[str, str, Mask]]:
    rows = dataset.validation
    for kind, of_row, of_train, size in (
        ("user", rows.user, dataset.train.user, dataset.n_users),
        ("item", rows.item, dataset.train.item, dataset.n_items),
    ):
        yield kind, "seen in training", of_row > 0
        yield kind, "unseen in training", of_row == 0
        counts = np.bincount(of_train, minlength=size + 1)
        counts[0] = 0
        what = "user activity" if kind == "user" else "item popularity"
        ends = np.quantile(counts[1:], (1 / 3, 2 / 3)).astype(int)
        count = counts[of_row]
        seen = of_row > 0
        yield what, f"up to {ends[0]:,} train ratings", seen & (count <= ends[0])
        yield what, f"{ends[0] + 1:,} to {ends[1]:,}", (count > ends[0]) & (count <= ends[1])
        yield what, f"more than {ends[1]:,}", count > ends[1]
    stars = np.unique(rows.rating)
    if len(stars) <= MAX_RATINGS:
        for value in stars:
            yield "rating", f"{value:g}", rows.rating == value
    for feature, table in dataset.side_tables.items():
        of_users = table.kind == "category" and table.index == "roster"
        if table.kind != "list" and not of_users:
            continue
        # Of each item first: a thousand words of millions of rows would be gigabytes.
        has = table.matrix > 0
        index = rows.ids[table.index]
        rows_of = np.bincount(index, minlength=len(has))
        n_rows = np.array([rows_of[of_word].sum() for of_word in has.T], np.int64)
        for column in np.argsort(-n_rows, kind="stable")[:MAX_WORDS]:
            yield feature, table.columns[column], has[index, column]


def _spread(rows: Floats, edges: Floats) -> Spread:
    inside = np.clip(rows, edges[0], edges[-1])
    shares = np.histogram(inside, edges)[0] / rows.size
    return Spread(
        sd=float(rows.std(axis=1).mean()),
        low=float(np.quantile(rows, 0.05)),
        high=float(np.quantile(rows, 0.95)),
        shares=tuple(shares.tolist()),
    )
