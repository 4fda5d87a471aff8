"""The first screen: the one sentence, two lines of numbers, a picture, what to watch, what next."""

from __future__ import annotations

import shlex

from experiments.records import StudyRecord, TrialState, VerdictResults, verdict_cost
from reports import numbers, ranking
from reports.blocks import (
    Beside,
    Block,
    Column,
    Command,
    Headline,
    Note,
    Numbers,
    Picture,
    Row,
    Section,
    Table,
    WatchOut,
    WatchOuts,
)  # fmt: skip
from reports.decision import (
    arm_of,
    headline_of_verdict,
    is_model,
    label,
    leading_finalist,
    smallest_tied,
    trial_of,
)
from reports.described import described
from reports.figures import COLOURS, SERIES, Dot, dot_plot, picture
from reports.judged_rows import judged_baseline, judged_on, kept_users_text, optimism_in_short
from reports.sections.edges import edges_of_best
from reports.sections.segments import collapsed_models
from reports.sections.size import size_explains
from reports.sections.unsealed import beaten_by_bias, openings_text
from reports.statistics import Answer

N_DOTS = 10
N_ROWS = 10
N_VALUES = 4


def summary(study: StudyRecord) -> Section:
    dots = _dots(study)
    watch_outs = _watch_outs(study)
    margin = (watch_outs, next_command(study)) if watch_outs else (next_command(study),)
    blocks: list[Block | None] = [
        headline(study),
        _counts(study),
        _best(study),
        Note(_what_is_shown(study)),
        *((Beside(dots, margin),) if dots else margin),
        _top(study),
    ]
    return Section("Summary", tuple(block for block in blocks if block is not None))


def _what_is_shown(study: StudyRecord) -> str:
    results = study.verdict.results if study.verdict else None
    kept = kept_users_text(study)
    said = f"{ranking.what_is_averaged(study)}; lower is better."
    if results is not None:
        return f"{said} {optimism_in_short(results)}".strip()
    return f"{said} {kept}." if kept else said


def headline(study: StudyRecord) -> Headline:
    """What may be said: the first of five fixed sentences that is true."""
    ranked = ranking.ranked_trials(study)
    if not ranked:
        return Headline("No trial finished", _why_none(study))
    if (decided := headline_of_verdict(study)) is not None:
        return decided
    best = ranked[0]
    bias = ranking.bias_rmse(study)
    if bias is not None and ranking.objective(best) >= bias:
        return Headline(
            "No model beats the bias baseline",
            f"The best trial, {ranking.label(best)}, has RMSE {numbers.rmse(best.best_rmse)}; "
            f"a user and an item bias alone have {numbers.rmse(bias)}.",
        )
    return Headline("Not decided: one seed each", _what_is_open(study))


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
    return f"{said} The first that failed, {ranking.label(failed[0])}: {what}"


def _what_is_open(study: StudyRecord) -> str:
    with_best = [arm for arm in ranking.arms(study) if arm.best is not None]
    if len(with_best) >= 2:
        first, second = sorted(with_best, key=lambda arm: ranking.objective(arm.ranked[0]))[:2]
        apart = ranking.objective(second.ranked[0]) - ranking.objective(first.ranked[0])
        side = "less" if apart <= ranking.margin(study).rmse else "more"
        return (
            f"The best {first.arm} is {apart:.4f} RMSE ahead of the best {second.arm}, {side} "
            f"than the {ranking.margin(study).rmse:.2g} that noise alone explains. "
            "Every trial was trained under one seed."
        )
    n = len(ranking.tied_trials(study))
    if n == 1:
        return "One trial leads by more than the noise; it was trained under one seed."
    return f"Noise cannot tell {n} trials apart. Every trial was trained under one seed."


def _counts(study: StudyRecord) -> Numbers:
    n = ranking.counts(study.search_trials)
    asked = max(study.n_trials_asked_for, n.total)
    trials = f"of {asked:,} trials finished" if n.finished < asked else "trials finished"
    items = [(f"{n.finished:,}", trials)]
    states = (
        (n.complete, "complete"), (n.pruned, "pruned"), (n.diverged, "diverged"),
        (n.failed, "failed"), (n.running, "running"), (n.waiting, "waiting"),
    )  # fmt: skip
    items += [(f"{k:,}", word) for k, word in states if k or word == "complete"]
    return Numbers(tuple(items))


