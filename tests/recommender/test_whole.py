"""Whole models of the researcher's own keep what ours keep."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommender import whole
from recommender.checkpoints import CheckpointError
from recommender.config import RankingConfig, TrainingConfig, ranking_config
from recommender.datasets.encoded import SideTable
from recommender.errors import Interrupted, ModelError, OwnCodeError
from recommender.metrics import rmse
from recommender.model_data import ModelData, StandIn, feature_table
from recommender.own import OwnDefinition, Parameter, read_own
from recommender.whole import WholeRun
from tests.own_classes import write_classes
from tests.synthetic import synthetic_encoded, validated_on_strangers

pytestmark = pytest.mark.slow

DATA = synthetic_encoded()
KINDS = {
    "mf": "mf.py:MF",
    "saved": "saved.py:Saved",
    "tutorial": "tutorial.py:MovielensModel",
    "hyper": "hyper.py:Towers",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("whole"))


def _own(models: Path, reference: str) -> OwnDefinition:
    return read_own(reference, models)


def _config(models: Path, reference: str, **values: float | str) -> RankingConfig:
    own = _own(models, reference)
    return ranking_config(
        {"architecture": own.function, "batch_size": 64, **values}, {own.function: own}
    )


def _run(config: RankingConfig, seed: int = 1, n_epochs: int = 2) -> WholeRun:
    run = WholeRun(config, TrainingConfig(seed=seed, patience=0), DATA)
    for _ in range(n_epochs):
        run.step()
    return run


@pytest.fixture(scope="module")
def alone(models: Path) -> Callable[[str], tuple[WholeRun, np.ndarray]]:
    """A run of three epochs that nothing disturbed, once a kind, and its last predictions."""

    @cache
    def run(kind: str) -> tuple[WholeRun, np.ndarray]:
        run = _run(_config(models, KINDS[kind]), n_epochs=3)
        return run, run.predict_validation()

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_by_its_seed_and_has_the_rmse_of_its_predictions(
    models: Path, kind: str, alone: Callable[[str], tuple[WholeRun, np.ndarray]]
) -> None:
    """That it repeats under its seed is shown where it goes on from a checkpoint."""
    other = _run(_config(models, KINDS[kind]), seed=2, n_epochs=3)
    predicted = other.predict_validation()
    assert not np.array_equal(predicted, alone(kind)[1])
    last = rmse(predicted, DATA.validation.rating)
    assert other.best_rmse is not None and other.best_rmse <= last
    other.load_best()
    best = other.predict_validation()
    assert rmse(best, DATA.validation.rating) == other.best_rmse
    np.testing.assert_allclose(other.predict(DATA.validation), best, atol=1e-6)


def test_one_that_cannot_be_saved_repeats_under_its_seed(
    models: Path, alone: Callable[[str], tuple[WholeRun, np.ndarray]]
) -> None:
    again = _run(_config(models, KINDS["mf"]), n_epochs=3)
    assert np.array_equal(again.predict_validation(), alone("mf")[1])


@pytest.mark.parametrize("kind", ["saved", "tutorial", "hyper"])
def test_it_goes_on_from_a_checkpoint_as_if_left_alone(
    models: Path,
    kind: str,
    tmp_path: Path,
    alone: Callable[[str], tuple[WholeRun, np.ndarray]],
) -> None:
    config = _config(models, KINDS[kind])
    undisturbed, predicted = alone(kind)
    _run(config, n_epochs=1).save(tmp_path / "last")
    run = _run(config, n_epochs=0)
    run.restore(tmp_path / "last")
    assert run.epoch == 1
    run.step()
    run.save(tmp_path / "last")
    assert len([p for p in (tmp_path / "last").iterdir() if p.is_dir()]) == 2
    run.step()
    np.testing.assert_array_equal(run.predict_validation(), predicted)
    assert (run.best_epoch, run.best_rmse) == (undisturbed.best_epoch, undisturbed.best_rmse)

    undisturbed.save_best(tmp_path / "best", {"values": {}})
    kept = _run(config, n_epochs=0)
    kept.load_saved_best(tmp_path / "best")
    undisturbed.load_best()
    np.testing.assert_array_equal(kept.predict_validation(), undisturbed.predict_validation())


def test_what_cannot_be_saved_begins_anew(models: Path, tmp_path: Path) -> None:
    config = _config(models, KINDS["mf"])
    run = _run(config)
    assert not run.can_be_saved
    run.save_best(tmp_path, {})
    with pytest.raises(CheckpointError, match=r"mf.py: MF cannot be loaded"):
        _run(config, n_epochs=0).load_saved_best(tmp_path)


def test_a_keras_model_gives_signs_of_life_and_stops_in_mid_epoch(models: Path) -> None:
    run = WholeRun(
        _config(models, KINDS["tutorial"], batch_size=2), TrainingConfig(max_epochs=2), DATA
    )
    asked: list[None] = []
    run.step(lambda: not asked.append(None))
    assert len(asked) == len(DATA.train) // 2 // 50 + 1
    with pytest.raises(Interrupted):
        run.step(lambda: False)


def test_what_a_killed_process_kept_is_removed(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (str(gone.pid), str(os.getppid()), "odd"):
        (tmp_path / f"recsweep-best-{name}-x").mkdir()
    run = _run(_config(models, KINDS["saved"]))
    left = {path.name.split("-")[2] for path in tmp_path.iterdir()}
    assert left == {str(os.getpid()), str(os.getppid()), "odd"}
    del run


def test_a_checkpoint_that_its_load_does_not_take_is_damaged(models: Path, tmp_path: Path) -> None:
    config = _config(models, KINDS["saved"])
    _run(config, n_epochs=1).save(tmp_path)
    (file,) = tmp_path.glob("model-model-*/state.npz")
    file.write_bytes(b"gone")
    with pytest.raises(CheckpointError, match=r"saved.py:\d+: "):
        _run(config, n_epochs=0).restore(tmp_path)


def test_a_load_that_brings_back_another_model_is_not_believed(
    models: Path, tmp_path: Path
) -> None:
    config = _config(models, "wrong.py:Forgets")
    run = _run(config, n_epochs=2)
    assert run.best_epoch == 1
    run.save(tmp_path / "last")
    run.save_best(tmp_path / "best", {})
    told = r"wrong.py: Forgets predicts other ratings after load than before save"
    with pytest.raises(CheckpointError, match=told):
        _run(config, n_epochs=0).restore(tmp_path / "last")
    with pytest.raises(CheckpointError, match=told):
        _run(config, n_epochs=0).load_saved_best(tmp_path / "best")
    run.load_best()
    with pytest.raises(OwnCodeError, match=told):
        run.predict(DATA.validation)


def test_links_among_its_files_are_followed(models: Path, tmp_path: Path) -> None:
    config = _config(models, "wrong.py:Links")
    _run(config, n_epochs=1).save(tmp_path)
    run = _run(config, n_epochs=0)
    run.restore(tmp_path)
    assert run.epoch == 1


def test_values_reach_the_constructor_and_what_recsweep_trains_it_by(models: Path) -> None:
    config = _config(
        models, KINDS["tutorial"], embedding_dimension=2, learning_rate=0.5, n_layers=9
    )
    assert config.own_arguments == (("embedding_dimension", 2),)
    assert (config.learning_rate, config.n_layers) == (0.5, 2)
    slow, fast = (_run(_config(models, KINDS["tutorial"], learning_rate=r)) for r in (1e-5, 0.01))
    assert slow.best_rmse > fast.best_rmse  # type: ignore[operator]
    rates = {"optimizer": "adagrad", "learning_rate": 0.1, "learning_rate_decay": 1e-6}
    falling = _run(_config(models, KINDS["tutorial"], **rates), n_epochs=1)
    before = falling.predict_validation()
    falling.step()
    np.testing.assert_allclose(falling.last_predictions, before, atol=1e-4)  # type: ignore[arg-type]  # an epoch was trained
    few, many = (_config(models, KINDS["hyper"]), _config(models, KINDS["hyper"]))
    assert few == many
    assert _own(models, KINDS["mf"]).uses == {"n_factors", "rate", "l2"}
    assert "optimizer" in _own(models, KINDS["tutorial"]).uses


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Column", "Column.predict must give ratings of shape (93,), got (93, 1)"),
        ("Short", "Short.predict must give ratings of shape (93,), got (92,)"),
        ("Words", "Words.predict must give an array of ratings (numbers), got list"),
        ("Constant", "Constant.predict gives 3.5 for every row after an epoch of training"),
        ("Peeks", "wrong.py:46: AttributeError: rows to be predicted have no rating"),
        ("Asks", "KeyError: \"no feature 'colour'; features: genres, year, hour_of_day_sin"),
        ("Exits", "wrong.py:56: SystemExit: 3"),
        ("Raises", "wrong.py:68: RuntimeError: no luck"),
        ("RaisesMute", "wrong.py:78: Mute"),
        ("MovieId", "AttributeError: rows have no 'movie_id'; they have feature, item, item_id, "),
        (
            "AsTable",
            "TypeError: rows['user']: a column is an attribute, as rows.user, or a feature",
        ),
        ("OffByOne", "; tables of users and items need n + 1 rows: row 0 is for those without"),
        ("Removes", "Removes.save must leave the folder that it is given"),
        ("Objects", "must give an array of ratings (numbers), got ndarray of object"),
    ],
)
def test_its_mistakes_are_told_in_one_line(models: Path, name: str, told: str) -> None:
    with pytest.raises(OwnCodeError) as caught:
        _run(_config(models, f"wrong.py:{name}"), n_epochs=1)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "recommender/whole.py" not in caught.value.log


def test_ratings_that_were_sorted_in_between_go_by_their_rows(models: Path) -> None:
    own = _own(models, KINDS["mf"])
    by_item = pd.Series([3.0, 1.0, 2.0], index=[2, 0, 1])
    np.testing.assert_array_equal(whole._checked(by_item, 3, own), [1, 2, 3])
    others = pd.Series([3.0, 1.0, 2.0], index=["c", "a", "b"])
    np.testing.assert_array_equal(whole._checked(others, 3, own), [3, 1, 2])


def test_a_rating_that_is_masked_is_none(models: Path) -> None:
    masked = np.ma.array([3.0, 1.0, 2.0], mask=[False, True, False])
    given = whole._checked(masked, 3, _own(models, KINDS["mf"]))
    np.testing.assert_array_equal(given, [3, np.nan, 2])


def test_one_that_is_shown_only_unknown_ids_may_give_one_rating(models: Path) -> None:
    config, strangers = _config(models, KINDS["mf"]), validated_on_strangers()
    run = WholeRun(config, TrainingConfig(seed=1, patience=0), strangers)
    run.step()
    assert np.ptp(run.predict_validation()) == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'features["item_id"]',
            'features["movie_title"]',
            "MovielensModel asks for 'movie_title'; the columns are user, item, user_id, item_id, "
            "genres, year, hour_of_day_sin",
        ),
        ('pop("rating")', 'pop("user_rating")', "asks for 'user_rating'; the columns are user, it"),
        (
            'features.pop("rating")',
            'tf.add(features.pop("rating"), tf.zeros([3]))',
            "InvalidArgumentError: ",
        ),
        (
            'features.pop("rating")',
            'tf.reshape(features.pop("rating"), [2, "a"])',
            "tutorial.py:43: TypeError: ",
        ),
        (
            "return self.ranking_model((",
            "return 0.0 * self.ranking_model((",
            "MovielensModel.call gives 0 for every row after an epoch",
        ),
        (
            "    def compute_loss(",
            "    def __call__(self, features, training=None):\n"
            "        given = super().__call__(features)\n"
            "        return given if training is None else {'rating': given}\n\n"
            "    def compute_loss(",
            "MovielensModel.call must give a tensor of ratings, got dict; what compute_loss needs "
            "besides, have another method give",
        ),
    ],
)
def test_mistakes_in_a_keras_model_are_told_in_one_line(
    models: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = (models / "tutorial.py").read_text()
    assert old in text
    (tmp_path / "tutorial.py").write_text(text.replace(old, new))
    with pytest.raises(OwnCodeError) as caught:
        _run(_config(tmp_path, KINDS["tutorial"]), n_epochs=1)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fit_that_says_the_epochs_itself_is_told_who_does(models: Path, tmp_path: Path) -> None:
    text = (models / "hyper.py").read_text()
    (tmp_path / "hyper.py").write_text(
        f"{text}\n    def fit(self, hp, model, *args, **kwargs):\n"
        "        return model.fit(*args, epochs=hp.Int('epochs', 5, 20), **kwargs)\n"
    )
    with pytest.raises(OwnCodeError, match=r"'epochs'; recsweep calls fit with epochs=1, verbose"):
        _run(_config(tmp_path, KINDS["hyper"]), n_epochs=1)


FUNCTIONAL = """\
import {keras} as keras


