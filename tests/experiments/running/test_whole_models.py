"""Sweeps over whole models of the researcher's own, beside recsweep's architectures."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.board.board_check import check_board
from experiments.cli.main import app
from experiments.cli.models import train
from experiments.errors import RequestError, StateError, SweepFileError
from experiments.records import Purpose, StopReason, TrialState, read_study
from experiments.request.config import Sweep, load_sweep
from experiments.study import resume_study, run_study
from experiments.sweep import SweepConfig, defaults_of
from experiments.translate.hypermodel_reader import explored
from experiments.trials.best import trial_to_toml
from experiments.trials.replay import replay_trial
from experiments.trials.single import export_trial, refuse_export
from experiments.verdict.unseal import score_on_test
from experiments.watcher import Silent
from recommender.checkpoints import read_checkpoint
from recommender.config import ranking_config
from recommender.own import read_own
from recsweep import Choice, Float, Int, space
from tests.in_process import Died, InProcess
from tests.own_classes import write_classes
from tests.small_studies import decide
from tests.synthetic import ratings_table

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, ratings_csv: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_classes(tmp_path))
    (tmp_path / "ratings.csv").symlink_to(ratings_csv)
    return tmp_path


def _sweep(*references: str, **more: object) -> SweepConfig:
    dimensions = more.pop("space", {"rate": Float(0.01, 0.1, log=True)})
    settings = {"trials": 2 * (1 + len(references)), "max_epochs": 3} | more
    return Sweep(
        "whole",
        dataset=ratings_table("ratings.csv"),
        space=space(architecture=Choice(["plain", *references]), **dimensions),
        compare="architecture",
        model={"embedding_size": 4, "batch_size": 256},
        pruner="none",
        **settings,
    )


def test_each_arm_has_the_dimensions_that_mean_something_to_it_and_its_own_defaults(
    folder: Path,
) -> None:
    sweep = _sweep(
        "mf.py:MF",
        "tutorial.py:MovielensModel",
        space={
            "n_factors": Int(2, 8),
            "l2": Float(0.0, 0.1),
            "learning_rate": Float(1e-3, 0.1, log=True),
            "n_layers": Int(1, 2),
            "layer_size": Choice([4, 8]).each("n_layers"),
        },
    )
    assert sweep.space is not None
    when = {d.name: d.cases[0].conditions.get("architecture") for d in sweep.space.dimensions[1:]}
    assert when == {
        "n_factors": ("MF",),
        "l2": ("MF", "MovielensModel"),
        "learning_rate": ("plain", "MovielensModel"),
        "n_layers": ("plain",),
        "layer_size": ("plain",),
    }
    points = {
        arm: defaults_of(sweep).on(sweep.space.restrict("architecture", arm)) for arm in sweep.arms
    }
    assert points["MF"] == {"architecture": "MF", "n_factors": 4, "l2": 0.02}
    assert points["MovielensModel"]["l2"] == 1e-4
    assert points["plain"].keys() == {
        "architecture", "learning_rate", "n_layers", "layer_size_0", "layer_size_1",
    }  # fmt: skip


def test_a_shipped_space_does_not_reach_a_whole_model(folder: Path) -> None:
    (folder / "used.toml").write_text(
        'dataset.name = "movielens-small"\ncompare.dimension = "architecture"\n'
        'space = { use = "ranking", architecture = { choices = ["plain", "mf.py:MF"] }, '
        "n_factors = { low = 2, high = 8 } }\n"
        "search.trials = 4\n"
    )
    arms = {
        arm: load_sweep("used.toml").space.restrict("architecture", arm)  # type: ignore[union-attr]
        for arm in ("plain", "MF")
    }
    assert [d.name for d in arms["MF"].dimensions] == ["architecture", "n_factors"]
    assert "learning_rate" in [d.name for d in arms["plain"].dimensions]


def test_what_means_nothing_to_any_model_is_refused(folder: Path) -> None:
    with pytest.raises(SweepFileError) as caught:
        Sweep(
            "idle",
            space=space(architecture=Choice(["mf.py:MF"]), n_layers=Int(1, 2), rate=Int(1, 2)),
            trials=2,
        )
    (problem,) = caught.value.problems
    assert problem.key == "space.n_layers"
    assert problem.message == "means nothing to MF; leave it out; known there: l2, n_factors, rate"


def test_an_optimizer_that_keras_lacks_is_refused_where_it_reaches_a_keras_model(
    folder: Path,
) -> None:
    reference = "tutorial.py:MovielensModel"
    with pytest.raises(SweepFileError) as caught:
        _sweep(reference, space={"optimizer": Choice(["adam", "lazy_adam"])})
    (problem,) = caught.value.problems
    assert problem.key == "space.optimizer.choices"
    assert "lazy_adam is not one of Keras's, which MovielensModel would be" in problem.message
    apart = Choice(["adam", "lazy_adam"]).when(architecture="plain")
    assert _sweep(reference, space={"optimizer": apart}).space is not None


def test_a_name_of_ours_keeps_our_limits_where_it_reaches_our_models(folder: Path) -> None:
    (folder / "named.py").write_text(
        "class Named:\n    def __init__(self, data, *, activation='linear'): ...\n"
        "    def fit_epoch(self): ...\n    def predict(self, rows): ...\n"
    )
    linear = Choice(["linear", "cubic"])
    sweep = _sweep(
        "named.py:Named", space={"activation": linear.when(architecture="named.py:Named")}
    )
    assert sweep.arms == ("plain", "Named")
    with pytest.raises(SweepFileError, match="activation must be one of relu"):
        _sweep("named.py:Named", space={"activation": linear})


def test_of_a_keras_model_export_says_where_its_variables_are(folder: Path) -> None:
    own = read_own("tutorial.py:MovielensModel", folder)
    (folder / "best" / "model-1").mkdir(parents=True)
    config = ranking_config({"architecture": "M"}, {"M": own})
    with pytest.raises(
        RequestError, match=r"best/model-\*/arrays-\*\.npz are its model\.variables"
    ):
        refuse_export(config, folder / "best")


def test_one_that_draws_from_a_generator_of_its_own_is_told_why_its_number_is_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess().use(monkeypatch)
    sweep = _sweep("wrong.py:Unseeded", trials=2, space={})
    study = run_study(sweep, root=folder, watcher=Silent()).study
    plain, unseeded = study.trials
    assert list(replay_trial(study, plain))
    with pytest.raises(StateError, match=r"as they were\. A model of your own comes back if it"):
        list(replay_trial(study, unseeded))


def test_a_sweep_over_whole_models_is_killed_resumed_and_trained_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = _sweep("mf.py:MF", "saved.py:Saved", "wrong.py:Column", "wrong.py:NotANumber")
    workers = InProcess(dies_after=3)
    workers.use(monkeypatch)
    with pytest.raises(Died):
        run_study(sweep, root=folder, watcher=Silent())
    workers.dies_after = None
    study = resume_study(folder / "whole", watcher=Silent()).study
    states = {arm: {t.state for t in study.trials if t.arm == arm} for arm in sweep.arms}
    assert states == {
        "plain": {TrialState.COMPLETE},
        "MF": {TrialState.COMPLETE},
        "Saved": {TrialState.COMPLETE},
        "Column": {TrialState.FAIL},
        "NotANumber": {TrialState.PRUNED},
    }
    assert len(workers.trained) == len(set(workers.trained)) == 10
    by_arm = {t.arm: t for t in study.trials}
    n_rows = study.provenance["dataset"]["validation"]["n_rows"]
    assert by_arm["Column"].error == (
        f"wrong.py: Column.predict must give ratings of shape ({n_rows},), got ({n_rows}, 1)"
    )
    assert by_arm["NotANumber"].stop_reason is StopReason.DIVERGED
    assert "NotANumber.predict gives NaN" in (by_arm["NotANumber"].error or "")
    assert check_board(study) == []

    mf = by_arm["MF"]
    frozen = load_sweep(study.folder / "sweep.toml")
    (folder / "trial.toml").write_text(trial_to_toml(frozen, study, mf))
    train("trial.toml")
    for arm in ("MF", "Saved"):
        with pytest.raises(RequestError, match=f": {arm} is a whole model of your own") as told:
            list(export_trial(study, by_arm[arm], folder / "exported"))
        assert ("as its own save wrote it" in str(told.value)) is (arm == "Saved")

    text = (folder / "mf.py").read_text()
    (folder / "mf.py").write_text(text.replace("0.02", "0.03"))
    with pytest.raises(StateError, match=r"mf.py changed since whole began") as caught:
        resume_study(study.folder, watcher=Silent(), n_trials=20)
    assert "n_factors=4, rate=0.05, l2=0.03" in str(caught.value)


def test_a_verdict_and_the_test_split_judge_whole_models_as_any(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess().use(monkeypatch)
    sweep = _sweep("mf.py:MF", "saved.py:Saved", trials=3)
    study = run_study(sweep, root=folder, watcher=Silent()).study
    decide(study.folder, top=3, n_seeds=2)
    score_on_test(study.folder, "to try it", Silent())
    kept = {
        trial.name: read_checkpoint(study.folder / "predictions" / "test" / trial.name)
        for trial in read_study(study.folder).trials
        if trial.purpose is Purpose.VERDICT
    }
    assert len(kept) == 6
    assert all(0.5 < metadata["test_rmse"] < 2 for _, metadata in kept.values())


SOUR = """

