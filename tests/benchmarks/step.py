"""`python -m tests.benchmarks.step`: an epoch of the default model, and what a shape costs.

Half a minute. One thread; seconds are processor time, the least of several repetitions, taken turn
about so that a busy machine slows all of them alike. Compared are an epoch in our graph, the same
model trained with TensorFlow Recommenders and `fit`, and the bare matrix products of its steps.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.datasets.loading import load_dataset
from recommender.device import DeviceData
from recommender.runtime import configure_devices, tf, tfrs
from recommender.training import TrainingRun
from tests.benchmarks.products import epoch_of_products

FEATURES = ("user_id", "item_id", "genres", "year")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    configure_devices(gpu=False, threads=1)
    dataset = DatasetConfig(name="movielens-small", features=FEATURES)
    data = DeviceData(load_dataset(dataset, SplitConfig()).encoded)
    config = RankingConfig()
    _epochs(config, data, options.repeats)
    _shapes(config, data)


def _epochs(config: RankingConfig, data: DeviceData, n_repeats: int) -> None:
    run = TrainingRun(config, TrainingConfig(max_epochs=1000, patience=0), data)
    contenders = {
        "in our graph, evaluations included": run.step,
        "with fit, validation included": _fitted(config, data),
        "bare matrix products": _products(config, data),
    }
    seconds = _turn_about(contenders, n_repeats)
    ours = seconds["in our graph, evaluations included"]
    print(
        f"an epoch of the default model, batch {config.batch_size}, {len(data.dataset.train)} rows"
    )
    for name, taken in seconds.items():
        print(f"  {name:36} {taken:7.4f} s   {taken / ours:5.2f} x ours")


def _shapes(config: RankingConfig, data: DeviceData) -> None:
    """From the order to the end of the first epoch, less an epoch: new shapes and known ones."""
    shapes = [
        dataclasses.replace(config, architecture=name, layer_sizes=(size, 32))
        for size in (40, 48, 56)
        for name in ("plain", "dcn")
    ]
    first, again = [], []
    for taken in (first, again):
        for shape in shapes:
            started = time.process_time()
            run = TrainingRun(shape, TrainingConfig(patience=0), data)
            run.step()
            with_epoch = time.process_time() - started
            epochs = [_timed(run.step) for _ in range(3)]
            taken.append(with_epoch - min(epochs))
    new, known = statistics.median(first), statistics.median(again)
    print("what a trial pays before it trains: median of six shapes, plain and DCN")
    print(f"  a new shape {new:.3f} s, a known one {known:.3f} s: {known / new:.3f} of it")


def _fitted(config: RankingConfig, data: DeviceData) -> Callable[[], Any]:
    """The same model as a user of TensorFlow Recommenders writes it; an epoch of `fit` a call."""
    encoded = data.dataset
    genres = tf.constant(encoded.side_tables["genres"].matrix)
    years = tf.constant(encoded.side_tables["year"].matrix)
    l2 = tf.keras.regularizers.l2(config.dense_l2)

    class Model(tfrs.Model):  # type: ignore[misc]  # TFRS has no types
        def __init__(self) -> None:
            super().__init__()
            sizes = (encoded.n_users + 1, encoded.n_items + 1)
            layers = tf.keras.layers
            self.users, self.items = (layers.Embedding(n, config.embedding_size) for n in sizes)
            self.user_bias, self.item_bias = (layers.Embedding(n, 1) for n in sizes)
            self.genres = layers.Dense(config.embedding_size, use_bias=False)
            self.stack = tf.keras.Sequential([layers.Dropout(config.input_dropout)])
            for size in config.layer_sizes:
                self.stack.add(layers.Dense(size, config.activation, kernel_regularizer=l2))
                self.stack.add(layers.Dropout(config.dropout))
            self.stack.add(layers.Dense(1))
            self.task = tfrs.tasks.Ranking(
                loss=tf.keras.losses.MeanSquaredError(),
                metrics=[tf.keras.metrics.RootMeanSquaredError()],
            )

        def call(self, features: Any, training: bool = False) -> Any:
            parts = [
                self.users(features["user"]),
                self.items(features["item"]),
                self.genres(tf.gather(genres, features["catalog"])),
                tf.gather(years, features["catalog"]),
            ]
            biases = self.user_bias(features["user"]) + self.item_bias(features["item"])
            return self.stack(tf.concat(parts, axis=1), training=training) + biases

        def compute_loss(self, features: Any, training: bool = False) -> Any:
            return self.task(features["rating"], self(features, training=training)) + sum(
                self.losses
            )

    def part(name: str) -> tf.data.Dataset:
        rows = getattr(encoded, name)
        keys = ("user", "item", "catalog", "rating")
        return tf.data.Dataset.from_tensor_slices({key: getattr(rows, key) for key in keys})

    model = Model()
    model.compile(optimizer=tf.keras.optimizers.Adam(config.learning_rate))
    train = part("train").cache().shuffle(100_000).batch(config.batch_size)
    validation = part("validation").batch(16_384).cache()
    return lambda: model.fit(train, validation_data=validation, verbose=0)


def _products(config: RankingConfig, data: DeviceData) -> Callable[[], Any]:
    encoded: EncodedDataset = data.dataset
    sizes = (3 * config.embedding_size + 1, *config.layer_sizes, 1)
    genres = (len(encoded.side_tables["genres"].columns), config.embedding_size)
    return epoch_of_products(
        list(itertools.pairwise(sizes)),
        config.batch_size,
        len(encoded.train),
        at_the_input=[genres],
    )


def _turn_about(contenders: dict[str, Callable[[], Any]], n_repeats: int) -> dict[str, float]:
    for contender in contenders.values():
        contender()  # traced
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(n_repeats):
        for name, contender in contenders.items():
            taken[name].append(_timed(contender))
    return {name: min(seconds) for name, seconds in taken.items()}


def _timed(function: Callable[[], Any]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


if __name__ == "__main__":
    main()
