"""The one sentence that a verdict allows, and how its finalists are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from experiments.records import (
    CONFIDENCE,
    Answer,
    Finalist,
    FinalistResult,
    PairResult,
    StudyRecord,
    TrialRecord,
    UnsealedRecord,
    VerdictRecord,
    VerdictResults,
)
from reports import labels, numbers, ranking
from reports.blocks import Headline
from reports.judging.judged_rows import judged_on

ANSWERS: Mapping[str, str] = {
    Answer.BETTER: "better",
    Answer.WORSE: "worse",
    Answer.TIE: "a tie",
    Answer.OPEN: "not decided",
}
"""In a table."""


def headline_of_verdict(study: StudyRecord) -> Headline | None:
    """None where there is no verdict with results."""
    results = study.verdict_results
    if results is None:
        return None
    pair = deciding_pair(study, results)
    said = _unanswered(study, results) if pair is None else _sentence(study, results, pair)
    best, unbeaten = leading_finalist(study), unbeaten_baselines(study, results)
    if best is None or not unbeaten:
        return said
    models = [f for f in results.finalists if f.mean is not None and is_model(study, f.name)]
    who = "model" if models[0] is best else "trial of the search"  # and not its size control
    who = f"No {'judged ' if study.late_trials else ''}{who} beats"
    if unbeaten[0] == "bias":
        return Headline(
            f"{who} the bias baseline",
            f"The best trial, {label(study, best.name)}, has a mean RMSE of "
            f"{numbers.rmse(best.mean)} over its seeds; a user and an item bias alone have "
            f"{numbers.rmse(ranking.judged_baseline(study, results, 'bias'))}"
            + (f", on {judged_on(results)}." if results.is_confirmed else "."),
        )
    lost = results.pair(unbeaten[0], best.name)
    assert lost is not None
    means = _means(study, results, lost, is_told=False)
    return Headline(f"{who} {label(study, unbeaten[0])}", f"{means} {said.text}.")


def _unanswered(study: StudyRecord, results: VerdictResults) -> Headline:
    """Where those that could have answered did not complete."""
    completed = {arm_of(study, found.name) for found in _judged_trials(study, results)}
    arms = [arm.arm for arm in ranking.arms(study)]
    lost = [labels.arm_text(study, arm) for arm in arms if arm not in completed]
    who = f"{' or '.join(lost)} finalist" if lost else "two finalists"
    best = leading_finalist(study)
    return Headline(
        f"Not decided: no {who} completed under every seed",
        "Of every pair at least one failed or diverged under some seed."
        if best is None
        else f"The best that did, {label(study, best.name)}, has a mean RMSE of "
        f"{numbers.rmse(best.mean)} over its seeds, on {judged_on(results)}.",
    )


def _sentence(study: StudyRecord, results: VerdictResults, pair: PairResult) -> Headline:
    first, second = arm_of(study, pair.first), arm_of(study, pair.second)
    if first is None or second is None or first == second:
        first, second = label(study, pair.first), label(study, pair.second)
    else:
        first, second = labels.arm_text(study, first), labels.arm_text(study, second)
    by = f"{-pair.estimate:.4f} ({numbers.plain(-pair.high)} to {numbers.plain(-pair.low)})"
    margin = numbers.two_digits(results.margin)
    means = _means(study, results, pair, is_told=pair.answer != Answer.TIE)
    if arm_of(study, pair.first) != arm_of(study, pair.second):
        means += " Each stands by the best configuration that was found of it."
    if pair.answer == Answer.BETTER:
        return Headline(f"{first} beats {second} by {by}", means)
    if pair.answer == Answer.TIE:
        tie = f"{first} and {second} tie within {margin}"
        if trial_of(study, pair.first) is None or trial_of(study, pair.second) is None:
            return Headline(tie, means)
        smaller = smallest_tied(study, results)
        if smaller is None:
            return Headline(tie, f"{means} Which of those that tie is the smallest is not known.")
        if {size_of(study, name) for name in (pair.first, pair.second)} == {smaller.n_parameters}:
            return Headline(tie, f"{means} None that ties with the leader is smaller.")
        return Headline(
            f"{tie}: take the smaller",
            f"{means} The smallest that ties with the leader: {_sized(study, smaller)}.",
        )
    n_seeds = len(study.verdict.seeds) if study.verdict else 0
    why = (
        f"What sets them apart may be more than the {margin} that matters, and may be nothing."
        if pair.holm_p >= 1 - CONFIDENCE
        else f"There is a difference, and it may be less than the {margin} that matters."
    )
    return Headline(
        f"Not decided after {n_seeds} seeds: {first} is ahead of {second} by {by}",
        f"{means} {why}",
    )


def _means(study: StudyRecord, results: VerdictResults, pair: PairResult, *, is_told: bool) -> str:
    """Both means; how far they are apart, too, where that is not told beside it."""
    seeds = numbers.plural(len(study.verdict.seeds) if study.verdict else 0, "fresh seed")
    named = " and ".join(
        f"{numbers.rmse(found.mean)} ({label(study, name)}"
        f"{'' if is_model(study, name) else ', fitted once'})"
        for name in (pair.first, pair.second)
        if (found := results.finalist(name))
    )
    where = f" on {judged_on(results)}" if results.is_confirmed else ""
    apart = "" if is_told else f"; {numbers.apart(pair.estimate, pair.low, pair.high)}"
    return (
        f"Mean validation RMSE over {seeds}{where}: {named}{apart}; 95 % interval for other seeds "
        f"and other users, p {numbers.p_value(pair.holm_p)} after Holm."
    )


def deciding_pair(study: StudyRecord, results: VerdictResults) -> PairResult | None:
    """The comparison that answers the study's question, the better mean first.

    With two arms or more: the best finalist of the leading arm against the best of the next; None
    where fewer than two arms have one with a mean. Without: the two best finalists; with one of
    them only, it and the best baseline.
    """
    contestants = _judged_trials(study, results)
    if len(ranking.arms(study)) > 1:
        contestants = list(best_of_arms(study, results).values())
    elif len(contestants) == 1:
        contestants = [
            f for f in results.finalists if f.mean is not None and not control_of(study, f.name)
        ]
    if len(contestants) < 2:
        return None
    first, second = contestants[:2]
    return results.pair(first.name, second.name)


def best_of_arms(study: StudyRecord, results: VerdictResults) -> dict[str | None, FinalistResult]:
    """Of each arm the trial with the best mean, best first; under None where there are no arms."""
    return _first_of_each_arm(study, _judged_trials(study, results))


def first_of_arms(study: StudyRecord, results: VerdictResults) -> dict[str | None, FinalistResult]:
    """Of each arm the trial that the search put first, so that an arm with more finalists does not
    stand by the best of more means; under None where there are no arms."""
    by_search = sorted(_judged_trials(study, results), key=lambda f: f.search_rmse or math.inf)
    return _first_of_each_arm(study, by_search)


def _first_of_each_arm(
    study: StudyRecord, judged: Sequence[FinalistResult]
) -> dict[str | None, FinalistResult]:
    first: dict[str | None, FinalistResult] = {}
    for found in judged:
        first.setdefault(arm_of(study, found.name), found)
    return first


def leading_finalist(study: StudyRecord) -> FinalistResult | None:
    """The trial with the best mean; None where none completed under every seed, or none was
    judged."""
    results, leader = study.verdict_results, study.leader
    return results.finalist(leader.name) if results and leader else None


def unbeaten_baselines(study: StudyRecord, results: VerdictResults) -> list[str]:
    """The bias where no trial's mean is below it, and the finalist that beats the best trial."""
    best = leading_finalist(study)
    if best is None or best.mean is None:
        return []
    bias = ranking.judged_baseline(study, results, "bias")
    unbeaten = ["bias"] * (bias is not None and best.mean >= bias)
    baselines = [f.name for f in results.finalists if not is_model(study, f.name)]
    beats = [n for n in baselines if against(results, best.name, n) == "is beaten by"]
    return list(dict.fromkeys(unbeaten + beats))


