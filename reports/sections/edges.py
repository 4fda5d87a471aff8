"""Whether the best values lie at the ends of their ranges: the optimum may be outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from experiments.records import ColumnRecord, StudyRecord, TrialRecord, Value
from reports import labels, numbers, ranking
from reports.blocks import Column, Row, Section, Table, Text

EDGE = 0.05
"""A value in the outer 5 % of a range (of its logarithm where the scale is) is on the edge."""
MIN_NUMBERS = 4
"""Of fewer whole numbers or choices most are ends."""
LIMITS = {"learning_rate_decay": 1.0, "cross_layers": 1.0}
"""By dimension of recsweep's models an end that no sweep can move; of all dimensions 0 counts as
one."""


@dataclass(frozen=True, slots=True)
class Edge:
    dimension: str
    value: str
    side: str
    """`lower end` or `upper end`."""
    span: str
    n_near: int
    """Trials that noise cannot tell from the best with a value on the same edge, it included."""
    n_near_active: int
    """Trials that noise cannot tell from the best in which the dimension is active."""


def edges(study: StudyRecord) -> Section | None:
    best = study.ranked[:1]
    if not best:
        return None
    found = edges_of_best(study)
    n = len(ranking.trials_within_noise(study))
    how = (
        "A value is on the edge in the outer 5 % of its range (on the scale it is drawn from), or "
        "when it is the first or last of the numbers to choose from. Not counted: an end at 0, "
        "at a learning_rate_decay of 1 or at one cross layer, where nothing lies beyond, and fewer "
        f"than {MIN_NUMBERS} numbers, where most are ends."
    )
    if not found:
        has_ends = any(
            _span(study, column, best[0])
            for column in study.columns
            if column.name in best[0].values
        )
        said = (
            "No value of the best trial lies on the edge of its range."
            if has_ends
            else "No range that held in the best trial is long enough to have edges."
        )
        return Section("Edges of the ranges", (Text(f"{said} {how}"),))
    return Section(
        "Edges of the ranges",
        (
            Text(
                f"The best trial, {labels.label(study, best[0])}, has values at the end of what "
                f"was searched; a wider range may hold something better. {how}"
            ),
            Table(
                caption="Values of the best trial on an edge",
                columns=(
                    Column("dimension", "As in the search space."),
                    Column("best", "The best trial's value.", is_number=True),
                    Column("range", "What the search could choose in that trial."),
                    Column("side", "The end that the value is at."),
                    Column(
                        "also near trials",
                        f"Of the {n} models that noise cannot tell from the best, the best "
                        "included and the dimension active: how many lie on the same edge. The "
                        "more, the likelier that the range is too narrow.",
                        is_number=True,
                    ),
                ),
                rows=tuple(
                    Row((e.dimension, e.value, e.span, e.side, f"{e.n_near} of {e.n_near_active}"))
                    for e in found
                ),
            ),
        ),
    )


def edges_of_best(study: StudyRecord) -> tuple[Edge, ...]:
    """The best trial's values on an edge, in the order of the space; empty without one."""
    near = ranking.trials_within_noise(study)
    if not near:
        return ()
    found = []
    for column in study.columns:
        side = _side(study, column, near[0])
        if side is None:
            continue
        active = [trial for trial in near if column.name in trial.values]
        found.append(
            Edge(
                dimension=column.name,
                value=numbers.value(near[0].values[column.name]),
                side=side,
                span=_span_text(study, column, near[0]),
                n_near=sum(_side(study, column, trial) == side for trial in active),
                n_near_active=len(active),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Span:
    low: float
    high: float
    is_log: bool
    choices: tuple[float, ...] | None


def _side(study: StudyRecord, column: ColumnRecord, trial: TrialRecord) -> str | None:
    value = trial.values.get(column.name)
    span = _span(study, column, trial)
    if span is None or not _is_number(value):
        return None
    if span.choices is not None:
        at = 0.0 if value == span.choices[0] else 1.0 if value == span.choices[-1] else 0.5
    elif span.low == span.high:
        return None
    else:
        low, high, x = span.low, span.high, float(value)
        if span.is_log and low > 0 and x > 0:
            low, high, x = math.log(low), math.log(high), math.log(x)
        at = (x - low) / (high - low)
    limits = (0.0, LIMITS.get(column.name))
    if at <= EDGE and span.low not in limits:
        return "lower end"
    return "upper end" if at >= 1 - EDGE and span.high not in limits else None


def _span(study: StudyRecord, column: ColumnRecord, trial: TrialRecord) -> _Span | None:
    """The range that held in this trial: of its case where the sweep states several."""
    case = _case(study, column.name, trial)
    choices = tuple(case.get("choices") or column.choices)
    if choices:
        if len(choices) < MIN_NUMBERS or not all(map(_is_number, choices)):
            return None
        ordered = tuple(sorted(float(choice) for choice in choices))
        return _Span(ordered[0], ordered[-1], False, ordered)
    low, high = case.get("low", column.low), case.get("high", column.high)
    step = case.get("step", 1 if column.kind == "int" else None)
    if low is None or high is None or (step and round((high - low) / step, 6) + 1 < MIN_NUMBERS):
        return None
    number = int if column.kind == "int" else float
    return _Span(number(low), number(high), bool(case.get("log", column.log)), None)


def _case(study: StudyRecord, name: str, trial: TrialRecord) -> Mapping[str, Any]:
    """The table of the sweep file that this trial's value was drawn from; empty if not stated."""
    space: Mapping[str, Any] = study.sweep.get("space") or {}
    stated = space.get(name) or space.get(name.rstrip("0123456789").rstrip("_")) or {}
    for case in stated if isinstance(stated, list) else [stated]:
        when: Mapping[str, Any] = case.get("when") or {}
        if all(
            trial.values.get(key) in (wanted if isinstance(wanted, list) else [wanted])
            for key, wanted in when.items()
        ):
            return case
    return {}


def _span_text(study: StudyRecord, column: ColumnRecord, trial: TrialRecord) -> str:
    span = _span(study, column, trial)
    assert span is not None
    if span.choices is not None:
        return ", ".join(f"{choice:g}" for choice in span.choices)
    log = ", log" if span.is_log else ""
    return f"{numbers.value(span.low)} to {numbers.value(span.high)}{log}"


def _is_number(value: Value | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
