"""Whole models as a researcher brings them, as source."""

from __future__ import annotations

from pathlib import Path

MF = """\
import numpy as np


class MF:
    '''User and item biases and factors, by stochastic gradient descent in batches.'''

    def __init__(self, data, *, n_factors=4, rate=0.05, l2=0.02):
        self.data, self.rate, self.l2 = data, rate, l2
        self.mean = data.train_mean
        self.p = np.random.normal(0, 0.1, (data.n_users + 1, n_factors))
        self.q = np.random.normal(0, 0.1, (data.n_items + 1, n_factors))
        self.b = np.zeros(data.n_users + 1)
        self.c = np.zeros(data.n_items + 1)

    def fit_epoch(self):
        rows = self.data.train
        for part in np.array_split(np.random.permutation(len(rows)), max(1, len(rows) // 64)):
            u, i = rows.user[part], rows.item[part]
            error = rows.rating[part] - self._rating(u, i)
            np.add.at(self.b, u, self.rate * (error - self.l2 * self.b[u]))
            np.add.at(self.c, i, self.rate * (error - self.l2 * self.c[i]))
            step = self.rate * (error[:, None] * self.q[i] - self.l2 * self.p[u])
            np.add.at(self.q, i, self.rate * (error[:, None] * self.p[u] - self.l2 * self.q[i]))
            np.add.at(self.p, u, step)

    def predict(self, rows):
        return self._rating(rows.user, rows.item)

    def _rating(self, u, i):
        return self.mean + self.b[u] + self.c[i] + (self.p[u] * self.q[i]).sum(1)
"""

SAVED = (
    MF.replace("class MF:", "class Saved:")
    + """
    def save(self, folder):
        np.savez(folder / "state.npz", p=self.p, q=self.q, b=self.b, c=self.c)

    def load(self, folder):
        with np.load(folder / "state.npz") as state:
            self.p, self.q, self.b, self.c = (state[n] for n in "pqbc")
"""
)

TUTORIAL = """\
import tensorflow as tf
import tensorflow_recommenders as tfrs


class RankingModel(tf.keras.Model):
    def __init__(self, user_ids, item_ids, embedding_dimension, l2):
        super().__init__()
        self.user_embeddings = tf.keras.Sequential([
            tf.keras.layers.StringLookup(vocabulary=user_ids, mask_token=None),
            tf.keras.layers.Embedding(len(user_ids) + 1, embedding_dimension),
        ])
        self.item_embeddings = tf.keras.Sequential([
            tf.keras.layers.StringLookup(vocabulary=item_ids, mask_token=None),
            tf.keras.layers.Embedding(len(item_ids) + 1, embedding_dimension),
        ])
        penalty = tf.keras.regularizers.l2(l2)
        self.ratings = tf.keras.Sequential([
            tf.keras.layers.Dense(16, activation="relu", kernel_regularizer=penalty),
            tf.keras.layers.Dropout(0.1, seed=3),
            tf.keras.layers.Dense(8, activation="relu", kernel_regularizer=penalty),
            tf.keras.layers.Dense(1),
        ])

    def call(self, inputs, training=False):
        user_id, item_id = inputs
        user, item = self.user_embeddings(user_id), self.item_embeddings(item_id)
        return self.ratings(tf.concat([user, item], axis=1), training=training)


class MovielensModel(tfrs.models.Model):
    def __init__(self, data, *, embedding_dimension=4, l2=1e-4):
        super().__init__()
        self.ranking_model = RankingModel(data.user_ids, data.item_ids, embedding_dimension, l2)
        self.task = tfrs.tasks.Ranking(
            loss=tf.keras.losses.MeanSquaredError(),
            metrics=[tf.keras.metrics.RootMeanSquaredError()],
        )

    def call(self, features, training=False):
        return self.ranking_model((features["user_id"], features["item_id"]), training=training)

    def compute_loss(self, features, training=False):
        labels = features.pop("rating")
        return self.task(labels=labels, predictions=self(features, training=training))
"""