def lower_baseline(study: StudyRecord, results: VerdictResults) -> str | None:
    """The lowest baseline on the rows that judge, where it is no finalist and no trial's mean is
    below it: chosen by the rows of the search, another one may be on the list."""
    best = leading_finalist(study)
    others = {name: rmse for name, rmse in results.baselines.items() if name != "bias"}
    lowest = min(others, key=lambda name: others[name], default=None)
    if best is None or best.mean is None or lowest is None or results.finalist(lowest):
        return None
    return lowest if others[lowest] <= best.mean else None


def lower_baseline_text(study: StudyRecord, results: VerdictResults) -> str:
    """One sentence; empty where there is none."""
    lowest = lower_baseline(study, results)
    if lowest is None:
        return ""
    return (
        f"No trial has a lower mean on the rows that judge than {label(study, lowest)}, "
        f"{numbers.rmse(results.baselines[lowest])}, which was not the best baseline of the search."
    )


def lost_finalists(study: StudyRecord, results: VerdictResults) -> list[str]:
    """A sentence each on those without a mean."""
    return [
        f"Failed or diverged under {_how_many_lost(found)} seeds, so compared with nobody: "
        f"{label(study, found.name)}."
        for found in results.finalists
        if found.mean is None
    ]


def caveats_on_test(study: StudyRecord, test: UnsealedRecord) -> list[str]:
    """A sentence each on those that the verdict had judged, and that have no mean on test: failed,
    diverged, or could not be trained again where their weights are gone; and one on those that are
    not quite the models that were judged."""
    before = _unjudged(study)
    return _trained_again(test) + [
        f"On the test split without ratings under {_how_many_lost(found)} seeds, so compared with "
        f"nobody: {label(study, found.name)}."
        for found in test.results.finalists
        if found.mean is None and found.name not in before
    ]


