"""The first screen: the one sentence, two lines of numbers, a picture, what to watch, what next."""

from __future__ import annotations

import shlex

from experiments.records import StudyRecord, TrialState, verdict_cost
from reports import labels, noise, numbers, ranking
from reports.blocks import (
    Beside,
    Block,
    Column,
    Command,
    Headline,
    Note,
    Numbers,
    Row,
    Section,
    Table,
)  # fmt: skip
from reports.judging.decision import (
    headline_of_verdict,
    label,
    leading_finalist,
    lower_baseline,
    smallest_tied,
    unbeaten_baselines,
)
from reports.judging.judged_rows import (
    judged_on,
    kept_users_text,
    optimism_in_short,
)
from reports.sections.best_picture import best_picture
from reports.sections.watch_outs import watch_outs

N_ROWS = 10
N_VALUES = 4
ONE_SEED = (
    "Every trial is one training, and the best of many is chosen on the rows that it is judged on."
)


def summary(study: StudyRecord) -> Section:
    drawn = best_picture(study)
    warned = watch_outs(study)
    margin = (warned, next_command(study)) if warned else (next_command(study),)
    blocks: list[Block | None] = [
        headline(study),
        _counts(study),
        _best(study),
        Note(_what_is_shown(study)),
        *((Beside(drawn, margin),) if drawn else margin),
        _top(study),
    ]
    return Section("Summary", tuple(block for block in blocks if block is not None))


def _what_is_shown(study: StudyRecord) -> str:
    results = study.verdict_results
    if results is not None:
        said = f"{labels.rmse_over(study, judged_on(results))}; lower is better."
        return f"{said} {optimism_in_short(study, results)}".strip()
    said = f"{labels.what_is_averaged(study)}; lower is better."
    kept = kept_users_text(study)
    return f"{said} {kept}." if kept else said


def headline(study: StudyRecord) -> Headline:
    """What may be said: the first of six fixed sentences that is true."""
    ranked = study.ranked
    if not ranked:
        return Headline("No trial is complete", _why_none(study))
    if (decided := headline_of_verdict(study)) is not None:
        return decided
    best = ranked[0]
    bias = ranking.bias_rmse(study)
    if bias is not None and ranking.objective(best) >= bias:
        return Headline(
            "No model beats the bias baseline",
            f"The best trial, {labels.label(study, best)}, has RMSE "
            f"{numbers.rmse(best.best_rmse)}; a user and an item bias alone have "
            f"{numbers.rmse(bias)}.",
        )
    if len(ranking.models(study)) == 1:
        often = "once" if len(ranked) == 1 else f"{len(ranked):,} times"
        said = f"{labels.label(study, best)} was trained {often} by the search."
        return Headline(f"Nothing to compare: one {_only(study)} is complete", said)
    return Headline("Not decided: one seed each", _what_is_open(study))


def _only(study: StudyRecord) -> str:
    """What there is one of."""
    return "trial" if len(study.ranked) == 1 else "model"


def _why_none(study: StudyRecord) -> str:
    """Why there is nothing to rank, with the first error where trials failed."""
    n = ranking.counts(study.search_trials)
    ends = ((n.pruned, "pruned"), (n.diverged, "diverged"), (n.failed, "failed"))
    told = ", ".join(f"{k:,} {how}" for k, how in ends if k)
    yet = "" if study.is_finished else " yet"
    said = f"None of {n.total:,} is COMPLETE{yet}" if n.total else f"None was begun{yet}"
    said += (f" ({told})" if told else "") + ", so there is nothing to rank."
    failed = [trial for trial in study.search_trials if trial.state is TrialState.FAIL]
    if not failed:
        return said
    lines = (failed[0].error or "").strip().splitlines()
    what = lines[-1] if lines else str(failed[0].stop_reason)
    return f"{said} The first that failed, {labels.label(study, failed[0])}: {what}"


def _what_is_open(study: StudyRecord) -> str:
    """Of two complete trials or more."""
    with_best = [arm for arm in ranking.arms(study) if arm.best is not None]
    if len(with_best) >= 2:
        first, second = sorted(with_best, key=lambda arm: ranking.objective(arm.ranked[0]))[:2]
        apart = ranking.objective(second.ranked[0]) - ranking.objective(first.ranked[0])
        who = f"The best {labels.arm_text(study, first.arm)}"
        what = f"the best {labels.arm_text(study, second.arm)}"
    elif (n := len(ranking.trials_within_noise(study))) > 1:
        return f"Noise cannot tell the best {n:,} models apart. {ONE_SEED}"
    else:
        (best, _), (second_best, _) = ranking.models(study)[:2]
        apart = ranking.objective(second_best) - ranking.objective(best)
        who, what = labels.label(study, best), labels.label(study, second_best)
    return f"{who} is {numbers.ahead(apart)} {what}, {noise.beside(study, apart)}. {ONE_SEED}"


def _counts(study: StudyRecord) -> Numbers:
    n = ranking.counts(study.search_trials)
    asked = max(study.n_trials_asked_for, n.total)
    of = f"of {asked:,} " if n.finished < asked else ""
    trials = f"{of}{'trial' if asked == 1 else 'trials'} finished"
    items = [(f"{n.finished:,}", trials)]
    begun = "running" if study.state == "running" else "interrupted"
    states = (
        (n.complete, "complete"), (n.pruned, "pruned"), (n.diverged, "diverged"),
        (n.failed, "failed"), (n.running, begun), (n.waiting, "waiting"),
    )  # fmt: skip
    items += [(f"{k:,}", word) for k, word in states if k or word == "complete"]
    return Numbers(tuple(items))


