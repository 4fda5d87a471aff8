"""Which colour stands for which arm."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import ranking
from reports.drawing.canvas import SERIES


def arm_colours(study: StudyRecord) -> dict[str | None, str]:
    """One colour an arm, the same in every picture; the first for a study without arms."""
    names = [arm.arm for arm in ranking.arms(study)]
    return {None: SERIES[0]} | {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}