def not_scored(study: StudyRecord, test: UnsealedRecord) -> str:
    """One sentence on those that the verdict had not judged; empty where there is none."""
    before = _unjudged(study)
    names = [label(study, f.name) for f in test.results.finalists if f.name in before]
    if not names:
        return ""
    return f"Not scored, since not complete under every seed of the verdict: {', '.join(names)}."


def _trained_again(test: UnsealedRecord) -> list[str]:
    if not test.apart:
        return []
    most = max(map(abs, test.apart.values()))
    n = numbers.plural(len(test.apart), "training")
    return [
        f"{n} of the verdict, whose weights were gone, came out otherwise when done again for the "
        f"test split: validation RMSE up to {most:.4f} from the one judged."
    ]


def _unjudged(study: StudyRecord) -> set[str]:
    results = study.verdict_results
    return {found.name for found in results.finalists if found.mean is None} if results else set()


def _how_many_lost(found: FinalistResult) -> str:
    return f"{sum(rmse is None for rmse in found.rmse_by_seed)} of {len(found.rmse_by_seed)}"


def _judged_trials(study: StudyRecord, results: VerdictResults) -> list[FinalistResult]:
    """Trials of the search that completed under every seed, best first."""
    return [f for f in results.finalists if f.mean is not None and trial_of(study, f.name)]


def against(results: VerdictResults, name: str, other: str) -> str | None:
    """`beats`, `ties with`, `is beaten by`, `was not shown to beat`; None where one of both did not
    complete."""
    pair = results.pair(name, other)
    return None if pair is None else _AGAINST[pair.answer]


_AGAINST: Mapping[str, str] = {
    Answer.BETTER: "beats",
    Answer.WORSE: "is beaten by",
    Answer.TIE: "ties with",
    Answer.OPEN: "was not shown to beat",
}