HYPER = """\
import keras
import keras_tuner


class Towers(keras_tuner.HyperModel):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def build(self, hp):
        size = hp.Int("size", 2, 8, step=2, default=4)
        user = keras.Input((), dtype="int32", name="user")
        item = keras.Input((), dtype="int32", name="item")
        u = keras.layers.Embedding(self.data.n_users + 1, size)(user)
        i = keras.layers.Embedding(self.data.n_items + 1, size)(item)
        x = keras.layers.Concatenate()([u, i])
        if hp.Choice("head", ["dense", "dot"]) == "dense":
            with hp.conditional_scope("head", ["dense"]):
                units = hp.Int("units", 4, 16, sampling="log", default=8)
            x = keras.layers.Dense(units, activation="relu")(x)
        else:
            with hp.conditional_scope("head", ["dot"]):
                scale = hp.Float("scale", 0.5, 2.0, default=1.0)
            x = scale * keras.layers.Dot(1)([u, i])[:, :1]
        rating = keras.layers.Dense(
            1, bias_initializer=keras.initializers.Constant(self.data.train_mean)
        )(x)
        model = keras.Model({"user": user, "item": item}, rating)
        rate = hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)
        model.compile(keras.optimizers.Adam(rate), "mse")
        return model
"""

WRONG = """\
import os

import numpy as np


class Base:
    def __init__(self, data, *, k=1):
        self.data = data

    def fit_epoch(self):
        pass

    def predict(self, rows):
        return rows.user * 0.01 + 3.0


class Column(Base):
    def predict(self, rows):
        return super().predict(rows)[:, None]


class Short(Base):
    def predict(self, rows):
        return super().predict(rows)[:-1]


class Words(Base):
    def predict(self, rows):
        return list("abc")


class NotANumber(Base):
    def predict(self, rows):
        ratings = super().predict(rows)
        ratings[1:3] = np.nan
        return ratings


class Constant(Base):
    def predict(self, rows):
        return np.full(len(rows), 3.5)


class Peeks(Base):
    def predict(self, rows):
        return rows.rating


class Asks(Base):
    def fit_epoch(self):
        self.data.train.feature("colour")


class Exits(Base):
    def fit_epoch(self):
        raise SystemExit(3)


class Forks(Base):
    def fit_epoch(self):
        print("forking")
        os.chdir("/")
        os.fork()


class Raises(Base):
    def fit_epoch(self):
        raise RuntimeError("no luck")


class Mute(Exception):
    def __str__(self):
        raise ValueError


class RaisesMute(Base):
    def fit_epoch(self):
        raise Mute


class Objects(Base):
    def predict(self, rows):
        return np.array([None] * len(rows))


class Removes(Base):
    def save(self, folder):
        folder.rmdir()

    def load(self, folder): ...


class Forgets(Base):
    n = 0

    def fit_epoch(self):
        self.n += 1

    def predict(self, rows):
        return super().predict(rows) - (0.3, 0.0, 0.1)[self.n] * rows.user

    def save(self, folder): ...

    def load(self, folder): ...


class Links(Base):
    def save(self, folder):
        (folder / "state").write_text("1")
        (folder / "latest").symlink_to("state")

    def load(self, folder):
        (folder / "latest").read_text()


class MovieId(Base):
    def predict(self, rows):
        return rows.movie_id


class AsTable(Base):
    def predict(self, rows):
        return rows["user"]


class OffByOne(Base):
    def __init__(self, data, *, rate=0.1):
        self.offsets = np.zeros(data.n_items)

    def predict(self, rows):
        return self.offsets[rows.item]


class Unseeded(Base):
    def predict(self, rows):
        return np.random.default_rng().normal(3, 1, len(rows))
"""

CLASSES = {"mf": MF, "saved": SAVED, "tutorial": TUTORIAL, "hyper": HYPER, "wrong": WRONG}


def write_classes(folder: Path) -> Path:
    """`mf.py`, `saved.py`, `tutorial.py`, `hyper.py` and `wrong.py`."""
    folder.mkdir(exist_ok=True)
    for name, text in CLASSES.items():
        (folder / f"{name}.py").write_text(text)
    return folder
