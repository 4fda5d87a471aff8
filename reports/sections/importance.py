"""Which dimensions set the good trials apart, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.records import ImportanceRecord, StudyRecord
from reports import labels, numbers, ranking
from reports.blocks import Block, Column, Note, Problem, Row, Section, Table, Text
from reports.drawing.arm_colours import arm_colours
from reports.drawing.canvas import SERIES, picture
from reports.drawing.importance import ShareSeries, importance_plot


def importance(study: StudyRecord) -> Section:
    title = "Importance of the dimensions"
    arms: list[str | None] = [arm.arm for arm in ranking.arms(study)] or [None]
    by_arm: dict[str | None, tuple[ImportanceRecord, ...]] = {}
    for arm in arms:
        records = [record for record in study.importance if record.arm == arm]
        if records:
            by_arm[arm] = tuple(sorted(records, key=lambda record: -record.importance))
    n_complete = {arm: sum(trial.arm == arm for trial in study.ranked) for arm in arms}
    left_out = [_left_out(_name(study, arm), n_complete[arm]) for arm in arms if arm not in by_arm]
    if not by_arm:
        return Section(title, tuple(left_out))
    has_intervals = all(r.low is not None for records in by_arm.values() for r in records)
    colours = arm_colours(study)
    series = [
        ShareSeries(
            _name(study, arm) or "all trials",
            colours.get(arm, SERIES[0]),
            {r.dimension: r for r in records},
        )
        for arm, records in by_arm.items()
    ]
    from_what = ", ".join(
        numbers.plural(records[0].n_trials, "complete trial")
        + (f" of {_name(study, arm)}" if arm else "")
        for arm, records in by_arm.items()
    )
    draws = {record.n_draws for records in by_arm.values() for record in records}
    times = f", {' or '.join(map(str, sorted(filter(None, draws))))} times" if any(draws) else ""
    n_seeds = len({trial.seed for trial in study.search_trials})
    luck = "and what their seeds did" if n_seeds > 1 else "not that of their one seed"
    how_sure = (
        f"Lines: 95 % of the shares when these trials are drawn again with replacement{times}. It "
        f"covers the luck of which trials there were, {luck}."
        if has_intervals
        else "No intervals: they are computed when a sweep is finished."
    )
    blocks: list[Block] = [
        *(
            Text(_said(_name(study, arm), records))
            for arm, records in by_arm.items()
            if has_intervals
        ),
        picture(
            "importance",
            "Share of each dimension in what sets the good trials apart, from "
            f"{from_what} (PED-ANOVA: how much the values of the best tenth, at least 5, differ "
            f"from those of all). Shares sum to 1 within an arm. {how_sure}",
            "; ".join(
                f"{_name(study, arm) or 'all trials'}: "
                + ", ".join(f"{r.dimension} {r.importance:.2f}{_interval(r, ' (', ')')}"
                            for r in records)
                for arm, records in by_arm.items()
            )
            + ".",
            lambda width: importance_plot(series, width=width),
        ),
        _table(by_arm),
        *left_out,
        Note(
            "A dimension can matter little here because its range was already good everywhere, or "
            "because the sampler hardly left one value of it."
        ),
    ]  # fmt: skip
    return Section(title, tuple(blocks))


def _name(study: StudyRecord, arm: str | None) -> str | None:
    return None if arm is None else labels.arm_text(study, arm)


def _said(arm: str | None, records: Sequence[ImportanceRecord]) -> str:
    """Who stands clear of all others, if anyone does: whole intervals, not estimates, decide."""
    head = f"{arm}: " if arm else ""
    first, rest = records[0], records[1:]
    if not rest:
        return f"{head}{first.dimension} is the one dimension that varied."
    rival = max(rest, key=lambda record: record.high or 0.0)
    if (first.low or 0.0) > (rival.high or 0.0):
        return f"{head}{first.dimension} matters most, clear of every other dimension."
    return (
        f"{head}{first.dimension} has the largest share, but which dimension matters most is not "
        f"decided: the interval of {rival.dimension} reaches {rival.high:.2f}, its own begins at "
        f"{first.low:.2f}."
    )


def _table(by_arm: dict[str | None, tuple[ImportanceRecord, ...]]) -> Table:
    has_arms = None not in by_arm
    arm_column = (Column("arm", "Choice of the compared dimension."),) if has_arms else ()
    return Table(
        caption="Shares and intervals",
        columns=(
            *arm_column,
            Column("dimension", "What the search chose; those that did not vary are left out."),
            Column("share", "Of what sets the good trials apart from all; 1 within an arm.", True),
            Column("95 % interval", "Of the share, over resampled trials.", True),
            Column("complete trials", "That it was computed from.", True),
        ),
        rows=tuple(
            Row(
                (
                    *((arm or "",) if has_arms else ()),
                    record.dimension,
                    f"{record.importance:.2f}",
                    _interval(record) or numbers.NOTHING,
                    f"{record.n_trials:,}",
                )
            )
            for arm, records in by_arm.items()
            for record in records
        ),
        is_collapsed=True,
    )


def _interval(record: ImportanceRecord, before: str = "", after: str = "") -> str:
    if record.low is None or record.high is None:
        return ""
    return f"{before}{record.low:.2f} to {record.high:.2f}{after}"


def _left_out(arm: str | None, n_complete: int) -> Problem:
    least = ImportanceRecord.MIN_TRIALS
    why = (
        f"{numbers.plural(n_complete, 'complete trial')}; under {least} the shares are noise"
        if n_complete < least
        else "the study folder holds no importance: it is computed when a sweep ends"
    )
    return Problem(f"Left out{f' for {arm}' if arm else ''}: {why}.")
