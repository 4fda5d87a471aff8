"""What a verdict comes to, and what is said of it: its cost, its progress, its outcome."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli import wording
from experiments.cli.terminal import QUIET_S, Stderr, print_plain
from experiments.durations import format_duration
from experiments.records import EpochRecord, StudyRecord, TrialRecord, VerdictRecord, VerdictResults
from experiments.records.finalists import lost_to_the_machine
from experiments.typed import typed
from experiments.watcher import Silent
from reports import noise, numbers
from reports.judging.beaten_on_test import beaten_on_test
from reports.judging.decision import (
    caveats_on_test,
    headline_of_verdict,
    label,
    lower_baseline_text,
    reason_text,
)
from reports.judging.judged_rows import optimism_in_short, refitted_on

if TYPE_CHECKING:
    from experiments.verdict.evidence import Evidence
    from experiments.verdict.verdict import Verdict


def cost_lines(study: StudyRecord, frozen: VerdictRecord, n_left: int, seconds: float) -> list[str]:
    """Who is judged and what it will take."""
    n_seeds = len(frozen.seeds)
    trained = [f for f in frozen.finalists if not f.is_baseline]
    listed = replace(study, verdict=frozen)
    lines = [
        f"judged   {label(listed, finalist.name)} "
        f"({', '.join(reason_text(listed, reason) for reason in finalist.reasons)})"
        for finalist in frozen.finalists
    ]
    confirm = study.dataset.get("confirm")
    lines.append(
        f"on       {confirm['n_rows']:,} rows of {wording.plural(confirm['n_users'], 'user')} whom "
        "the search never saw"
        if confirm
        else "on       the validation rows, which chose them"
    )
    if (of_users := noise.of_users_alone(study)) is not None:
        lines.append(
            f"users    they alone set equal models up to {numbers.two_digits(of_users)} apart, "
            "whatever the seeds: "
            "less stays undecided, or ties"
        )
    total = len(trained) * n_seeds
    named = wording.plural(len(trained), "model")  # a baseline, a finalist too, is not trained
    counted = f"{named} × {n_seeds} fresh seeds = {total} trainings"
    if not n_left:
        return [*lines, f"cost     none: {counted}, all done already"]
    done = f", {total - n_left} done already" if n_left < total else ""
    return [*lines, f"cost     {counted}{done}: about {format_duration(seconds)}"]


class Progress(Silent):
    """A line on stderr for each training that ends, and for epochs where these take long."""

    def __init__(self, n_left: int) -> None:
        self._n_left = n_left
        self._n_ended = 0
        self._console = Stderr()
        self._said_at = time.monotonic()

    def epoch(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        if time.monotonic() - self._said_at >= QUIET_S:
            self.message(wording.epoch_text(trial.name, epoch))

    def trial_ended(self, trial: TrialRecord) -> None:
        self._n_ended += 1
        rmse = wording.rmse_text(trial.best_rmse)
        self.message(
            f"{self._n_ended}/{self._n_left} {trial.name} {wording.outcome_text(trial)}    {rmse}"
            + (f", epoch {trial.best_epoch}" if trial.best_epoch else "")
        )

    def message(self, text: str) -> None:
        self._said_at = time.monotonic()
        print_plain(self._console, text)


def write_judged(folder: Path, ended: Verdict, evidence: Evidence) -> VerdictResults:
    """Judge the finalists by what they predicted, and write that down."""
    from experiments.verdict.verdict import write_verdict
    from reports.judging.judgement import judge

    results = judge(
        ended.study,
        ended.frozen,
        predicted=evidence.predicted,
        rmse_by_seed=evidence.rmse_by_seed,
        actual=evidence.actual,
        users=evidence.users,
        on_searched=evidence.on_searched,
        baselines=evidence.baselines,
        searched=evidence.searched,
    )
    before = ended.study.verdict_results
    if results.optimism is None and before is not None and not results.is_confirmed:
        # The errors of the search's trials, which said it once, did not travel along.
        results = replace(results, optimism=before.optimism, n_choosable=before.n_choosable)
    write_verdict(folder, ended.frozen, results)
    return results


def verdict_lines(study: StudyRecord) -> list[str]:
    """The finalists by mean, and the one sentence."""
    results = study.verdict_results
    headline = headline_of_verdict(study)
    assert results is not None and headline is not None
    lines = []
    for found in results.finalists:
        spread = ""
        if found.mean is None:
            spread = "did not complete under every seed"
        elif found.low is not None:
            spread = (
                f"({numbers.rmse(found.low)} to {numbers.rmse(found.high)} over seeds), "
                f"search {numbers.rmse(found.search_rmse)}"
                + (" (other users)" if results.is_confirmed else "")
            )
        chance = "" if found.p_best is None else f"best with probability {found.p_best:.2f}"
        cells = [label(study, found.name), numbers.rmse(found.mean), spread, chance]
        lines.append("         " + "  ".join(cell for cell in cells if cell))
    lines.append(f"verdict  {headline.text}")
    lines.append(f"         {headline.detail}")
    if said := lower_baseline_text(study, results):
        lines.append(f"         {said}")
    if said := optimism_in_short(study, results):
        lines.append(f"         {said}")
    if study.test is None and (lost := lost_to_the_machine(study)):
        told = ", ".join(f"{trial.name} {trial.stop_reason}" for trial in lost)
        lines.append(f"failed   {told}")
        lines.append(f"again    recsweep verdict {typed(study.folder)} --retry-failed")
    return lines


def opening_lines(study: StudyRecord) -> list[str]:
    """How often the study's test split was opened before, by it or by another beside it."""
    if not study.openings:
        return ["test     sealed: this split was never opened by a study of this folder"]
    times = wording.plural(len(study.openings), "time")
    return [f"test     this split was opened {times} before:"] + [
        f"         {numbers.moment(o.at)} by {o.by}, study {o.study}" + (f": {o.why}" * bool(o.why))
        for o in study.openings
    ]


def test_lines(study: StudyRecord) -> list[str]:
    """The finalists' RMSE on the test rows, and of the leader refitted."""
    test = study.test
    assert test is not None
    lines = []
    for found in test.results.finalists:
        spread = (
            f"({numbers.rmse(found.low)} to {numbers.rmse(found.high)} over seeds)"
            if found.low is not None
            else ""
        )
        cells = [label(study, found.name), numbers.rmse(found.mean), spread]
        lines.append("         " + "  ".join(cell for cell in cells if cell))
    if test.refit is not None:
        n_seeds = len(test.refit.rmse_by_seed)
        lines.append(
            f"refit    {label(study, test.refit.name)} on {refitted_on(study)}: "
            f"{numbers.rmse(test.refit.mean)}, mean of {wording.plural(n_seeds, 'seed')}"
        )
    lines += [f"note     {said}" for said in caveats_on_test(study, test)]
    if (beaten := beaten_on_test(study, test)) is not None:
        lines.append(f"note     {beaten}")
    lines.append(f"on       {test.results.n_rows:,} test rows of {test.results.n_users:,} users")
    return lines
