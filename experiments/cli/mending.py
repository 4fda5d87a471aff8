"""Commands for when something is wrong or in the way: doctor, repair, gc."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli import completing
from experiments.cli.options import DEFAULT_ROOT, Root, StudyName, study_folder
from experiments.cli.wording import plural
from experiments.errors import ClusterError, StateError
from experiments.typed import typed


def add_to(app: typer.Typer) -> None:
    app.command("doctor", epilog="Example: recsweep doctor")(doctor)
    app.command("repair", epilog="Example: recsweep repair quickstart")(repair)
    app.command("gc", epilog="Example: recsweep gc quickstart --yes")(gc)


def doctor(root: Root = DEFAULT_ROOT) -> None:
    """What this machine can do, and what is wrong with it."""
    from experiments.cli.terminal import say
    from experiments.machine.doctor import examine

    findings = examine(root)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        say(f"{finding.mark:<6} {finding.subject:<{width}}  {finding.text}")
    n_wrong = sum(finding.mark == "wrong" for finding in findings)
    if n_wrong:
        raise ClusterError(f"{plural(n_wrong, 'thing')} to mend before a sweep can run")


def repair(study: StudyName, root: Root = DEFAULT_ROOT) -> None:
    """Rebuild a study's damaged or missing ledger from the workers' journals."""
    from experiments.cli.terminal import say
    from experiments.folder.repair import repair_study

    folder = study_folder(study, root)
    for line in repair_study(folder).lines:
        say(line)


def gc(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY...]", help="Default: all studies.", autocompletion=completing.studies
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete it.")] = False,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Say which checkpoints and weights nothing needs any more; with --yes, delete them.

    The best trials, the finalists and all that a resume needs stay; running studies are left alone.
    """
    from experiments.cli.terminal import say
    from experiments.folder.garbage import bytes_text, collect, garbage_lines, garbage_of
    from experiments.records import read_study, study_folders

    folders = [study_folder(name, root) for name in studies] if studies else study_folders(root)
    n_bytes, refused = 0, []
    for folder in folders:
        try:
            found = collect(folder) if yes else garbage_of(read_study(folder))
        except StateError as error:
            refused.append(error.message)
            continue
        n_bytes += sum(garbage.n_bytes for garbage in found)
        for line in garbage_lines(folder.name, found):
            say(line)
    if not n_bytes:
        say("nothing to free")
    elif yes:
        say(f"freed {bytes_text(n_bytes)}")
    else:
        named = [typed(folder) for folder in folders]
        is_told_all = studies is None and not any("/" in name for name in named)
        command = " ".join(["recsweep gc", *([] if is_told_all else named), "--yes"])
        say(f"{bytes_text(n_bytes)} in all; nothing is deleted yet: {command}")
    if refused and studies:
        raise StateError("\n".join(refused))
    for line in refused:
        typer.echo(line, err=True)
