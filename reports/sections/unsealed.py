"""The finalists on the test split, and who opened it when."""

from __future__ import annotations

import shlex

from experiments.records import FinalistResult, StudyRecord, UnsealedRecord
from reports import numbers, ranking
from reports.blocks import Block, Column, Command, Note, Problem, Row, Section, Table, Text
from reports.judging.beaten_on_test import beaten_on_test
from reports.judging.decision import (
    caveats_on_test,
    deciding_pair,
    is_model,
    label,
    not_scored,
)
from reports.judging.judged_rows import refitted_on
from reports.judging.openings import openings_text


def unsealed(study: StudyRecord) -> Section | None:
    """None while nobody opened this split."""
    if not study.openings and study.test is None:
        return None
    blocks: list[Block] = []
    if study.test is not None:
        blocks.append(Text(_decided(study, study.test)))
        if lost := caveats_on_test(study, study.test):
            blocks.append(Problem(" ".join(lost)))
        if (beaten := beaten_on_test(study, study.test)) is not None:
            blocks.append(Problem(beaten))
        if left_out := not_scored(study, study.test):
            blocks.append(Text(left_out))
        blocks.append(_scores(study, study.test))
        if study.test.refit is not None:
            blocks.append(Text(_refit(study, study.test)))
    else:
        blocks.append(Text("This study has not looked at it; another one of its folder has."))
    blocks.append(_openings(study))
    if study.test is not None:
        name = shlex.quote(study.name)
        blocks.append(Command("Show it again; nothing is opened", (f"recsweep unseal {name}",)))
    return Section("Test split", tuple(blocks))


def _decided(study: StudyRecord, test: UnsealedRecord) -> str:
    """The comparison that the verdict made, on these rows."""
    results = study.verdict_results
    pair = deciding_pair(study, results) if results else None
    rows = f"{test.results.n_rows:,} test rows of {test.results.n_users:,} users"
    if pair is None:
        return f"The finalists on {rows}."
    here = test.results.pair(pair.first, pair.second)
    if here is None:
        who = f"{label(study, pair.first)} and {label(study, pair.second)}"
        return f"On {rows}, which chose nothing, {who} cannot be compared."
    gap = f"{numbers.gap(here.estimate)} ({numbers.gap(here.low)} to {numbers.gap(here.high)})"
    return (
        f"On {rows}, which chose nothing, {label(study, pair.first)} minus "
        f"{label(study, pair.second)} is {gap}, for other seeds and other users at 95 %."
    )


def _scores(study: StudyRecord, test: UnsealedRecord) -> Table:
    shown = {found.name for found in test.results.finalists}
    bias = test.baselines.get("bias")
    rows = [
        (found.mean, Row(_cells(study, found, bias), look="plain" if is_model(study, found.name)
                         else "baseline"))
        for found in test.results.finalists
    ]  # fmt: skip
    rows += [
        (
            value,
            Row(
                (label(study, name), numbers.rmse(value), "",
                 numbers.gap(None if bias is None else value - bias),
                 numbers.rmse(_validated(study, name)), ""),
                look="baseline",
            ),
        )
        for name, value in test.baselines.items()
        if name not in shown
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[0] is None, row[0] or 0.0))
    return Table(
        caption="Finalists and baselines on the test split",
        columns=(
            Column("model", "Finalist of the verdict, or baseline; fitted on train."),
            Column(
                "test RMSE",
                "Mean over the verdict's seeds, of a baseline its one RMSE; predictions unclipped.",
                is_number=True,
            ),
            Column("95 % interval", "Of the mean, over seeds, on these rows."),
            Column("to bias", "Minus the bias baseline's; below 0 is better.", is_number=True),
            Column(
                "validation RMSE",
                "The same on the rows that the verdict judged on.",
                is_number=True,
            ),
            Column(
                "P(best)",
                "Share of redrawn users and seeds in which it is the lowest of the finalists'.",
                True,
            ),
        ),
        rows=tuple(row for _, row in rows),
        note="Each seed's number stands in test.csv.",
    )


def _validated(study: StudyRecord, baseline: str) -> float | None:
    results = study.verdict_results
    return ranking.judged_baseline(study, results, baseline) if results else None


def _cells(study: StudyRecord, found: FinalistResult, bias: float | None) -> tuple[str, ...]:
    results = study.verdict_results
    before = results.finalist(found.name) if results else None
    return (
        label(study, found.name),
        numbers.rmse(found.mean),
        "" if found.low is None else f"{numbers.rmse(found.low)} to {numbers.rmse(found.high)}",
        numbers.gap(None if found.mean is None or bias is None else found.mean - bias),
        numbers.rmse(before.mean if before else None),
        numbers.NOTHING if found.p_best is None else f"{found.p_best:.2f}",
    )


def _refit(study: StudyRecord, test: UnsealedRecord) -> str:
    assert test.refit is not None
    scores = test.refit.rmse_by_seed
    return (
        f"{label(study, test.refit.name)} trained again on {refitted_on(study)} together, each "
        f"seed for as many epochs as before: test RMSE {numbers.rmse(test.refit.mean)}, "
        f"mean of {numbers.plural(len(scores), 'seed')}, which lie from "
        f"{numbers.rmse(min(scores))} to {numbers.rmse(max(scores))}. It stands beside the others, "
        "not among them: it has seen more rows."
    )


def _openings(study: StudyRecord) -> Table | Note:
    if not study.openings:
        return Note("The record of its opening is missing from the folder.")
    return Table(
        caption=f"This split was {openings_text(study)}",
        columns=(
            Column("when", "When its ratings were read."),
            Column("study", "Which study of this folder read them."),
            Column("by", "User and machine."),
            Column("why", "As it was said then.", is_wide=True),
        ),
        rows=tuple(Row((numbers.moment(o.at), o.study, o.by, o.why)) for o in study.openings),
        note="Every look makes the next number a little less of a surprise: say how many.",
    )
