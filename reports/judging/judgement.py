"""A verdict: what the predictions of the frozen finalists allow to be said about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.records import (
    FinalistResult,
    PairResult,
    StudyRecord,
    VerdictRecord,
    VerdictResults,
)
from reports import noise, ranking
from reports.judging.optimism import optimism_of_best
from reports.judging.statistics import (
    Array,
    Counts,
    answer,
    bootstrap_interval,
    difference,
    holm,
    over_seeds,
    probability_best,
    resampled,
    sums_by_user,
)


def judge(
    study: StudyRecord,
    frozen: VerdictRecord,
    *,
    predicted: Mapping[str, Array],
    rmse_by_seed: Mapping[str, tuple[float | None, ...]],
    actual: Array,
    users: npt.NDArray[np.integer[Any]],
    on_searched: Mapping[str, tuple[float | None, ...]] | None = None,
    baselines: Mapping[str, float] | None = None,
    searched: tuple[Array, Counts] | None = None,
) -> VerdictResults:
    """All finalists, and all pairs of those that completed under every seed.

    The same predictions give the same results, to the last digit.

    Args:
        predicted: by finalist, (n_seeds, n_rows), or one row for a model without a seed.
        rmse_by_seed: by finalist; None where it did not complete.
        actual: ratings of the rows.
        users: whose each row is.
        on_searched: as `rmse_by_seed`, on the rows of the search, where other rows judge.
        baselines: their RMSE on the rows that judge, where these are not the search's.
        searched: squared errors of all complete trials summed by user and rows of each user, where
            the search's own rows judge.
    """
    n_seeds = len(frozen.seeds)
    rows = {name: np.broadcast_to(p, (n_seeds, len(actual))) for name, p in predicted.items()}
    by_user = {name: sums_by_user(p, actual, users) for name, p in rows.items()}
    counts = next(counts for _, counts in by_user.values())
    means = {
        name: float(np.mean(np.sqrt(sums.sum(axis=1) / len(actual))))
        for name, (sums, _) in by_user.items()
    }
    names = sorted(by_user, key=lambda name: (means[name], name))
    draws = dict(
        zip(names, resampled(np.stack([by_user[n][0] for n in names]), counts), strict=True)
    )
    chances = dict(zip(names, probability_best(np.stack([*draws.values()])), strict=True))
    margin = noise.margin(study)

    found = {
        pair: difference(by_user[pair[0]][0], by_user[pair[1]][0], counts)
        for pair in combinations(names, 2)
    }
    adjusted = holm([result.p for result in found.values()])
    pairs = []
    for ((first, second), result), holm_p in zip(found.items(), adjusted, strict=True):
        low, high = bootstrap_interval(draws[first], draws[second])
        degrees = result.degrees_of_freedom
        pairs.append(
            PairResult(
                first=first,
                second=second,
                estimate=result.estimate,
                low=result.low,
                high=result.high,
                degrees_of_freedom=degrees if math.isfinite(degrees) else None,
                p=result.p,
                holm_p=holm_p,
                bootstrap_low=low,
                bootstrap_high=high,
                answer=answer(result, holm_p, margin).value,
            )
        )

    def finalist(name: str) -> FinalistResult:
        own = rmse_by_seed[name]
        search_rmse = _search_rmse(study, frozen, name)
        mean = means.get(name)
        is_seeded = len(own) > 1
        shrinkage = None
        if mean is not None and search_rmse is not None and is_seeded:
            again = mean if on_searched is None else _mean(on_searched[name])
            shrinkage = None if again is None else again - search_rmse
        interval = (
            over_seeds([v for v in own if v is not None])
            if mean is not None and is_seeded
            else None
        )
        return FinalistResult(
            name=name,
            search_rmse=search_rmse,
            rmse_by_seed=own,
            mean=mean,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            shrinkage=shrinkage,
            p_best=chances.get(name),
        )

    choice = searched and (searched[0][:, None], searched[1])
    if on_searched is not None:
        judged = [by_user[t.name][0] for t in study.search_trials if t.name in by_user]
        choice = (np.stack(judged), counts) if judged else None
    left_out = [f.name for f in frozen.finalists if f.name not in means]
    return VerdictResults(
        margin=margin,
        n_rows=len(actual),
        n_users=len(counts),
        finalists=tuple(finalist(name) for name in [*names, *left_out]),
        pairs=tuple(pairs),
        is_confirmed=on_searched is not None,
        baselines=dict(baselines or {}),
        optimism=optimism_of_best(*choice) if choice else None,
        n_choosable=len(choice[0]) if choice else 0,
    )


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) and known else None


def _search_rmse(study: StudyRecord, frozen: VerdictRecord, name: str) -> float | None:
    """The RMSE for which a finalist was chosen; None for a control, which the search never saw."""
    finalist = frozen.finalist(name)
    assert finalist is not None, name
    if finalist.is_control:
        return None
    if finalist.number is None:
        baseline = study.baseline(name)
        assert baseline is not None, name
        return baseline.val_rmse
    trial = study.trial(finalist.number)
    assert trial is not None, name
    return ranking.objective(trial)
