"""Where in the space the trials lie, and how the RMSE goes along each dimension."""

from __future__ import annotations

from itertools import cycle

from experiments.records import StudyRecord, TrialRecord
from reports import labels, numbers, ranking
from reports.blocks import Block, Section, Text
from reports.drawing.arm_colours import arm_colours
from reports.drawing.canvas import MARKERS, SERIES, picture
from reports.drawing.space import Axis, Dots, Line, parallel_coordinates, slices

N_BEST = len(SERIES)
N_LINES = 300
N_DOTS = 600
_SHAPES = {
    "o": "circles", "s": "squares", "^": "triangles", "D": "diamonds",
    "v": "triangles that point down", "P": "crosses",
}  # fmt: skip


def space(study: StudyRecord) -> Section | None:
    """None where nothing can be drawn: without columns, or with fewer than two trials."""
    ranked = study.ranked
    axes = [Axis(column) for column in study.columns if _varies(column.name, ranked)]
    if len(ranked) < 2 or not axes:
        return None
    best = ranked[:N_BEST]
    drawn = [*best, *ranking.evenly(ranked[N_BEST:], N_LINES)]
    lines = [
        Line(
            tuple(_place(axis, trial) for axis in axes),
            ranking.objective(trial),
            SERIES[i] if i < N_BEST else None,
            labels.label(study, trial) if i < N_BEST else "",
        )
        for i, trial in enumerate(drawn)
    ]
    colours = arm_colours(study)
    with_dots = (arm.arm for arm in ranking.arms(study) if arm.ranked)
    shapes = dict(zip(with_dots, cycle(MARKERS)))
    along = [axis for axis in axes if axis.column.name != study.compared_dimension]
    dotted = ranking.evenly(ranked, N_DOTS)
    some = f" ({len(dotted):,} drawn, evenly by rank)" if len(dotted) < len(ranked) else ""
    panels = [
        Dots(
            axis,
            tuple(
                (
                    place + (_aside(i) if axis.is_discrete else 0.0),
                    ranking.objective(trial),
                    colours.get(trial.arm, SERIES[0]),
                    shapes.get(trial.arm or "", MARKERS[0]),
                )
                for i, trial in enumerate(dotted)
                if (place := _place(axis, trial)) is not None
            ),
        )
        for axis in along
    ]
    panels = [panel for panel in panels if panel.points]
    bias = ranking.bias_rmse(study)
    which = "".join(
        f"; {_SHAPES[shape]}: {labels.arm_text(study, arm)}" for arm, shape in shapes.items()
    )
    named = "; ".join(
        f"{labels.label(study, trial)}: "
        + numbers.summary(trial.values, leave_out=study.compared_dimension)
        for trial in best
    )
    blocks: list[Block] = [
        Text(
            "What the best trials have in common is where their lines bundle; a dimension along "
            "which good and bad trials mix freely matters little. Trials of a sampler that learns "
            "crowd where it looked, so an empty stretch is untried, not bad."
        ),
        picture(
            "parallel",
            f"A line a complete trial through its values ({len(drawn):,} drawn); in colour the "
            f"best {len(best)}, as among the learning curves. Log scales where the search "
            "drew on one. A line passes straight over a dimension that is not active in it.",
            f"The best trials: {named}.",
            lambda width: parallel_coordinates(axes, lines, width=width),
        ),
    ]
    if panels:
        blocks.append(
            picture(
                "slices",
                f"Validation RMSE of the complete trials along each dimension{some}, all other "
                f"values moving too{which}. Dashed, where within the scale: the bias baseline. The "
                "worst tenth may stand at the top.",
                "Validation RMSE against the value of each dimension; the numbers are in the "
                "leaderboard.",
                lambda width: slices(panels, bias, width=width),
            )
        )
    return Section("The space searched", tuple(blocks))


def _varies(name: str, trials: tuple[TrialRecord, ...]) -> bool:
    return len({trial.values[name] for trial in trials if name in trial.values}) > 1


def _place(axis: Axis, trial: TrialRecord) -> float | None:
    value = trial.values.get(axis.column.name)
    return None if value is None else axis.place(value)


def _aside(i: int) -> float:
    """A little to one side, so that equal values stay apart; the same in every run."""
    return 0.05 * ((i * 0.618034) % 1 - 0.5)
