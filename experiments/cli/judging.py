"""Commands that decide: verdict, unseal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.machine_options import on_the_machine
from experiments.cli.options import DEFAULT_ROOT, Root, StopAt, StudyName, study_folder
from experiments.errors import RequestError
from experiments.machine.resources import Resources, probe_line
from experiments.machine.taking import take_machine
from experiments.typed import from_here, typed

if TYPE_CHECKING:
    from experiments.verdict.evidence import Evidence
    from experiments.verdict.verdict import Verdict


def add_to(app: typer.Typer) -> None:
    app.command("verdict", epilog="Example: recsweep verdict dcn-vs-plain --seeds 5")(verdict)
    app.command("unseal", epilog="Example: recsweep unseal dcn-vs-plain --why 'for the paper'")(
        unseal
    )


@on_the_machine
def verdict(
    study: StudyName,
    top: Annotated[
        int | None, typer.Option("--top", help="So many of the best trials; default 5.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Fresh seeds for each finalist; default 5.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say who would be judged and what it costs; no more.")
    ] = False,
    root: Root = DEFAULT_ROOT,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try again what memory, a crash or a hang ended."),
    ] = False,
    stop_at: StopAt = None,
    *,
    resources: Resources,
) -> None:
    """Train the finalists again under fresh seeds and say what is decided."""
    from experiments.cli.judged import Progress, cost_lines
    from experiments.cli.terminal import say
    from experiments.records import read_study
    from experiments.records.finalists import left_to_train, training_s
    from experiments.running.sessions import deadline_of
    from experiments.running.supervision import orderly_signals
    from experiments.verdict.frozen_finalists import frozen_or_chosen
    from experiments.verdict.verdict import gather_evidence

    deadline = deadline_of(stop_at)
    folder = study_folder(study, root)
    _, settled = take_machine(resources)
    record = read_study(folder)
    frozen = frozen_or_chosen(record, top, seeds)
    left = left_to_train(record, frozen, retry_failed=retry_failed)
    seconds = training_s(left, settled.workers or 1)
    for line in cost_lines(record, frozen, len(left), seconds):
        say(line)
    if left and settled.pack_up_to is not None:
        say(f"machine  {probe_line(settled)}")
    if plan:
        return
    with orderly_signals() as ending:
        ended = gather_evidence(
            folder,
            top=top,
            n_seeds=seeds,
            retry_failed=retry_failed,
            watcher=Progress(len(left)),
            resources=resources,
            deadline=deadline,
        )
        if ended.evidence is None:
            say(f"go on    recsweep verdict {typed(record.folder)}")
            raise typer.Exit(ended.stopped_by.exit_code if ended.stopped_by else 0)
        _judge(folder, ended, ended.evidence)
        if (asked_by := ended.stopped_by or ending.asked_by) is not None:
            raise typer.Exit(asked_by.exit_code)


def _judge(folder: Path, ended: Verdict, evidence: Evidence) -> None:
    """Write the verdict and its report, and say what is decided."""
    from experiments.cli.judged import verdict_lines, write_judged
    from experiments.cli.terminal import say
    from experiments.records import read_study
    from experiments.waiting import waiting
    from reports.render import write_report

    with waiting("judging the finalists"):
        write_judged(folder, ended, evidence)
        judged = read_study(folder)
        paths = write_report(judged)
    for line in verdict_lines(judged):
        say(line)
    say(f"report   {from_here(paths.html)}")
    say(f"seeds    {from_here(paths.html.parent / 'verdict.csv')}")


def unseal(
    study: StudyName,
    why: Annotated[str, typer.Option("--why", help="What for; it is put on record.")] = "",
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Also train the leader again on train and validation."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Open it without asking.")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Score the finalists of the verdict on the test split, on record."""
    from experiments.cli.judged import Progress, opening_lines, test_lines
    from experiments.cli.terminal import say
    from experiments.records import read_study
    from experiments.verdict.unseal import (
        refit_leader,
        refuse_unjudged,
        score_on_test,
        write_test,
    )
    from experiments.waiting import waiting
    from reports.judging.judgement import judge
    from reports.render import write_report

    folder = study_folder(study, root)
    record = read_study(folder)
    refuse_unjudged(record)
    for line in opening_lines(record):
        say(line)
    code = 0
    is_open = record.test is not None and (record.test.refit is not None or not refit)
    if not is_open:
        if not yes:
            if not sys.stdin.isatty():
                raise RequestError("opening the test split is put on record: add --yes to do it")
            try:
                is_wanted = typer.confirm("Open the test split now?")
            except typer.Abort:  # Ctrl-C or Ctrl-D; by itself it ends with 1, a bug of ours
                raise typer.Exit(130) from None
            if not is_wanted:
                say("the test split stays sealed")
                return
        watcher = Progress(0)
        evidence = score_on_test(folder, why, watcher, is_refit=refit)
        assert record.verdict is not None
        with waiting("judging the finalists"):
            results = judge(
                record,
                record.verdict,
                predicted=evidence.predicted,
                rmse_by_seed=evidence.rmse_by_seed,
                actual=evidence.actual,
                users=evidence.users,
            )
        write_test(folder, evidence, results)  # now: a refit may take long, and end early
        if evidence.to_refit is not None:
            try:
                refitted = refit_leader(folder, evidence.to_refit, watcher)
                write_test(folder, evidence, results, refitted)
            except KeyboardInterrupt:
                code = 130  # after the report of what was scored
    scored = read_study(folder)
    paths = write_report(scored)
    for line in test_lines(scored):
        say(line)
    say(f"report   {from_here(paths.html)}")
    if code:
        raise typer.Exit(code)
