"""A ranking model around a function of the researcher's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recommender.architectures.blocks import (
    Inputs,
    RankingModel,
    StepNoise,
    Structure,
    Tensor,
    without_cast,
)
from recommender.datasets.encoded import EncodedDataset
from recommender.epochs import seed_everything
from recommender.errors import OwnCodeError
from recommender.own_loading import blamed_on, load
from recommender.runtime import tf

_FIRST_PURPOSE = 1024


class OwnRanking(RankingModel):
    """The mean rating, user and item biases where they are wanted, and what the function gives.

    The function is called once a graph, on a symbolic input of Keras; its layers then train as
    ours do: drawn from the trial's seed, dropout from the step's key, penalties in the loss,
    moving statistics kept with the weights.
    """

    def __init__(self, structure: Structure, dataset: EncodedDataset) -> None:
        super().__init__(structure, dataset)
        assert structure.own is not None
        self._own = structure.own
        self._arguments = dict(structure.own_arguments)
        self._mean = dataset.train_mean / self.unit
        self._noise = _Noise()
        self.inner: Any = None

    def network(self, features: Tensor, noise: StepNoise | None) -> Tensor:
        if self.inner is None:
            self.inner = self._built(features.shape[1])
        self._noise.begin_step(None if noise is None else noise.key)
        with blamed_on(self._own):
            return self.inner(features, training=noise is not None)

    def rating(self, network: Tensor) -> Tensor:
        return self._mean + network

    def kernels(self) -> Sequence[Tensor]:
        return ()

    def penalties(self) -> Sequence[Tensor]:
        return list(self.inner.losses)

    def statistics(self) -> Sequence[Any]:
        return list(self.inner.non_trainable_variables)

    def check(self, inputs: Inputs, is_trained: bool) -> None:
        features = self.features(inputs)
        ratings = self.network(features, None).numpy()
        where = self._own.where
        if not np.isfinite(ratings).all() and not is_trained:
            raise OwnCodeError(f"{where} gives NaN or infinity before any training")
        # Rows of unknown ids alone may be all the same to it.
        is_blind = np.ptp(ratings) == 0 and np.ptp(features.numpy(), axis=0).any()
        if is_trained and is_blind:
            raise OwnCodeError(
                f"{where} gives {ratings.flat[0]:.4g} for every row after an epoch of training: "
                "it does not use its inputs, or all its units are dead"
            )

    def _built(self, width: int) -> Any:
        own = self._own
        function = load(own)
        inputs = tf.keras.Input([width])
        created: list[Any] = []
        seed_everything(0)  # What it draws now is of the graph, which trials of all seeds share.
        with blamed_on(own), tf.variable_creator_scope(_kept_in(created)):
            outputs = function(inputs, **self._arguments)
        where = own.where
        if not isinstance(outputs, type(inputs)):
            told = f"{where} must compute a tensor from its inputs, got {outputs!r}"
            if isinstance(outputs, tf.keras.layers.Layer):
                told = f"{where} gives a layer or model; have it give what that makes of its inputs"
            raise OwnCodeError(told)
        if outputs.shape.as_list() != [None, 1]:
            got = ", ".join("batch" if n is None else str(n) for n in outputs.shape)
            raise OwnCodeError(f"{where} must give ratings of shape (batch, 1), got ({got})")
        with blamed_on(own):
            inner = tf.keras.Model(inputs, outputs)
        if outputs.dtype != tf.float32:
            raise OwnCodeError(
                f"{where} must give float32, got {outputs.dtype.name}; end with "
                "tf.cast(..., tf.float32)"
            )
        tracked = {without_cast(variable).ref() for variable in inner.variables}
        # Keras counts steps in whole numbers beside each model within.
        weights = [v for v in created if v.trainable and v.dtype.is_floating]
        if any(variable.ref() not in tracked for variable in weights):
            raise OwnCodeError(
                f"{where} makes a tf.Variable that no layer holds, so it would not be trained; "
                "make it in a layer of tf.keras (Keras 2), with self.add_weight(shape=..., "
                "initializer=...)"
            )
        for layer in inner.submodules:
            if hasattr(layer, "_random_generator"):
                layer._random_generator = self._noise
        self._noise.begin_step(tf.zeros([2], tf.int32))
        with blamed_on(own):
            traced = tf.function(lambda x: inner(x, training=True), autograph=False)
            graph = traced.get_concrete_function(tf.TensorSpec([None, width])).graph
        if drawn := _drawing_operations(graph.as_graph_def()):
            raise OwnCodeError(
                f"{where} draws random numbers that no seed reaches ({', '.join(sorted(drawn))}); "
                "use Keras layers such as Dropout and GaussianNoise"
            )
        return inner


def _drawing_operations(graph: Any) -> set[str]:
    """What TensorFlow draws without a key, also within functions: no seed of a trial reaches it."""
    within = (node for function in graph.library.function for node in function.node_def)
    generators = ("RngReadAndSkip", "StatefulRandomBinomial")
    return {
        node.op
        for node in (*graph.node, *within)
        if node.op in generators
        # Keras gives the dropout of cuDNN's recurrent layers a rate of 0.
        or ("seed2" in node.attr and not node.op.startswith("CudnnRNN"))
    }


def _kept_in(created: list[Any]) -> Callable[..., Any]:
    def create(next_creator: Any, **kwargs: Any) -> Any:
        created.append(next_creator(**kwargs))
        return created[-1]

    return create


class _Noise:
    """Stands where Keras's random layers have their `tf_keras.backend.RandomGenerator`.

    What they draw follows from the key of the step and from which draw of the step it is.
    """

    _rng_type = "legacy_stateful"

    def __init__(self) -> None:
        self._key: Tensor | None = None
        self._n_drawn = 0

    def begin_step(self, key: Tensor | None) -> None:
        """Before the layers are called; None: nothing is drawn."""
        self._key, self._n_drawn = key, 0

    def _maybe_init(self) -> None: ...

    def dropout(self, inputs: Tensor, rate: float, noise_shape: Any = None) -> Tensor:
        return tf.nn.experimental.stateless_dropout(
            inputs, rate, self._next_key(), noise_shape=noise_shape
        )

    def random_normal(
        self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, **_: Any
    ) -> Tensor:
        kind = dtype or tf.float32
        return tf.random.stateless_normal(shape, self._next_key(), mean, stddev, kind)

    def random_uniform(
        self, shape: Any, minval: float = 0.0, maxval: Any = None, dtype: Any = None, **_: Any
    ) -> Tensor:
        high = 1.0 if maxval is None else maxval
        return tf.random.stateless_uniform(
            shape, self._next_key(), minval, high, dtype or tf.float32
        )

    def _next_key(self) -> Tensor:
        assert self._key is not None, "noise is drawn while training only"
        self._n_drawn += 1
        return self._key + tf.constant([_FIRST_PURPOSE + self._n_drawn, 0])
