"""Commands that train many trials: run, resume, stop, scale."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import completing
from experiments.cli.machine_options import on_the_machine
from experiments.cli.options import (
    DEFAULT_ROOT,
    Root,
    Set,
    StopAt,
    Strict,
    StudyName,
    Verbose,
    study_folder,
)
from experiments.errors import NoResultError, RecsweepError, RequestError
from experiments.machine.resources import Resources
from experiments.typed import from_here, typed

if TYPE_CHECKING:
    from experiments.running.supervision import Ending
    from experiments.study import Outcome
    from experiments.sweep import SweepConfig


def add_to(app: typer.Typer) -> None:
    app.command("run", epilog="Example: recsweep run dcn-vs-plain --set search.trials=20")(run)
    app.command("resume", epilog="Example: recsweep resume dcn-vs-plain")(resume)
    app.command("stop", epilog="Example: recsweep stop dcn-vs-plain")(stop)
    app.command("scale", epilog="Example: recsweep scale dcn-vs-plain --workers 4")(scale)


@on_the_machine
def run(
    sweeps: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP...",
            help="A sweep file, or a shipped sweep by name; several run one after the other.",
            autocompletion=completing.sweeps,
        ),
    ],
    plan: Annotated[
        bool, typer.Option("--plan", help="Check and count only; train nothing.")
    ] = False,
    overrides: Set = None,
    enqueue: Annotated[
        list[Path] | None,
        typer.Option(
            "--enqueue",
            help="Try a model first, as `best -o` writes it. Repeatable.",
            autocompletion=completing.files,
        ),
    ] = None,
    root: Root = DEFAULT_ROOT,
    strict: Strict = False,
    go_on: Annotated[
        bool, typer.Option("--resume", help="Start it, or go on where it stopped, or do nothing.")
    ] = False,
    stop_at: StopAt = None,
    verbose: Verbose = False,
    *,
    resources: Resources,
) -> None:
    """Run a sweep, then write its report."""
    if verbose:
        _tell_stages()
    configs = _checked(sweeps, overrides or [], enqueue or [], resources)
    from experiments.folder.folders import begun_study, free_name
    from experiments.running.sessions import deadline_of
    from experiments.study import plan_study, resume_study, run_study

    deadline = deadline_of(stop_at)
    for config in configs:
        begun = begun_study(root, config) if go_on else None  # refuses a changed sweep
        if begun is None and not plan:
            free_name(root, config.name)  # refuses one whose study is unfinished
    if plan or len(configs) > 1:
        # Of several, none begins before the data of all were looked at.
        for config in configs:
            lines = plan_study(config, resources).lines
            for line in lines if plan else ():
                typer.echo(line)
    if plan:
        return
    from experiments.cli.terminal import Terminal, say
    from experiments.running.supervision import orderly_signals

    problems: list[str] = []

    def so_far(n_begun: int) -> str:
        """What was wrong, and what runs the sweeps that were not begun."""
        left, begun = sweeps[n_begun:], sweeps[:n_begun]
        way_on = [f"not begun  recsweep {_command_for(left, begun)}"] if left else []
        return "\n".join([*problems, *way_on])

    one_ray = _one_cluster(resources) if len(configs) > 1 else contextlib.nullcontext()
    with orderly_signals() as ending, one_ray:
        for i, config in enumerate(configs):
            ending.is_closing = False
            ending.last_words = so_far(i + 1)
            try:
                begun = begun_study(root, config) if go_on else None
                if begun is not None:
                    outcome = resume_study(
                        begun,
                        now=config,
                        watcher=Terminal(),
                        resources=resources,
                        deadline=deadline,
                    )
                else:
                    outcome = run_study(
                        config,
                        root=root,
                        watcher=Terminal(),
                        resources=resources,
                        command=sys.argv[1:],
                        deadline=deadline,
                    )
                try:
                    _close(outcome, strict, ending)
                except NoResultError as error:
                    problems.append(f"{outcome.study.name}: {error.message}")
            except (RecsweepError, typer.Exit, KeyboardInterrupt, SystemExit) as error:
                is_by_signal = isinstance(error, KeyboardInterrupt | SystemExit)
                if words := so_far(i if is_by_signal and not ending.is_closing else i + 1):
                    say(words)
                raise
    if problems:
        is_one = len(configs) == 1
        raise NoResultError(problems[0].partition(": ")[2] if is_one else "\n".join(problems))


def _command_for(left: Sequence[str], begun: Sequence[str]) -> str:
    """This process's own command, options and all, but without the sweeps that it has begun."""
    if "run" not in sys.argv:
        return shlex.join(["run", *left])
    at = sys.argv.index("run") + 1
    words = sys.argv[at:]
    for sweep in begun:
        if sweep in words:
            words.remove(sweep)
    return shlex.join([*sys.argv[1:at], *words])


