"""Options that several commands share, and how a study is named on the command line."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from experiments.errors import RequestError

Root = Annotated[
    Path,
    typer.Option(
        "--studies", help="Folder of all studies.", envvar="RECSWEEP_STUDIES", show_default=True
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-j", help="Trials at once; default: what the machine can hold."),
]
CpusPerTrial = Annotated[float, typer.Option("--cpus-per-trial", help="Cores of one trial.")]
GpusPerTrial = Annotated[
    float | None,
    typer.Option("--gpus-per-trial", help="Share of a GPU of one trial, such as 0.5; 0: none."),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", envvar="RAY_ADDRESS", help="An existing Ray cluster to use."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the sweep: search.trials=100. Repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name or folder.")]

DEFAULT_ROOT = Path("studies")


def study_folder(name: str, root: Path) -> Path:
    """The folder that a STUDY argument names: under the studies folder, else a path.

    Raises:
        RequestError: neither is there; lists the studies that are.
    """
    for folder in (root / name, Path(name)):
        with contextlib.suppress(OSError):  # too long for a name
            if (folder / "sweep.toml").is_file():
                return folder
    known = sorted(p.parent.name for p in root.glob("*/sweep.toml")) if root.is_dir() else []
    listed = f"studies in {root}/: {', '.join(known)}" if known else f"there are none in {root}/"
    raise RequestError(f"no study {name!r}; {listed}")


def split_trial(text: str) -> tuple[str, int | None]:
    """`STUDY` or `STUDY:17` as name and trial number.

    Raises:
        RequestError: what follows the colon is no trial number.
    """
    name, colon, number = text.rpartition(":")
    if not colon or "/" in number:
        return text, None
    if not number.isdigit():
        raise RequestError(f"{text!r}: after the colon comes a trial's number, as in {name}:17")
    return name, int(number)
