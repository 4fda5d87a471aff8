"""The frozen finalists under fresh seeds, and what their differences come to."""

from __future__ import annotations

import shlex

from experiments.records import (
    FinalistResult,
    PairResult,
    StudyRecord,
    VerdictResults,
)
from reports import numbers, ranking
from reports.blocks import Block, Column, Command, Note, Problem, Row, Section, Table, Text
from reports.exports import run_again_command
from reports.judging.decision import ANSWERS, chosen_text, is_model, label, reason_text, size_of
from reports.judging.judged_rows import (
    baselines_text,
    judged_on,
    optimism_text,
    too_good_by,
)
from reports.judging.statistics import N_DRAWS

N_ROWS = 120


def verdict(study: StudyRecord) -> Section | None:
    """None where no verdict was begun."""
    record = study.verdict
    if record is None:
        return None
    go_on = f"recsweep verdict {shlex.quote(study.name)}"
    again = Command("Go on with it, or judge the same list again", (go_on,))
    frozen = (
        f"{numbers.plural(len(record.finalists), 'finalist')}, frozen on "
        f"{numbers.moment(record.frozen_at)}: {chosen_text(study, record)}; each once. The models "
        f"are trained again under {numbers.plural(len(record.seeds), 'seed')} that the search "
        "never used, the same for all."
    )
    results = record.results
    if results is None:
        missing = Problem("Its replicates are not all trained: nothing is decided yet.")
        return Section("Verdict", (Text(frozen), missing, again))
    blocks: list[Block] = [
        Text(frozen),
        _finalists(study, results),
        Text(_shrinkage(results)),
        Text(f"{optimism_text(results)} {baselines_text(study, results)}".strip()),
        _pairs(study, results),
        Note(
            "Not covered: what another search would have found, other ratings of the same users"
            + (
                "."
                if results.is_confirmed
                else ", and how far early stopping on the rows that judge flatters all of them. "
                "The test part is free of that."
            )
        ),
        again,
    ]
    if late := late_text(study):
        blocks.insert(1, Problem(late))
    return Section("Verdict", tuple(blocks))


def late_text(study: StudyRecord) -> str:
    """Which trials are not judged, and what would judge them; empty where all could be."""
    if not study.late_trials:
        return ""
    are = "it is" if len(study.late_trials) == 1 else "they are"
    return (
        f"{numbers.plural(len(study.late_trials), 'trial')} of the search had not ended when the "
        f"list was frozen, which is done once: {are} not judged. A new study would judge all: "
        + run_again_command(study)
    )


def _finalists(study: StudyRecord, results: VerdictResults) -> Table:
    bias = ranking.judged_baseline(study, results, "bias")
    best_mean = results.finalists[0].mean if results.finalists else None
    return Table(
        caption="The finalists under fresh seeds",
        columns=(
            Column("finalist", "Trial of the search, size control, or baseline."),
            Column("chosen as", "Why it is on the frozen list."),
            Column(
                "RMSE",
                f"Mean over seeds, of a baseline its one RMSE, on {judged_on(results)}, each at "
                "its best epoch.",
                is_number=True,
            ),
            Column("95 % interval", "Of the mean, over seeds, on these rows: by Student's t."),
            Column("to bias", "RMSE minus the bias baseline's; below 0 is better.", True),
            Column("search RMSE", "The RMSE for which it was chosen, under one seed.", True),
            Column(
                "shrinkage",
                "Mean RMSE of the fresh seeds on the rows of the search, minus search RMSE: above "
                "0, the search's was too good.",
                True,
            ),
            Column(
                "P(best)",
                f"Share of {N_DRAWS:,} redrawn sets of users and seeds in which its RMSE is the "
                "lowest of the finalists'.",
                True,
            ),
            Column("parameters", "Trainable numbers of the model.", is_number=True),
        ),
        rows=tuple(
            Row(
                _cells(study, found, bias),
                look=(
                    "baseline"
                    if not is_model(study, found.name)
                    else "best"
                    if found.mean is not None and found.mean == best_mean
                    else "plain"
                ),
            )
            for found in results.finalists
        ),
        note="Each seed's number stands in verdict.csv.",
    )


