"""Commands about one model: train, replay, export, spaces."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import completing
from experiments.cli.options import (
    DEFAULT_ROOT,
    Root,
    Set,
    StudyName,
    file_to_write,
    folder_to_write,
    split_trial,
    study_folder,
)
from experiments.errors import RequestError
from experiments.records.values import plural

if TYPE_CHECKING:
    from experiments.records import StudyRecord


N_EPOCHS_AT_ONCE = 5_000
"""Of fewer, nobody has to be told how long a database takes."""


def add_to(app: typer.Typer) -> None:
    app.command("train", epilog="Example: recsweep train article-basic")(train)
    app.command("replay", epilog="Example: recsweep replay quickstart:3")(replay)
    app.command(
        "export", epilog="Example: recsweep export quickstart --to optuna:sqlite:///quickstart.db"
    )(export)
    app.command("spaces", epilog="Example: recsweep spaces ranking")(spaces)


def train(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A file without [space], or a shipped one's name.",
            autocompletion=completing.sweeps,
        ),
    ],
    overrides: Set = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the best epoch as a SavedModel here.")
    ] = None,
) -> None:
    """Train one model and say its validation RMSE beside the baselines'."""
    from experiments.request.config import load_sweep
    from experiments.trials.single import train_single

    config = load_sweep(file, overrides or [], os.environ)
    if config.space is not None:
        run = f"recsweep run {shlex.quote(file)}"
        raise RequestError(f"{file} has a [space]: it is a sweep. Run it with: {run}")
    _tell(train_single(config, save))


def replay(study: StudyName, root: Root = DEFAULT_ROOT) -> None:
    """Train the winner (or STUDY:17) again and say whether its number comes back; exit 4 if not.

    The winner is the leader of the verdict; before a verdict, the best trial of the search.
    """
    from experiments.cli.terminal import say
    from experiments.records import read_study
    from experiments.trials.choosing import chosen_trial
    from experiments.trials.replay import replay_trial

    name, number = split_trial(study)
    record = read_study(study_folder(name, root))
    trial = chosen_trial(record, number)
    epochs = plural(len(trial.epochs), "epoch")
    say(f"trial    {record.name}:{trial.number}, {epochs}, seed {trial.seed}")
    _tell(replay_trial(record, trial))


def _tell(training: Iterator[str]) -> None:
    """Print its lines as they come; an error in the researcher's own code with its traceback."""
    from experiments.cli.terminal import say
    from recommender.errors import OwnCodeError

    try:
        for line in training:
            say(line)
    except OwnCodeError as error:
        raise RequestError(error.log) from error


def export(
    study: StudyName,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="optuna:URL, mlflow:FOLDER or csv:FILE for the whole study; else the folder of "
            "the SavedModel. Default: models/STUDY-NUMBER.",
        ),
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write the winner (or STUDY:17) as a SavedModel with its model card; or the study elsewhere.

    The winner is the leader of the verdict; before a verdict, the best trial of the search.
    optuna:sqlite:///study.db (any Optuna storage) opens in optuna-dashboard, mlflow:FOLDER in
    `mlflow ui --backend-store-uri FOLDER` (with MLFLOW_ALLOW_FILE_STORE=true from MLflow 3 on).
    """
    from experiments.records import read_study
    from experiments.trials.choosing import chosen_trial
    from experiments.trials.single import export_trial

    name, number = split_trial(study)
    record = read_study(study_folder(name, root))
    kind, colon, target = (to or "").partition(":")
    if colon and kind in _WHOLE_STUDY:
        if number is not None:
            raise RequestError(f"{kind}: takes the whole study; leave out the trial: {name}")
        if not target:
            raise RequestError(f"--to {kind}: needs a place after the colon")
        typer.echo(_WHOLE_STUDY[kind](record, target))
        return
    if colon and kind.isalnum():
        known = ", ".join(f"{name}:" for name in _WHOLE_STUDY)
        raise RequestError(f"--to: unknown target {kind + ':'!r}; known: {known}, or a folder")
    from experiments.cli.terminal import say
    from reports.model_card import model_card

    trial = chosen_trial(record, number)
    place = Path(to) if to else Path("models") / f"{record.name}-{trial.name}"
    for line in export_trial(record, trial, place):
        say(line)
    card = place / "MODEL_CARD.md"
    card.write_text(model_card(record, trial), encoding="utf-8")
    say(f"model card: {card}")


def _to_optuna(study: StudyRecord, url: str) -> str:
    from experiments.durations import format_duration
    from experiments.sharing.to_optuna import export_to_optuna

    n_epochs = sum(len(trial.epochs) for trial in study.search_trials)
    if "://" in url and n_epochs >= N_EPOCHS_AT_ONCE:
        # Measured on one core of 2.6 GHz.
        typer.echo(
            f"Optuna writes the values of {n_epochs:,} epochs into a database one by one, about "
            f"{format_duration(0.0015 * n_epochs)}; a file takes seconds: "
            f"--to optuna:{study.name}.log",
            err=True,
        )
    return export_to_optuna(study, url)


def _to_mlflow(study: StudyRecord, folder: str) -> str:
    from experiments.sharing.to_mlflow import export_to_mlflow

    return export_to_mlflow(study, folder_to_write(Path(folder)))


def _to_csv(study: StudyRecord, file: str) -> str:
    from experiments.files import replacing
    from reports.exports import trials_frame, write_csv

    with replacing(file_to_write(Path(file))) as temporary:
        write_csv(trials_frame(study), temporary)
    return f"wrote {plural(len(study.trials), 'trial')} to {file}"


_WHOLE_STUDY: dict[str, Callable[[StudyRecord, str], str]] = {
    "optuna": _to_optuna,
    "mlflow": _to_mlflow,
    "csv": _to_csv,
}
"""Where a whole study can go, by what stands before the colon of `--to`."""


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
