"""Commands about one model or the data: train, export, spaces, data describe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import DEFAULT_ROOT, Root, Set, StudyName, split_trial, study_folder
from experiments.errors import RequestError


def add_to(app: typer.Typer) -> None:
    app.command("train", epilog="Example: recsweep train article-basic")(train)
    app.command("export", epilog="Example: recsweep export quickstart --to model")(export)
    app.command("spaces", epilog="Example: recsweep spaces ranking")(spaces)
    data = typer.Typer(help="Look at a data set.", no_args_is_help=True, rich_markup_mode=None)
    data.command("describe", epilog="Example: recsweep data describe quickstart")(describe)
    app.add_typer(data, name="data")


def train(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file without [space], or a shipped one's name.")
    ],
    overrides: Set = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the best epoch as a SavedModel here.")
    ] = None,
) -> None:
    """Train one model and say its validation RMSE beside the baselines'."""
    from experiments.config import load_sweep
    from experiments.single import train_single

    config = load_sweep(file, overrides or [], os.environ)
    if config.space is not None:
        raise RequestError(f"{file} has a [space]: it is a sweep. Run it with: recsweep run {file}")
    for line in train_single(config, save):
        typer.echo(line)


def export(
    study: StudyName,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Folder of the SavedModel; default: models/STUDY-NUMBER."),
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write the winner (or STUDY:17) as a SavedModel that plain TensorFlow loads."""
    from experiments.best import chosen_trial
    from experiments.records import read_study
    from experiments.single import export_trial

    name, number = split_trial(study)
    folder = study_folder(name, root)
    record = read_study(folder)
    trial = chosen_trial(record, number)
    target = to or Path("models") / f"{record.name}-{trial.name}"
    for line in export_trial(folder, record, trial, target):
        typer.echo(line)


def spaces(
    name: Annotated[str | None, typer.Argument(help="Show one space; default: list all.")] = None,
) -> None:
    """The shipped search spaces, to start from with `use = NAME` under [space]."""
    from search_spaces import SHIPPED, shipped_space

    if name is None:
        for known in SHIPPED:
            n = len(shipped_space(known).columns)
            typer.echo(f"{known:<12} {n} columns    recsweep spaces {known}")
        return
    if name not in SHIPPED:
        raise RequestError(f"no shipped space {name!r}; known: {', '.join(SHIPPED)}")
    typer.echo(SHIPPED[name].read_text(encoding="utf-8"), nl=False)


def describe(
    sweep: Annotated[str, typer.Argument(help="A sweep file or a shipped sweep by name.")],
    overrides: Set = None,
) -> None:
    """Counts, long tail, split and cold share of a sweep's data; test ratings stay sealed."""
    from experiments.config import load_sweep
    from experiments.study import load_data
    from recommender.datasets.describe import description_lines

    for line in description_lines(
        load_data(load_sweep(sweep, overrides or [], os.environ)).description
    ):
        typer.echo(line)
