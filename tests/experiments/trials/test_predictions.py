from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

import recsweep as rs
from experiments.errors import RequestError, StateError
from experiments.running.orders import predictions_folder
from experiments.trials.predictions import PREDICTION_COLUMNS
from recommender.checkpoints import read_checkpoint, write_checkpoint
from recommender.datasets.splits import split_ratings
from tests.in_process import InProcess


def rmse(frame: pd.DataFrame) -> float:
    return float(np.sqrt(((frame["predicted"] - frame["rating"]) ** 2).mean()))


def test_predictions_are_those_of_the_record_however_they_are_come_by(
    study: Path, workers: InProcess, ratings_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = rs.load(study)
    trial = opened.record.ranked[0]
    split = Mock(wraps=split_ratings)
    monkeypatch.setattr("recommender.datasets.loading.split_ratings", split)
    stored = opened.predictions(trial.number)
    assert split.call_count == 1  # the data are read once
    assert list(stored.columns) == list(PREDICTION_COLUMNS)
    assert rmse(stored) == pytest.approx(trial.best_rmse, abs=1e-6)
    known = pd.read_csv(ratings_csv, dtype={"user": str, "item": str})
    same = stored.merge(known, on=["user", "item"], suffixes=("", "_in_file"))
    assert len(same) == len(stored) and (same["rating"] == same["rating_in_file"]).all()
    assert set(stored["user_is_known"]) <= {True, False}

    shutil.rmtree(predictions_folder(study, trial))
    pd.testing.assert_frame_equal(opened.predictions(trial.name), stored)
    shutil.rmtree(study / "trials" / trial.name / "best")
    with pytest.raises(RequestError, match="train_again=True"):
        opened.predictions(trial.number)
    pd.testing.assert_frame_equal(opened.predictions(trial.number, train_again=True), stored)
    with pytest.raises(RequestError, match="has no trial 99; it has"):
        opened.predictions(99)


def test_predictions_of_another_model_are_refused(study: Path, workers: InProcess) -> None:
    opened = rs.load(study)
    trial = opened.record.ranked[0]
    arrays, _ = read_checkpoint(predictions_folder(study, trial))
    write_checkpoint(predictions_folder(study, trial), {"predicted": arrays["predicted"] + 1}, {})
    with pytest.raises(StateError, match="the record says"):
        opened.predictions(trial.number)


def test_a_study_gives_tidy_frames_and_a_short_word_of_itself(study: Path) -> None:
    opened = rs.load(study)
    best = opened.best(2)
    assert list(best["rank"]) == [1, 2] and list(best.columns) == list(opened.trials().columns)
    assert opened.best()["number"].iloc[0] == opened.record.ranked[0].number
    assert list(opened.best(np.int64(2))["rank"]) == [1, 2]  # type: ignore[arg-type]
    for mistake in ("2", -1, True):
        with pytest.raises(RequestError, match="takes a whole number of trials"):
            opened.best(mistake)  # type: ignore[arg-type]
    for of, frame in (("trials", opened.trials()), ("curves", opened.curves())):
        assert list(opened.column_definitions(of)) == list(frame.columns)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="of must be trials, best, curves or predictions"):
        opened.column_definitions("curv")  # type: ignore[arg-type]
    assert repr(opened).startswith(f"<recsweep study {study.name}, finished: ")
    assert not (study / "report").exists()
    assert "srcdoc" in opened._repr_html_()
    assert not (study / "report").exists()  # to look is not to write
