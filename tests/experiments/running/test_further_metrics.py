from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.board.board_check import check_board
from experiments.cli.models import train
from experiments.errors import SweepFileError
from experiments.records import TrialState
from experiments.request.config import Sweep, load_sweep
from experiments.study import run_study
from experiments.sweep import SweepConfig
from experiments.watcher import Silent
from recommender.further_metrics import measure
from recommender.own_functions import read_function
from recsweep import Float, space
from reports.exports import column_definitions, curve_definitions, curves_frame, trials_frame
from reports.sections.metrics import metrics
from tests.in_process import InProcess
from tests.synthetic import ratings_table

MINE = """\
import numpy as np

n_calls = 0


def auc_at_4(actual, predicted):
    '''The share of pairs of a liked and a disliked row that are in the right order.'''
    liked, disliked = predicted[actual >= 4], predicted[actual < 4]
    predicted.sort()
    return (liked[:, None] > disliked[None, :]).mean()


def flaky(actual, predicted):
    global n_calls
    n_calls += 1
    return 1 / (n_calls % 2)


def words(actual, predicted):
    return "good"


def vast(actual, predicted):
    return 10**400


def odd(actual, predicted, *, k):
    return k


def epoch(actual, predicted):
    return 0


def of_four(actual, predicted, user, item):
    return 0


def worst_user(actual, predicted, user):
    errors = np.bincount(user, np.abs(predicted - actual)) / np.bincount(user)
    return errors.max()


def at_k(actual, predicted, k=3):
    return k
"""


@pytest.fixture
def folder(tmp_path: Path, ratings_csv: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "ratings.csv").symlink_to(ratings_csv)
    return tmp_path


class Heard(Silent):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def _sweep(*also: str) -> SweepConfig:
    return Sweep(
        "measured",
        dataset=ratings_table("ratings.csv"),
        space=space(learning_rate=Float(1e-3, 1e-1, log=True)),
        model={"embedding_size": 4, "n_layers": 1, "layer_size": 4, "batch_size": 256},
        trials=6,
        max_epochs=2,
        pruner="none",
        metrics=also,
    )


def test_metrics_ride_along_on_curves_board_report_and_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess().use(monkeypatch)
    said = Heard()
    sweep = _sweep("mae", "mine.py:auc_at_4", "mine.py:flaky", "mine.py:worst_user")
    study = run_study(sweep, root=folder, watcher=said).study
    assert study.metrics == ("mae", "auc_at_4", "flaky", "worst_user")
    assert {t.state for t in study.trials} == {TrialState.COMPLETE}
    assert [m for m in said.messages if m.startswith("metric")] == [
        "metric flaky: mine.py:16: ZeroDivisionError: division by zero; trials go on without it"
    ]
    frame = trials_frame(study)
    assert ((frame["mae"] > 0.3) & (frame["mae"] < frame["best_rmse"])).all()
    assert (frame["worst_user"] > frame["mae"]).all()
    assert ((frame["auc_at_4"] > 0) & (frame["auc_at_4"] < 1)).all()
    assert "auc_at_4" in column_definitions(study)
    assert list(curve_definitions(study)) == list(curves_frame(study).columns)
    assert curves_frame(study)["flaky"].isna().sum() == 6
    assert check_board(study) == []
    section = metrics(study)
    assert section is not None
    kinds = [type(block).__name__ for block in section.blocks]
    assert kinds == ["Text", "Problem", "Table", *["Note"] * 3, *["Picture"] * 4]
    assert load_sweep(study.folder / "sweep.toml").metrics.keys() == sweep.metrics.keys()
    assert (study.folder / "code" / "mine.py").read_text() == MINE


def test_an_own_metric_is_that_of_the_predictions(folder: Path) -> None:
    actual = np.array([5.0, 4.0, 1.0, 2.0])
    predicted = np.array([3.0, 1.0, 2.0, 0.0])
    own = {
        name: read_function(f"mine.py:{name}", folder, ("actual", "predicted"), ("user",))
        for name in ("auc_at_4", "words", "vast", "worst_user", "at_k")
    }
    user = np.array([3, 3, 7, 7])
    measured = measure({"mae": None, **own}, predicted, actual, user)
    assert measured.values == {"mae": 2.0, "auc_at_4": 0.75, "worst_user": 2.5, "at_k": 3}
    assert predicted.tolist() == [3.0, 1.0, 2.0, 0.0]
    assert measured.errors.keys() == {"words", "vast"}
    assert measured.errors["words"] == "mine.py: words must give a number, got 'good'"
    assert measured.errors["vast"].startswith("mine.py: vast must give a number, got 1000")


@pytest.mark.parametrize(
    ("also", "told"),
    [
        ("mea", "unknown metric 'mea'; did you mean 'mae'?"),
        ("mine.py:auc", "has no function or class 'auc'; it has auc_at_4, flaky, words, vast, "),
        ("mine.py:odd", "give k a default"),
        ("mine.py:epoch", "'epoch' is there already; give the function another name"),
        (
            "mine.py:of_four",
            "is called with (actual, predicted), or (actual, predicted, user); all",
        ),
        ("gone.py:auc", "there is no file"),
    ],
)
def test_what_no_metric_can_be_is_told_before_anything_runs(
    folder: Path, also: str, told: str
) -> None:
    with pytest.raises(SweepFileError) as caught:
        _sweep(also)
    (problem,) = caught.value.problems
    assert problem.key == "metrics.also" and told in problem.message


def test_train_tells_them_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    InProcess().use(monkeypatch)
    (folder / "one.toml").write_text(
        'dataset = { path = "ratings.csv", columns = { user = "user", item = "item", '
        'rating = "rating", time = "time" } }\n'
        "model = { embedding_size = 4, n_layers = 0 }\ntraining.max_epochs = 1\n"
        'metrics.also = ["mae", "mine.py:words"]\n'
    )
    train("one.toml")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("also")]
    assert line.startswith("also     mae 0.")
    assert line.endswith("mine.py: words must give a number, got 'good'")
