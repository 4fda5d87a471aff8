"""What the first screen warns of: edges, too few epochs, cold users, failures, and what was not
won against."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.records import StopReason, StudyRecord, TrialState, VerdictResults
from reports import labels, noise, numbers, ranking
from reports.blocks import WatchOut, WatchOuts
from reports.described import described
from reports.judging.beaten_on_test import beaten_on_test
from reports.judging.decision import (
    against,
    caveats_on_test,
    is_model,
    label,
    leading_finalist,
    lost_finalists,
    lower_baseline_text,
    trial_of,
)
from reports.judging.openings import openings_text
from reports.sections.edges import edges_of_best
from reports.sections.segments import collapsed_models
from reports.sections.size import size_explains
from reports.sections.verdict import late_text


def watch_outs(study: StudyRecord) -> WatchOuts | None:
    """None where there is nothing to watch out for."""
    items = tuple(_items(study))
    return WatchOuts(items) if items else None


def _items(study: StudyRecord) -> Iterator[WatchOut]:
    for said in study.unreadable:
        yield WatchOut(f"Left out, damaged: {said}", "provenance")
    if (results := study.verdict_results) is not None and study.ranked:
        yield from _not_told_apart(study, results)
    elif study.ranked:
        yield from _unimpressive(study)
    if late := late_text(study):
        yield WatchOut(late, "verdict")
    if names := [label(study, name) for name in collapsed_models(study)]:
        said = f"Collapsed, nearly the same prediction for every pair: {', '.join(names)}."
        yield WatchOut(said, "segments")
    if edges := edges_of_best(study):
        places = ", ".join(f"{edge.dimension} {edge.value} ({edge.side})" for edge in edges)
        best = labels.label(study, study.ranked[0])
        said = f"The best trial of the search, {best}, sits on the edge of its range: {places}."
        yield WatchOut(said, "edges")
    if said := _epochs_ran_out(study):
        yield WatchOut(said, "curves")
    cold = described(study).validation.unseen_users
    if cold is not None and cold >= 0.2:
        yield WatchOut(
            f"{numbers.share(cold)} of the validation rows belong to users never seen in training: "
            "this ranks models by how they treat strangers.",
            "data",
        )
    if study.openings:
        yield WatchOut(f"The test split of this data was {openings_text(study)}.", "unsealed")
    if study.test is not None:
        for said in caveats_on_test(study, study.test):
            yield WatchOut(said, "unsealed")
        if (beaten := beaten_on_test(study, study.test)) is not None:
            yield WatchOut(beaten, "unsealed")
    n = ranking.counts(study.search_trials)
    if lost := [f"{k:,} {how}" for k, how in ((n.failed, "failed"), (n.diverged, "diverged")) if k]:
        yield WatchOut(f"{' and '.join(lost)} of {n.finished:,} trials.", "failures")
    default = ranking.default_trial(study)
    if default is not None and default.state in (TrialState.PRUNED, TrialState.FAIL):
        yield WatchOut(
            f"The default configuration (#{default.number}) did not complete, so the gap to it is "
            "unknown.",
            "failures",
        )
    if study.provenance.get("gpu_repeats") is False:
        yield WatchOut(
            "Sums on the GPU were added in any order (TF_DETERMINISTIC_OPS=0): the same trial, "
            "trained again, gives another RMSE.",
            "provenance",
        )
    few = [arm for arm in ranking.arms(study) if len(arm.ranked) < 5]
    if few and n.finished >= 10:
        told = ", ".join(f"{labels.arm_text(study, a.arm)} {len(a.ranked)}" for a in few)
        yield WatchOut(f"Arms with few complete trials: {told}.", "compare")


def _epochs_ran_out(study: StudyRecord) -> str:
    """Empty where the best trial was best before its last epoch, or had but one: what is fitted
    in one go has no other."""
    near = ranking.trials_within_noise(study)
    late = [
        trial
        for trial in near
        if trial.stop_reason is StopReason.MAX_EPOCHS and trial.best_epoch == len(trial.epochs)
    ]
    if not late or late[0] is not near[0] or late[0].best_epoch == 1:
        return ""
    others = f" (of the {len(near)} models within noise {len(late)} were)" if len(near) > 1 else ""
    return (
        f"The best trial of the search, {labels.label(study, near[0])}, was still improving in "
        f"the last of {near[0].best_epoch} epochs{others}: a higher max_epochs in [search] may "
        "find something better."
    )


def _unimpressive(study: StudyRecord) -> Iterator[WatchOut]:
    """What the search did not win against, or by no more than the noise."""
    best = ranking.objective(study.ranked[0])
    usual = {b.name: noise.usual(study, b.name).rmse for b in study.baselines}
    if ahead := [b for b in study.baselines if b.val_rmse <= best]:
        names = ", ".join(f"{b.label} {numbers.rmse(b.val_rmse)}" for b in ahead)
        yield WatchOut(f"The best trial does not beat these baselines: {names}.", "baselines")
    if close := [b for b in study.baselines if best < b.val_rmse <= best + usual[b.name]]:
        names = ", ".join(
            f"{b.label} {numbers.rmse(b.val_rmse)} (noise {numbers.two_digits(usual[b.name])})"
            for b in close
        )
        said = f"The best trial is within the noise of these baselines: {names}."
        yield WatchOut(said, "baselines")
    default = next(filter(study.is_default, ranking.trials_within_noise(study)), None)
    if default is not None and len(study.ranked) > 1:
        said = (
            f"The best, #{default.number}, is a default configuration: nothing found is better."
            if default is study.ranked[0]
            else f"Noise cannot tell a default configuration, #{default.number}, from the best."
        )
        yield WatchOut(said, "leaderboard")


def _not_told_apart(study: StudyRecord, results: VerdictResults) -> Iterator[WatchOut]:
    """Finalists without a mean; the default and the best baseline, where the leader of the verdict
    did not beat them; and the best DCN, where plain of its size does as well."""
    for lost in lost_finalists(study, results):
        yield WatchOut(lost, "verdict")
    if lower := lower_baseline_text(study, results):
        yield WatchOut(lower, "verdict")
    leader = leading_finalist(study)
    if leader is None:
        return
    not_beaten: dict[str, list[str]] = {}
    for other in results.finalists:
        trial = trial_of(study, other.name)
        is_default = trial is not None and study.is_default(trial)
        is_asked = is_default or not is_model(study, other.name)
        if other.mean is None or other is leader or not is_asked:
            continue
        how = against(results, leader.name, other.name)
        if how is not None and how != "beats":
            named = f"{label(study, other.name)}, {numbers.rmse(other.mean)}"
            not_beaten.setdefault(how, []).append(named)
    for how, names in not_beaten.items():
        leads = f"The leader, {label(study, leader.name)}, {how} {'; '.join(names)}."
        yield WatchOut(leads, "verdict")
    if (said := size_explains(study, results)) is not None:
        yield WatchOut(said, "size")
