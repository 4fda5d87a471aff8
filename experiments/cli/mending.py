"""Commands for when something is wrong: doctor, repair."""

from __future__ import annotations

import typer

from experiments.cli.options import DEFAULT_ROOT, Root, StudyName, study_folder
from experiments.errors import ClusterError


def add_to(app: typer.Typer) -> None:
    app.command("doctor", epilog="Example: recsweep doctor")(doctor)
    app.command("repair", epilog="Example: recsweep repair quickstart")(repair)


def doctor(root: Root = DEFAULT_ROOT) -> None:
    """What this machine can do, and what is wrong with it."""
    from experiments.doctor import examine

    findings = examine(root)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.mark:<6} {finding.subject:<{width}}  {finding.text}")
    n_wrong = sum(finding.mark == "wrong" for finding in findings)
    if n_wrong:
        raise ClusterError(f"{n_wrong} thing{'s' * (n_wrong > 1)} to mend before a sweep can run")


def repair(study: StudyName, root: Root = DEFAULT_ROOT) -> None:
    """Rebuild a study's damaged or missing ledger from the workers' journals."""
    from experiments.repair import repair_study

    folder = study_folder(study, root)
    for line in repair_study(folder).lines:
        typer.echo(line)
