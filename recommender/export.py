"""The winner as a SavedModel that plain TensorFlow loads and serves.

    model = tf.saved_model.load(path)
    model.signatures["serving_default"](user_id=tf.constant(["7"]), item_id=tf.constant(["42"]))

Ids are looked up inside, and so are the side features of items and users.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.architectures.blocks import Structure
from recommender.checkpoints import CheckpointError, numbered_arrays, read_checkpoint
from recommender.config import RankingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.epochs import check_checkpoint_is_of
from recommender.graph import build_model
from recommender.runtime import tf

Tensor = Any


def export_model(
    folder: Path, config: RankingConfig, dataset: EncodedDataset, target: Path
) -> None:
    """Writes the weights that `TrainingRun.save_best` left in `folder` as a SavedModel.

    Its signature takes `user_id` and `item_id` (strings, any number of pairs; unseen ones are fine)
    and, where the model uses the hour or the weekday, `timestamp` (int64, seconds since 1970). It
    gives `raw`, the model's rating in stars, and `rating`, the same clipped to the rating range.

    Raises:
        CheckpointError: the folder holds no weights of this model on this data.
        FileExistsError: there is something at `target`.
        OSError: the disk is full.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists already; remove it, or export to another folder")
    arrays, metadata = read_checkpoint(folder)
    check_checkpoint_is_of(config, metadata, folder)
    model, _, _ = build_model(Structure.of(config), dataset)
    weights, values = model.trained_variables, numbered_arrays("weight", arrays)
    if [tuple(w.shape) for w in weights] != [value.shape for value in values]:
        raise CheckpointError(f"{folder}: weights of a model on other data")
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)
    served = _Served(model, dataset)
    uses_time = config.side_features and bool(dataset.context_columns)
    signature = [tf.TensorSpec([None], tf.string, name) for name in ("user_id", "item_id")]
    if uses_time:
        signature.append(tf.TensorSpec([None], tf.int64, "timestamp"))
    rate = served.rate_at if uses_time else served.rate
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    function = tf.function(rate, input_signature=signature, autograph=False)
    try:
        tf.saved_model.save(served, str(unfinished), signatures=function)
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
    else:
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


class _Served(tf.Module):
    """Looks up what the model needs. It tracks the variables and not the model, whose Keras
    metadata a server could not read."""

    def __init__(self, model: Any, dataset: EncodedDataset) -> None:
        super().__init__()
        self._rating_range = dataset.rating_range
        self._context_columns = dataset.context_columns
        self._model_of: Callable[[Tensor], Tensor] = lambda inputs: model(inputs)
        self.weights = list(model.variables)
        self.users = _lookup(dataset.user_vocabulary)
        self.catalog = _lookup(dataset.catalog)
        self.roster = None if dataset.roster is None else _lookup(dataset.roster)
        self._catalog_item = tf.constant(dataset.catalog_item, tf.int64)

    def rate(self, user_id: Tensor, item_id: Tensor) -> dict[str, Tensor]:
        return self._rate(
            user_id, item_id, tf.zeros([tf.size(user_id), len(self._context_columns)])
        )

    def rate_at(self, user_id: Tensor, item_id: Tensor, timestamp: Tensor) -> dict[str, Tensor]:
        return self._rate(user_id, item_id, _context(timestamp, self._context_columns))

    def _rate(self, user_id: Tensor, item_id: Tensor, context: Tensor) -> dict[str, Tensor]:
        catalog = self.catalog.lookup(item_id)
        inputs = {
            "user": self.users.lookup(user_id),
            "item": tf.gather(self._catalog_item, catalog),
            "catalog": catalog,
            "context": context,
        }
        if self.roster is not None:
            inputs["roster"] = self.roster.lookup(user_id)
        raw = self._model_of(inputs)
        return {"rating": tf.clip_by_value(raw, *self._rating_range), "raw": raw}


def _lookup(ids: npt.NDArray[np.str_]) -> Any:
    """From an id to its number, from 1; 0 for an id that is not there."""
    numbers = tf.range(1, len(ids) + 1, dtype=tf.int64)
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(ids, tf.string), numbers)
    return tf.lookup.StaticHashTable(pairs, default_value=0)


def _context(timestamp: Tensor, columns: tuple[str, ...]) -> Tensor:
    """As `recommender.datasets.features.context`, whose columns these are."""
    turns = {
        "hour_of_day": timestamp // 3600 % 24 / 24,
        "day_of_week": (timestamp // 86_400 + 3) % 7 / 7,
    }
    functions = {"sin": tf.sin, "cos": tf.cos}
    values = []
    for column in columns:
        feature, _, function = column.rpartition("_")
        values.append(functions[function](2 * np.pi * turns[feature]))
    return tf.cast(tf.stack(values, axis=1), tf.float32)