def _checked(
    sweeps: Sequence[str],
    overrides: Sequence[str],
    enqueue: Sequence[Path],
    resources: Resources,
) -> list[SweepConfig]:
    """What the files ask for.

    Raises:
        RequestError: everything that is wrong with any of them.
    """
    from experiments.machine.machine import read_machine
    from experiments.request.config import load_sweep
    from experiments.request.enqueued_files import changes_by_hand, with_enqueued
    from experiments.stages import stage_over

    if enqueue and len(sweeps) > 1:
        raise RequestError(f"--enqueue goes with one sweep, got {len(sweeps)}")
    machine_problems = resources.problems(read_machine())
    configs, wrong = [], []
    for sweep in sweeps:
        try:
            config = load_sweep(sweep, list(overrides), os.environ, also=machine_problems)
            if config.space is None:
                raise RequestError(
                    f"{sweep} has no [space] and no [search]: it is one model. Train it with: "
                    f"recsweep train {shlex.quote(sweep)}"
                )
            configs.append(config)
        except RequestError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise RequestError("\n".join(error.message for error in wrong))
    notes = [note for config in configs for note in changes_by_hand(config)]
    if enqueue:
        configs[0], its_notes = with_enqueued(configs[0], list(enqueue))
        notes += its_notes
    for note in notes:
        typer.echo(note, err=True)
    stage_over("sweep read and checked")
    return configs


@contextlib.contextmanager
def _one_cluster(resources: Resources) -> Iterator[None]:
    """One Ray for several studies."""
    from experiments.machine.cluster import ray_cluster
    from experiments.machine.taking import take_machine

    machine, settled = take_machine(resources)
    with ray_cluster(settled, machine):
        yield


def _tell_stages() -> None:
    """The seconds of each stage on stderr, from the start of this process."""
    from experiments.stages import process_age_s, stage_over, tell_stages

    tell_stages(
        lambda name, seconds: typer.echo(f"{seconds:7.2f} s  {name}", err=True),
        time.monotonic() - process_age_s(),
    )
    stage_over("Python and the command line")


@on_the_machine
def resume(
    study: StudyName,
    trials: Annotated[
        int | None, typer.Option("--trials", help="So many search trials in all: extends it.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Another so much time, such as 2h or 90m.")
    ] = None,
    root: Root = DEFAULT_ROOT,
    strict: Strict = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed trials once more, from their start.")
    ] = False,
    stop_at: StopAt = None,
    *,
    resources: Resources,
) -> None:
    """Go on with a study after any interruption; nothing that finished runs again."""
    from experiments.cli.terminal import Terminal
    from experiments.durations import parse_duration
    from experiments.running.sessions import deadline_of
    from experiments.running.supervision import orderly_signals
    from experiments.study import resume_study

    folder = study_folder(study, root)
    with orderly_signals() as ending:
        outcome = resume_study(
            folder,
            watcher=Terminal(),
            resources=resources,
            n_trials=trials,
            more_s=parse_duration(timeout, "--timeout") if timeout else None,
            retry_failed=retry_failed,
            deadline=deadline_of(stop_at),
        )
        _close(outcome, strict, ending)


def stop(study: StudyName, root: Root = DEFAULT_ROOT) -> None:
    """Ask the driver of a running study to checkpoint its trials and end."""
    from experiments.ledger.lock import holder_of
    from experiments.records import read_study
    from experiments.running.stopping import StopCause, StopSwitch

    folder = study_folder(study, root)
    holder = holder_of(folder)
    if holder is None:
        typer.echo(f"nobody runs {study}; nothing to stop")
        return
    StopSwitch(folder).ask(StopCause.COMMAND)
    record = read_study(folder)
    if record.verdict_results is None:
        typer.echo(f"asked {holder} to stop {study}; its running trials are checkpointed first")
        typer.echo(f"go on later with: recsweep {record.training_command} {typed(folder)}")
    else:
        typer.echo(
            f"asked {holder} to stop {study}; running trials are checkpointed first, a refit is "
            "given up. Go on later with the same command"
        )


def scale(
    study: StudyName,
    workers: Annotated[int, typer.Option("--workers", "-j", help="Trials at once from now on.")],
    root: Root = DEFAULT_ROOT,
) -> None:
    """Change how many trials a running study trains at once."""
    from experiments.machine.crew import ask_for_workers

    before, holder = ask_for_workers(study_folder(study, root), workers)
    typer.echo(f"asked {holder} to go from {before} to {workers} at once")
    if workers < before:
        typer.echo(
            "the youngest finish their epoch, are checkpointed, and go on when there is room"
        )


def _close(outcome: Outcome, strict: bool, ending: Ending) -> None:
    """Write the report, say where it is, and end with the code that fits."""
    from experiments.cli.terminal import say
    from experiments.running.stopping import StopCause
    from experiments.waiting import waiting
    from reports.render import write_report

    study = outcome.study
    with waiting("writing the report"):
        paths = write_report(study, with_prints=False)
    say(f"report   {from_here(paths.html)}")
    # A sweep whose time is over is done: nobody asked for a stop.
    asked_by = None if outcome.stopped_by is StopCause.TIMEOUT else outcome.stopped_by
    if (stopped_by := asked_by or ending.asked_by) is not None:
        raise typer.Exit(stopped_by.exit_code)
    problem = outcome.problem(strict)
    if problem is not None:
        raise NoResultError(problem)
