from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli.show import show_text
from experiments.records import ColumnRecord, Purpose, StudyRecord, TrialState
from reports.described import training_time
from reports.exports import (
    column_definitions,
    curves_frame,
    trials_frame,
    without_formula,
    write_csv,
)
from reports.numbers import seconds


def test_every_column_is_defined_and_in_order(study: StudyRecord) -> None:
    assert list(trials_frame(study).columns) == list(column_definitions(study))


def test_numbers_keep_their_full_precision(study: StudyRecord, tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    write_csv(trials_frame(study), path)
    read = pd.read_csv(path, float_precision="round_trip").set_index("number")
    for trial in study.ranked:
        assert read.loc[trial.number, "best_rmse"] == trial.best_rmse
        assert read.loc[trial.number, "learning_rate"] == trial.values["learning_rate"]


def test_rank_and_gaps_are_empty_where_a_trial_is_not_complete(study: StudyRecord) -> None:
    frame = trials_frame(study)
    other = frame[frame["state"] != TrialState.COMPLETE.value]
    assert len(other)
    assert other[["rank", "to_bias", "to_default", "to_first"]].isna().all().all()
    assert frame["rank"].min() == 1


def test_ranks_and_gaps_are_those_of_the_ranking(study: StudyRecord) -> None:
    default, bias = study.ranked[2].number, study.baseline("bias")
    assert bias is not None
    trials = tuple(replace(trial, is_default=trial.number == default) for trial in study.trials)
    frame = trials_frame(replace(study, trials=trials)).set_index("name")
    rmse = [trial.best_rmse or 0 for trial in study.ranked]
    for place, trial in enumerate(study.ranked):
        row = frame.loc[trial.name]
        assert (row["rank"], row["best_rmse"]) == (place + 1, rmse[place])
        gaps = [rmse[place] - other for other in (rmse[0], bias.val_rmse, rmse[2])]
        assert [row["to_first"], row["to_bias"], row["to_default"]] == pytest.approx(gaps)


def test_an_inactive_dimension_is_empty(study: StudyRecord) -> None:
    frame = trials_frame(study)
    assert frame.loc[frame["arm"] == "plain", "cross_layers"].isna().all()
    assert frame.loc[frame["arm"] == "dcn", "cross_layers"].notna().all()


def test_columns_have_the_types_of_their_dimensions(study: StudyRecord) -> None:
    types = trials_frame(study).dtypes.astype(str)
    assert types["learning_rate"] == "Float64"
    assert types["n_layers"] == "Int64"
    assert types["embedding_size"] == "Int64"
    assert types["side_features"] == "boolean"
    assert types["optimizer"] == "string"


def test_a_choice_of_mixed_kinds_is_text(study: StudyRecord, tmp_path: Path) -> None:
    mixed = ColumnRecord("depth", "choice", None, None, False, (1, "deep", 2.5))
    trials = tuple(
        replace(t, values={"depth": (1, "deep", 2.5)[t.number % 3]}) for t in study.trials
    )
    frame = trials_frame(replace(study, columns=(mixed,), trials=trials))
    frame.to_parquet(tmp_path / "trials.parquet")
    assert list(frame["depth"][:3]) == ["1", "deep", "2.5"]


def test_a_dimension_named_like_a_column_gets_a_name_of_its_own(study: StudyRecord) -> None:
    rank = ColumnRecord("rank", "int", 1, 8, False, ())
    frame = trials_frame(replace(study, columns=(rank,)))
    assert "space.rank" in frame.columns
    assert frame.columns.is_unique


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_defused(
    study: StudyRecord, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "trials.csv"
    hostile = replace(study, trials=tuple(replace(t, error=text) for t in study.trials))
    write_csv(trials_frame(hostile), path)
    with path.open(newline="") as file:
        assert all(row["error"] == f"'{text}".replace("\r", "\n") for row in csv.DictReader(file))


@given(st.text())
def test_no_text_begins_like_a_formula(text: str) -> None:
    safe = without_formula(text)
    assert safe.removeprefix("'") == text.removeprefix("'")
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_negative_numbers_stay_numbers(study: StudyRecord, tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    write_csv(trials_frame(study), path)
    assert pd.read_csv(path)["to_bias"].min() < 0


def test_each_row_has_the_command_that_trains_it_again(study: StudyRecord) -> None:
    commands = trials_frame(study)["reproduce"]
    assert commands[7] == (
        "recsweep best made-up:7 > made-up-7.toml && recsweep train made-up-7.toml"
    )


def test_what_has_a_defaults_values_is_the_default_also_where_it_was_tried_again(
    study: StudyRecord,
) -> None:
    first, other, *rest = study.trials
    again = replace(other, values=first.values, is_default=False)
    shown = replace(study, trials=(replace(first, is_default=True), again, *rest))
    assert trials_frame(shown)["is_default"].tolist()[:2] == [True, True]
    (line,) = re.findall(rf"^#{other.number} .*", show_text(shown), re.MULTILINE)
    assert line.endswith("(default)")


def test_steps_that_nobody_counted_are_not_none(study: StudyRecord) -> None:
    epochs = tuple(replace(epoch, n_updates=0) for epoch in study.ranked[0].epochs)
    trials = tuple(replace(t, epochs=epochs) for t in study.ranked)
    uncounted = replace(study, trials=trials)
    assert trials_frame(uncounted)["n_updates"].isna().all()
    assert curves_frame(uncounted)["n_updates"].isna().all()
    assert curves_frame(study)["n_updates"].gt(0).all()


def test_the_time_of_the_verdict_is_told_apart(study: StudyRecord) -> None:
    alone = training_time(study)
    assert alone.endswith(", summed over trials")
    run = replace(study.ranked[0], purpose=Purpose.VERDICT)
    more = training_time(replace(study, trials=(*study.trials, run)))
    assert more == f"{alone}, and {seconds(run.seconds)} more for the verdict"
