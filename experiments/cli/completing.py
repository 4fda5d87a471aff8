"""What the shell offers when a person presses Tab: studies, their trials, sweeps."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Collection, Iterator, MutableMapping
from pathlib import Path
from typing import ParamSpec

import typer

P = ParamSpec("P")

COMPLETION = "_RECSWEEP_COMPLETE"
"""Set by the shell's script; the name is typer's."""


def _without_errors(
    find: Callable[P, Iterator[tuple[str, str]]],
) -> Callable[P, list[tuple[str, str]]]:
    """An error's text would land in the middle of what is being typed."""

    @functools.wraps(find)
    def found(*args: P.args, **named: P.kwargs) -> list[tuple[str, str]]:
        with contextlib.suppress(Exception):
            return list(find(*args, **named))
        return []

    return found


@_without_errors
def studies(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Studies by name, and after a colon the trials of one, as `STUDY:17`, each with its state."""
    from experiments.cli.options import DEFAULT_ROOT
    from experiments.cli.wording import outcome_text, rmse_text
    from experiments.records import read_study, study_folders

    root = Path(ctx.params.get("root") or os.environ.get("RECSWEEP_STUDIES") or DEFAULT_ROOT)
    name, colon, _ = incomplete.partition(":")
    if not colon:
        for folder in study_folders(root):
            if folder.name.startswith(incomplete):
                yield folder.name, "study"
        return
    study = read_study(root / name)
    for trial in study.search_trials:
        outcome = outcome_text(trial, is_live=study.state == "running")
        yield f"{name}:{trial.number}", f"{outcome} {rmse_text(trial.best_rmse)}"


@_without_errors
def sweeps(incomplete: str) -> Iterator[tuple[str, str]]:
    """Shipped sweeps by name, and sweep files."""
    from experiments.sweep_files.sweep_file import SWEEPS

    for name in SWEEPS:
        yield name, "shipped"
    yield from files(incomplete)


@_without_errors
def files(incomplete: str) -> Iterator[tuple[str, str]]:
    """TOML files, and the folders on the way to them."""
    yield from _files(incomplete, (".toml",))


@_without_errors
def tables(incomplete: str) -> Iterator[tuple[str, str]]:
    """Tables, and the folders on the way to them."""
    yield from _files(incomplete, (".csv", ".tsv", ".txt", ".gz", ".parquet"))


def _files(incomplete: str, endings: Collection[str]) -> Iterator[tuple[str, str]]:
    head, slash, tail = incomplete.rpartition("/")
    for path in sorted(Path(head + slash or ".").iterdir()):
        if path.name.startswith(".") or not path.name.startswith(tail):
            continue
        if path.is_dir():
            yield f"{head}{slash}{path.name}/", "folder"
        elif path.suffix in endings:
            yield f"{head}{slash}{path.name}", "file"


def complete_for_bash(app: Callable[[], None], environ: MutableMapping[str, str]) -> None:
    """Answer bash, which takes words apart at colons and wants the last part alone.

    The words come a line each in COMP_WORDS; the one at the cursor is number COMP_CWORD.
    """
    words = environ.get("COMP_WORDS", "").split("\n")
    last = int(environ.get("COMP_CWORD", "0"))
    joined, at = _joined(words, last)
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(joined), str(at)
    word = joined[at] if at < len(joined) else ""
    head = word[: word.rfind(":") + 1]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        app()
    for line in out.getvalue().splitlines():
        typer.echo(line.removeprefix(head))


def _joined(words: list[str], last: int) -> tuple[list[str], int]:
    """`show sc : 1` as `show sc:1`, and which word now holds the one of number `last`."""
    joined: list[str] = []
    at = len(words)
    for number, word in enumerate(words):
        if joined and (word.startswith(":") or joined[-1].endswith(":")):
            joined[-1] += word
        else:
            joined.append(word)
        if number == last:
            at = len(joined) - 1
    return joined, min(at, len(joined))
