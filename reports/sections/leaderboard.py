"""All COMPLETE trials by validation RMSE, with the baselines in their places."""

from __future__ import annotations

from collections.abc import Callable

from experiments.records import ColumnRecord, StudyRecord, TrialRecord, is_layer_size
from experiments.records.values import layers_text
from reports import labels, numbers, ranking
from reports.blocks import Block, Column, Problem, Row, Section, Table, Text

N_ROWS = 200


def leaderboard(study: StudyRecord) -> Section:
    ranked = study.ranked
    rows = ranking.standings(study)
    if not rows:
        return Section("Leaderboard", (Problem("No trial is complete and no baseline is known."),))
    shown = [row for row in rows if row.baseline or (row.rank and row.rank <= N_ROWS)]
    line_after, line = ranking.line_of_noise(study, ranked) or (0, "")
    values = value_columns(study) if ranked else []
    table_rows = []
    for row in shown:
        if row.trial is None:
            assert row.baseline is not None
            own = ("", row.baseline.label, numbers.rmse(row.rmse), numbers.gap(row.to_bias))
            rest = (numbers.gap(row.to_first), "", "", numbers.seconds(row.baseline.seconds), "")
            cells = (*own, *rest, *("" for _ in values))
        else:
            cells = (*_trial_cells(study, row, row.trial), *(read(row.trial) for _, read in values))
        look = "baseline" if row.baseline else "best" if row.rank == 1 else "plain"
        table_rows.append(Row(cells, look=look, rule=line if row.rank == line_after else ""))  # type: ignore[arg-type]  # mypy widens the conditional
    text = (
        f"{numbers.plural(len(ranked), 'complete trial')}, best first, with the baselines in "
        "their places. Pruned, diverged and failed trials have no rank: theirs is a number of an "
        "unfinished training."
        if ranked
        else "No trial is complete: the baselines stand alone."
    )
    blocks: list[Block] = [Text(text)]
    left_out = len(ranked) - N_ROWS
    further = f" Noise cannot tell the first {line_after:,} apart." if line_after > N_ROWS else ""
    blocks.append(
        Table(
            caption=f"The best {N_ROWS:,} of {len(ranked):,} complete trials"
            if left_out > 0
            else "All complete trials and the baselines",
            columns=(*_columns(study), *(column for column, _ in values)),
            rows=tuple(table_rows),
            note=f"{left_out:,} more are in trials.csv.{further}" if left_out > 0 else "",
            is_sortable=True,
        )
    )
    return Section("Leaderboard", tuple(blocks))


def _columns(study: StudyRecord) -> tuple[Column, ...]:
    return (
        Column("rank", "Place among COMPLETE trials, by RMSE; ties by number.", is_number=True),
        Column("trial", "Number in the study, and its arm where arms are compared."),
        Column("RMSE", f"{labels.what_is_averaged(study)}.", is_number=True),
        Column("to bias", "RMSE minus the bias baseline's; below 0 is better.", is_number=True),
        Column("to first", "RMSE minus the best trial's.", is_number=True),
        Column("epoch", "The epoch with the lowest validation RMSE.", is_number=True),
        Column("updates", "Optimizer steps over all epochs.", is_number=True),
        Column("time", "Training and evaluation, all epochs.", is_number=True),
        Column("parameters", "Trainable numbers of the model.", is_number=True),
    )


def _trial_cells(study: StudyRecord, row: ranking.Standing, trial: TrialRecord) -> tuple[str, ...]:
    return (
        str(row.rank),
        labels.label(study, trial),
        numbers.rmse(row.rmse),
        numbers.gap(row.to_bias),
        numbers.gap(row.to_first),
        numbers.count(trial.best_epoch),
        numbers.count(trial.n_updates),
        numbers.seconds(trial.seconds),
        numbers.count(trial.n_parameters),
    )


def value_columns(study: StudyRecord) -> list[tuple[Column, Callable[[TrialRecord], str]]]:
    """A column a dimension and how to read it; the widths of the layers stand in one."""
    columns: list[tuple[Column, Callable[[TrialRecord], str]]] = []
    has_widths = any(column.name == "layer_size_0" for column in study.columns)
    for column in study.columns:
        if column.name == study.compared_dimension:
            continue
        if column.name == "layer_size_0":
            widths = Column("layers", "Widths of the dense layers, from the first.", is_number=True)
            columns.append((widths, lambda trial: layers_text(trial.values) or numbers.NOTHING))
        elif not is_layer_size(column.name):
            title = "space.layers" if has_widths and column.name == "layers" else column.name
            columns.append((_value_column(column, title), _reader(column.name)))
    return columns


def _value_column(column: ColumnRecord, title: str) -> Column:
    inactive = f"{numbers.NOTHING}: not active in this trial"
    is_number = not any(isinstance(choice, bool | str) for choice in column.choices)
    return Column(title, f"Dimension of the search space ({inactive}).", is_number)


def _reader(name: str) -> Callable[[TrialRecord], str]:
    return lambda trial: numbers.value(trial.values.get(name))
