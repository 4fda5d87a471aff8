"""Whether a cross network owes its RMSE to its crossing or to its size."""

from __future__ import annotations

from experiments.records import (
    CONFIDENCE,
    Answer,
    FinalistResult,
    PairResult,
    StudyRecord,
    VerdictResults,
)
from reports import numbers
from reports.blocks import Block, Column, Command, Note, Problem, Row, Section, Table, Text
from reports.described import layers
from reports.exports import reproduce_commands
from reports.judging.decision import against, arm_of, control_of, label, size_of, trial_of


def size(study: StudyRecord) -> Section | None:
    """None without a judged control: where plain and dcn are not compared, or not yet."""
    results = study.verdict_results
    both = _dcn_and_control(study, results) if results else None
    if results is None or both is None:
        return None
    crossed, found = both
    pair = results.pair(crossed.name, found.name)
    said: Block = (
        Text(_sentence(study, results, pair))
        if pair is not None
        else Problem(
            f"{label(study, crossed.name)} or the plain model of its size did not complete under "
            "every seed: nothing is decided."
        )
    )
    return Section(
        "Crossing or size?",
        (
            said,
            _table(study, results, crossed, found),
            Note(
                f"The control is {label(study, crossed.name)} without its cross layers, every "
                "dense layer wider by one factor, the last one to the number, until it trains as "
                "many. All else is that of the DCN: no search tuned it for the plain model, which "
                "may cost it something. "
                "It is trained under the verdict's seeds and is one of its pairs; the search never "
                "tried it, so it has no luck of having been chosen either."
            ),
            *_again(study, found.name),
        ),
    )


def _again(study: StudyRecord, name: str) -> tuple[Command, ...]:
    """How the control is made again under the first seed; none where it was not begun."""
    control = control_of(study, name)
    first = control.replicate(0) if control else ""
    return tuple(
        Command("Train the control again, under the first seed", reproduce_commands(study, trial))
        for trial in study.trials
        if trial.name == first
    )


def size_explains(study: StudyRecord, results: VerdictResults) -> str | None:
    """A sentence where the DCN was not shown to be better than plain of its size; else None."""
    both = _dcn_and_control(study, results)
    if both is None:
        return None
    crossed, found = both
    how = against(results, crossed.name, found.name)
    if how in (None, "beats"):
        return None
    return (
        f"{label(study, crossed.name)}, {numbers.rmse(crossed.mean)}, {how} a plain model of its "
        f"size, {numbers.rmse(found.mean)}."
    )


def _dcn_and_control(
    study: StudyRecord, results: VerdictResults
) -> tuple[FinalistResult, FinalistResult] | None:
    for found in results.finalists:
        if (control := control_of(study, found.name)) is not None:
            beside = next(
                f
                for f in results.finalists
                if (trial := trial_of(study, f.name)) is not None and trial.number == control.number
            )
            return beside, found
    return None


def _sentence(study: StudyRecord, results: VerdictResults, pair: PairResult) -> str:
    """Of the DCN against its control."""
    dcn, margin = label(study, pair.first), numbers.two_digits(results.margin)
    is_ahead = pair.estimate <= 0
    ahead = pair if is_ahead else pair.turned()
    by = f"{-ahead.estimate:.4f} ({numbers.plain(-ahead.high)} to {numbers.plain(-ahead.low)})"
    sizes = (
        f"At the same size ({numbers.count(size_of(study, pair.first))} trained numbers against "
        f"{numbers.count(size_of(study, pair.second))})"
    )
    if pair.answer == Answer.TIE:
        return (
            f"{sizes} {dcn} and a plain model tie within {margin}: the crossing adds nothing that "
            "matters beyond the numbers it trains."
        )
    if pair.answer == Answer.OPEN:
        who = f"{dcn} is ahead of a plain model" if is_ahead else f"a plain model is ahead of {dcn}"
        open_ = (
            "whether the crossing does anything beyond its size is not decided"
            if pair.holm_p >= 1 - CONFIDENCE
            else f"there is a difference, and it may be less than the {margin} that matters"
        )
        return f"{sizes} {who} by {by}: {open_}."
    if is_ahead:
        return f"{sizes} {dcn} beats a plain model by {by}: its size alone does not explain that."
    return (
        f"{sizes} a plain model beats {dcn} by {by}: the same numbers are better spent on wider "
        "layers than on crossing."
    )


def _table(
    study: StudyRecord, results: VerdictResults, crossed: FinalistResult, control: FinalistResult
) -> Table:
    arm = arm_of(study, control.name)
    plain = next(
        (f for f in results.finalists if f.mean is not None and trial_of(study, f.name)
         and arm_of(study, f.name) == arm),
        None,
    )  # fmt: skip
    rows = [(crossed, "crossing"), (control, "its size without the crossing")]
    if plain is not None:
        trial = trial_of(study, plain.name)
        is_tuned = trial is not None and not (trial.is_enqueued or study.is_default(trial))
        rows.append((plain, "the best plain of the list" + ", tuned" * is_tuned))
    return Table(
        caption="The best DCN, and plain with and without its size",
        columns=(
            Column("model", "Finalist of the verdict."),
            Column("what it has", "What sets it apart from the others."),
            Column("parameters", "Trainable numbers of the model.", is_number=True),
            Column("layers", "Widths of the dense layers.", is_number=True),
            Column("RMSE", "Mean over the verdict's seeds.", is_number=True),
            Column("to the DCN", "RMSE minus the DCN's; above 0 the DCN is better.", True),
            Column(
                "95 % interval",
                "Of that difference, for other seeds and other users; not corrected.",
            ),
            Column("p (Holm)", "Corrected for all pairs of the frozen list.", is_number=True),
        ),
        rows=tuple(Row(_cells(study, results, found, what, crossed)) for found, what in rows),
    )


def _cells(
    study: StudyRecord,
    results: VerdictResults,
    found: FinalistResult,
    what: str,
    crossed: FinalistResult,
) -> tuple[str, ...]:
    control, trial = control_of(study, found.name), trial_of(study, found.name)
    values = (control.values if control else trial.values if trial else None) or {}
    pair = None if found is crossed else results.pair(found.name, crossed.name)
    gap = interval = p = numbers.NOTHING
    if pair is not None:
        gap, p = numbers.gap(pair.estimate), numbers.p_value(pair.holm_p)
        interval = f"{numbers.gap(pair.low)} to {numbers.gap(pair.high)}"
    return (
        label(study, found.name),
        what,
        numbers.count(size_of(study, found.name)),
        layers(study, values) or numbers.NOTHING,
        numbers.rmse(found.mean),
        gap,
        interval,
        p,
    )
