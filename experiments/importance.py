"""How much each dimension matters for a good result, by arm (PED-ANOVA)."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from experiments.records import ImportanceRecord, TrialRecord
from experiments.translate.optuna import study_in_memory, to_optuna
from search_spaces import SearchSpace

MIN_TRIALS = 12
"""Fewer complete trials in an arm say nothing about its dimensions."""
MIN_TOP_TRIALS = 5
"""The authors of the method ask for so many trials among the good ones."""


def importance(space: SearchSpace, trials: Iterable[TrialRecord]) -> list[ImportanceRecord]:
    """The share of each dimension in what sets the good trials of an arm apart from all.

    PED-ANOVA (Watanabe et al. 2023) with its extension to conditional spaces, over the ranked
    trials: the best tenth are the good ones, at least 5. Arms with too few trials are left out,
    and so are dimensions that did not vary. By arm, the most important first.
    """
    by_arm: dict[str | None, list[TrialRecord]] = defaultdict(list)
    for trial in trials:
        if trial.is_ranked:
            by_arm[trial.arm].append(trial)
    return [
        ImportanceRecord(arm, dimension, share, len(ranked))
        for arm, ranked in by_arm.items()
        if len(ranked) >= MIN_TRIALS
        for dimension, share in _shares(space, ranked)
    ]


def _shares(space: SearchSpace, trials: Sequence[TrialRecord]) -> list[tuple[str, float]]:
    varied = [column.name for column in space.columns if _varies(column.name, trials)]
    if not varied:
        return []
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, MIN_TOP_TRIALS / len(trials)))
    with warnings.catch_warnings():
        # It warns of cases with few trials, and `normalize` is experimental; but normalised by
        # Optuna, dimensions that all explain nothing would share equally.
        warnings.simplefilter("ignore")
        raw = get_param_importances(
            _study_of(space, trials), evaluator=evaluator, params=varied, normalize=False
        )
    total = sum(raw.values())
    if not total > 0:
        return []
    return sorted(((name, raw[name] / total) for name in varied), key=lambda pair: -pair[1])


def _varies(name: str, trials: Sequence[TrialRecord]) -> bool:
    return len({trial.values.get(name) for trial in trials}) > 1


def _study_of(space: SearchSpace, trials: Sequence[TrialRecord]) -> optuna.study.Study:
    """The trials under their column names: the method takes one name's several ranges as cases."""
    study = study_in_memory("importance")
    for trial in trials:
        active = space.active(trial.values)
        study.add_trial(
            optuna.trial.create_trial(
                value=trial.best_rmse,
                params={slot.name: value for slot, value in active},
                distributions={slot.name: to_optuna(slot.distribution) for slot, _ in active},
            )
        )
    return study
