"""Commands that look at studies: show, ls, note, board, report, best."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import completing
from experiments.cli.options import (
    DEFAULT_ROOT,
    Json,
    Root,
    StudyName,
    file_to_write,
    folder_to_write,
    split_trial,
    study_folder,
)
from experiments.cli.wording import plural
from experiments.errors import RequestError, StateError
from experiments.typed import typed

if TYPE_CHECKING:
    from experiments.records import StudyRecord

N_ROWS = 100
"""Trials that `show` lists on a terminal; elsewhere all."""


def add_to(app: typer.Typer) -> None:
    app.command("show", epilog="Example: recsweep show quickstart:7")(show)
    app.command("ls", epilog="Example: recsweep ls --json")(ls)
    app.command("note", epilog="Example: recsweep note quickstart 'ids only' --tag paper")(note)
    app.command("board", epilog="Example: recsweep board quickstart --check")(board)
    app.command("report", epilog="Example: recsweep report quickstart quickstart-2")(report)
    app.command("best", epilog="Example: recsweep best quickstart > best.toml")(best)


def show(
    study: StudyName,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay and show how it goes on; Ctrl-C leaves.")
    ] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Where a study stands and its trials; STUDY:17 shows one trial."""
    from experiments.cli.show import show_json, show_text, trial_json, trial_text
    from experiments.records import read_study
    from experiments.trials.choosing import trial_of

    name, number = split_trial(study)
    folder = study_folder(name, root)
    if watch:
        if as_json:
            raise RequestError("--watch is for people and --json for programs: leave out one")
        _watch(folder, number)
        return
    record = read_study(folder)
    if number is None:
        n_rows = N_ROWS if sys.stdout.isatty() else None
        typer.echo(json.dumps(show_json(record)) if as_json else show_text(record, n_rows))
        return
    trial = trial_of(record, number)
    typer.echo(json.dumps(trial_json(record, trial)) if as_json else trial_text(record, trial))


def _watch(folder: Path, number: int | None) -> None:
    from rich.console import Console

    from experiments.cli.terminal import Terminal
    from experiments.cli.watching import watch_study, watch_trial

    console = Console(highlight=False)
    if number is None:
        watch_study(folder, Terminal(console))
    else:
        watch_trial(folder, number, console)


def ls(
    as_json: Json = False,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Only studies with this tag. Repeatable.")
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Every study: state, data, best RMSE and its gap to the bias baseline, note."""
    from experiments.cli.show import ls_json, ls_text
    from experiments.records import read_study, study_folders

    known: set[str] = set()
    n_listed = 0
    unreadable = []

    def read() -> Iterator[StudyRecord]:
        """One at a time: a hundred studies of a thousand trials would be a gigabyte."""
        nonlocal n_listed
        for folder in study_folders(root):
            try:
                study = read_study(folder)
            except StateError as error:
                unreadable.append(error.message)
                continue
            known.update(study.tags)
            if {*(tags or ())} <= {*study.tags}:
                n_listed += 1
                yield study

    text = json.dumps(ls_json(read())) if as_json else ls_text(read())
    if tags and not n_listed and not as_json:
        raise RequestError(
            f"no study has the tag {' and '.join(map(repr, tags))}; "
            + (f"there are: {', '.join(sorted(known))}" if known else "none has any")
        )
    if text or not unreadable:
        typer.echo(text or "no studies yet; start with: recsweep run quickstart")
    if unreadable:
        raise StateError("\n".join(unreadable))


def note(
    study: StudyName,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="The note; '' takes it away.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Add a tag, one word. Repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--untag", help="Take a tag away. Repeatable.")
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write a note about a study, or tags to find it by; without either, show them."""
    from experiments.cli.wording import note_text
    from experiments.records import read_study
    from experiments.records.notes import write_note

    folder = study_folder(study, root)
    if text is not None or tags or without:
        write_note(folder, text, tags or (), without or ())
    record = read_study(folder)
    write_one = f"{record.name} has no note; write one: recsweep note {typed(folder)} TEXT"
    typer.echo(note_text(record) or write_one)


def board(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]", help="Default: all studies.", autocompletion=completing.studies
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the dashboard with the ledger; serve nothing.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Default: 6006, or the next free one."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Open TensorBoard's HParams dashboard on loopback, or check it."""
    from experiments.board.board import serve_board
    from experiments.board.board_check import check_board
    from experiments.records import find_studies, read_study

    records = (
        [read_study(study_folder(name, root)) for name in studies]
        if studies
        else list(find_studies(root))
    )
    if not records:
        raise RequestError(f"there is no study in {root}/; start with: recsweep run quickstart")
    if not check:
        serve_board(records, port=port, host=host, say=typer.echo)
        return
    n_differences = 0
    for study in records:
        differences = check_board(study)
        n_differences += len(differences)
        for line in differences:
            typer.echo(f"{study.name}: {line}")
        if not differences:
            typer.echo(
                f"{study.name}: the board equals the ledger: "
                f"{plural(len(study.trials), 'trial')}, {plural(len(study.columns), 'dimension')}"
            )
    if n_differences:
        raise StateError(
            f"{plural(n_differences, 'difference')} between board and ledger; "
            "the ledger is the record"
        )


def report(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY...",
            help="One study, or several to compare.",
            autocompletion=completing.studies,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder to write to; default: report/ in the study's folder."),
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write a study's report anew; of several studies, write how they compare."""
    from experiments.records import read_study
    from reports.comparing.comparison import write_comparison
    from reports.render import write_report

    folders = dict.fromkeys(study_folder(name, root).resolve() for name in studies)
    records = [read_study(folder) for folder in folders]
    if len(records) == 1:
        paths = write_report(records[0], to and folder_to_write(to))
        written = [paths.html, paths.markdown, paths.csv, paths.parquet]
    else:
        names = [record.name for record in records]
        name = "-vs-".join(names)
        # Others may begin with the same studies, or be called as these are.
        if len(name) > 100 or len(set(names)) < len(names):
            folder = sha256("\n".join(map(str, folders)).encode()).hexdigest()[:8]
            name = f"{name[:91]}-{folder}"
        compared = write_comparison(records, folder_to_write(to or root / "compared" / name))
        written = [compared.html, compared.markdown, compared.csv]
    for path in written:
        typer.echo(path)


def best(
    study: StudyName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file, not to the screen.")
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """The winner (or STUDY:17) as a file that `recsweep train` trains again.

    The winner is the leader of the verdict; before a verdict, the best trial of the search.
    """
    from experiments.files import disk_errors
    from experiments.records import read_study
    from experiments.request.frozen import frozen_sweep
    from experiments.trials.best import trial_to_toml
    from experiments.trials.choosing import chosen_trial

    name, number = split_trial(study)
    folder = study_folder(name, root)
    record = read_study(folder)
    trial = chosen_trial(record, number)
    text = trial_to_toml(frozen_sweep(folder), record, trial)
    if number is None and trial == record.leader:
        typer.echo(f"trial {trial.number} of {record.name}, the leader of the verdict", err=True)
    if output is None:
        typer.echo(text, nl=False)
    else:
        with disk_errors(output):
            file_to_write(output).write_text(text, encoding="utf-8")
        typer.echo(f"wrote {output}; train it with: recsweep train {shlex.quote(str(output))}")
