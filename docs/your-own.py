# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Your own models, from a notebook
#
# Four ways to bring a model, each swept against recsweep's plain one. Nothing here is a file of its
# own: recsweep saves the source of each cell, with what it uses, into the study's `code/`, and its
# workers import it from there. Run this as it is (`python docs/your-own.py`, about a minute), or
# open it as a notebook. Import recsweep before TensorFlow: it chooses the Keras that TensorFlow
# Recommenders needs.

# %%
import recsweep as rs

# %%
import keras
import keras_tuner
import numpy as np
import scipy.sparse
import tensorflow as tf
import tensorflow_recommenders as tfrs
from scipy.sparse.linalg import lsqr

# %% [markdown]
# ## A function
#
# From the concatenated embeddings to a rating. Its keyword-only parameters are what a sweep may
# vary. A cell may use what other cells import, define, or name without computing anything.

# %%
Dense = tf.keras.layers.Dense


# %%
def gated(inputs, *, n_heads=2, gate_l2=1e-4):
    penalty = tf.keras.regularizers.l2(gate_l2)
    gates = [
        Dense(inputs.shape[1], "sigmoid", kernel_regularizer=penalty)(inputs)
        for _ in range(n_heads)
    ]
    return Dense(1)(tf.concat([inputs * gate for gate in gates], axis=1))


# %% [markdown]
# ## A class, without TensorFlow
#
# Anything that can be fitted an epoch at a time, or all at once, and then predicts: SciPy here;
# scikit-learn goes the same way. `data.train` has `user`, `item` and `rating`; 0 stands for a user
# or an item that train does not know.


# %%
class Ridge:
    def __init__(self, data, *, damp=3.0):
        self.data, self.damp = data, damp

    def columns(self, rows):
        n = np.arange(len(rows))
        cells = np.r_[rows.user, self.data.n_users + 1 + rows.item]
        shape = (len(rows), self.data.n_users + self.data.n_items + 2)
        return scipy.sparse.csr_array((np.ones(2 * len(rows)), (np.r_[n, n], cells)), shape)

    def fit_epoch(self):
        target = self.data.train.rating - self.data.train_mean
        self.weights = lsqr(self.columns(self.data.train), target, damp=self.damp)[0]

    def predict(self, rows):
        return self.data.train_mean + self.columns(rows) @ self.weights


# %% [markdown]
# ## A subclassed tfrs.Model, as a tutorial writes it
#
# String look-ups, embeddings, dense layers with L2, a ranking task. Two numbers of the tutorial
# became keyword parameters.


# %%
class TutorialModel(tfrs.models.Model):
    def __init__(self, data, *, embedding_dimension=8, l2=1e-4):
        super().__init__()
        self.users = tf.keras.Sequential(
            [
                tf.keras.layers.StringLookup(vocabulary=data.user_ids, mask_token=None),
                tf.keras.layers.Embedding(len(data.user_ids) + 1, embedding_dimension),
            ]
        )
        self.items = tf.keras.Sequential(
            [
                tf.keras.layers.StringLookup(vocabulary=data.item_ids, mask_token=None),
                tf.keras.layers.Embedding(len(data.item_ids) + 1, embedding_dimension),
            ]
        )
        penalty = tf.keras.regularizers.l2(l2)
        mean = tf.keras.initializers.Constant(data.train_mean)
        self.ratings = tf.keras.Sequential(
            [
                Dense(16, activation="relu", kernel_regularizer=penalty),
                Dense(1, bias_initializer=mean),
            ]
        )
        self.task = tfrs.tasks.Ranking(loss=tf.keras.losses.MeanSquaredError())

    def call(self, features):
        user, item = self.users(features["user_id"]), self.items(features["item_id"])
        return self.ratings(tf.concat([user, item], axis=1))

    def compute_loss(self, features, training=False):
        labels = features.pop("rating")
        return self.task(labels=labels, predictions=self(features))


# %% [markdown]
# ## A HyperModel of KerasTuner
#
# It says itself what may vary; recsweep reads that, conditional scopes too.


# %%
class Towers(keras_tuner.HyperModel):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def build(self, hp):
        size = hp.Int("size", 4, 16, step=4, default=8)
        user = keras.Input((), dtype="int32", name="user")
        item = keras.Input((), dtype="int32", name="item")
        u = keras.layers.Embedding(self.data.n_users + 1, size)(user)
        i = keras.layers.Embedding(self.data.n_items + 1, size)(item)
        x = keras.layers.Concatenate()([u, i])
        if hp.Choice("head", ["dense", "linear"]) == "dense":
            with hp.conditional_scope("head", ["dense"]):
                x = keras.layers.Dense(hp.Int("units", 8, 32, default=16), "relu")(x)
        mean = keras.initializers.Constant(self.data.train_mean)
        model = keras.Model(
            {"user": user, "item": item}, keras.layers.Dense(1, bias_initializer=mean)(x)
        )
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "mse")
        return model


# %% [markdown]
# ## One sweep of all five
#
# The functions and classes themselves stand in the space. Each arm gets the same number of trials;
# what means something to some of the models only is varied in their arms alone.

# %%
sweep = rs.Sweep(
    "your-own",
    dataset={"name": "movielens-small", "features": ["user_id", "item_id", "genres"]},
    space=rs.space(
        architecture=rs.Choice(["plain", gated, Ridge, TutorialModel, Towers]),
        learning_rate=rs.Float(1e-3, 1e-2, log=True),
        n_heads=rs.Int(1, 2),
        damp=rs.Float(1.0, 10.0, log=True),
        embedding_dimension=rs.Choice([4, 8]),
    ),
    compare="architecture",
    model={"embedding_size": 8, "batch_size": 8192},
    trials=10,
    max_epochs=2,
    note="far too small to find anything out",
)
study = rs.run(sweep)

# %%
trials = study.trials()
trials[["number", "arm", "state", "best_rmse", "to_bias", "damp", "n_heads"]]

# %% [markdown]
# ## What is kept
#
# `code/` holds what each cell said. `rs.resume("studies/your-own", ...)` looks at the notebook's
# cells again: where one says something else now, it refuses and shows the difference.

# %%
kept = sorted(path.name for path in (study.folder / "code").iterdir())
kept

# %%
study
