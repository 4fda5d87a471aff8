"""The hyperparameters of one ranking model: names, defaults, limits.

Standard library only: the driver and the sweep-file checks read this without TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from recommender.errors import ModelError
from recommender.own import OwnDefinition
from recommender.own import Value as Value

ARCHITECTURES = ("plain", "dcn")
OPTIMIZERS = ("adam", "adamw", "nadam", "lazy_adam", "adagrad", "sgd", "rmsprop")
KERAS_OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "adagrad": "Adagrad",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
}
"""Those of them that Keras has, and its names for them: what a Keras model is trained with."""
RATES = ("dropout", "input_dropout", "user_oov_rate", "item_oov_rate")
PENALTIES = ("embedding_l2", "dense_l2")
NUMERIC = ("learning_rate", "learning_rate_decay", "weight_decay", *RATES, *PENALTIES)
"""The hyperparameters that a traced graph reads from a variable: others ask for another graph, and
so do rates and penalties of 0, which are left out of it."""
CROSS_VALUES = ("cross_layers", "cross_rank", "cross_placement")
"""The hyperparameters that only a cross network has."""
OF_LAYERS = {
    *("n_layers", "layer_size", "activation", "kernel_initializer", "dropout", "dense_l2"),
    *CROSS_VALUES,
}
"""What lies between embeddings and rating in our models, in whose place an own function is."""
INITIALIZERS = ("activation", "glorot_uniform", "he_uniform", "lecun_normal")
ACTIVATIONS = ("relu", "gelu", "elu", "selu", "swish", "tanh")


def _limits(default: Any, *, low: float | None = None, high: float | None = None,
            above: float | None = None, choices: tuple[str, ...] = ()) -> Any:  # fmt: skip
    """A field with what its values must keep to: [low, high], or above an open end."""
    return field(
        default=default, metadata={"low": low, "high": high, "above": above, "choices": choices}
    )


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """One ranking model and how it is trained, but for epochs, patience and seed."""

    architecture: str = _limits("plain", choices=ARCHITECTURES)
    """`plain`: embeddings and a dense stack; `dcn`: the same with a cross network (DCN v2)."""
    embedding_size: int = _limits(16, low=1, high=1024)
    """Width of every embedding: users, items and categorical side features."""
    n_layers: int = _limits(2, low=0, high=8)
    """Dense layers before the linear output."""
    layer_sizes: tuple[int, ...] = (64, 32)
    """Width of each dense layer; written `layer_size` (one for all) or `layer_size_0`, ..."""
    activation: str = _limits("relu", choices=ACTIVATIONS)
    """Of the dense layers."""
    kernel_initializer: str = _limits("activation", choices=INITIALIZERS)
    """Of the dense layers; `activation`: what suits it (He for ReLU kin, LeCun for selu, Glorot
    for tanh)."""
    dropout: float = _limits(0.3, low=0.0, high=0.95)
    """Share of a dense layer's outputs dropped while training."""
    input_dropout: float = _limits(0.1, low=0.0, high=0.95)
    """Share of the concatenated input features dropped while training."""
    embedding_l2: float = _limits(1.0, low=0.0, high=1e4)
    """L2 penalty: times the mean over users of the squared norm of embedding and bias, plus the
    same over items. Rare ids count as much as frequent ones; a batch estimates it from its rows
    whose id is not replaced: of the penalty on users 1 - `user_oov_rate` is left.
    On an id it weighs as much as `embedding_l2` times the ratings of an average id, so that one
    value suits data of any size. Words of side features are not penalised."""
    dense_l2: float = _limits(1e-4, low=0.0, high=10.0)
    """L2 penalty on the kernels of dense and cross layers, but for the output (sum of squares)."""
    user_oov_rate: float = _limits(0.3, low=0.0, high=0.95)
    """Share of users replaced by the out-of-vocabulary user while training."""
    item_oov_rate: float = _limits(0.02, low=0.0, high=0.95)
    """Share of items replaced by the out-of-vocabulary item while training."""
    biases: bool = True
    """Additive user and item biases beside the network."""
    side_features: bool = True
    """Whether the data set's side features (genres, year, hour, weekday) enter the model."""
    cross_layers: int = _limits(1, low=1, high=8)
    """Cross layers; only under `dcn`."""
    cross_rank: int = _limits(0, low=0, high=1024)
    """Rank of each cross kernel; 0 is full. Only under `dcn`."""
    cross_placement: str = _limits("stacked", choices=("stacked", "parallel"))
    """`stacked`: cross, then dense; `parallel`: side by side, concatenated. Only under `dcn`."""
    optimizer: str = _limits("adam", choices=OPTIMIZERS)
    """`sgd` has momentum .9. `lazy_adam` is Adam that leaves alone the users and items that are not
    in the batch: another algorithm."""
    learning_rate: float = _limits(1e-3, above=0.0, high=1e3)
    """In the first epoch."""
    learning_rate_decay: float = _limits(1.0, above=0.0, high=1.0)
    """What it is multiplied by from one epoch to the next; 1: it stays."""
    weight_decay: float = _limits(0.004, low=0.0, high=1.0)
    """Decoupled weight decay; only under `adamw`."""
    batch_size: int = _limits(1024, low=1, high=1 << 20)
    jit_compile: bool = False
    """Whether XLA compiles the training: seconds more for each new shape, and then less for each
    step, on a GPU a fifth. Its noise is another under the same seed."""
    own: OwnDefinition | None = None
    """The researcher's own model that `architecture` names; None: it is one of ours."""
    own_arguments: tuple[tuple[str, Value], ...] = ()
    """What the function or class is called with."""

    def __post_init__(self) -> None:
        problems = [
            problem
            for f in fields(self)
            if f.name in HYPERPARAMETERS
            and not (f.name == "architecture" and self.own is not None)
            and (problem := problem_with(f.name, getattr(self, f.name)))
        ]
        if self.own is not None and not isinstance(self.own, OwnDefinition):
            problems.append(f"own must be what recommender.own.read_own gives, got {self.own!r}")
        if not isinstance(self.layer_sizes, tuple | list):
            problems.append(
                f"layer_sizes must be one width a layer, as in (64, 32), got {self.layer_sizes!r}"
            )
        else:
            object.__setattr__(self, "layer_sizes", tuple(self.layer_sizes))
            problems += self._problems_with_sizes()
        if problems:
            raise ModelError("; ".join(problems))

    def _problems_with_sizes(self) -> list[str]:
        problems = [
            problem for size in self.layer_sizes if (problem := problem_with("layer_size", size))
        ]
        if len(self.layer_sizes) != self.n_layers:
            problems.append(
                f"layer_sizes has {len(self.layer_sizes)} entries for n_layers={self.n_layers}; "
                "give one width a layer"
            )
        return problems