def _cells(study: StudyRecord, found: FinalistResult, bias: float | None) -> tuple[str, ...]:
    finalist = study.verdict.finalist(found.name) if study.verdict else None
    n_missing = sum(rmse is None for rmse in found.rmse_by_seed)
    interval = numbers.NOTHING
    if n_missing:
        interval = f"{n_missing} of {len(found.rmse_by_seed)} failed or diverged"
    elif found.low is not None:
        interval = f"{numbers.rmse(found.low)} to {numbers.rmse(found.high)}"
    return (
        label(study, found.name),
        ", ".join(reason_text(study, reason) for reason in finalist.reasons) if finalist else "",
        numbers.rmse(found.mean),
        interval,
        numbers.gap(found.mean - bias if found.mean is not None and bias is not None else None),
        numbers.rmse(found.search_rmse),
        numbers.gap(found.shrinkage),
        numbers.NOTHING if found.p_best is None else f"{found.p_best:.2f}",
        numbers.count(size_of(study, found.name)),
    )


def _shrinkage(results: VerdictResults) -> str:
    completed = [(f.shrinkage, f.is_random) for f in results.finalists if f.shrinkage is not None]
    if not completed:
        return "No finalist completed under every seed."
    shrunk = [shrinkage for shrinkage, is_random in completed if is_random]
    mean = sum(shrunk) / max(len(shrunk), 1)
    by = too_good_by(results, abs(mean))
    over = "these finalists" if len(shrunk) == len(completed) else "those that a seed changes"
    if not by:
        return f"The search's own numbers came back, on average over {over}."
    if mean < 0:
        return f"The search's own numbers were {by} too bad on average over {over}."
    return (
        f"The search's own numbers were {by} too good on average over {over}: "
        "the best of many trials is chosen for its luck with the seed, too."
    )


def _pairs(study: StudyRecord, results: VerdictResults) -> Table:
    left_out = len(results.pairs) - N_ROWS
    return Table(
        caption="Every finalist against every other",
        columns=(
            Column("first", "The one with the lower mean."),
            Column("second", "What it is compared with."),
            Column("difference", "RMSE of the first minus that of the second.", is_number=True),
            Column(
                "95 % interval",
                "For other seeds and other users, both drawn at random; by Student's t with "
                "Satterthwaite's degrees of freedom; not corrected for the number of pairs.",
            ),
            Column("bootstrap", "The same from redrawn users and seeds, as a cross-check."),
            Column("p", "Two-sided, that there is no difference; not corrected.", True),
            Column("p (Holm)", "Corrected for all pairs of the frozen list.", is_number=True),
            Column(
                "answer",
                f"better: p (Holm) below .05 and at least {numbers.two_digits(results.margin)} "
                "apart; a tie: the "
                f"whole interval within {numbers.two_digits(results.margin)}; else not decided.",
            ),
        ),
        rows=tuple(Row(_pair_cells(study, pair)) for pair in results.pairs[:N_ROWS]),
        note=f"{left_out:,} more are in verdict.json." if left_out > 0 else "",
        is_collapsed=len(results.pairs) > 15,
    )


def _pair_cells(study: StudyRecord, pair: PairResult) -> tuple[str, ...]:
    return (
        label(study, pair.first),
        label(study, pair.second),
        numbers.gap(pair.estimate),
        f"{numbers.gap(pair.low)} to {numbers.gap(pair.high)}",
        f"{numbers.gap(pair.bootstrap_low)} to {numbers.gap(pair.bootstrap_high)}",
        numbers.p_value(pair.p),
        numbers.p_value(pair.holm_p),
        ANSWERS[pair.answer],
    )
