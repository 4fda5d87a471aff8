"""The same trials as users of Optuna, Ray Tune and KerasTuner write them: a TFRS model and `fit`.

Each peer trains the configurations it is given, one after another, for the same epochs on the same
split, and reports the seconds of every trial. The model is that of the libraries' own tutorials:
string look-ups and embeddings, a dense stack, a ranking task; DCN's cross layers where asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Values = Mapping[str, Any]


@dataclass(frozen=True)
class PeerRun:
    """What came of the trials."""

    ended_at: tuple[float, ...]
    """Wall clock of each trial's end."""
    rmse: tuple[float, ...]
    """Best validation RMSE of each trial."""


def fit_trial(values: Values, data: Path, epochs: int, batch_size: int) -> float:
    """One trial with `fit`: the best validation RMSE over its epochs."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    arrays = np.load(data)

    def part(name: str) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            {key: arrays[f"{name}_{key}"] for key in ("user", "item", "rating")}
        )

    train = part("train").cache().shuffle(100_000, seed=1).batch(batch_size)
    validation = part("validation").batch(16_384).cache()

    class Model(tfrs.Model):  # type: ignore[misc]  # TFRS has no types
        def __init__(self) -> None:
            super().__init__()
            size = int(values["embedding_size"])
            self.users, self.items = (
                tf.keras.Sequential(
                    [
                        tf.keras.layers.StringLookup(vocabulary=arrays[name]),
                        tf.keras.layers.Embedding(len(arrays[name]) + 1, size),
                    ]
                )
                for name in ("users", "items")
            )
            self.cross = [
                tfrs.layers.dcn.Cross() for _ in range(int(values.get("cross_layers", 0)))
            ]
            self.dense = tf.keras.Sequential(
                [
                    tf.keras.layers.Dense(int(values[f"layer_size_{i}"]), activation="relu")
                    for i in range(int(values["n_layers"]))
                ]
                + [tf.keras.layers.Dropout(float(values["dropout"])), tf.keras.layers.Dense(1)]
            )
            self.task = tfrs.tasks.Ranking(
                loss=tf.keras.losses.MeanSquaredError(),
                metrics=[tf.keras.metrics.RootMeanSquaredError(name="rmse")],
            )

        def call(self, features: Any) -> Any:
            x0 = tf.concat([self.users(features["user"]), self.items(features["item"])], axis=1)
            x = x0
            for layer in self.cross:
                x = layer(x0, x)
            return self.dense(x)

        def compute_loss(self, features: Any, training: bool = False) -> Any:
            return self.task(features["rating"], self(features))

    model = Model()
    optimizers = {"adam": tf.keras.optimizers.Adam, "adagrad": tf.keras.optimizers.Adagrad}
    model.compile(optimizer=optimizers[values["optimizer"]](float(values["learning_rate"])))
    history = model.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    return float(min(history.history["val_rmse"]))


def optuna_in_one_process(
    trials: Sequence[Values], data: Path, epochs: int, batch_size: int
) -> PeerRun:
    """A loop of `study.ask` and `study.tell`, the configurations enqueued."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    ended_at, rmse = [], []
    for values in trials:
        trial = study.ask()
        rmse.append(fit_trial(values, data, epochs, batch_size))
        study.tell(trial, rmse[-1])
        ended_at.append(time.time())
    return PeerRun(tuple(ended_at), tuple(rmse))


def ray_tune(
    trials: Sequence[Values],
    data: Path,
    epochs: int,
    batch_size: int,
    *,
    reuse_actors: bool,
    n_workers: int,
) -> PeerRun:
    """A Tuner over a grid of the configurations, `fit` inside the trainable."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    import ray
    from ray import tune

    ray.init(address="local", num_cpus=n_workers, log_to_driver=False)

    class Trainable(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.values = config["values"]

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.values = new_config["values"]
            return True

        def step(self) -> dict[str, Any]:
            rmse = fit_trial(self.values, data, epochs, batch_size)
            return {"rmse": rmse, "ended_at": time.time(), "done": True}

    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        grid = tune.Tuner(
            tune.with_resources(Trainable, {"CPU": 1}),
            param_space={"values": tune.grid_search([dict(values) for values in trials])},
            tune_config=tune.TuneConfig(reuse_actors=reuse_actors),
            run_config=tune.RunConfig(
                storage_path=scratch,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    ray.shutdown()
    results = [result.metrics for result in grid if result.metrics]
    return PeerRun(
        tuple(metrics["ended_at"] for metrics in results),
        tuple(metrics["rmse"] for metrics in results),
    )


def keras_tuner(trials: Sequence[Values], data: Path, epochs: int, batch_size: int) -> PeerRun:
    """A `RandomSearch` whose `run_trial` fits: KerasTuner refuses Keras 2 models otherwise."""
    import tempfile

    import keras_tuner as kt

    ended_at: list[float] = []
    rmse: list[float] = []

    class Tuner(kt.RandomSearch):  # type: ignore[misc]  # KerasTuner has no types
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            # A dimension of its own, so that the tuner takes no trial for a repetition.
            trial.hyperparameters.Float("u", 0, 1)
            rmse.append(fit_trial(trials[len(rmse)], data, epochs, batch_size))
            ended_at.append(time.time())
            return {"rmse": rmse[-1]}

    with tempfile.TemporaryDirectory() as scratch:
        tuner = Tuner(
            objective=kt.Objective("rmse", "min"),
            max_trials=len(trials),
            directory=scratch,
            overwrite=True,
        )
        tuner.search(verbose=0)
    return PeerRun(tuple(ended_at), tuple(rmse))