class Sour(Saved):
    'Gives what is no rating as soon as it is asked for so many rows as the file says.'

    def predict(self, rows):
        found = super().predict(rows)
        if len(rows) == int(open("sour").read()):
            self.turn(found)
        return found

    def turn(self, found):
        found[3] = np.nan


class Raises(Sour):
    def turn(self, found):
        raise KeyError("an item that it never saw")
"""


def test_models_that_cannot_rate_the_test_rows_leave_the_test_to_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess().use(monkeypatch)
    (folder / "sour.py").write_text((folder / "saved.py").read_text() + SOUR)
    (folder / "sour").write_text("0")
    sweep = _sweep("sour.py:Sour", "sour.py:Raises", trials=3)
    study = run_study(sweep, root=folder, watcher=Silent()).study
    decide(study.folder, top=3, n_seeds=2)
    n_rows = study.provenance["dataset"]["test"]["n_rows"]
    assert n_rows != study.provenance["dataset"]["validation"]["n_rows"]
    (folder / "sour").write_text(str(n_rows))
    options = ["--studies", str(folder), "--yes", "--refit"]
    result = CliRunner().invoke(app, ["unseal", study.name, *options], catch_exceptions=False)
    assert result.exit_code == 0
    scored = read_study(study.folder)
    assert scored.test is not None and scored.leader is not None
    found = {f.name: f for f in scored.test.results.finalists}
    for trial in scored.ranked:
        is_own = trial.arm != "plain"
        assert (found[trial.name].mean is None) is is_own
        assert (found[trial.name].rmse_by_seed == (None, None)) is is_own
    said = result.output
    assert f"counts as not completed: it predicts NaN or infinity for 1 of {n_rows:,} rows" in said
    assert "counts as not completed: sour.py" in said and "an item that it never saw" in said
    assert scored.leader.arm != "plain" and scored.test.refit is None
    assert "refitted counts as not completed" in said
    assert len(scored.openings) == 1


def test_a_hypermodel_brings_its_own_space(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("experiments.translate.hypermodel_reader._read_in_child", explored)
    (folder / "tuned.toml").write_text(
        'dataset = { path = "ratings.csv", columns = { user = "user", item = "item", '
        'rating = "rating", time = "time" } }\n'
        'compare.dimension = "architecture"\n'
        'space.architecture.choices = ["plain", "hyper.py:Towers"]\n'
        "space.learning_rate = { low = 1e-3, high = 1e-2 }\n"
        "model = { embedding_size = 4, batch_size = 256, size = 6 }\n"
        'search = { trials = 4, max_epochs = 1, pruner = "none", sampler = "random" }\n'
    )
    sweep = load_sweep("tuned.toml")
    assert sweep.space is not None
    assert {d.name: d.cases[0] for d in sweep.space.dimensions[1:]} == {
        "learning_rate": Float(1e-3, 1e-2).when(architecture="plain"),
        "head": Choice(["dense", "dot"]).when(architecture="Towers"),
        "units": Int(4, 16, log=True).when(architecture="Towers", head="dense"),
        "scale": Float(0.5, 2.0).when(architecture="Towers", head="dot"),
        "rate": Float(1e-3, 1e-1, log=True).when(architecture="Towers"),
    }
    point = defaults_of(sweep).on(sweep.space.restrict("architecture", "Towers"))
    assert point == {"architecture": "Towers", "head": "dense", "units": 8, "rate": 0.01}

    monkeypatch.setattr(
        "experiments.translate.hypermodel_reader._read_in_child", lambda own: 1 / 0
    )  # it is remembered
    InProcess().use(monkeypatch)
    study = run_study(load_sweep("tuned.toml"), root=folder, watcher=Silent()).study
    assert {t.state for t in study.trials} == {TrialState.COMPLETE}
    assert load_sweep(study.folder / "sweep.toml").space == sweep.space
    used = ['space.use="ranking"', 'space.without=["embedding_size"]']
    assert "dropout" in [c.name for c in load_sweep("tuned.toml", used).space.columns]  # type: ignore[union-attr]

    fixed = load_sweep(
        "tuned.toml", ['model.head="dense"', "space.rate={low=0.01,high=0.02}"]
    ).space
    assert fixed is not None
    named = {d.name: d.cases[0] for d in fixed.dimensions}
    assert "head" not in named and "scale" not in named
    assert named["units"] == Int(4, 16, log=True).when(architecture="Towers")
    narrow = ['space.head={choices=["dot"],when={architecture="Towers"}}']
    narrowed = load_sweep("tuned.toml", narrow).space
    assert narrowed is not None
    assert {"units", "scale"} & {d.name for d in narrowed.dimensions} == {"scale"}
    used[1] = 'space.without=["embedding_size","rate"]'
    with pytest.raises(SweepFileError, match=r"space\.without"):  # the shipped space has no rate
        load_sweep("tuned.toml", used)
    monkeypatch.setattr("experiments.translate.hypermodel_reader._read_in_child", explored)
    (folder / "dropping.py").write_text(
        "import keras_tuner\n"
        "class Net(keras_tuner.HyperModel):\n"
        "    def build(self, hp):\n"
        "        hp.Float('dropout', 0.0, 0.2)\n"
    )
    used[1:] = [
        'space.without=["dropout"]',
        'space.architecture.choices=["plain","dropping.py:Net"]',
    ]
    own = load_sweep("tuned.toml", [*used, "model={batch_size=256}"]).space
    assert own is not None
    dropout = next(d for d in own.dimensions if d.name == "dropout")
    assert dropout.cases == (Float(0.0, 0.2).when(architecture="Net"),)


def test_what_a_hypermodel_declares_in_a_loop_or_under_ifs_is_read_too(folder: Path) -> None:
    """Also where some numbers do not go together."""
    (folder / "hyper.py").write_text(
        "import keras_tuner\n"
        "class Towers(keras_tuner.HyperModel):\n"
        "    def build(self, hp):\n"
        "        for i in range(hp.Int('n', 1, 3)):\n"
        "            hp.Choice(f'kind_{i}', [8, 16])\n"
        "        if hp.Boolean('deep'):\n"
        "            if hp.Choice('head', ['a', 'b']) == 'b':\n"
        "                for i in range(hp.Int('more', 0, 2)):\n"
        "                    hp.Float(f'rate_{i}', 0.0, 1.0)\n"
        "        heads, width = hp.Int('heads', 1, 3), hp.Int('width', 8, 16, step=4)\n"
        "        if width % heads:\n"
        "            raise ValueError('heads must divide width')\n"
    )
    found = [entry["config"]["name"] for entry in explored(read_own("hyper.py:Towers", folder))]
    assert {*found} == {
        *("n", "kind_0", "kind_1", "kind_2", "deep", "head", "more", "rate_0", "rate_1"),
        *("heads", "width"),
    }


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ("raise RuntimeError('no luck')", "hyper.py:4: RuntimeError: no luck"),
        ("hp.Float('r', 1e-3, 1, sampling='reverse_log')", "r: sampling='reverse_log' is unknown"),
        (
            "with hp.name_scope('deep'): hp.Int('units', 1, 2)",
            "cannot be called 'deep/units': letters",
        ),
    ],
)
def test_a_hypermodel_that_cannot_be_read_is_told_before_anything_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, build: str, told: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("experiments.translate.hypermodel_reader._read_in_child", explored)
    (folder / "hyper.py").write_text(
        f"import keras_tuner\nclass Towers(keras_tuner.HyperModel):\n"
        f"    def build(self, hp):\n        {build}\n"
    )
    with pytest.raises(SweepFileError) as caught:
        _sweep("hyper.py:Towers")
    (problem,) = [p for p in caught.value.problems if p.key == "space.architecture.choices"]
    assert told in problem.message