def _best(study: StudyRecord) -> Numbers | None:
    ranked = ranking.ranked_trials(study)
    bias = ranking.bias_rmse(study)
    if not ranked:
        return None if bias is None else Numbers(((numbers.rmse(bias), "bias baseline, to beat"),))
    if (judged := _leader(study)) is not None:
        return judged
    best = ranked[0]
    items = [(numbers.rmse(best.best_rmse), f"best validation RMSE, {ranking.label(best)}")]
    if bias is not None:
        gap = numbers.gap(ranking.objective(best) - bias)
        items.append((gap, f"to the bias baseline, {numbers.rmse(bias)}"))
    default = ranking.default_trial(study)
    if default is None:
        items.append((numbers.NOTHING, "no default configuration among the trials"))
    elif default is best:
        items.append((numbers.gap(0.0), "it is the default configuration"))
    elif default.is_ranked and default.best_rmse is not None:
        gap = numbers.gap(ranking.objective(best) - default.best_rmse)
        name = f"#{default.number}"
        items.append((gap, f"to the default, {name}, {numbers.rmse(default.best_rmse)}"))
    else:
        became = "diverged" if default.is_diverged else default.state.value
        items.append((numbers.NOTHING, f"to the default: #{default.number} is {became}"))
    return Numbers(tuple(items))


def _leader(study: StudyRecord) -> Numbers | None:
    """The finalist with the best mean; None without a verdict."""
    results = study.verdict.results if study.verdict else None
    leader = leading_finalist(study, results) if results else None
    if leader is None or leader.mean is None or study.verdict is None:
        return None
    n_seeds = len(study.verdict.seeds)
    items = [
        (
            numbers.rmse(leader.mean),
            f"mean validation RMSE of {n_seeds} seeds, {label(study, leader.name)}",
        )
    ]
    assert results is not None
    if (bias := judged_baseline(study, results, "bias")) is not None:
        items.append(
            (numbers.gap(leader.mean - bias), f"to the bias baseline, {numbers.rmse(bias)}")
        )
    items.append((numbers.gap(leader.shrinkage), "to its own number in the search"))
    return Numbers(tuple(items))


