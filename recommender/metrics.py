"""Errors of predicted ratings, in stars."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


def rmse(predicted: Array, actual: Array) -> float:
    """Root mean squared error over all rated pairs, in rating units (stars).

    sqrt(mean((predicted - actual) ** 2)): one mean over pairs, not a mean of per-user errors.

    Args:
        predicted: shape (n_pairs,), not clipped to the rating range.
        actual: shape (n_pairs,).

    Raises:
        ValueError: the shapes differ, there are no pairs, or a value is not finite.
    """
    errors = _errors(predicted, actual)
    # Scaled, so that the square of an error above 1e154 does not overflow.
    scale = float(np.abs(errors).max())
    return scale * float(np.sqrt(np.mean((errors / scale) ** 2))) if scale else 0.0


def mae(predicted: Array, actual: Array) -> float:
    """Mean absolute error over all rated pairs, in rating units (stars).

    Raises:
        ValueError: as `rmse`.
    """
    return float(np.abs(_errors(predicted, actual)).mean())


def _errors(predicted: Array, actual: Array) -> npt.NDArray[np.float64]:
    """Differences in double precision: float32 sums of many squares lose digits."""
    predicted, actual = np.asarray(predicted, np.float64), np.asarray(actual, np.float64)
    if predicted.shape != actual.shape or predicted.ndim != 1:
        raise ValueError(
            "predicted and actual must be of one shape (n_pairs,), "
            f"got {predicted.shape} and {actual.shape}"
        )
    if not predicted.size:
        raise ValueError("there are no rated pairs to compare")
    for name, values in (("predicted", predicted), ("actual", actual)):
        n_bad = int(np.count_nonzero(~np.isfinite(values)))
        if n_bad:
            raise ValueError(f"{name} must be finite, got {n_bad} values that are not")
    return predicted - actual