class Functional(keras.Model):
    def __init__(self, data, *, size=4):
        user = keras.layers.Input((), dtype="int32", name="user")
        item = keras.layers.Input((), dtype="int32", name="item")
        u = keras.layers.Embedding(data.n_users + 1, size)(user)
        i = keras.layers.Embedding(data.n_items + 1, size)(item)
        rating = keras.layers.Dense(1)(keras.layers.Concatenate()([u, i]))
        super().__init__(inputs=[user, item], outputs=rating)
"""


@pytest.mark.parametrize("keras", ["tensorflow.keras", "keras"])
def test_a_keras_model_may_be_a_functional_one(tmp_path: Path, keras: str) -> None:
    (tmp_path / "functional.py").write_text(FUNCTIONAL.format(keras=keras))
    run = _run(_config(tmp_path, "functional.py:Functional", size=2))
    assert np.ptp(run.predict_validation()) > 0


ADAPTED = """\
import tensorflow as tf


class Adapted(tf.keras.Model):
    def __init__(self, data):
        super().__init__()
        self.lookup = tf.keras.layers.StringLookup(mask_token=None)
        self.lookup.adapt(data.train.user_id)
        self.words = tf.keras.layers.TextVectorization(output_mode="multi_hot")
        self.words.adapt(data.train.item_id)
        self.user = tf.keras.layers.Embedding(self.lookup.vocabulary_size(), 4)
        self.rating = tf.keras.layers.Dense(1)

    def call(self, features):
        user = self.user(self.lookup(features["user_id"]))
        return self.rating(tf.concat([user, self.words(features["item_id"])], axis=1))
