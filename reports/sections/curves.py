"""How validation RMSE went, epoch by epoch."""

from __future__ import annotations

import math

from experiments.records import StudyRecord, TrialRecord, TrialState
from reports import labels, numbers, ranking
from reports.blocks import Problem, Section
from reports.drawing.canvas import SERIES, picture
from reports.drawing.trials import Curve, learning_curves

N_GREY = 200


def curves(study: StudyRecord) -> Section:
    title = "Learning curves"
    best = study.ranked_models[: len(SERIES)]
    others = [trial for trial in study.search_trials if trial not in best]
    drawn = [
        *(_curve(study, trial, None) for trial in ranking.evenly(others, N_GREY)),
        *(_curve(study, trial, SERIES[i]) for i, trial in enumerate(best)),
    ]
    drawn = [curve for curve in drawn if curve.epochs]
    if not drawn:
        return Section(title, (Problem("No trial has finished an epoch yet."),))
    n_grey = sum(curve.colour is None for curve in drawn)
    shown = []
    if best:
        which = f"the best {len(best)} models" if len(best) > 1 else "the best"
        shown.append(f"{which} in colour, a ring at the best epoch")
    if n_grey:
        all_others = numbers.plural(n_grey, "other" if best else "trial")
        some = f"{n_grey} of {len(others):,} others, evenly by number,"
        shown.append(
            f"{some if len(others) > N_GREY else all_others} in grey, a cross where the pruner "
            "stopped one"
        )
    bias = ranking.bias_rmse(study)
    return Section(
        title,
        (
            picture(
                "curves",
                f"Validation RMSE after each epoch: {'; '.join(shown)}. Up to a third of "
                "all values, the highest, may lie beyond the scale.",
                "Validation RMSE by epoch. "
                + "; ".join(
                    f"{labels.label(study, trial)}: best {numbers.rmse(trial.best_rmse)} at epoch "
                    f"{trial.best_epoch} of {len(trial.epochs)}"
                    for trial in best
                )
                + ".",
                lambda width: learning_curves(drawn, bias, width=width),
            ),
        ),
    )


def _curve(study: StudyRecord, trial: TrialRecord, colour: str | None) -> Curve:
    finite = [epoch for epoch in trial.epochs if math.isfinite(epoch.val_rmse)]
    return Curve(
        label=f"{labels.label(study, trial)} · {numbers.rmse(trial.best_rmse)}",
        epochs=tuple(epoch.epoch for epoch in finite),
        rmse=tuple(epoch.val_rmse for epoch in finite),
        colour=colour,
        is_pruned=trial.state is TrialState.PRUNED and not trial.is_diverged,
    )
