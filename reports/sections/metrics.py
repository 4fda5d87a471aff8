"""What the sweep asks for beside the RMSE; the ranking stays by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.records import StudyRecord, TrialRecord
from reports import labels, numbers, ranking
from reports.blocks import Block, Column, Note, Problem, Row, Section, Table, Text
from reports.drawing.canvas import (
    DASHES,
    SERIES,
    WIDE,
    best_ring,
    epoch_axes,
    legend_above,
    picture,
)

N_ROWS = 10
MIN_TRIALS = 5
"""A rank correlation of fewer trials says nothing."""


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """One trial's metric by epoch."""

    label: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    best_epoch: int | None
    """The epoch with the lowest RMSE."""
    colour: str


def metrics(study: StudyRecord) -> Section | None:
    if not study.metrics:
        return None
    ranked = study.ranked
    named = ", ".join(study.metrics)
    blocks: list[Block] = [
        Text(
            f"Computed by recsweep from the predictions on the validation rows after each epoch: "
            f"{named}. Trials are ranked, pruned and stopped by the RMSE alone."
        )
    ]
    errors = {
        name: error
        for trial in study.search_trials
        for epoch in trial.epochs
        for name, error in epoch.metric_errors.items()
    }
    blocks += [Problem(f"{name} gave no number in some epochs: {e}") for name, e in errors.items()]
    if ranked:
        blocks.append(_table(study, ranked[:N_ROWS]))
    blocks += [Note(said) for name in study.metrics if (said := _agreement(name, ranked))]
    for name in study.metrics:
        best = study.ranked_models[: len(SERIES)]
        curves = [_curve(study, name, t, SERIES[i]) for i, t in enumerate(best)]
        if drawn := [curve for curve in curves if curve.epochs]:
            blocks.append(
                picture(
                    f"metric-{name}",
                    f"{name} on the validation rows after each epoch, of the best models by RMSE; "
                    "a ring where their RMSE is lowest.",
                    f"{name} by epoch. "
                    + "; ".join(
                        f"{c.label}: {numbers.value(c.values[-1])} at the end" for c in drawn
                    )
                    + ".",
                    partial(metric_curves, name, drawn),
                )
            )
    return Section("Other metrics", tuple(blocks))


def _table(study: StudyRecord, trials: Sequence[TrialRecord]) -> Table:
    return Table(
        caption="The best trials of the search by RMSE, under one seed each, and what else their "
        "best epochs come to",
        columns=(
            Column("rank", "Place among COMPLETE trials, by RMSE.", is_number=True),
            Column("trial", "Number in the study, and its arm where arms are compared."),
            Column("RMSE", f"{labels.what_is_averaged(study)}.", is_number=True),
            *(
                Column(name, "On the validation rows, at the epoch of the RMSE.", is_number=True)
                for name in study.metrics
            ),
        ),
        rows=tuple(
            Row(
                (
                    str(rank),
                    labels.label(study, trial),
                    numbers.rmse(ranking.objective(trial)),
                    *(_number(trial.metric(name)) for name in study.metrics),
                )
            )
            for rank, trial in enumerate(trials, start=1)
        ),
    )


def _number(value: float | None) -> str:
    return numbers.NOTHING if value is None else f"{value:.4f}"


def _agreement(name: str, ranked: Sequence[TrialRecord]) -> str | None:
    pairs = [(t.best_rmse, value) for t in ranked if (value := t.metric(name)) is not None]
    if len(pairs) < MIN_TRIALS:
        return None
    correlation = pd.DataFrame(pairs, dtype=float).corr("spearman").to_numpy()[0, 1]
    if np.isnan(correlation):  # all have the same value
        return None
    told = f"{correlation:.2f}".replace("-", "−")
    return (
        f"Over {len(pairs)} complete trials the order by {name} and the order by RMSE have a rank "
        f"correlation of {told}."
    )


def metric_curves(name: str, curves: Sequence[MetricCurve], width: int) -> Figure:
    """A ring marks the epoch that the RMSE chose."""
    longest = max(curve.epochs[-1] for curve in curves)
    figure, axes = epoch_axes(longest, len(curves), (306, 266), width=width)
    for curve, dashes in zip(curves, cycle(DASHES), strict=False):
        axes.plot(
            curve.epochs, curve.values, color=curve.colour, ls=dashes, lw=2, label=curve.label
        )
        if curve.best_epoch in curve.epochs:
            best_ring(
                axes,
                curve.best_epoch,
                curve.values[curve.epochs.index(curve.best_epoch)],
                curve.colour,
            )
    axes.set_ylabel(f"validation {name}" if width >= WIDE else "")
    legend_above(figure, axes, 3 if width >= WIDE else 2)
    return figure


def _curve(study: StudyRecord, name: str, trial: TrialRecord, colour: str) -> MetricCurve:
    points = [(e.epoch, e.metrics[name]) for e in trial.epochs if name in e.metrics]
    return MetricCurve(
        label=labels.label(study, trial),
        epochs=tuple(epoch for epoch, _ in points),
        values=tuple(value for _, value in points),
        best_epoch=trial.best_epoch,
        colour=colour,
    )
