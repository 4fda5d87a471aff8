"""What models predict for rows that no training looked at, where it need not be a rating."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.watcher import StudyWatcher
from recommender.errors import OwnCodeError

Floats = npt.NDArray[np.floating[Any]]


def finite_ratings(predict: Callable[[], Floats], who: str, watcher: StudyWatcher) -> Floats | None:
    """What a model predicts.

    None, and said, where a rating is not finite or a researcher's own code raises: this model
    counts as one that did not complete, and the others go on.
    """
    try:
        predicted = predict()
    except OwnCodeError as error:
        why = str(error)
    else:
        n_bad = int(np.count_nonzero(~np.isfinite(predicted)))
        if not n_bad:
            return predicted
        why = f"it predicts NaN or infinity for {n_bad:,} of {len(predicted):,} rows"
    watcher.message(f"{who} counts as not completed: {why}")
    return None