"""


def test_a_keras_model_may_adapt_layers_to_the_train_rows(tmp_path: Path) -> None:
    """Keras 2 counts their tables among the variables, and they cannot be saved."""
    (tmp_path / "adapted.py").write_text(ADAPTED)
    config = _config(tmp_path, "adapted.py:Adapted")
    run = _run(config)
    run.save(tmp_path / "last")
    again = WholeRun(config, TrainingConfig(seed=1, patience=0), DATA)
    again.restore(tmp_path / "last")
    np.testing.assert_array_equal(again.predict(DATA.validation), run.predict(DATA.validation))


THREE = """import keras


class Three(keras.Model):
    def __init__(self, data):
        super().__init__()
        self.user = keras.layers.Embedding(data.n_users + 1, 4)
        self.rating = keras.layers.Dense(1)

    def call(self, features):
        return self.rating(self.user(features["user"]))
"""


@pytest.mark.filterwarnings("ignore::UserWarning:keras")  # Keras's own of the same mistakes
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"user"]', '"movie"]', "Three asks for 'movie'; the columns are user, item, "),
        ("n_users + 1", "n_users", "; tables of users and items need n + 1 rows: row 0 is for"),
        ("return self", "raise ValueError('so'); return self", "three.py:11: ValueError: so"),
    ],
)
def test_mistakes_in_a_model_of_keras_3_are_told_without_its_words_around(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in THREE
    (tmp_path / "three.py").write_text(THREE.replace(old, new))
    with pytest.raises(OwnCodeError) as caught:
        _run(_config(tmp_path, "three.py:Three"), n_epochs=1)
    assert told in str(caught.value)
    assert "\x1b" not in str(caught.value) + caught.value.log


COMPILED = """\
import tensorflow as tf