def _best(study: StudyRecord) -> Numbers | None:
    ranked = study.ranked
    bias = ranking.bias_rmse(study)
    if not ranked:
        return None if bias is None else Numbers(((numbers.rmse(bias), "bias baseline, to beat"),))
    if (judged := _leader(study)) is not None:
        return judged
    best = ranked[0]
    items = [(numbers.rmse(best.best_rmse), f"best validation RMSE, {labels.label(study, best)}")]
    if bias is not None:
        gap = numbers.gap(ranking.objective(best) - bias)
        items.append((gap, f"to the bias baseline, {numbers.rmse(bias)}"))
    default = ranking.default_trial(study)
    if default is None:
        items.append((numbers.NOTHING, "no default configuration among the trials"))
    elif default is best:
        items.append((numbers.gap(0.0), "it is a default configuration"))
    elif default.is_ranked and default.best_rmse is not None:
        gap = numbers.gap(ranking.objective(best) - default.best_rmse)
        name = f"#{default.number}"
        items.append((gap, f"to the best default, {name}, {numbers.rmse(default.best_rmse)}"))
    else:
        became = "diverged" if default.is_diverged else default.state.value
        items.append((numbers.NOTHING, f"to the default: #{default.number} is {became}"))
    return Numbers(tuple(items))


def _leader(study: StudyRecord) -> Numbers | None:
    """The finalist with the best mean; None without a verdict."""
    leader, results = leading_finalist(study), study.verdict_results
    if leader is None or leader.mean is None or study.verdict is None or results is None:
        return None
    n_seeds = len(study.verdict.seeds)
    items = [
        (
            numbers.rmse(leader.mean),
            f"mean validation RMSE of {n_seeds} seeds, {label(study, leader.name)}",
        )
    ]
    if (bias := ranking.judged_baseline(study, results, "bias")) is not None:
        items.append(
            (numbers.gap(leader.mean - bias), f"to the bias baseline, {numbers.rmse(bias)}")
        )
    items.append(
        (numbers.gap(leader.shrinkage), "to its own number in the search, on the search's rows")
    )
    return Numbers(tuple(items))


def next_command(study: StudyRecord) -> Command:
    """The one thing to do now."""
    name = shlex.quote(study.name)
    if study.state == "running" and not study.is_finished:
        return Command("Watch it run", (f"recsweep show {name} --watch",))
    if not study.is_searched:
        more = " --timeout 1h" if study.is_out_of_time else ""
        return Command("Go on where it stopped", (f"recsweep resume {name}{more}",))
    ranked = study.ranked
    if not ranked:
        return Command("See what became of the trials", (f"recsweep show {name}",))
    if (cost := verdict_cost(study)) is not None:
        return Command(
            "Train the finalists again under fresh seeds, and have the differences judged "
            f"({cost.text})",
            (f"recsweep verdict {name}",),
        )
    results = study.verdict_results
    if results is None or study.leader is None:
        return Command("See the trials", (f"recsweep show {name}",))
    if unbeaten_baselines(study, results) or lower_baseline(study, results):
        judged = {b.name: ranking.judged_baseline(study, results, b.name) for b in study.baselines}
        best = min((rmse, name) for name, rmse in judged.items() if rmse is not None)[1]
        return Command(
            f"Take the {label(study, best)} baseline, which the leader does not beat, or let more "
            "vary",
            (f"recsweep show {name}",),
        )
    taken = smallest_tied(study, results) or study.leader
    is_leader = taken.number == study.leader.number
    on_test = study.test.results.finalist(taken.name) if study.test else None
    return Command(
        ("Take the leader" if is_leader else "Take the smallest that ties with the leader")
        + ", though it has no score on the test split" * (on_test is not None and not on_test.mean),
        (f"recsweep export {shlex.quote(f'{study.name}:{taken.number}')}",),
    )


def _top(study: StudyRecord) -> Table | None:
    ranked = study.ranked
    if not ranked:
        return None
    models = ranking.models(study)
    rows = models[:N_ROWS]
    source = noise.usual(study).source
    line_after, line = ranking.line_of_noise(study, [trial for trial, _ in models]) or (0, "")
    table_rows = []
    for i, (trial, row) in enumerate(rows, start=1):
        table_rows.append(
            Row(
                (
                    str(row.rank),
                    ranking.model_label(study, row),
                    numbers.rmse(row.rmse),
                    numbers.gap(row.to_bias),
                    numbers.count(trial.best_epoch),
                    numbers.seconds(trial.seconds),
                    numbers.summary(
                        trial.values, leave_out=study.compared_dimension, at_most=N_VALUES
                    ),
                ),
                look="best" if i == 1 else "plain",
                rule=line if i == line_after else "",
            )
        )
    further = (
        f" Noise cannot tell the first {line_after:,} trials apart, these {len(rows)} among them."
        if line_after > len(rows)
        else ""
    )
    return Table(
        caption=(f"The best {len(rows)}" if len(rows) > 1 else f"The only complete {_only(study)}")
        + (" of the search, under one seed each" if study.verdict_results else ""),
        columns=(
            Column("rank", "Place among COMPLETE trials, by RMSE.", is_number=True),
            Column("trial", "Number in the study, and its arm where arms are compared."),
            Column("RMSE", f"{labels.what_is_averaged(study)}.", is_number=True),
            Column("to bias", "RMSE minus the bias baseline's; below 0 is better.", is_number=True),
            Column("epoch", "The epoch with the lowest validation RMSE.", is_number=True),
            Column("time", "Training and evaluation, all epochs.", is_number=True),
            Column(
                "values",
                f"The first {N_VALUES} things that the search chose; all are in the leaderboard.",
                is_wide=True,
            ),
        ),
        rows=tuple(table_rows),
        note=f"{source[0].upper()}{source[1:]}.{further}",
    )