MAX_EPOCHS = 30
PATIENCE = 4


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How long one model is trained."""

    max_epochs: int = MAX_EPOCHS
    patience: int = PATIENCE
    """Epochs without a better `val_rmse` before training stops; 0 never stops early."""
    seed: int = 42

    def __post_init__(self) -> None:
        if not _is_whole(self.max_epochs) or self.max_epochs < 1:
            raise ModelError(
                f"max_epochs must be a whole number of at least 1, got {self.max_epochs!r}"
            )
        if not _is_whole(self.patience) or self.patience < 0:
            raise ModelError(
                f"patience must be a whole number of at least 0 (0: never), got {self.patience!r}"
            )
        if not _is_whole(self.seed):
            raise ModelError(f"seed must be a whole number, got {self.seed!r}")


HYPERPARAMETERS: dict[str, Any] = {
    f.name: f.default
    for f in fields(RankingConfig)
    if f.name not in ("layer_sizes", "own", "own_arguments")
} | {"layer_size": 64}
"""Every name that a space or a `[model]` table may use, with its default."""

_LAYER_SIZE = re.compile(r"layer_size_(\d+)")


def problem_with(name: str, value: object) -> str | None:
    """What is wrong with one hyperparameter's value, or None.

    The name must be known (see `HYPERPARAMETERS`); `layer_size` is a width of 1 to 65,536.
    """
    if name == "layer_size" or _LAYER_SIZE.fullmatch(name):
        if _is_whole(value) and 1 <= value <= 1 << 16:  # type: ignore[operator]  # _is_whole narrows
            return None
        return f"{name} must be a whole number from 1 to 65,536, got {value!r}"
    spec = next(f for f in fields(RankingConfig) if f.name == name)
    assert spec.default is not MISSING
    if isinstance(spec.default, bool):
        return None if isinstance(value, bool) else f"{name} must be true or false, got {value!r}"
    if isinstance(spec.default, str):
        choices = spec.metadata["choices"]
        known = ", ".join(choices)
        return None if value in choices else f"{name} must be one of {known}, got {value!r}"
    if isinstance(spec.default, int) and not _is_whole(value):
        return f"{name} must be a whole number, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} must be a number, got {value!r}"
    low, high, above = (spec.metadata.get(key) for key in ("low", "high", "above"))
    if above is not None and not value > above:
        return f"{name} must be above {_spoken(above)}, got {value!r}"
    if low is not None and not value >= low:
        return f"{name} must be at least {_spoken(low)}, got {value!r}"
    if high is not None and not value <= high:
        return f"{name} must be at most {_spoken(high)}, got {value!r}"
    return None


def _spoken(limit: float) -> str:
    return f"{limit:,}" if _is_whole(limit) else f"{limit:g}"


def ranking_config(
    values: Mapping[str, Value], architectures: Mapping[str, OwnDefinition] | None = None
) -> RankingConfig:
    """The model that a trial's values describe; what they leave out takes its default.

    Args:
        architectures: the researcher's own, by the name that `architecture` may have. A parameter
            of theirs that is called like one of our hyperparameters gets the same value; of whole
            models only that, but for what recsweep trains them by.

    Dense layers: `layer_size_0`, `layer_size_1`, ... for each of `n_layers`, else `layer_size`
    for all, else the default widths, halving after the second (64, 32, 16, ...).

    Raises:
        ModelError: an unknown name, or a value outside its limits; all problems in one message.
    """
    architectures = architectures or {}
    theirs = {p.name for own in architectures.values() for p in own.parameters}
    unknown = [
        n
        for n in values
        if n not in HYPERPARAMETERS and n not in theirs and not _LAYER_SIZE.fullmatch(n)
    ]
    if unknown:
        raise ModelError(
            f"unknown hyperparameter {', '.join(map(repr, unknown))}; "
            f"known: {', '.join(sorted(HYPERPARAMETERS))}"
        )
    own = architectures.get(str(values.get("architecture")))
    if own is not None:
        applied = own.applied if own.is_whole else HYPERPARAMETERS.keys() - OF_LAYERS
        said = {n: value for n, value in own.defaults().items() if n in applied}
        values = {**said, **values}
    if own is not None and own.is_whole:
        return RankingConfig(
            architecture=str(values["architecture"]),
            **{n: values[n] for n in own.applied if n in values},  # type: ignore[arg-type]  # checked inside
            own=own,
            own_arguments=own.arguments(values),
        )
    plain = {n: v for n, v in values.items() if n in HYPERPARAMETERS and n != "layer_size"}
    n_layers = values.get("n_layers", HYPERPARAMETERS["n_layers"])
    sizes = tuple(
        values.get(f"layer_size_{i}", values.get("layer_size", max(1, 64 >> i)))
        for i in range(int(n_layers))
    )
    return RankingConfig(
        **plain,  # type: ignore[arg-type]  # checked inside
        layer_sizes=sizes,  # type: ignore[arg-type]
        own=own,
        own_arguments=() if own is None else own.arguments(values),
    )


def shape_of(values: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """What of a trial's values shapes its graph: where it is equal, a graph is used again."""
    shaping = {n: v for n, v in values.items() if n not in NUMERIC}
    zeros = {n: v == 0 for n, v in values.items() if n in (*RATES, *PENALTIES)}
    return tuple(sorted({**shaping, **zeros}.items()))


def config_to_json(config: RankingConfig) -> dict[str, Any]:
    """All that makes a model what it is, and not where its source lies; can be written as JSON."""
    plain = asdict(config)
    own, arguments = plain.pop("own"), plain.pop("own_arguments")
    if own is not None:
        plain["own"] = {"function": own["function"], "digest": own["digest"]}
        plain["own_arguments"] = dict(arguments)
    return plain


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
