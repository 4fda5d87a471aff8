"""How much too good the best of many trials is on the users who chose it."""

from __future__ import annotations

import numpy as np

from reports.judging.statistics import Array, Counts, rmse_by_seed, users_drawn

N_DRAWS = 400
MIN_USERS = 10
"""Of fewer, hardly any are left to judge when they are drawn with replacement."""


def optimism_of_best(
    sums: Array, counts: Counts, *, n_draws: int = N_DRAWS, seed: int = 0
) -> float | None:
    """What the best trial's RMSE is expected to be higher by on users that did not choose it.

    Users are drawn with replacement, the draw chooses among the trials, and those that were not
    drawn judge (the bootstrap bias correction of Tsamardinos et al. 2018). The RMSE of each is
    taken as its distance to the mean of all trials on the same users, since some users are harder
    for all. Drawing repeats users, which makes the choice a little worse than it was: for trials
    that truly differ the answer is on the high side (`docs/statistics.md`).

    Args:
        sums: squared errors summed by user, shape (n_trials, n_users).
        counts: rows of each user.

    Returns:
        None with a single trial or fewer than 10 users.
    """
    n_trials, n_users = sums.shape
    if n_trials < 2 or n_users < MIN_USERS:
        return None
    dice = np.random.default_rng(seed)
    gaps = []
    for drawn in users_drawn(n_users, n_draws, dice):
        drawn = drawn[(drawn == 0).any(axis=1)]
        chosen = _apart(sums, counts, drawn).argmin(axis=1)
        outside = _apart(sums, counts, drawn == 0)
        gaps.append(outside[np.arange(len(chosen)), chosen])
    whole = rmse_by_seed(sums, counts)
    judged = float(np.concatenate(gaps).mean())
    return judged - float(whole.min() - whole.mean())


def _apart(sums: Array, counts: Counts, weights: Array | Counts) -> Array:
    """RMSE of each trial minus the mean of all, shape (n_draws, n_trials)."""
    weights = weights.astype(float)
    rmse = np.sqrt((weights @ sums.T) / (weights @ counts)[:, None])
    return np.asarray(rmse - rmse.mean(axis=1, keepdims=True))
