"""The best RMSE to expect of a shorter search, arm by arm: what the budget bought."""

from __future__ import annotations

from experiments.records import StudyRecord, TrialRecord
from reports import labels, numbers, ranking
from reports.blocks import Column, Note, Row, Section, Table, Text
from reports.drawing.arm_colours import arm_colours
from reports.drawing.budget import ROUND_COUNTS, BudgetCurve, budget_curves
from reports.drawing.canvas import picture
from reports.judging.expected_best import BAND, budgets, expected_best

_BAND = f"{100 * BAND:.0f} %"


def budget(study: StudyRecord) -> Section | None:
    """None where no arm, or no study without arms, has two complete trials."""
    curves = _curves(study)
    if not curves:
        return None
    bias = ranking.bias_rmse(study)
    arms = "each arm" if study.compared_dimension else "the search"
    return Section(
        "Best RMSE against budget",
        (
            Text(_sentence(study, curves)),
            picture(
                "budget",
                "Lines: the expected lowest validation RMSE of the first n complete trials of "
                f"{arms}, averaged over all orders in which these trials could have come. Shaded: "
                f"{_BAND} of the orders. It closes at the end because all trials are drawn "
                "there, not because more is known. Thin: the order of the search itself. "
                "Pruned, diverged and failed trials have no result and are never drawn; their "
                "time is charged in equal parts to the complete ones, on the time axis.",
                "; ".join(
                    f"{curve.label or 'all trials'}: {numbers.rmse(curve.points[0].mean)} expected "
                    f"of one complete trial, {numbers.rmse(curve.points[-1].mean)} of "
                    f"{curve.points[-1].n}"
                    for curve in curves
                )
                + ".",
                lambda width: budget_curves(curves, bias, width=width),
            ),
            _table(study, curves),
            Note(
                "Exact from order statistics, without replacement (after Dodge et al. 2019 and "
                "Tang et al. 2020). A sampler that learns proposes better trials later on, so a "
                "shorter search of its own would have done a little worse than the line says; "
                "and the lowest of n noisy numbers is too good, the more so the larger n is."
            ),
        ),
    )


def _curves(study: StudyRecord) -> list[BudgetCurve]:
    colours = arm_colours(study)
    arms: list[tuple[str | None, tuple[TrialRecord, ...], tuple[TrialRecord, ...]]] = [
        (arm.arm, arm.trials, arm.ranked) for arm in ranking.arms(study)
    ] or [(None, study.search_trials, study.ranked)]
    curves = []
    for arm, trials, ranked in arms:
        complete = sorted(ranked, key=lambda trial: trial.number)
        if len(complete) < 2:
            continue
        values = [ranking.objective(trial) for trial in complete]
        shown = {n for n in ROUND_COUNTS if n <= len(values)}
        curves.append(
            BudgetCurve(
                label=labels.arm_text(study, arm) if arm else "all trials",
                colour=colours[arm],
                points=expected_best(values, sorted({*budgets(len(values)), *shown})),
                seconds_a_trial=sum(trial.seconds for trial in trials) / len(complete),
                values=tuple(values),
            )
        )
    return curves


def _sentence(study: StudyRecord, curves: list[BudgetCurve]) -> str:
    """What to expect of equal training time, or of half the trials where there is one arm."""
    if len(curves) == 1:
        (curve,) = curves
        last = curve.points[-1]
        of_arm = f" of {curve.label}" if ranking.arms(study) else ""
        half = next(point for point in curve.points if 2 * point.n >= last.n)
        return (
            f"About half the search{of_arm}, {numbers.plural(half.n, 'complete trial')} in "
            f"{numbers.seconds(half.n * curve.seconds_a_trial)} of training, was to be expected to "
            f"find {numbers.rmse(half.mean)}; all {last.n:,} found {numbers.rmse(last.mean)}, "
            f"{half.mean - last.mean:.4f} less."
        )
    within = min(curve.points[-1].n * curve.seconds_a_trial for curve in curves)
    reached, too_dear = [], []
    for curve in curves:
        costs = (n * curve.seconds_a_trial for n in range(1, len(curve.values) + 1))
        n_paid = sum(cost <= within * (1 + 1e-9) for cost in costs)
        if not n_paid:
            too_dear.append(curve.label)
            continue
        reached.append(
            f"{curve.label} {numbers.rmse(expected_best(curve.values, [n_paid])[0].mean)} "
            f"({numbers.plural(n_paid, 'complete trial')})"
        )
    if too_dear:
        reached.append(
            f"nothing of {', '.join(too_dear)}, of which one complete trial takes longer"
        )
    return (
        "Equally many trials of two arms need not cost the same. For the same "
        f"{numbers.seconds(within)} of training each arm was to be expected to find: "
        f"{', '.join(reached)}."
    )


def _table(study: StudyRecord, curves: list[BudgetCurve]) -> Table:
    rows = [
        Row(
            (
                curve.label,
                numbers.count(point.n),
                numbers.seconds(point.n * curve.seconds_a_trial),
                numbers.rmse(point.mean),
                f"{numbers.rmse(point.low)} to {numbers.rmse(point.high)}",
            ),
            look="best" if point is curve.points[-1] else "plain",
        )
        for curve in curves
        for point in curve.points
        if point.n in ROUND_COUNTS or point is curve.points[-1]
    ]
    return Table(
        caption="What a budget was to be expected to find",
        columns=(
            Column(
                "arm",
                f"Choice of {study.compared_dimension}."
                if study.compared_dimension
                else "The whole search: nothing is compared.",
            ),
            Column("complete trials", "Drawn from the arm's, all orders alike.", is_number=True),
            Column(
                "training time",
                "So many times the arm's training time, unfinished trials included, by complete "
                "trial; summed over workers, on this machine.",
                is_number=True,
            ),
            Column("expected best", f"{labels.what_is_averaged(study)}.", is_number=True),
            Column(f"{_BAND} of the orders", "From the first to the last tenth of the orders."),
        ),
        rows=tuple(rows),
        note="The last row of an arm is what the search found.",
        is_collapsed=True,
    )
