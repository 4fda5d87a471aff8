"""The ratings and how they were split."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import numbers
from reports.blocks import Block, Column, Facts, Note, Problem, Row, Section, Table, Text
from reports.described import Part, described
from reports.judging.judged_rows import kept_users_text
from reports.judging.openings import openings_text


def data(study: StudyRecord) -> Section:
    it = described(study)
    if it.name is None:
        return Section("Data and split", (Problem("The study folder does not describe its data."),))
    span = numbers.NOTHING
    if it.rating_range:
        span = f"{it.rating_range[0]:g} to {it.rating_range[1]:g}"
    split = it.split_arguments
    kept = kept_users_text(study)
    method = str(it.split.get("method", numbers.NOTHING))
    blocks: list[Block] = [
        Facts(
            (
                ("data set", it.name),
                ("ratings", numbers.count(it.n_ratings)),
                ("users", numbers.count(it.n_users)),
                ("items", numbers.count(it.n_items)),
                (it.unit, span),
                ("features", ", ".join(it.features) or numbers.NOTHING),
                ("split", f"{method} ({split})" if split else method),
                ("test split", openings_text(study)),
            )
        ),
        _parts(
            (
                ("train", it.train),
                ("validation", it.validation),
                *((("confirm", it.confirm),) if it.confirm is not None else ()),
                ("test", it.test),
            )
        ),
        Text(
            "Trials are trained on train, chosen on validation. "
            + (f"Confirm: {kept}, and only it judges on them. " if kept else "")
            + (
                f"The test split was {openings_text(study)}; search and verdict never saw it."
                if study.openings
                else "The ratings of the test rows are sealed: nothing here has seen them."
            )
        ),
    ]
    blocks += [Note(note) for note in it.notes]
    return Section("Data and split", tuple(blocks))


def _parts(parts: tuple[tuple[str, Part], ...]) -> Table:
    return Table(
        caption="Parts of the split",
        columns=(
            Column(
                "part",
                "train fits the models, validation ranks them, confirm (if any) is kept for the "
                "verdict, test is sealed.",
            ),
            Column("rows", "Ratings.", is_number=True),
            Column("users", "Different users in it.", is_number=True),
            Column("items", "Different items in it.", is_number=True),
            Column("unseen users", "Share of its rows whose user is in no train row.", True),
            Column("unseen items", "Share of its rows whose item is in no train row.", True),
            Column("from", "Time of the first rating."),
            Column("to", "Time of the last rating."),
        ),
        rows=tuple(
            Row(
                (
                    name,
                    numbers.count(part.n_rows),
                    numbers.count(part.n_users),
                    numbers.count(part.n_items),
                    numbers.NOTHING if name == "train" else numbers.share(part.unseen_users),
                    numbers.NOTHING if name == "train" else numbers.share(part.unseen_items),
                    numbers.day(part.first_time),
                    numbers.day(part.last_time),
                )
            )
            for name, part in parts
        ),
    )