class Compiled(tf.keras.Model):
    def __init__(self, data, *, column="user"):
        super().__init__()
        self.column = column
        self.user = tf.keras.layers.Embedding(data.n_users + 1, 4)
        self.rating = tf.keras.layers.Dense(1)
        self.compile("adam", "mse", jit_compile=True)

    def call(self, features):
        return self.rating(self.user(features[self.column]))
"""


def test_a_keras_model_may_have_xla_compile_its_training(tmp_path: Path) -> None:
    (tmp_path / "compiled.py").write_text(COMPILED)
    run = _run(_config(tmp_path, "compiled.py:Compiled"))
    assert np.isfinite(run.predict_validation()).all()
    with pytest.raises(OwnCodeError, match="asks for 'user_id'; the columns are user, item, genre"):
        _run(_config(tmp_path, "compiled.py:Compiled", column="user_id"))


def test_a_keras_model_that_another_function_compiles_is_told(tmp_path: Path) -> None:
    """Its learning rate would vary in the record alone."""
    outside = COMPILED.replace("self.compile(", "ready(self, ") + (
        "\n\ndef ready(model, *how, **more):\n    model.compile(*how, **more)\n"
    )
    (tmp_path / "helped.py").write_text(outside)
    with pytest.raises(OwnCodeError, match="comes compiled by code outside its class"):
        _run(_config(tmp_path, "helped.py:Compiled"))


MIXED = """\
import tensorflow as tf


