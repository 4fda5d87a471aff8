"""Where the best models err, and whether they collapsed, before any verdict."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.data.study_data import load_data
from experiments.records import read_study
from experiments.request.frozen import frozen_sweep
from experiments.running.orders import predictions_folder
from experiments.study import resume_study, run_study
from experiments.watcher import Silent
from recommender.checkpoints import read_checkpoint
from recommender.metrics import rmse
from recsweep import Choice, Sweep, space
from reports.render import write_report
from reports.sections.segments import collapsed_models
from tests.in_process import Died, InProcess
from tests.small_studies import a_sweep, decide
from tests.synthetic import ratings_table

pytestmark = pytest.mark.slow


def test_the_best_of_a_search_are_cut_by_segment_without_a_verdict(study: Path) -> None:
    record = read_study(study)
    assert record.verdict is None and record.segments is not None
    best = record.ranked[0]
    shown = record.segments.spreads
    assert best.name in shown and "bias" in shown
    assert {trial.arm for trial in record.search_trials if trial.name in shown} == {"plain", "dcn"}
    encoded = load_data(frozen_sweep(study)).encoded
    kept, _ = read_checkpoint(predictions_folder(study, best))
    # What is kept is the best epoch's, and the segments are cut from it.
    assert rmse(kept["predicted"], encoded.validation.rating) == pytest.approx(best.best_rmse)
    (seen,) = (
        s for s in record.segments.segments if s.name == "seen in training" and s.kind == "user"
    )
    of_seen = encoded.validation.user > 0
    off = (kept["predicted"] - encoded.validation.rating)[of_seen]
    assert seen.rmse[best.name] == pytest.approx(float(np.sqrt(np.mean(off**2))), rel=1e-6)
    assert "Error by segment" in write_report(record).markdown.read_text()


def test_runs_of_one_model_are_shown_and_kept_by_the_best_of_them(
    ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    few = Sweep(
        name="few",
        dataset=ratings_table(ratings_csv),
        space=space(learning_rate=Choice([0.001, 0.01, 0.1])),
        model={"embedding_size": 4, "n_layers": 1, "layer_size": 4, "batch_size": 256},
        trials=9,
        max_epochs=1,
        pruner="none",
        sampler="random",
    )
    record = run_study(few, root=tmp_path, watcher=Silent()).study
    assert record.segments is not None
    best_of: dict[object, float | None] = {t.point: t.best_rmse for t in reversed(record.ranked)}
    assert len(record.ranked) == 9 > len(best_of) == 3
    shown = [t for t in record.search_trials if t.name in record.segments.spreads]
    assert {t.point: t.best_rmse for t in shown} == best_of
    kept = {place.parent.name for place in record.folder.glob("trials/*/best")}
    of_defaults = {t.name for t in record.search_trials if t.is_default}
    assert kept == {trial.name for trial in shown} | of_defaults


def test_a_resumed_study_has_the_segments_of_an_uninterrupted_one(
    study: Path, ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    workers.dies_after = 2
    sweep = replace(a_sweep(ratings_csv), name="resumed")
    with pytest.raises(Died):
        run_study(sweep, root=tmp_path, watcher=Silent())
    folder = tmp_path / "resumed"
    assert read_study(folder).segments is None
    workers.dies_after = None
    assert resume_study(folder, watcher=Silent()).study.segments == read_study(study).segments


def test_a_model_that_learned_to_predict_the_mean_is_called_collapsed(
    ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    sweep = a_sweep(ratings_csv)
    two = Sweep(
        name="two",
        dataset={"path": str(ratings_csv), "columns": dict(sweep.dataset.columns)},
        space=space(learning_rate=Choice([1e-7, 0.1])),
        model={**sweep.model, "biases": False},
        max_epochs=6,
        patience=0,
        pruner="none",
        sampler="grid",
    )
    record = run_study(two, root=tmp_path, watcher=Silent()).study
    (name,) = collapsed_models(record)
    trial = next(trial for trial in record.search_trials if trial.name == name)
    assert trial.values["learning_rate"] == 1e-7
    mean = record.baseline("train_mean")
    assert mean is not None and trial.best_rmse == pytest.approx(mean.val_rmse, abs=5e-3)
    page = write_report(record).markdown.read_text()
    assert page.count("Collapsed") >= 2  # on the first screen and in its section
    decide(record.folder, top=2, n_seeds=2)
    assert collapsed_models(read_study(record.folder)) == (name,)


def test_what_a_verdict_wrote_is_not_replaced(study: Path, workers: InProcess) -> None:
    decide(study, top=1, n_seeds=2)
    judged = read_study(study).segments
    assert resume_study(study, watcher=Silent(), n_trials=6).study.segments == judged


def test_damaged_predictions_are_said_and_cost_no_study(study: Path, workers: InProcess) -> None:
    best = read_study(study).ranked[0]
    (damaged,) = predictions_folder(study, best).glob("*.npz")
    damaged.write_bytes(b"torn")
    said: list[str] = []

    class Hears(Silent):
        def message(self, text: str) -> None:
            said.append(text)

    segments = resume_study(study, watcher=Hears(), n_trials=6).study.segments
    assert segments is not None and best.name not in segments.spreads
    assert any(best.name in text and "left out" in text for text in said)
    # Of an older version's study there are none at all.
    shutil.rmtree(study / "predictions")
    (study / "segments.json").unlink()
    assert resume_study(study, watcher=Silent(), n_trials=8).study.state == "finished"
