"""How much too good the best of several models is on the users and seeds that chose it."""

from __future__ import annotations

import numpy as np

from reports.judging.statistics import Array, Counts, rmse_by_seed, users_drawn

N_DRAWS = 400
MIN_USERS = 10
"""Of fewer, hardly any are left to judge when they are drawn with replacement."""


def optimism_of_best(
    sums: Array, counts: Counts, *, n_draws: int = N_DRAWS, seed: int = 0
) -> float | None:
    """What the lowest mean RMSE over seeds is expected to be higher by on users, and under seeds,
    that did not choose it.

    Users and seeds are drawn with replacement, the draw chooses among the models, and those that
    were not drawn judge (the bootstrap bias correction of Tsamardinos et al. 2018). The RMSE of
    each is taken as its distance to the mean of all models on the same users, since some users are
    harder for all. Drawing repeats users, which makes the choice a little worse than it was: for
    models that truly differ the answer is on the high side (`docs/statistics.md`).

    Args:
        sums: squared errors summed by user, shape (n_models, n_seeds, n_users); a single seed
            chooses and judges.
        counts: rows of each user.

    Returns:
        None with a single model or fewer than 10 users.
    """
    n_models, n_seeds, n_users = sums.shape
    if n_models < 2 or n_users < MIN_USERS:
        return None
    dice = np.random.default_rng(seed)
    all_times = np.ones((n_draws, 1), int)
    if n_seeds > 1:
        all_times = dice.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_draws)
    gaps, first = [], 0
    for drawn in users_drawn(n_users, n_draws, dice):
        times = all_times[first : first + len(drawn)]
        first += len(drawn)
        others = times == 0 if n_seeds > 1 else times
        is_judged = (drawn == 0).any(axis=1) & others.any(axis=1)
        drawn, times, others = drawn[is_judged], times[is_judged], others[is_judged]
        chosen = _apart(sums, counts, drawn, times).argmin(axis=1)
        outside = _apart(sums, counts, drawn == 0, others)
        gaps.append(outside[np.arange(len(chosen)), chosen])
    whole = rmse_by_seed(sums, counts).mean(axis=1)
    judged = float(np.concatenate(gaps).mean())
    return judged - float(whole.min() - whole.mean())


def _apart(sums: Array, counts: Counts, users: Counts, seeds: Counts) -> Array:
    """Mean RMSE of each model minus the mean of all, shape (n_draws, n_models).

    Args:
        users: how often each counts, shape (n_draws, n_users).
        seeds: the same of the seeds, shape (n_draws, n_seeds).
    """
    n_models, n_seeds, n_users = sums.shape
    weights = users.astype(float)
    squares = weights @ sums.reshape(-1, n_users).T / (weights @ counts)[:, None]
    rmse = np.sqrt(squares).reshape(len(users), n_models, n_seeds)
    means = np.einsum("dms,ds->dm", rmse, seeds / seeds.sum(axis=1, keepdims=True))
    return np.asarray(means - means.mean(axis=1, keepdims=True))
