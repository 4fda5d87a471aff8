from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages.journal import JournalFileBackend
from typer.testing import CliRunner, Result

from experiments.cli import models
from experiments.cli.main import app
from experiments.errors import RequestError, StateError
from experiments.records import Purpose, StudyRecord, TrialState, read_study
from experiments.sharing.to_mlflow import export_to_mlflow
from experiments.sharing.to_optuna import export_to_optuna
from reports.model_card import model_card
from tests.synthetic_study import make_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up", n_trials=24))


@pytest.fixture(scope="module")
def theirs(study: StudyRecord, tmp_path_factory: pytest.TempPathFactory) -> optuna.study.Study:
    """The study as Optuna loads it back from a database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('optuna') / 'x.db'}"
    said = export_to_optuna(study, url)
    assert "24 trials" in said
    return optuna.load_study(study_name="made-up", storage=url)


def export(study: StudyRecord, to: str, which: str = "made-up") -> Result:
    arguments = ["export", which, "--to", to, "--studies", str(study.folder.parent)]
    return CliRunner().invoke(app, arguments)


def test_optunas_best_trial_is_ours(study: StudyRecord, theirs: optuna.study.Study) -> None:
    assert theirs.best_trial.number == study.ranked[0].number
    assert theirs.best_value == study.ranked[0].best_rmse


def test_every_trial_has_its_state_values_and_curve_in_optuna(
    study: StudyRecord, theirs: optuna.study.Study
) -> None:
    for ours, frozen in zip(study.search_trials, theirs.trials, strict=True):
        assert frozen.state.name == ours.state.value
        assert (frozen.value is not None) == (ours.state is TrialState.COMPLETE)
        assert sorted(map(str, frozen.params.values())) == sorted(map(str, ours.values.values()))
        assert frozen.intermediate_values == {
            e.epoch: e.val_rmse for e in ours.epochs if math.isfinite(e.val_rmse)
        }
        assert frozen.datetime_complete is not None
        assert frozen.user_attrs.get("mae") == ours.metric("mae")
    assert theirs.best_trial.user_attrs["mae"] == 0.78 * theirs.best_value


def test_a_journal_file_is_a_storage_too(study: StudyRecord, tmp_path: Path) -> None:
    done = export(study, f"optuna:{tmp_path / 'x.log'}")
    assert done.exit_code == 0, done.output
    backend = JournalFileBackend(str(tmp_path / "x.log"))
    loaded = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    assert len(loaded.trials) == 24


def test_an_unfinished_study_is_exported_as_it_stands(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "half", n_trials=8, is_finished=False))
    url = f"sqlite:///{tmp_path / 'x.db'}"
    export_to_optuna(study, url)
    states = [t.state.name for t in optuna.load_study(study_name=None, storage=url).trials]
    assert states[-2:] == ["RUNNING", "RUNNING"]


def test_a_damaged_sweep_is_named(study: StudyRecord, tmp_path: Path) -> None:
    broken = replace(study, sweep={"space": {"dropout": {"low": "x"}}})
    with pytest.raises(StateError, match=r"sweep\.toml: space\.dropout"):
        export_to_optuna(broken, str(tmp_path / "x.log"))


def test_a_second_export_to_the_same_place_is_refused(study: StudyRecord, tmp_path: Path) -> None:
    for to in (f"optuna:sqlite:///{tmp_path / 'x.db'}", f"mlflow:{tmp_path / 'runs'}"):
        assert export(study, to).exit_code == 0
        again = export(study, to)
        assert isinstance(again.exception, RequestError) and "already" in again.exception.message


@pytest.mark.parametrize("url", ["nosuch://user:secret@host/x", "sqlite:////no/such/folder/x.db"])
def test_a_storage_that_cannot_be_used_is_refused_without_its_password(
    study: StudyRecord, url: str
) -> None:
    done = export(study, f"optuna:{url}")
    assert isinstance(done.exception, RequestError)
    assert "secret" not in done.exception.message.partition(": Optuna")[0]


def test_who_writes_a_large_study_into_a_database_is_told_how_long_it_takes(
    study: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "epochs into a database one by one, about "
    monkeypatch.setattr(models, "N_EPOCHS_AT_ONCE", sum(len(t.epochs) for t in study.trials) + 1)
    assert told not in export(study, f"optuna:sqlite:///{tmp_path / 'x.db'}").stderr
    monkeypatch.setattr(models, "N_EPOCHS_AT_ONCE", 100)
    assert told in export(study, f"optuna:sqlite:///{tmp_path / 'y.db'}").stderr
    assert told not in export(study, f"optuna:{tmp_path / 'x.log'}").stderr


@pytest.mark.parametrize(
    ("which", "to"), [("made-up:3", "csv:x.csv"), ("made-up", "csv:"), ("made-up", "optuna:")]
)
def test_a_whole_study_needs_a_place_and_no_trial(study: StudyRecord, which: str, to: str) -> None:
    assert isinstance(export(study, to, which).exception, RequestError)


def test_mlflow_finds_an_experiment_with_a_run_a_trial(study: StudyRecord, tmp_path: Path) -> None:
    export_to_mlflow(study, tmp_path)
    (experiment,) = (p for p in tmp_path.iterdir() if p.name != ".trash")
    assert _yaml(experiment / "meta.yaml")["name"] == "made-up"
    assert _yaml(experiment / "meta.yaml")["experiment_id"] == experiment.name
    runs = {
        _yaml(run / "meta.yaml")["run_name"]: run for run in experiment.iterdir() if run.is_dir()
    }
    assert set(runs) == {trial.name for trial in study.trials}
    best = study.ranked[0]
    run = runs[best.name]
    _, value, epoch = (run / "metrics" / "best_val_rmse").read_text("utf-8").split()
    assert (float(value), int(epoch)) == (best.best_rmse, best.best_epoch)
    curve = (run / "metrics" / "val_rmse").read_text("utf-8").splitlines()
    assert [float(line.split()[1]) for line in curve] == [e.val_rmse for e in best.epochs]
    params = {path.name: path.read_text("utf-8") for path in (run / "params").iterdir()}
    assert params == {name: str(value) for name, value in best.values.items()}
    for trial in study.trials:
        has_final = (runs[trial.name] / "metrics" / "best_val_rmse").exists()
        assert has_final == (trial.state is TrialState.COMPLETE)
    errors = (run / "metrics" / "mae").read_text("utf-8").splitlines()
    assert [float(line.split()[1]) for line in errors] == [e.metrics["mae"] for e in best.epochs]


def test_a_verdicts_training_is_not_sorted_among_mlflows_best(
    study: StudyRecord, tmp_path: Path
) -> None:
    judged = replace(study.ranked[0], number=1_000_000, name="0007-v1", purpose=Purpose.VERDICT)
    export_to_mlflow(replace(study, trials=(judged,)), tmp_path)
    assert list(tmp_path.glob("*/*/metrics/val_rmse"))
    assert not list(tmp_path.glob("*/*/metrics/best_val_rmse"))


def _yaml(path: Path) -> dict[str, Any]:
    pairs = (line.split(": ", 1) for line in path.read_text("utf-8").splitlines())
    return {name: json.loads(value) for name, value in pairs}


def test_csv_holds_every_trial(study: StudyRecord, tmp_path: Path) -> None:
    assert export(study, f"csv:{tmp_path / 'x.csv'}").exit_code == 0
    assert len(pd.read_csv(tmp_path / "x.csv")) == 24


def test_a_model_card_s_call_gives_the_time_where_the_model_asks_for_it(study: StudyRecord) -> None:
    data = dict(study.provenance["dataset"]) | {"features": ["user_id", "item_id", "hour_of_day"]}
    timed = replace(study, provenance=dict(study.provenance) | {"dataset": data})
    best = study.ranked[0]
    assert "timestamp" not in model_card(study, best)
    assert 'tf.constant(["42"]), timestamp=tf.constant([' in model_card(timed, best)
    without = replace(best, values=dict(best.values) | {"side_features": False})
    assert "timestamp" not in model_card(timed, without)


def test_a_model_card_tells_how_good_and_for_what(study: StudyRecord) -> None:
    best = study.ranked[0]
    card = model_card(study, best)
    for said in (
        f"validation RMSE {best.best_rmse:.4f}, one seed, rank 1 of", "user + item bias: 1.0400",
        "82.0 % of the validation rows", "not made to choose them from the whole catalogue",
        f"recsweep best made-up:{best.number}",
    ):  # fmt: skip
        assert said in card
    worst = study.ranked[-1]
    assert ("does not beat a user and an item bias" in model_card(study, worst)) == (
        (worst.best_rmse or 0) >= 1.04
    )
