"""The command for a first sweep: init."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import completing
from experiments.cli.options import ItemColumn, RatingColumn, RatingsTable, TimeColumn, UserColumn


def add_to(app: typer.Typer) -> None:
    app.command("init", epilog="Example: recsweep init ratings.csv --items films.csv")(init)


def init(
    table: RatingsTable,
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", help="A table with a row an item.", autocompletion=completing.files
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
    from experiments.drafts import draft_sweep
    from experiments.files import atomic_write
    from experiments.typed import from_here
    from experiments.values import plural

    target = output or Path(f"{table.name.partition('.')[0]}.toml")
    asked = {"user": user, "item": item, "rating": rating, "time": time}
    given = {role: name for role, name in asked.items() if name is not None}
    draft = draft_sweep(table, target, given, items)
    atomic_write(target, draft.text)
    it, columns = draft.description, draft.columns
    typer.echo(f"columns  {' · '.join(f'{role} {name}' for role, name in columns.items())}")
    if draft.items is not None:
        typer.echo(
            f"items    {draft.items.key} · {', '.join(draft.items.features) or 'no feature'}"
        )
    if draft.left_out:
        left_out = ", ".join(draft.left_out)
        typer.echo(f"         left out: {left_out} (ids, dates, names, or always the same)")
    if draft.of_ratings:
        of_ratings = ", ".join(draft.of_ratings)
        typer.echo(f"         left out: {of_ratings} (made of ratings: the test's may be in them)")
    low, high = it.rating_range
    typer.echo(
        f"data     {plural(it.n_ratings, 'rating')}, {plural(it.n_users, 'user')}, "
        f"{plural(it.n_items, 'item')}, "
        f"{low:g} to {high:g}"
    )
    rows = " · ".join(f"{name} {part.n_rows:,}" for name, part in it.parts.items())
    typer.echo(f"split    {it.split['method']}: {rows} (sealed)")
    for note in it.notes:
        typer.echo(f"         {note}")
    typer.echo(f"wrote    {target}")
    run = f"recsweep run {shlex.quote(from_here(target))}"
    typer.echo(f"next     {run} --plan        {run}")