def arm_colours(study: StudyRecord) -> dict[str | None, str]:
    """One colour an arm, the same in every picture; the first for a study without arms."""
    names = [arm.arm for arm in ranking.arms(study)]
    return {None: SERIES[0]} | {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def _dots(study: StudyRecord) -> Picture | None:
    """After a verdict its finalists with their intervals, else the best trials of one seed each."""
    results = study.verdict.results if study.verdict else None
    return _best_dots(study) if results is None else _verdict_dots(study, results)


def _verdict_dots(study: StudyRecord, results: VerdictResults) -> Picture | None:
    colours = arm_colours(study)
    dots = []
    for found in results.finalists:
        if is_model(study, found.name) and found.mean is not None:
            assert found.low is not None and found.high is not None
            name, colour = label(study, found.name), colours[arm_of(study, found.name)]
            dots.append(Dot(name, found.mean, colour, False, interval=(found.low, found.high)))
    if not dots:
        return None
    tied_to = min(dot.rmse for dot in dots) + results.margin
    dots += [
        Dot(b.label, rmse, COLOURS["muted"], True, may_be_off=b.name != "bias")
        for b in study.baselines
        if (rmse := judged_baseline(study, results, b.name)) is not None
    ]
    dots.sort(key=lambda dot: dot.rmse)
    n_seeds = len(study.verdict.seeds) if study.verdict else 0
    caption = (
        f"The finalists and the baselines, on {judged_on(results)}. Filled circles: means over "
        f"{n_seeds} fresh seeds, with 95 % intervals over seeds on these rows; whether a "
        "difference also holds for other users stands in the verdict. Shaded: within "
        f"{results.margin:.2g} of the first, which does not matter in practice"
    )
    if any(dot.may_be_off for dot in dots):
        caption += ". An arrow: off the scale"
    alt = "; ".join(f"{dot.label} {numbers.rmse(dot.rmse)}" for dot in dots)
    return picture(
        "best",
        f"{caption}.",
        f"Validation RMSE: {alt}.",
        lambda width: dot_plot(dots, tied_to=tied_to, width=width),
    )


def _best_dots(study: StudyRecord) -> Picture | None:
    rows = ranking.standings(study)
    shown = [row for row in rows if row.baseline or (row.rank and row.rank <= N_DOTS)]
    default = ranking.default_trial(study)
    shown += [row for row in rows if row.trial is default and default and row not in shown]
    if not shown:
        return None
    colours = arm_colours(study)
    dots = []
    for row in sorted(shown, key=lambda row: row.rmse):
        if row.trial:
            name, colour, is_near = (
                ranking.label(row.trial), colours[row.trial.arm], row.rank in range(1, N_DOTS + 1)
            )  # fmt: skip
        else:
            assert row.baseline is not None
            name, colour, is_near = (
                row.baseline.label, COLOURS["muted"], row.baseline.name == "bias"
            )  # fmt: skip
        dots.append(Dot(name, row.rmse, colour, row.trial is None, may_be_off=not is_near))
    ranked = ranking.ranked_trials(study)
    margin = ranking.margin(study)
    tied_to = ranking.objective(ranked[0]) + margin.rmse if ranked else None
    n = min(len(ranked), N_DOTS)
    what = [f"the best {n} trials" if n > 1 else "the only complete trial"] if n else []
    if any(row.trial is default and row.rank and row.rank > n for row in shown):
        what.append("the default")
    if study.baselines:
        what.append("the baselines")
    caption = " and ".join([", ".join(what[:-1]), what[-1]] if len(what) > 1 else what)
    if n:
        caption += (
            ". Hollow: one seed, no interval. Filled: no seed at all. "
            f"Shaded: within {margin.rmse:.2g} of the first, where noise cannot tell trials apart"
        )
    if any(dot.may_be_off for dot in dots):
        caption += ". An arrow: off the scale"
    alt = "; ".join(f"{dot.label} {numbers.rmse(dot.rmse)}" for dot in dots)
    return picture(
        "best",
        f"{caption[0].upper()}{caption[1:]}.",
        f"Validation RMSE: {alt}.",
        lambda width: dot_plot(dots, tied_to=tied_to, width=width),
    )


def _watch_outs(study: StudyRecord) -> WatchOuts | None:
    items = [WatchOut(f"Left out, damaged: {said}", "provenance") for said in study.unreadable]
    n = ranking.counts(study.search_trials)
    data = described(study)
    default = ranking.default_trial(study)
    items += _unimpressive(study)
    if names := [label(study, name) for name in collapsed_models(study)]:
        said = f"Collapsed, nearly the same prediction for every pair: {', '.join(names)}."
        items.append(WatchOut(said, "segments"))
    if edges := edges_of_best(study):
        places = ", ".join(f"{edge.dimension} {edge.value} ({edge.side})" for edge in edges)
        items.append(WatchOut(f"The best trial sits on the edge of its range: {places}.", "edges"))
    cold = data.validation.unseen_users
    if cold is not None and cold >= 0.2:
        items.append(
            WatchOut(
                f"{numbers.share(cold)} of the validation rows belong to users never seen in "
                "training: this ranks models by how they treat strangers.",
                "data",
            )
        )
    if study.openings:
        items.append(
            WatchOut(f"The test split of this data was {openings_text(study)}.", "unsealed")
        )
    if study.test is not None and (beaten := beaten_by_bias(study, study.test)) is not None:
        items.append(WatchOut(beaten, "unsealed"))
    if lost := [f"{k:,} {how}" for k, how in ((n.failed, "failed"), (n.diverged, "diverged")) if k]:
        items.append(WatchOut(f"{' and '.join(lost)} of {n.finished:,} trials.", "failures"))
    if default is not None and default.state in (TrialState.PRUNED, TrialState.FAIL):
        items.append(
            WatchOut(
                f"The default configuration (#{default.number}) did not complete, so the gap to "
                "it is unknown.",
                "failures",
            )
        )
    for arm in ranking.arms(study):
        if n.finished >= 10 and len(arm.ranked) < 5:
            complete = numbers.plural(len(arm.ranked), "trial")
            items.append(WatchOut(f"Arm {arm.arm} has only {complete} complete.", "compare"))
    return WatchOuts(tuple(items)) if items else None


def _unimpressive(study: StudyRecord) -> list[WatchOut]:
    """What the search did not win against, beyond the noise."""
    ranked = ranking.ranked_trials(study)
    if not ranked:
        return []
    if study.verdict is not None and study.verdict.results is not None:
        return _not_told_apart(study, study.verdict.results)
    best, margin = ranking.objective(ranked[0]), ranking.margin(study).rmse
    items = []
    ahead = [b for b in study.baselines if b.val_rmse <= best]
    close = [b for b in study.baselines if best < b.val_rmse <= best + margin]
    for baselines, how in ((ahead, "does not beat"), (close, "is within the noise of")):
        if baselines:
            names = ", ".join(f"{b.label} {numbers.rmse(b.val_rmse)}" for b in baselines)
            items.append(WatchOut(f"The best trial {how} these baselines: {names}.", "baselines"))
    default = next((trial for trial in ranking.tied_trials(study) if trial.is_default), None)
    if default is not None and len(ranked) > 1:
        said = (
            f"The best, #{default.number}, is a default configuration: nothing found is better."
            if default is ranked[0]
            else f"Noise cannot tell a default configuration, #{default.number}, from the best."
        )
        items.append(WatchOut(said, "leaderboard"))
    return items


def _not_told_apart(study: StudyRecord, results: VerdictResults) -> list[WatchOut]:
    """The default and the best baseline, where the leader of the verdict did not beat them; and
    the best DCN, where plain of its size does as well."""
    leader = leading_finalist(study, results)
    if leader is None:
        return []
    items = []
    for other in results.finalists:
        trial = trial_of(study, other.name)
        is_asked = trial.is_default if trial is not None else not is_model(study, other.name)
        if other.mean is None or other is leader or not is_asked:
            continue
        pair = results.pair(leader.name, other.name)
        if pair is None or pair.answer != Answer.BETTER:
            how = "ties with" if pair and pair.answer == Answer.TIE else "was not shown to beat"
            named = f"{label(study, other.name)}, {numbers.rmse(other.mean)}"
            items.append(
                WatchOut(f"The leader, {label(study, leader.name)}, {how} {named}.", "verdict")
            )
    if (said := size_explains(study, results)) is not None:
        items.append(WatchOut(said, "size"))
    return items


def next_command(study: StudyRecord) -> Command:
    """The one thing to do now."""
    name = shlex.quote(study.name)
    if study.state == "running" and not study.is_finished:
        return Command("Watch it run", (f"recsweep show {name} --watch",))
    if not study.is_finished:
        return Command("Go on where it stopped", (f"recsweep resume {name}",))
    ranked = ranking.ranked_trials(study)
    if not ranked:
        return Command("See what became of the trials", (f"recsweep show {name}",))
    if study.verdict is None or study.verdict.results is None:
        cost = verdict_cost(study)
        return Command(
            "Train the finalists again under fresh seeds, and have the differences judged"
            + (f" ({cost.text})" if cost else ""),
            (f"recsweep verdict {name}",),
        )
    smallest = smallest_tied(study, study.verdict.results)
    if smallest is not None:
        which = shlex.quote(f"{study.name}:{smallest.number}")
        return Command(
            "Take the leader, or the smallest that ties with it", (f"recsweep export {which}",)
        )
    return Command("See the trials", (f"recsweep show {name}",))


def _top(study: StudyRecord) -> Table | None:
    ranked = ranking.ranked_trials(study)
    if not ranked:
        return None
    rows = [row for row in ranking.standings(study) if row.trial][:N_ROWS]
    margin = ranking.margin(study)
    line_after, line = ranking.line_under_tied(study) or (0, "")
    table_rows = []
    for i, row in enumerate(rows):
        assert row.trial is not None
        trial = row.trial
        table_rows.append(
            Row(
                (
                    str(row.rank),
                    ranking.label(trial),
                    numbers.rmse(row.rmse),
                    numbers.gap(row.to_bias),
                    numbers.count(trial.best_epoch),
                    numbers.seconds(trial.seconds),
                    numbers.summary(
                        trial.values, leave_out=study.compared_dimension, at_most=N_VALUES
                    ),
                ),
                look="best" if i == 0 else "plain",
                rule=line if row.rank == line_after else "",
            )
        )
    all_tied = (
        f" Noise cannot tell the first {line_after:,} trials apart, these {len(rows)} among them."
        if line_after > len(rows)
        else ""
    )
    return Table(
        caption=(f"The best {len(rows)}" if len(rows) > 1 else "The only complete trial")
        + (" of the search, under one seed" if study.verdict and study.verdict.results else ""),
        columns=(
            Column("rank", "Place among COMPLETE trials, by RMSE.", is_number=True),
            Column("trial", "Number in the study, and its arm where arms are compared."),
            Column("RMSE", f"{ranking.what_is_averaged(study)}.", is_number=True),
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
        note=f"{margin.source[0].upper()}{margin.source[1:]}.{all_tied}",
    )
