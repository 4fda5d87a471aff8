"""The arms of the compared dimension side by side."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import labels, noise, numbers, ranking
from reports.blocks import Block, Column, Row, Section, Table, Text
from reports.drawing.arm_colours import arm_colours
from reports.drawing.canvas import picture
from reports.drawing.trials import strip_plot

N_DOTS = 400


def compare(study: StudyRecord) -> Section | None:
    """None where the sweep compares nothing."""
    arms = ranking.arms(study)
    if not arms:
        return None
    blocks: list[Block] = [Text(_verdict(study, arms)), _table(study, arms)]
    with_complete = {labels.arm_text(study, arm.arm): arm for arm in arms if arm.ranked}
    if with_complete:
        of_arm = arm_colours(study)
        colours = {name: of_arm[arm.arm] for name, arm in with_complete.items()}
        dots = {
            name: [ranking.objective(trial) for trial in ranking.evenly(arm.ranked, N_DOTS)]
            for name, arm in with_complete.items()
        }
        bias = ranking.bias_rmse(study)
        lines = [] if bias is None else [("bias baseline", bias)]
        thinned = ", ".join(
            f"{len(dots[name]):,} of {len(arm.ranked):,} {name}"
            for name, arm in with_complete.items()
            if len(dots[name]) < len(arm.ranked)
        )
        blocks.append(
            picture(
                "arms",
                "Every COMPLETE trial of each arm by its RMSE; filled: the arm's best; bar: its "
                "median. Heights within a row mean nothing; the worst twentieth may stand at "
                "the right end." + (f" Drawn, evenly by rank: {thinned}." if thinned else ""),
                "; ".join(
                    f"{name}: best {numbers.rmse(ranking.objective(arm.ranked[0]))}, median "
                    f"{numbers.rmse(arm.median_rmse)} of {len(arm.ranked)} complete trials"
                    for name, arm in with_complete.items()
                )
                + ".",
                lambda width: strip_plot(dots, colours, lines, width=width),
            )
        )
    return Section(f"Arms compared: {study.compared_dimension}", tuple(blocks))


def _verdict(study: StudyRecord, arms: tuple[ranking.ArmSummary, ...]) -> str:
    with_best = sorted(
        (arm for arm in arms if arm.ranked), key=lambda arm: ranking.objective(arm.ranked[0])
    )
    if len(with_best) < 2:
        return "Fewer than two arms have a complete trial: there is nothing to compare yet."
    first, second = with_best[:2]
    apart = ranking.objective(second.ranked[0]) - ranking.objective(first.ranked[0])
    decided = (
        "These are the search's own numbers, under one seed each; the verdict judges the best."
        if study.verdict_results is not None
        else "Not decided: one seed each, and the best of many is chosen on the rows that it is "
        "judged on."
    )
    given = (f"{len(arm.trials):,} {labels.arm_text(study, arm.arm)}" for arm in arms)
    bests = ", ".join(
        f"{labels.arm_text(study, arm.arm)} {numbers.rmse(ranking.objective(arm.ranked[0]))} "
        f"(best of {len(arm.ranked)} complete)"
        for arm in (first, second)
    )
    return (
        f"{bests}: {apart:.4f} apart, {noise.beside(study, apart)}. {decided} "
        f"Trials given to each arm: {', '.join(given)}."
    )


def _table(study: StudyRecord, arms: tuple[ranking.ArmSummary, ...]) -> Table:
    rows = []
    for arm in arms:
        n = ranking.counts(arm.trials)
        rows.append(
            Row(
                (
                    arm.arm,
                    numbers.rmse(arm.best.best_rmse if arm.best else None),
                    f"#{arm.best.number}" if arm.best else numbers.NOTHING,
                    numbers.rmse(arm.median_rmse),
                    numbers.count(n.complete),
                    numbers.count(n.pruned),
                    numbers.count(n.diverged),
                    numbers.count(n.failed),
                    numbers.count(n.running + n.waiting),
                    numbers.count(sum(trial.n_updates or 0 for trial in arm.trials) or None),
                    numbers.seconds(sum(trial.seconds for trial in arm.trials)),
                )
            )
        )
    return Table(
        caption="The arms",
        columns=(
            Column("arm", f"Choice of {study.compared_dimension}."),
            Column("best", f"{labels.what_is_averaged(study)}, of the best trial.", True),
            Column("trial", "The arm's best trial."),
            Column("median", "RMSE of the median COMPLETE trial; pruning removes weak ones.", True),
            Column("complete", "Trials trained to their end.", True),
            Column("pruned", "Trials that the pruner stopped.", True),
            Column("diverged", "Trials with a value that is not finite.", True),
            Column("failed", "Trials that ended in an error.", True),
            Column("open", "Trials that run or wait.", True),
            Column("updates", "Optimizer steps of all its trials.", True),
            Column("time", "Training and evaluation of all its trials in the search.", True),
        ),
        rows=tuple(rows),
    )
