"""Which dimensions the spread of the objective came from."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import numbers, ranking
from reports.blocks import Block, Note, Problem, Section
from reports.figures import SERIES, bars, picture
from reports.sections.summary import arm_colours

MIN_TRIALS = 12
"""Complete trials of an arm below which `experiments` computes none: it would be noise."""


def importance(study: StudyRecord) -> Section:
    title = "Importance of the dimensions"
    by_arm: dict[str | None, dict[str, float]] = {}
    n_trials: dict[str | None, int] = {}
    for record in sorted(study.importance, key=lambda r: -r.importance):
        by_arm.setdefault(record.arm, {})[record.dimension] = record.importance
        n_trials[record.arm] = record.n_trials
    arms: list[str | None] = [arm.arm for arm in ranking.arms(study)] or [None]
    n_complete = {
        arm: sum(trial.arm == arm for trial in ranking.ranked_trials(study)) for arm in arms
    }
    left_out = [_left_out(arm, n_complete[arm]) for arm in arms if arm not in by_arm]
    if not by_arm:
        return Section(title, tuple(left_out))
    colours = arm_colours(study)
    shares = {arm or "all trials": by_arm[arm] for arm in arms if arm in by_arm}
    used = [colours.get(arm, SERIES[0]) for arm in arms if arm in by_arm]
    from_what = ", ".join(
        f"{numbers.plural(n_trials[arm], 'complete trial')}{f' of {arm}' if arm else ''}"
        for arm in arms
        if arm in by_arm
    )
    blocks: list[Block] = [
        picture(
            "importance",
            f"Share of the spread of the best RMSE that each dimension explains, from {from_what} "
            "(PED-ANOVA: how much the values of the better trials differ from those of all). "
            "Shares sum to 1 within an arm and carry no interval.",
            "; ".join(
                f"{series}: " + ", ".join(f"{name} {share:.2f}" for name, share in by.items())
                for series, by in shares.items()
            )
            + ".",
            lambda width: bars(shares, used, width=width),
        ),
        *left_out,
        Note(
            "A dimension can matter little here because its range was already good everywhere, or "
            "because the sampler hardly left one value of it."
        ),
    ]
    return Section(title, tuple(blocks))


def _left_out(arm: str | None, n_complete: int) -> Problem:
    why = (
        f"{numbers.plural(n_complete, 'complete trial')}; under {MIN_TRIALS} the shares are noise"
        if n_complete < MIN_TRIALS
        else "the study folder holds no importance: it is computed when a sweep ends"
    )
    return Problem(f"Left out{f' for {arm}' if arm else ''}: {why}.")
