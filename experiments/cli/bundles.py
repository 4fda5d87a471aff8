"""Commands that hand a study on: bundle, verify."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import (
    DEFAULT_ROOT,
    Root,
    StudyName,
    file_to_write,
    study_folder,
)
from experiments.cli.wording import plural
from experiments.errors import RecsweepError, StateError

if TYPE_CHECKING:
    from experiments.records import StudyRecord
    from experiments.sharing.bundle import Manifest
    from experiments.sharing.bundle_checks import Check

N_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    app.command("bundle", epilog="Example: recsweep bundle dcn-vs-plain -o dcn.zip")(bundle)
    app.command("verify", epilog="Example: recsweep verify dcn-vs-plain.bundle.zip")(verify)


def bundle(
    study: StudyName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: STUDY.bundle.zip.")
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write a study as one file to hand on: all that its report rests on, but no rating."""
    from experiments.sharing.bundle import as_of, pack, stage_study
    from reports.render import write_report

    folder = study_folder(study, root)
    if output is not None:
        file_to_write(output)
    with tempfile.TemporaryDirectory(prefix="recsweep-bundle-") as stage:
        staged = stage_study(folder, Path(stage))
        write_report(staged, now=as_of(staged))
        target = output or Path(f"{staged.name}.bundle.zip")
        manifest = pack(Path(stage), staged, target)
    typer.echo(
        f"wrote {target}: {len(manifest.files)} files of {staged.name} ({staged.state}), "
        f"{target.stat().st_size / 1e6:.1f} MB; no rating, no weights"
    )
    typer.echo(f"check    recsweep verify {shlex.quote(str(target))}")


def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", help="What `bundle` wrote.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Unpack into this folder and keep it; default: look only."),
    ] = None,
) -> None:
    """Unpack a bundle safely and compute every number of its report anew from its ledger.

    Nothing in it is run. What does not hold is listed, and the exit code is 4.
    """
    with tempfile.TemporaryDirectory(prefix="recsweep-verify-") as scratch:
        folder = to or Path(scratch)
        from experiments.cli.terminal import say
        from experiments.sharing.bundle import MANIFEST_NAME, REQUIREMENTS_NAME, read_manifest
        from experiments.sharing.unpacking import unpack

        unpack(file, folder)
        manifest = read_manifest(folder / MANIFEST_NAME)
        checks = _checks(folder, manifest)
        n_wrong = 0
        for check in checks:
            n_wrong += len(check.problems)
            if not check.problems:
                say(f"{'holds':<8} {check.subject:<12} {check.holds}")
            for problem in check.problems[:N_SHOWN]:
                say(f"{'WRONG':<8} {check.subject:<12} {problem}")
            if len(check.problems) > N_SHOWN:
                more = len(check.problems) - N_SHOWN
                say(f"{'WRONG':<8} {check.subject:<12} and {more} more")
    if to is not None:
        say(
            f"unpacked {to}: the study is {to / manifest.study}, and what it ran with, for "
            f"pip install -r, {to / REQUIREMENTS_NAME}"
        )
    if n_wrong:
        raise StateError(f"{file} does not hold: {plural(n_wrong, 'thing')} wrong")
    say(
        f"{file}: every number of the report that follows from the ledger was computed anew. What "
        "needs the ratings or the weights stands as it was: counts and fingerprints of the data, "
        "baselines, segments, the users' part of the noise, scores on kept users, of a refit and "
        "of baselines on the test split, cross kernels, and the intervals of a verdict's "
        "differences"
    )


def _checks(folder: Path, manifest: Manifest) -> list[Check]:
    """All that can be looked at; a study that cannot be read ends the list."""
    from experiments.records import read_study
    from experiments.sharing.bundle_checks import Check, check_files, run_checks

    checks = [check_files(folder, manifest)]
    try:
        study = read_study(folder / manifest.study)
    except RecsweepError as error:
        told = error.message.replace(f"{folder}/", "")
        return [*checks, Check("study", "", (f"cannot be read: {told}",))]
    return [*checks, *run_checks(study), _check_report(study, manifest)]


def _check_report(study: StudyRecord, manifest: Manifest) -> Check:
    from experiments.sharing.bundle import renderers
    from experiments.sharing.bundle_checks import Check
    from reports.recheck import report_differences, verdict_differences

    here = renderers()
    others = [
        f"{name} {version} wrote it, {here[name]} is here"
        for name, version in manifest.made_with.items()
        if name in here and here[name] != version and name != "python"
    ]
    try:
        n_files, problems = report_differences(
            study, study.folder / "report", manifest.report_as_of, with_pages=not others
        )
        problems += verdict_differences(study)
    except Exception as error:  # whatever a stranger's file makes of our readers
        return Check("report", "", (f"cannot be written anew: {type(error).__name__}: {error}",))
    left_out = f"; pages and pictures were not compared: {', '.join(others)}" if others else ""
    return Check("report", f"{n_files} files, written anew{left_out}", tuple(problems))
