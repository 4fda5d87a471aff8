"""Several studies in two pictures: where their trials stand, and how their searches got there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle

from experiments.records import StudyRecord
from reports import numbers, ranking
from reports.blocks import Block, Problem, Section
from reports.described import described
from reports.drawing.canvas import SERIES, picture
from reports.drawing.comparison import StudyGaps, begins_above, best_so_far, gap_plot
from reports.judging.decision import leading_finalist

N_DOTS = 400
"""Of more trials an even selection is drawn, the best and the worst among them."""
N_COLOURED = 10
"""Of more studies those with the best trials stand out, and lines of others have no name."""


def side_by_side(studies: Sequence[StudyRecord]) -> Section | None:
    """None where no study has both a complete trial and a bias baseline."""
    is_of_range = have_other_ranges(studies)
    tell = numbers.gap_of_range if is_of_range else numbers.gap
    rows = [
        study_gaps(study, SERIES[i % len(SERIES)], unit_of(study, studies))
        for i, study in enumerate(studies)
        if study.ranked and ranking.bias_rmse(study) is not None
    ]
    if not rows:
        return None
    is_crowded = len(rows) > N_COLOURED
    if is_crowded:
        best = sorted(rows, key=lambda row: row.gaps[0])[:N_COLOURED]
        colours = cycle(SERIES)
        rows = [replace(row, colour=next(colours) if row in best else None) for row in rows]
    which = f" In colour: the {N_COLOURED} studies that got lowest." if is_crowded else ""
    left_out = [study.name for study in studies if study.name not in {row.label for row in rows}]
    above = " A line that comes in at the top: what came first is far off." * begins_above(rows)
    blocks: list[Block] = [
        picture(
            "gaps",
            "Every complete trial by its RMSE minus that of the bias baseline on the same rows"
            + (", in hundredths of its ratings' range" if is_of_range else "")
            + "; filled: the best of the search, one seed. Diamonds, after a verdict: the mean of "
            "the leading finalist over fresh seeds, with its 95 % interval for other seeds, on the "
            "rows that judged it. Heights within a row mean nothing; those far off stand at the "
            f"right end.{which}",
            "; ".join(_said(row, tell) for row in rows) + ".",
            lambda width: gap_plot(rows, width=width, is_of_range=is_of_range),
        ),
        picture(
            "best-so-far",
            "The lowest gap to the bias baseline after so many finished trials, in the order in "
            "which they finished; pruned and failed ones count as finished. One seed each: a part "
            f"of every step down is luck.{above}{which}",
            "; ".join(
                f"{row.label}: {tell(row.so_far[0][1])} after "
                f"{numbers.plural(row.so_far[0][0], 'finished trial')}, "
                f"{tell(row.so_far[-1][1])} after {row.so_far[-1][0]:,}"
                for row in rows
            )
            + ".",
            lambda width: best_so_far(rows, width=width, is_of_range=is_of_range),
        ),
    ]
    if left_out:
        blocks.append(
            Problem(f"Not drawn: {', '.join(left_out)}: no complete trial, or no bias baseline.")
        )
    return Section("Side by side", tuple(blocks))


def rating_ranges(studies: Sequence[StudyRecord]) -> dict[object, tuple[float, float]]:
    """By the ratings; empty where one is not known. Of the same ratings splits may see other parts
    of the range, and sweeps may say other ranges: the widest is that of all."""
    ranges: dict[object, tuple[float, float]] = {}
    for study in studies:
        span = described(study).rating_range
        if span is None:
            return {}
        low, high = ranges.get(_ratings(study), span)
        ranges[_ratings(study)] = min(low, span[0]), max(high, span[1])
    return ranges


def have_other_ranges(studies: Sequence[StudyRecord]) -> bool:
    """Whether a difference of RMSE weighs more in one of them than in another, as far as known."""
    return len({*rating_ranges(studies).values()}) > 1


def unit_of(study: StudyRecord, studies: Sequence[StudyRecord]) -> float:
    """What its gaps are told in beside the others': a hundredth of the rating range where the
    ranges differ, else 1."""
    ranges = rating_ranges(studies)
    if len({*ranges.values()}) < 2:
        return 1.0
    low, high = ranges[_ratings(study)]
    return (high - low) / 100


def _ratings(study: StudyRecord) -> object:
    return described(study).fingerprint or study.folder


def study_gaps(study: StudyRecord, colour: str, unit: float = 1.0) -> StudyGaps:
    """Of a study that has a complete trial and a bias baseline; gaps in units of `unit`."""
    bias = ranking.bias_rmse(study)
    assert bias is not None
    gaps = [(ranking.objective(trial) - bias) / unit for trial in study.ranked]
    if len(gaps) > N_DOTS:
        gaps = [gaps[round(i * (len(gaps) - 1) / (N_DOTS - 1))] for i in range(N_DOTS)]
    return StudyGaps(
        study.name, colour, tuple(gaps), _judged(study, unit), _so_far(study, bias, unit)
    )


def _judged(study: StudyRecord, unit: float) -> tuple[float, float, float] | None:
    results = study.verdict_results
    found = leading_finalist(study)
    if results is None or found is None:
        return None
    bias = ranking.judged_baseline(study, results, "bias")
    if bias is None or found.mean is None or found.low is None or found.high is None:
        return None
    return (found.mean - bias) / unit, (found.low - bias) / unit, (found.high - bias) / unit


def _so_far(study: StudyRecord, bias: float, unit: float) -> tuple[tuple[int, float], ...]:
    ranked = {trial.number for trial in study.ranked}
    finished = sorted(
        (trial for trial in study.search_trials if trial.state.is_finished),
        key=lambda trial: (trial.ended_at or 0.0, trial.number),
    )
    steps: list[tuple[int, float]] = []
    for n, trial in enumerate(finished, start=1):
        if trial.number not in ranked:
            continue
        gap = (ranking.objective(trial) - bias) / unit
        if not steps or gap < steps[-1][1]:
            steps.append((n, gap))
    if steps[-1][0] < len(finished):
        steps.append((len(finished), steps[-1][1]))
    return tuple(steps)


def _said(row: StudyGaps, tell: Callable[[float], str]) -> str:
    best = f"{row.label}: best {tell(row.gaps[0])}"
    if row.judged is None:
        return best
    mean, low, high = row.judged
    return f"{best}; after a verdict {tell(mean)} ({tell(low)} to {tell(high)})"
