"""Commands about a data set: init, data describe, data clean."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import completing
from experiments.cli.options import (
    ItemColumn,
    RatingColumn,
    RatingsTable,
    Set,
    TimeColumn,
    UserColumn,
    file_to_write,
)

if TYPE_CHECKING:
    from recommender.datasets.config import Of


def add_init_to(app: typer.Typer) -> None:
    app.command("init", epilog="Example: recsweep init ratings.csv --items films.csv")(init)


def add_to(app: typer.Typer) -> None:
    data = typer.Typer(
        help="Look at a data set, or clean it.", no_args_is_help=True, rich_markup_mode=None
    )
    data.command("describe", epilog="Example: recsweep data describe quickstart")(describe)
    data.command("clean", epilog="Example: recsweep data clean ratings.csv -o clean.csv")(clean)
    app.add_typer(data, name="data")


def init(
    table: RatingsTable,
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", help="A table with a row an item.", autocompletion=completing.tables
        ),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            "--users", help="A table with a row a user.", autocompletion=completing.tables
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The sweep file; default: the table's name, .toml."),
    ] = None,
    user: UserColumn = None,
    item: ItemColumn = None,
    rating: RatingColumn = None,
    time: TimeColumn = None,
) -> None:
    """Look at a table of ratings and write a sweep for it that runs as it stands."""
    from experiments.data.drafts import draft_sweep, listed
    from experiments.files import atomic_write
    from experiments.records.values import plural
    from experiments.typed import from_here

    target = file_to_write(output or Path(f"{table.name.partition('.')[0]}.toml"))
    tables: dict[Of, Path | None] = {"item": items, "user": users}
    named = {of: path for of, path in tables.items() if path is not None}
    draft = draft_sweep(table, target, _given(user, item, rating, time), named)
    atomic_write(target, draft.text)
    it, columns = draft.description, draft.columns
    typer.echo(f"columns  {' · '.join(f'{role} {name}' for role, name in columns.items())}")
    if "time" not in columns and draft.free:
        free = listed(draft.free)
        typer.echo(f"         none was taken for times, of {free}: name it with --time COLUMN")
    for of, side in draft.sides.items():
        config = side.config
        typer.echo(f"{of}s    {config.key} · {', '.join(config.features) or 'no feature'}")
        if side.left_out:
            names = ", ".join(side.left_out)
            typer.echo(f"         left out: {names} (ids, dates, names, or always the same)")
        if side.of_ratings:
            names = ", ".join(side.of_ratings)
            typer.echo(f"         left out: {names} (made of ratings: the test's may be in them)")
    low, high = it.rating_range
    typer.echo(
        f"data     {plural(it.n_ratings, 'rating')}, {plural(it.n_users, 'user')}, "
        f"{plural(it.n_items, 'item')}, {low:g} to {high:g}"
    )
    rows = " · ".join(f"{name} {part.n_rows:,}" for name, part in it.parts.items())
    typer.echo(f"split    {it.split['method']}: {rows} (sealed)")
    for note in (*it.notes, *filter(None, [it.note_on_strangers])):
        typer.echo(f"         {note}")
    typer.echo(f"wrote    {target}")
    run = f"recsweep run {shlex.quote(from_here(target))}"
    typer.echo(f"next     {run} --plan        {run}")


def describe(
    sweep: Annotated[
        str,
        typer.Argument(
            help="A sweep file or a shipped sweep by name.", autocompletion=completing.sweeps
        ),
    ],
    overrides: Set = None,
) -> None:
    """Counts, long tail, split and cold share of a sweep's data; test ratings stay sealed."""
    from experiments.data.study_data import load_data
    from experiments.request.config import load_sweep
    from recommender.datasets.describe import description_lines

    for line in description_lines(
        load_data(load_sweep(sweep, overrides or [], os.environ)).description
    ):
        typer.echo(line)


def clean(
    table: RatingsTable,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="CSV, TSV or Parquet; default: the table's name, -clean.csv."
        ),
    ] = None,
    duplicates: Annotated[
        str | None,
        typer.Option(
            help="Of pairs that are rated more than once keep the latest, or their mean; default: "
            "latest where there are times."
        ),
    ] = None,
    rating_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", help="Ratings outside are left out.", metavar="LOW HIGH"),
    ] = None,
    at_least: Annotated[
        int,
        typer.Option(
            min=1, help="Leave out users and items with fewer ratings, until there are none."
        ),
    ] = 1,
    user: UserColumn = None,
    item: ItemColumn = None,
    rating: RatingColumn = None,
    time: TimeColumn = None,
) -> None:
    """Write a table of ratings anew without the rows that cannot be used; says which and why.

    It keeps the columns of user, item, rating and time, under their names.
    """
    from experiments.data.clean_tables import write_clean
    from experiments.data.study_data import column_options
    from experiments.typed import from_here

    given = _given(user, item, rating, time)
    written = write_clean(
        table,
        file_to_write(output or Path(f"{table.name.partition('.')[0]}-clean.csv")),
        given,
        rating_range=rating_range,
        duplicates=duplicates,
        at_least=at_least,
    )
    for line in written.lines:
        typer.echo(line)
    command = ["recsweep", "init", from_here(written.target), *column_options(given)]
    typer.echo(f"next     {shlex.join(command)}")


def _given(*columns: str | None) -> dict[str, str]:
    """The columns that were named, by role."""
    roles = ("user", "item", "rating", "time")
    return {role: name for role, name in zip(roles, columns, strict=True) if name is not None}
