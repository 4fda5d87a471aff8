from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.data.study_data import load_data
from experiments.errors import NoResultError, RequestError, StateError
from experiments.files import read_json, write_json
from experiments.records import read_study
from experiments.request.frozen import frozen_sweep
from experiments.trials.choosing import chosen_trial
from experiments.trials.single import export_trial, train_single
from recommender.checkpoints import write_checkpoint
from recsweep import Sweep
from tests.reports.verdicts import judged
from tests.small_studies import a_sweep
from tests.synthetic import ratings_table, synthetic_ratings
from tests.synthetic_study import make_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study over a table that is really there."""
    ratings = tmp_path / "ratings.csv"
    synthetic_ratings(60, 40, 1500).to_csv(ratings, index=False)
    folder = make_study(tmp_path / "study")
    (folder / "sweep.toml").write_text(
        f"""
name = "study"
[dataset]
path = "{ratings}"
columns = {{ user = "user", item = "item", rating = "rating", time = "time" }}
"""
    )
    provenance = read_json(folder / "provenance.json")
    provenance["dataset"] = load_data(frozen_sweep(folder)).description.to_json()
    write_json(folder / "provenance.json", provenance)
    return folder


def test_a_trial_without_weights_is_refused_with_the_way_to_get_them(folder: Path) -> None:
    study = read_study(folder)
    with pytest.raises(RequestError, match=r"recsweep best study:0 -o trial\.toml"):
        list(export_trial(study, study.trials[0], folder.parent / "model"))


def test_weights_of_another_model_are_refused_without_a_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Devices are settled once a process, and another test may have used them.
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
    study = read_study(folder)
    best = folder / "trials" / study.trials[0].name / "best"
    write_checkpoint(best, {"weight_000": np.zeros(3)}, {"config": {"architecture": "other"}})
    with pytest.raises(StateError, match="cannot be used; train it again"):
        list(export_trial(study, study.trials[0], folder.parent / "model"))
    assert not (folder.parent / "model").exists()


def test_other_data_are_refused_whose_ids_would_be_looked_up_wrongly(folder: Path) -> None:
    study = read_study(folder)
    (folder / "trials" / study.trials[0].name / "best").mkdir(parents=True)
    table = synthetic_ratings(60, 40, 1500)
    users = sorted(set(table["user"]))
    table["user"] = table["user"].map(dict(zip(users, reversed(users), strict=True)))
    table.to_csv(folder.parent / "ratings.csv", index=False)
    with pytest.raises(StateError, match="the data of study changed since it began"):
        list(export_trial(study, study.trials[0], folder.parent / "model"))


def test_a_model_that_loses_to_the_bias_baseline_is_said_to(
    ratings_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
    sweep = a_sweep(ratings_csv)
    dataset = {"path": str(ratings_csv), "columns": dict(sweep.dataset.columns)}
    model = {**sweep.model, "biases": False, "learning_rate": 1e-6}
    said = list(train_single(Sweep("weak", dataset=dataset, model=model, max_epochs=1), None))
    assert any("over the bias baseline, which it does not beat" in line for line in said)


LOST = """\
import numpy as np

class Lost:
    def __init__(self, data, *, n_good=0):
        self.n_left = n_good
    def fit_epoch(self):
        self.n_left -= 1
    def predict(self, rows):
        return rows.item * (0.01 if self.n_left >= 0 else np.nan)
"""


@pytest.mark.parametrize("n_good", [0, 2])
def test_a_model_that_diverges_has_no_result(
    ratings_csv: Path, tmp_path: Path, n_good: int
) -> None:
    (tmp_path / "lost.py").write_text(LOST)
    model = {"architecture": f"{tmp_path}/lost.py:Lost", "n_good": n_good}
    config = Sweep("one", dataset=ratings_table(ratings_csv), model=model)
    said = train_single(config, None)
    with pytest.raises(NoResultError, match=f"one diverged: not finite at epoch {n_good + 1}"):
        for line in said:
            assert not line.startswith("best")


def test_a_model_is_not_trained_for_a_place_that_cannot_take_it(
    ratings_csv: Path, tmp_path: Path
) -> None:
    config = Sweep("one", dataset=ratings_table(ratings_csv))
    (tmp_path / "file").touch()
    for place, said in ((tmp_path, "is there already"), (tmp_path / "file" / "x", "takes no fold")):
        with pytest.raises(RequestError, match=said):
            next(train_single(config, place))


def test_an_exported_leader_of_a_verdict_is_called_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
    monkeypatch.setattr("recommender.export.export_model", lambda *_: None)
    study = read_study(folder)
    first, second = study.ranked[:2]
    study = judged(study, {first.number: 0.03, second.number: 0.01})
    (folder / "trials" / second.name / "best").mkdir(parents=True)
    said = next(export_trial(study, chosen_trial(study, None), folder / "model"))
    assert f": trial {second.number} of study, the leader of the verdict, epoch " in said
