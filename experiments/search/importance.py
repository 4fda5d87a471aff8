"""How much each dimension matters for a good result, by arm (PED-ANOVA), and how sure that is."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from functools import cache

import numpy as np
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, create_trial

from experiments.records import ImportanceRecord, TrialRecord
from experiments.translate.optuna import study_in_memory, to_optuna
from search_spaces import SearchSpace

N_RESAMPLES = 200
"""Of an arm's trials, for 95 % intervals: two seconds for a few hundred trials."""
MIN_RESAMPLES = 100
"""Fewer leave two at most beyond each end of an interval."""
MIN_TOP_TRIALS = 5
"""The authors of the method ask for so many trials among the good ones."""


def importance(
    space: SearchSpace, trials: Iterable[TrialRecord], n_resamples: int = 0
) -> list[ImportanceRecord]:
    """The share of each dimension in what sets the good trials of an arm apart from all.

    PED-ANOVA (Watanabe et al. 2023) with its extension to conditional spaces, over the ranked
    trials: the best tenth are the good ones, at least 5. Intervals hold 95 % of what the shares
    become when the arm's trials are drawn again with replacement (a percentile bootstrap); its
    dice are the same each time. Arms with too few trials are left out, and so are dimensions that
    did not vary. By arm, the most important first.

    Args:
        n_resamples: for the intervals, at most (down to 100 where trials are so many that it would
            take longer); 0 computes none.
    """
    by_arm: dict[str | None, list[TrialRecord]] = defaultdict(list)
    for trial in trials:
        if trial.is_ranked:
            by_arm[trial.arm].append(trial)
    records = []
    for arm, ranked in by_arm.items():
        if len(ranked) < ImportanceRecord.MIN_TRIALS:
            continue
        theirs = [_to_optuna(space, trial) for trial in ranked]
        shares = _shares(theirs, [column.name for column in space.columns])
        n_draws = min(n_resamples, max(MIN_RESAMPLES, 50_000 // len(theirs)))
        intervals = _intervals(theirs, list(shares), n_draws) if n_draws else {}
        for name, share in sorted(shares.items(), key=lambda item: -item[1]):
            low, high = intervals.get(name, (None, None))
            records.append(
                ImportanceRecord(arm, name, share, len(ranked), low, high, n_draws or None)
            )
    return records


def _shares(trials: Sequence[FrozenTrial], names: Sequence[str]) -> dict[str, float]:
    """By dimension that varied; empty where all trials did equally well."""
    varied = [name for name in names if len({trial.params.get(name) for trial in trials}) > 1]
    if not varied:
        return {}
    study = study_in_memory("importance")
    # Adding them would copy each deeply, which takes longer than the method itself.
    numbered = [_numbered(trial, i) for i, trial in enumerate(trials)]
    study.get_trials = lambda **_: numbered  # type: ignore[method-assign]
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, MIN_TOP_TRIALS / len(trials)))
    with warnings.catch_warnings():
        # It warns of cases with few trials, and `normalize` is experimental; but normalised by
        # Optuna, dimensions that all explain nothing would share equally.
        warnings.simplefilter("ignore")
        raw = get_param_importances(study, evaluator=evaluator, params=varied, normalize=False)
    total = sum(raw.values())
    return {name: raw[name] / total for name in varied} if total > 0 else {}


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    """As a study would number it; one that is drawn twice counts twice."""
    trial = copy(trial)
    trial.number = trial._trial_id = number
    return trial


def _intervals(
    trials: Sequence[FrozenTrial], names: Sequence[str], n_draws: int
) -> dict[str, tuple[float, float]]:
    """Both ends by dimension; one that does not vary in a draw explains nothing there."""
    dice = random.Random(0)
    drawn = [_shares(dice.choices(trials, k=len(trials)), names) for _ in range(n_draws)]
    intervals = {}
    for name in names:
        low, high = np.quantile(
            [shares.get(name, 0.0) for shares in drawn if shares], (0.025, 0.975)
        )
        intervals[name] = float(low), float(high)
    return intervals


def _to_optuna(space: SearchSpace, trial: TrialRecord) -> FrozenTrial:
    """Under its column names: the method takes one name's several ranges as cases."""
    active = space.active(trial.values)
    return create_trial(
        value=trial.best_rmse,
        params={slot.name: value for slot, value in active},
        distributions={slot.name: _distribution(slot.distribution) for slot, _ in active},
    )


_distribution = cache(to_optuna)
"""One object for all trials: the method sorts them by it, and equal ones are slow to compare."""
