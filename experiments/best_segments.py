"""Where the best trials of a search err, from the predictions that their workers left.

Known when the driver ends, without a verdict and without TensorFlow. A verdict's own record, of its
finalists under all their seeds, takes the place of this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.keeping import leaders
from experiments.orders import predictions_folder
from experiments.records import StudyRecord
from experiments.segments import segments_of, write_segments
from experiments.watcher import StudyWatcher
from recommender.baselines import Baseline
from recommender.checkpoints import CheckpointError, read_checkpoint
from recommender.datasets.base import EncodedDataset

N_BEST = 3


def write_best_segments(
    study: StudyRecord,
    encoded: EncodedDataset,
    baselines: Sequence[Baseline],
    watcher: StudyWatcher,
) -> None:
    """Cut the errors of the best trials, the best of each arm and the bias baseline.

    Trials without predictions are left out: they are of an older version, or damaged, which is
    said. Nothing is written where none is left, nor over what a verdict wrote.
    """
    if study.verdict_results is not None:
        return
    predicted: dict[str, npt.NDArray[np.floating[Any]]] = {}
    for trial in leaders(study.ranked, N_BEST):
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
