from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.errors import RequestError, StateError
from experiments.files import read_json, write_json
from experiments.records import Purpose, read_study
from experiments.records.openings import OPENINGS_NAME, openings_of
from experiments.request.frozen import frozen_sweep
from experiments.running.stopping import StopCause, StopSwitch
from experiments.verdict.unseal import score_on_test
from experiments.verdict.verdict import gather_evidence
from experiments.watcher import Silent
from recommender.checkpoints import read_checkpoint
from recommender.datasets.unsealing import open_test
from recommender.metrics import rmse
from reports.render import write_report
from tests.in_process import InProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def judged(decided: Path, tmp_path: Path, workers: InProcess) -> Path:
    shutil.copytree(decided, tmp_path / "small")
    return tmp_path / "small"


def unseal(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(
        app, ["unseal", folder.name, "--studies", str(folder.parent), *options]
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_study_without_a_verdict_opens_nothing(study: Path) -> None:
    with pytest.raises(StateError, match="recsweep verdict small"):
        score_on_test(study, "too early", Silent())
    assert read_study(study).openings == ()


def test_test_ratings_of_one_user_stay_sealed(judged: Path) -> None:
    provenance = read_json(judged / "provenance.json")
    provenance["dataset"]["test"]["n_users"] = 1
    write_json(judged / "provenance.json", provenance)
    with pytest.raises(StateError, match=r"are all of one user.*stays sealed"):
        score_on_test(judged, "for the paper", Silent())
    assert read_study(judged).openings == ()


def test_nothing_is_opened_without_a_word(judged: Path) -> None:
    with pytest.raises(RequestError, match="--yes"):
        unseal(judged)
    assert read_study(judged).openings == ()
    assert not (judged / "test.json").exists()


def test_the_finalists_are_scored_on_the_test_rows(judged: Path, ratings_csv: Path) -> None:
    before = write_report(read_study(judged)).html.read_bytes()
    said = unseal(judged, "--yes", "--why", "for the paper", "--refit")
    # What the report said of a sealed split is kept under its date.
    (kept_page,) = (judged / "report" / "earlier").iterdir()
    assert kept_page.read_bytes() == before
    assert "never opened" in said
    record = read_study(judged)
    assert record.test is not None and record.verdict is not None
    frame = pd.read_csv(ratings_csv)
    first, last = frame["time"].min(), frame["time"].max()
    is_train = frame["time"] <= first + 0.6 * (last - first)
    is_test = frame["time"] > first + 0.8 * (last - first)
    stars = frame.loc[is_test, "rating"].to_numpy()
    assert record.test.results.n_rows == len(stars)
    mean = frame.loc[is_train, "rating"].mean()
    expected = float(np.sqrt(np.mean((stars - mean) ** 2)))
    assert record.test.baselines["train_mean"] == pytest.approx(expected, abs=1e-5)
    # Each replicate's number follows from the predictions that were kept, and beats the mean's.
    sweep = frozen_sweep(judged)
    opened = open_test(sweep.dataset, sweep.split, record=lambda description: None)
    found = next(f for f in record.test.results.finalists if len(f.rmse_by_seed) == 2)
    kept, _ = read_checkpoint(judged / "predictions" / "test" / f"{found.name}-v1")
    assert found.rmse_by_seed[0] == pytest.approx(rmse(kept["predicted"], opened.rows.rating))
    assert found.rmse_by_seed[0] < expected
    # The refit saw validation rows, too: on train alone it would come to the same numbers again.
    refit = record.test.refit
    assert refit is not None and record.leader is not None and refit.name == record.leader.name
    alone = record.test.results.finalist(refit.name)
    assert alone is not None and len(refit.rmse_by_seed) == 2
    assert not set(refit.rmse_by_seed) & set(alone.rmse_by_seed)
    assert max(refit.rmse_by_seed) < expected
    (opening,) = record.openings
    assert (opening.study, opening.why) == ("small", "for the paper")
    with pytest.raises(StateError, match="was opened: its verdict stays as it is"):
        gather_evidence(judged, retry_failed=True, watcher=Silent())
    assert "for the paper" in (judged / "report" / "report.md").read_text()
    # Shown again, it is not opened again.
    assert "was opened 1 time" in unseal(judged)
    assert len(read_study(judged).openings) == 1


def test_every_study_of_the_folder_counts_the_openings_of_a_split(judged: Path) -> None:
    other = judged.parent / "other"
    shutil.copytree(judged, other)
    unseal(judged, "--yes")
    assert len(read_study(other).openings) == 1
    unseal(other, "--yes")
    assert [o.study for o in read_study(judged).openings] == ["small", "other"]
    # The record outlives the study that made it, and goes where a study goes.
    shutil.rmtree(judged)
    assert len(read_study(other).openings) == 2
    elsewhere = judged.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.move(other, elsewhere / "other")
    assert [o.study for o in read_study(elsewhere / "other").openings] == ["other"]
    assert openings_of(elsewhere / "other", "another split") == ()


def test_an_opening_is_on_record_before_a_label_is_taken(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def fail(*_: object, **__: object) -> None:
        asked.append(None)
        raise MemoryError

    monkeypatch.setattr("recommender.datasets.unsealing.encode_test", fail)
    with pytest.raises(MemoryError):
        score_on_test(judged, "", Silent())
    assert len(read_study(judged).openings) == len(asked) == 1
    # Where it cannot be recorded, nothing is taken.
    (judged.parent / OPENINGS_NAME).unlink()
    (judged.parent / OPENINGS_NAME).mkdir()
    monkeypatch.setattr("experiments.records.study_records.openings_of", lambda *_: ())
    with pytest.raises(IsADirectoryError):
        score_on_test(judged, "", Silent())
    assert len(asked) == 1


def test_the_test_part_of_other_data_stays_sealed(judged: Path, ratings_csv: Path) -> None:
    before = ratings_csv.read_bytes()
    try:
        ratings_csv.write_bytes(before.rstrip(b"\n").rpartition(b"\n")[0] + b"\n")
        with pytest.raises(StateError, match="the data of small changed since it began"):
            score_on_test(judged, "", Silent())
    finally:
        ratings_csv.write_bytes(before)
    assert read_study(judged).openings == ()


@pytest.mark.parametrize(("is_key", "code"), [(False, 0), (True, 130)])
def test_scores_stay_where_a_refit_is_stopped(
    judged: Path, monkeypatch: pytest.MonkeyPatch, is_key: bool, code: int
) -> None:
    begun: list[str] = []

    def waiting(what: str) -> AbstractContextManager[None]:
        if what.startswith("training"):
            begun.append(what)
            if len(begun) == 2:
                if is_key:
                    raise KeyboardInterrupt
                StopSwitch(judged).ask(StopCause.COMMAND)
        return nullcontext()

    with monkeypatch.context() as patched:
        patched.setattr("experiments.verdict.unseal.waiting", waiting)
        result = CliRunner().invoke(
            app, ["unseal", "small", "--studies", str(judged.parent), "--refit", "--yes"]
        )
    assert result.exit_code == code
    assert len(begun) == 2
    assert "the refit was given up; to begin it anew: recsweep unseal --refit" in result.output
    test = read_study(judged).test
    assert test is not None
    assert test.refit is None
    assert "test rows of" in result.output
    assert not StopSwitch(judged).path.exists()
    unseal(judged, "--refit", "--yes")
    again = read_study(judged)
    assert again.test is not None
    assert again.test.refit is not None
    assert again.test.results == test.results
    assert len(again.openings) == 2


def test_what_a_model_is_apart_that_was_trained_again_is_on_record(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = next(t for t in read_study(judged).trials if t.purpose is Purpose.VERDICT)
    shutil.rmtree(judged / "trials" / trial.name / "best")
    monkeypatch.setattr("experiments.running.replicas.SAME_RMSE", -1.0)
    said = unseal(judged, "--yes")
    assert f"{trial.name}, whose weights are gone: trained again, its validation RMSE is" in said
    test = read_study(judged).test
    assert test is not None
    assert test.apart == {trial.name: pytest.approx(0.0, abs=1e-6)}
