"""Options that several commands share, and how a study is named on the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import completing
from experiments.errors import RequestError
from experiments.files import disk_errors
from experiments.typed import with_its_name

Root = Annotated[
    Path,
    typer.Option(
        "--studies", help="Folder of all studies.", envvar="RECSWEEP_STUDIES", show_default=True
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the sweep: search.trials=100. Repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 6 when any trial failed.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Tell the seconds of each stage of the start.")
]
StopAt = Annotated[
    str | None,
    typer.Option(
        "--stop-at",
        help="Checkpoint and exit with 143 after so long, such as 11h30m. Default: two minutes "
        "before the end of a Slurm job.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A study's name or folder.", autocompletion=completing.studies
    ),
]

RatingsTable = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="Ratings as CSV, TSV or Parquet.", autocompletion=completing.tables
    ),
]
UserColumn = Annotated[str | None, typer.Option("--user", help="Its column; default: by its name.")]
ItemColumn = Annotated[str | None, typer.Option("--item", help="Likewise.")]
RatingColumn = Annotated[str | None, typer.Option("--rating", help="Likewise.")]
TimeColumn = Annotated[str | None, typer.Option("--time", help="Likewise; there may be none.")]

DEFAULT_ROOT = Path("studies")


def study_folder(name: str, root: Path) -> Path:
    """The folder that a STUDY argument names: under the studies folder, else a path.

    Raises:
        RequestError: neither is there; lists the studies that are.
    """
    there = None
    for folder in (root / name, Path(name)):
        with contextlib.suppress(OSError):  # too long for a name
            if (folder / "sweep.toml").is_file():
                return with_its_name(folder)
            if folder.is_dir():
                there = there or folder
    known = sorted(p.parent.name for p in root.glob("*/sweep.toml")) if root.is_dir() else []
    listed = f"studies in {root}/: {', '.join(known)}" if known else f"there are none in {root}/"
    if there is not None:
        raise RequestError(f"{there} is a folder without sweep.toml, so it is no study; {listed}")
    raise RequestError(f"no study {name!r}; {listed}")


def file_to_write(path: Path) -> Path:
    """The path, its folder made where it was not there.

    Raises:
        RequestError: there can be no such file.
        DiskError: the disk is full, or this user may not.
    """
    with _told(path, "file"):
        if path.is_dir():
            raise RequestError(f"{path} is a folder; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch()
            path.unlink()
    return path


def folder_to_write(path: Path) -> Path:
    """The folder, made where it was not there.

    Raises:
        RequestError: there can be no such folder.
        DiskError: the disk is full, or this user may not.
    """
    with _told(path, "folder"):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        with disk_errors(path):
            yield
    except OSError as error:
        told = f"{path}: there can be no such {what}: {error.strerror}; name another"
        raise RequestError(told) from error


def split_trial(text: str) -> tuple[str, int | None]:
    """`STUDY` or `STUDY:17` as name and trial number; RequestError where `17` is none."""
    name, colon, number = text.rpartition(":")
    if not colon or "/" in number:
        return text, None
    if not number.isdigit():
        raise RequestError(f"{text!r}: after the colon comes a trial's number, as in {name}:17")
    return name, int(number)