def smallest_tied(study: StudyRecord, results: VerdictResults) -> TrialRecord | None:
    """Of the leader and the finalists that tie with it, the one with the fewest parameters; of
    equal ones the best.

    None where the size of one of several is not known.
    """
    trials = [found.name for found in _judged_trials(study, results)]
    if not trials:
        return None
    leader, *others = trials
    tied = [leader]
    for name in others:
        pair = results.pair(leader, name)
        if pair is not None and pair.answer == Answer.TIE:
            tied.append(name)
    models = [trial for name in tied if (trial := trial_of(study, name))]
    if len(models) > 1 and any(trial.n_parameters is None for trial in models):
        return None
    return min(models, key=lambda t: t.n_parameters or 0)


def trial_of(study: StudyRecord, name: str) -> TrialRecord | None:
    """The search trial that a finalist is; None for a baseline, and for a size control."""
    return next((trial for trial in study.search_trials if trial.name == name), None)


def control_of(study: StudyRecord, name: str) -> Finalist | None:
    """The size control that a finalist is, which is no trial of the search; None for the others."""
    finalist = study.verdict.finalist(name) if study.verdict else None
    return finalist if finalist is not None and finalist.is_control else None


def is_model(study: StudyRecord, name: str) -> bool:
    """Whether a finalist was trained: a trial or a control, and no baseline."""
    return trial_of(study, name) is not None or control_of(study, name) is not None


def arm_of(study: StudyRecord, name: str) -> str | None:
    """The choice of the compared dimension; None for a baseline, and without arms."""
    if (control := control_of(study, name)) is not None:
        return str((control.values or {}).get(study.compared_dimension or ""))
    trial = trial_of(study, name)
    return trial.arm if trial else None


def size_of(study: StudyRecord, name: str) -> int | None:
    """The trainable numbers of a finalist; None for a baseline."""
    control = control_of(study, name)
    if control is None:
        trial = trial_of(study, name)
    else:
        trial = next((t for t in study.trials if t.name == control.replicate(0)), None)
    return trial.n_parameters if trial else None


def label(study: StudyRecord, name: str) -> str:
    """`#19 dcn`, `plain, size of #19`, or a baseline's label."""
    trial = trial_of(study, name)
    if trial is not None:
        return labels.label(study, trial)
    if (control := control_of(study, name)) is not None:
        return f"plain, size of #{control.number}"
    baseline = study.baseline(name)
    return baseline.label if baseline else name


def _sized(study: StudyRecord, trial: TrialRecord) -> str:
    return f"{labels.label(study, trial)}, {numbers.count(trial.n_parameters)} parameters"


def chosen_text(study: StudyRecord, record: VerdictRecord) -> str:
    """Who is on the frozen list: `the best 2, the best dcn, the default, the best baseline`."""
    reasons = [reason for finalist in record.finalists for reason in finalist.reasons]
    n_placed = sum(reason.startswith("place ") for reason in reasons)
    chosen = [f"the best {n_placed}" if n_placed > 1 else "the best"] * (n_placed > 0)
    best = [reason.removeprefix("best ") for reason in reasons if reason.startswith("best ")]
    arms = [arm for arm in best if arm != "baseline"]
    for reason, said in (
        *((f"best {arm}", f"the {reason_text(study, f'best {arm}')}") for arm in arms),
        ("default", "the default"),
        ("size control", "plain as large as the best dcn"),
        ("best baseline", "the best baseline"),
    ):
        chosen += [said] * (reason in reasons)
    return ", ".join(chosen)


def reason_text(study: StudyRecord, reason: str) -> str:
    """`best embedding_size 16` of the best of an arm; others as they are on record."""
    arm = reason.removeprefix("best ")
    is_of_arm = reason.startswith("best ") and arm in {a.arm for a in ranking.arms(study)}
    return f"best {labels.arm_text(study, arm)}" if is_of_arm else reason