class Mixed(tf.keras.Model):
    def __init__(self, data):
        super().__init__(dtype="mixed_float16")
        self.user = tf.keras.layers.Embedding(data.n_users + 1, 4)
        self.rating = tf.keras.layers.Dense(1)

    def call(self, features):
        return self.rating(self.user(features["user"]))
"""


def test_the_learning_rate_falls_under_mixed_precision_and_goes_on_falling(tmp_path: Path) -> None:
    (tmp_path / "mixed.py").write_text(MIXED)
    rates = {"optimizer": "adagrad", "learning_rate": 0.1, "learning_rate_decay": 1e-6}
    config = _config(tmp_path, "mixed.py:Mixed", **rates)
    run = _run(config, n_epochs=1)
    run.save(tmp_path / "last")
    before = run.predict_validation()
    resumed = _run(config, n_epochs=0)
    resumed.restore(tmp_path / "last")
    resumed.step()
    np.testing.assert_allclose(resumed.predict_validation(), before, atol=1e-4)


def test_predictions_that_are_not_finite_end_it_as_diverged(models: Path) -> None:
    run = _run(_config(models, "wrong.py:NotANumber"), n_epochs=1)
    assert run.stop_reason == "diverged"
    assert run.divergence == (
        "not finite at epoch 1: wrong.py: NotANumber.predict gives NaN or infinity for 2 of 93 "
        "validation rows"
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("class M:\n    def __init__(self, data): ...\n    def fit_epoch(self): ...\n",
         "M has no predict; a whole model has fit_epoch(self) and predict(self, rows)"),
        ("class M:\n    def fit_epoch(self): ...\n    def predict(self, rows): ...\n",
         "M has no __init__ in its file, which is read without running it; write def __init__("),
        ("class M:\n    def __init__(self): ...\n    def fit_epoch(self): ...\n"
         "    def predict(self, rows): ...\n", "M must take the data first: def __init__("),
        ("class M:\n    def __init__(self, data, k): ...\n    def fit_epoch(self): ...\n"
         "    def predict(self, rows): ...\n", "write def __init__(self, data, *, k, ...)"),
        ("class M:\n    def __init__(self, rate, k=8): ...\n    def fit_epoch(self): ...\n"
         "    def predict(self, rows): ...\n", "write def __init__(self, data, *, rate, k, ...)"),
        ("class M:\n    def __init__(self, size=8): ...\n    def fit_epoch(self): ...\n"
         "    def predict(self, rows): ...\n", "write def __init__(self, data, *, size, ...)"),
        ("import keras_tuner as kt\nclass M(kt.HyperModel): ...\n", "M has no build"),
        ("import keras_tuner as kt\nclass M(kt.HyperModel):\n    def build(self, hp): ...\n"
         "    def fit(self, hp, model, x, y, validation_data, callbacks=None): ...\n",
         "M has fit(self, hp, model, x, y, validation_data); it is called with hp, model, x"),
        ("import keras\nclass M(keras.Model):\n    def __init__(self, data): ...\n"
         "    def call(self, x): ...\n", "an __init__ that does not begin with super().__init__()"),
        ("import keras\nclass M(keras.Model):\n    def __init__(self, data):\n"
         "        super().__init__()\n", "M has no call; a Keras model that gives no outputs to"),
        ("def M(hp): ...\n", "M takes hp, and a function is given the embeddings; make it the"),
    ],
)  # fmt: skip
def test_what_no_model_can_be_is_told_before_anything_runs(
    tmp_path: Path, source: str, told: str
) -> None:
    (tmp_path / "m.py").write_text(source)
    with pytest.raises(ModelError) as caught:
        read_own("m.py:M", tmp_path)
    assert told in str(caught.value)


def test_a_class_inherits_from_its_file_and_may_from_others(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("class Base:\n    def predict(self, rows): ...\n")
    (tmp_path / "m.py").write_text(
        "from base import Base\n"
        "class Half(Base):\n    def __init__(self, data, *, k=2, must): ...\n"
        "class M(Half):\n    def fit_epoch(self): ...\n"
    )
    own = read_own("m.py:M", tmp_path)
    assert (own.kind, own.files) == ("model", ("base.py", "m.py"))
    assert own.parameters == (Parameter("k", 2, False), Parameter("must", None, True))
    assert not own.uses_tensorflow


def test_data_are_told_as_numbers_and_as_text() -> None:
    data = ModelData(DATA, 7)
    rows = data.train[:3]
    assert len(rows) == 3
    assert list(rows.user_id) == [data.user_ids[u - 1] for u in rows.user]
    unseen = DATA.validation.user == 0
    assert unseen.any()
    from recommender.model_data import ModelRows

    validation = ModelRows(DATA, DATA.validation)
    assert set(validation.user_id[unseen]) == {"[UNK]"}
    assert "i0" in validation.item_id
    assert rows.feature("genres").shape == (3, 3) and data.words("genres")[0] == "Action"
    assert rows.feature("year").shape == rows.feature("hour_of_day_cos").shape == (3,)
    assert rows.numbers().keys() == {"user", "item", "catalog", "context"}


@pytest.mark.parametrize("words", [(), ("a",), ("a", "b")])
def test_a_category_is_its_word_or_unknown(words: tuple[str, ...]) -> None:
    matrix = np.eye(len(DATA.catalog) + 1, len(words), k=-1, dtype=np.float32)
    data = replace(DATA, side_tables={"brand": SideTable("category", words, matrix)})
    told = feature_table(data, "brand").tolist()
    assert told == ["[UNK]", *words, *["[UNK]"] * (len(DATA.catalog) - len(words))]


def test_the_stand_in_has_whatever_feature_is_asked_for() -> None:
    """A HyperModel that adapts layers to one is read on it."""
    rows = StandIn().train
    assert rows.feature("genres").shape == (len(rows), len(StandIn().words("genres"))) == (2, 1)


def test_a_model_that_does_without_tensorflow_never_imports_it(models: Path) -> None:
    code = (
        "import sys\nfrom tests.recommender import test_whole as t\nfrom pathlib import Path\n"
        f"t._run(t._config(Path({str(models)!r}), 'mf.py:MF'))\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_process_that_it_forks_does_not_go_on_as_ours(models: Path, tmp_path: Path) -> None:
    code = (
        "import os\nfrom tests.recommender import test_whole as t\nfrom pathlib import Path\n"
        f"t._run(t._config(Path({str(models)!r}), 'wrong.py:Forks'), n_epochs=1)\n"
        "print('still here in', Path.cwd())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.count("still here in") == 1
    assert done.stdout.count(str(Path.cwd())) == 1


def test_an_optimizer_that_keras_does_not_have_is_refused_by_name(models: Path) -> None:
    config = _config(models, KINDS["tutorial"], optimizer="lazy_adam")
    with pytest.raises(OwnCodeError, match=r"'lazy_adam' is recsweep's own.*take one of adam, "):
        _run(config, n_epochs=1)
