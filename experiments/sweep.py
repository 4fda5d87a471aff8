"""A sweep: what is asked for, checked and resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from experiments.arms import Defaults, arms_of
from recommender.config import (
    HYPERPARAMETERS,
    MAX_EPOCHS,
    PATIENCE,
    RankingConfig,
    TrainingConfig,
    Value,
    ranking_config,
)
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.epochs import derive_seed
from recommender.own import OwnDefinition
from search_spaces import SearchSpace

_NAME = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,64}")

_MOST_LAYERS = 8


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """How a space is searched."""

    trials: int
    """In all arms together; the replicates of a verdict do not count."""
    max_epochs: int = MAX_EPOCHS
    patience: int = PATIENCE
    """Epochs without a better `val_rmse` before a trial ends; 0 never."""
    sampler: str = "tpe"
    sampler_args: Mapping[str, Value] = field(default_factory=dict)
    """Only what the sweep says; the rest are the sampler's defaults."""
    enqueue: tuple[Mapping[str, Value], ...] = ()
    """Tried after the default, in this order, projected onto the space; a value left out is the
    default's."""
    sampler_own: OwnDefinition | None = None
    """The researcher's function that makes the sampler."""
    pruner: str = "median"
    pruner_args: Mapping[str, Value] = field(default_factory=dict)
    pruner_own: OwnDefinition | None = None
    timeout_s: float | None = None
    """Wall time of the search over all runs of the study; None: no limit."""
    trial_timeout_s: float | None = None
    """Of one trial; one that takes longer fails. None: no limit."""
    stall_timeout_s: float = 1800.0
    """A trial whose worker gives no sign of life for so long fails; chunks of 2 million rows and
    epochs are signs."""


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """The request."""

    name: str
    dataset: DatasetConfig
    split: SplitConfig
    training: TrainingConfig
    """Of every trial; its seed is the sweep's, and its epochs and patience are those of `search`,
    where there is one: a copy with another seed or search trains accordingly."""
    seed: int = 42
    note: str = ""
    compare: str | None = None
    """The dimension whose choices are the arms."""
    space: SearchSpace | None = None
    """None, together with `search`: one model, for `train`."""
    model: Mapping[str, Value] = field(default_factory=dict)
    """What the space does not vary; what neither says takes the model's default."""
    search: SearchConfig | None = None
    architectures: Mapping[str, OwnDefinition] = field(default_factory=dict)
    """The researcher's own, by the name that space, model and trials have for them."""
    metrics: Mapping[str, OwnDefinition | None] = field(default_factory=dict)
    """Told beside the RMSE, by name: the researcher's own functions, or None for ours."""

    def __post_init__(self) -> None:
        if problem := name_problem(self.name):
            raise ValueError(f"name {problem}")
        if (self.space is None) != (self.search is None):
            raise ValueError("space and search go together: a sweep has both, one model neither")
        if self.compare is not None:
            if self.space is None:
                raise ValueError(f"compare = {self.compare!r} needs a space")
            arms_of(self.space, self.compare)
        length = self.search or self.training
        said = replace(
            self.training, max_epochs=length.max_epochs, patience=length.patience, seed=self.seed
        )
        object.__setattr__(self, "training", said)  # the one way in a frozen class

    @property
    def search_seed(self) -> int:
        """What the search, its trials and its verdict follow from: the sweep's seed; of several
        folds or random splits of the same ratings each has another.

        Else all their searches would be offered the same configurations, and the luck of that would
        be in every split alike, where no spread over splits shows it.
        """
        if self.split.method == "folds":
            return derive_seed(self.seed, "fold", self.split.fold)
        if self.split.method == "random":
            return derive_seed(self.seed, "split", self.split.seed)
        return self.seed

    @property
    def arms(self) -> tuple[str, ...]:
        """The choices of the compared dimension; empty where nothing is compared."""
        if self.space is None or self.compare is None:
            return ()
        return tuple(arms_of(self.space, self.compare))


def name_problem(name: str) -> str | None:
    """What keeps a name from being a folder's, or None."""
    if _NAME.fullmatch(name):
        return None
    return (
        "must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with . or -, "
        f"got {name if len(name) <= 80 else name[:80] + '…'!r}"
    )


def defaults_of(config: SweepConfig) -> Defaults:
    """The defaults of the recommender and of own architectures, with what `[model]` fixes.

    Layer widths are there one by one (`layer_size_0`, ...), since the default ones differ. What
    `[model]` says for where the space does not vary it is no default of where it does.
    """
    varied = {dimension.name for dimension in config.space.dimensions} if config.space else set()
    fixed = {name: value for name, value in config.model.items() if name not in varied}
    values: dict[str, Value] = {}
    for architecture in config.architectures.values():
        values = architecture.defaults() | values
    values |= HYPERPARAMETERS
    if "layer_size" not in fixed:
        values |= {f"layer_size_{i}": max(1, 64 >> i) for i in range(_MOST_LAYERS)}
    own = {name: {**it.defaults(), **fixed} for name, it in config.architectures.items()}
    return Defaults(values | fixed, own)


def ranking_values(config: SweepConfig, values: Mapping[str, Value]) -> dict[str, Value]:
    """All that describes a trial's model: `[model]` and over it the trial's own values."""
    return {**config.model, **values}


def model_of(config: SweepConfig, values: Mapping[str, Value]) -> RankingConfig:
    """The model of a trial with these values; ModelError where one breaks a rule."""
    return ranking_config(ranking_values(config, values), config.architectures)
