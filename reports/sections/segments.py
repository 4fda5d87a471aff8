"""Where the best models err, and whether one of them predicts nearly the same for everyone.

The finalists of a verdict; before one, the best models of the search under their one seed.
"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.records import Segment, SegmentsRecord, StudyRecord
from reports import numbers
from reports.blocks import Block, Column, Note, Problem, Row, Section, Table, Text
from reports.described import described
from reports.drawing.canvas import COLOURS, SERIES, WIDE, new_axes, new_figure, picture
from reports.judging.decision import is_model, label
from reports.judging.judged_rows import judged_on

COLLAPSED = 0.1
"""A model whose predictions spread by less than this share of the labels' spread is collapsed."""
N_FINALISTS = 4


def segments(study: StudyRecord) -> Section | None:
    """None where no predictions were kept."""
    record = study.segments
    if record is None or not record.spreads:
        return None
    shown = _shown(study, record)
    collapsed = collapsed_models(study)
    results = study.verdict_results
    blocks: list[Block] = []
    if collapsed:
        names = ", ".join(label(study, name) for name in collapsed)
        blocks.append(
            Problem(
                f"Collapsed, nearly the same prediction for every pair: {names}. Where the spread "
                f"of the predictions is under {COLLAPSED:.0%} of that of the ratings, an RMSE says "
                "little more than the mean does."
            )
        )
    blocks += [
        Text(
            (
                "Errors of the best models, under one seed each and on the rows that chose them"
                if results is None
                else f"Errors of the verdict's finalists on {judged_on(results)}"
            )
            + ", cut in several ways. Segments are small beside the whole: a difference in one of "
            "them is a hint, no finding."
        ),
        _table(study, record, shown),
        *_regression(record),
        _spreads(study, record),
    ]
    first, unit = shown[0], described(study).unit
    blocks.append(
        picture(
            "spread",
            f"Share of the predictions of {label(study, first)} (filled) and of the ratings "
            f"(outlined), by {unit}; {'one seed' if results is None else 'all seeds together'}.",
            f"Standard deviation {record.spreads[first].sd:.3f} of the predictions, "
            f"{record.labels.sd:.3f} of the ratings.",
            lambda width: _histogram(record, record.spreads[first].shares, unit, width=width),
        )
    )  # fmt: skip
    return Section("Error by segment", tuple(blocks))


def _regression(record: SegmentsRecord) -> tuple[Note, ...]:
    if not any(segment.kind == "rating" for segment in record.segments):
        return ()
    said = (
        "By rating, those far from the mean look worst for every model that predicts near it: that "
        "is regression to it, not a fault to mend."
    )
    return (Note(said),)


def collapsed_models(study: StudyRecord) -> tuple[str, ...]:
    """Models, never baselines, whose predictions hardly vary."""
    record = study.segments
    if record is None:
        return ()
    return tuple(
        name
        for name, spread in record.spreads.items()
        if is_model(study, name) and spread.sd < COLLAPSED * record.labels.sd
    )


def _shown(study: StudyRecord, record: SegmentsRecord) -> tuple[str, ...]:
    """The best models, in the verdict's order where there is one, and a baseline."""
    results = study.verdict_results
    order = [f.name for f in results.finalists] if results else []
    names = [name for name in order if name in record.spreads]
    names += [name for name in record.spreads if name not in names]
    models = [name for name in names if is_model(study, name)]
    return (*models[:N_FINALISTS], *(name for name in names if name not in models)) or tuple(names)


def _table(study: StudyRecord, record: SegmentsRecord, shown: tuple[str, ...]) -> Table:
    rows = []
    for segment in record.segments:
        best = min(segment.rmse.get(name, float("inf")) for name in shown)
        rows.append(Row((segment.kind, segment.name, numbers.count(segment.n_rows),
                         *(_cell(segment, name, best) for name in shown))))  # fmt: skip
    return Table(
        caption="RMSE by segment",
        columns=(
            Column("cut by", "What the rows of a segment have in common."),
            Column("segment", "Activity and popularity: thirds by ratings in train."),
            Column("rows", "Ratings in it.", is_number=True),
            *(
                Column(
                    label(study, name),
                    "RMSE over the segment's rows, the mean over seeds where there are several; "
                    "* the lowest of the row.",
                    is_number=True,
                )
                for name in shown
            ),
        ),
        rows=tuple(rows),
        note=f"Segments of fewer than {Segment.MIN_ROWS} rows are left out.",
        is_sortable=True,
    )


def _cell(segment: Segment, name: str, best: float) -> str:
    value = segment.rmse.get(name)
    return numbers.rmse(value) + ("*" if value == best else "")


def _spreads(study: StudyRecord, record: SegmentsRecord) -> Table:
    rows = [
        Row(("ratings", numbers.rmse(record.labels.sd), numbers.share(1.0),
             *(f"{end:.2f}" for end in (record.labels.low, record.labels.high))),
            look="baseline")
    ]  # fmt: skip
    for name, spread in record.spreads.items():
        rows.append(
            Row(
                (
                    label(study, name),
                    numbers.rmse(spread.sd),
                    numbers.share(spread.sd / record.labels.sd if record.labels.sd else None),
                    f"{spread.low:.2f}",
                    f"{spread.high:.2f}",
                )
            )
        )
    return Table(
        caption="How widely they predict",
        columns=(
            Column("who", "The ratings themselves, models and baselines."),
            Column(
                "spread",
                f"Standard deviation over the validation rows, in {described(study).unit}.",
                True,
            ),
            Column(
                "of the ratings'",
                f"Its share of the ratings' spread; under {COLLAPSED:.0%} a model is collapsed.",
                True,
            ),
            Column("5 % below", "5 % of the predictions lie below.", is_number=True),
            Column("5 % above", "5 % of the predictions lie above.", is_number=True),
        ),
        rows=tuple(rows),
        note=f"Over {numbers.count(_n_rows(study))} rows; a good model spreads less "
        "than the ratings, since no one can predict all that moves them.",
    )


def _n_rows(study: StudyRecord) -> int | None:
    results = study.verdict_results
    return results.n_rows if results else described(study).validation.n_rows


def _histogram(
    record: SegmentsRecord, predicted: tuple[float, ...], unit: str, *, width: int
) -> Figure:
    """Shares by bin: predictions filled, ratings as an outline."""
    is_wide = width >= WIDE
    figure = new_figure(width, 260 if is_wide else 220)
    axes = new_axes(figure, left=46, right=12, top=30, bottom=44)
    axes.stairs(
        predicted, record.edges, fill=True, color=SERIES[0], alpha=0.75, label="predictions"
    )
    axes.stairs(record.labels.shares, record.edges, color=COLOURS["ink"], lw=1.5, label="ratings")
    axes.set_xlim(record.edges[0], record.edges[-1])
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", labelcolor=COLOURS["muted"], labelsize=12)
    axes.set_xlabel(unit)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=12,
        handlelength=1.2, borderaxespad=0.1,
    )  # fmt: skip
    return figure
