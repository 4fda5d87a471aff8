"""What a sweep will take, told before it starts: trials, epochs, and a first guess at the time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from experiments.arms import arms_of, shares_text
from experiments.durations import format_duration
from experiments.records.values import plural
from experiments.request.draws import draw_values
from experiments.search.arguments import with_defaults
from experiments.search.pruners import PRUNERS
from experiments.sweep import SweepConfig, defaults_of
from recommender.config import RankingConfig, Value, ranking_config
from recommender.datasets.description import DatasetDescription, PartDescription
from search_spaces import SearchSpace

_START_S = 8.0
"""Until the first trial trains: Ray, and TensorFlow in the first worker."""
_BUILD_S = 0.5
"""A trial's model built, traced and warmed up."""
_COMPILE_S = 1.5
"""More where XLA compiles it."""
_UPDATE_S = 0.7e-3
"""An optimizer step, whatever its size, on one core."""
_FLOPS = 48e9
"""Of one core in the dense layers."""
_SWEPT_S = 1.8e-9
"""In a step, for each number of the embeddings and biases of all users and items: small tables, and
all that XLA compiles."""
_PICKED_S = 20e-9
"""The same for each of the batch's rows alone. Both were measured on 2 cores without a GPU, the
largest of seven optimizers."""

_FIT_ROW_S = 2.5e-6
"""To fit the baselines, for each train row of millions."""
_LEAST_DATA_S = 5.0
"""From where reading and baselines count beside the trials."""

_STEPS_TO_COMPILE = 3000
"""On a GPU, from where that pays for a trial of a new shape."""

_USUAL_BEST_EPOCH = 8
_SHARE_OF_EPOCHS = {"none": 1.0, "median": 0.5, "hyperband": 0.33, "successive-halving": 0.25}
"""Of the epochs asked for, what 60 trials of at most 50 spent under each pruner."""
_N_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts that are certain, and a time that is a guess."""

    arms: str | None
    """Which there are, and how many trials each has; None where nothing is compared."""
    n_trials: int
    max_epochs: int
    """Of one trial."""
    expected_epochs: int
    """Of all trials together, after pruning and early stopping."""
    n_grid_points: int | None
    """How many points the space has; None where it has a continuous range."""
    few_points: str | None
    """As `few_points` has it."""
    n_workers: int
    seconds: float | None
    """None where the space has a whole model of one's own, of which nothing was measured."""
    assumptions: tuple[str, ...]
    """What the time rests on, a sentence each."""
    rows: str
    """Of the parts of the split, and the users of those that judge."""
    notes: tuple[str, ...] = ()
    """What is odd about the data."""

    @property
    def most_epochs(self) -> int:
        """Of all trials together, if none stops early."""
        return self.n_trials * self.max_epochs

    @property
    def lines(self) -> tuple[str, ...]:
        """The plan for a terminal: what is certain, what it costs, what the cost rests on."""
        parts = [plural(self.n_trials, "trial"), *([self.arms] if self.arms else [])]
        if self.n_grid_points is not None:
            parts.append(f"the space has {plural(self.n_grid_points, 'point')}")
        return (
            f"trials   {' · '.join(parts)}",
            *([f"         {self.few_points}"] if self.few_points else []),
            f"rows     {self.rows}",
            *(f"         {note}" for note in self.notes),
            f"epochs   up to {self.max_epochs} a trial, {self.most_epochs:,} in all · "
            f"about {self.expected_epochs:,} expected",
            *self._time_lines,
        )

    @property
    def _time_lines(self) -> tuple[str, ...]:
        workers = plural(self.n_workers, "worker")
        return (
            f"time     not known with {workers}: of a model of your own nothing was measured"
            if self.seconds is None
            else f"time     about {format_duration(self.seconds)} with {workers}; a first guess, "
            "which assumes:",
            *(f"         {assumption}" for assumption in self.assumptions),
        )


def plan_sweep(
    config: SweepConfig, dataset: DatasetDescription, *, n_workers: int, n_gpus: int = 0
) -> Plan:
    """Counts trials and epochs, and guesses the time from what was measured elsewhere.

    Args:
        config: a sweep, with space and search.
        n_workers: trials that run at once.
        n_gpus: 0: the trials train on cores.
    """
    assert config.space is not None and config.search is not None
    search = config.search
    epochs = _expected_epochs(config)
    epoch_s = _mean_epoch_s(config, dataset.train)
    epoch = f"{epoch_s:.2g} s" if epoch_s < 10 else format_duration(epoch_s)
    rounds = -(-search.trials // n_workers)
    n_points = _n_points(config.space)
    defaults = defaults_of(config).values
    is_compiled = defaults["jit_compile"] is True
    build_s = _BUILD_S + (_COMPILE_S if is_compiled else 0)
    assumptions = [
        f"{_START_S:.0f} s to start, {build_s:g} s to build a model and {epoch} an epoch: "
        "measured on one core of a small machine, for this many rows and the space's mean size",
        f"{epochs} of {search.max_epochs} epochs a trial under pruner {search.pruner} and "
        + (f"patience {search.patience}" if search.patience else "no early stopping"),
        f"{plural(n_workers, 'trial')} at once that do not slow each other",
    ]
    own = config.architectures.values()
    is_known = not any(it.is_whole for it in own)
    if any(not it.is_whole for it in own):
        assumptions.append("dense layers of your own cost what ours do: they were not measured")
    if n_gpus:
        assumptions.append("on a GPU nothing was measured: the time is that of cores")
        batch_size = defaults["batch_size"]
        n_steps = epochs * dataset.train.n_rows / batch_size if isinstance(batch_size, int) else 0
        if not is_compiled and n_steps > _STEPS_TO_COMPILE:
            assumptions.append(
                f"steps of small models wait for a GPU, and a trial has {n_steps:,.0f}: "
                "jit_compile = true under [model] makes them a fifth"
            )
    return Plan(
        arms=_arms(config),
        n_trials=search.trials,
        max_epochs=search.max_epochs,
        expected_epochs=epochs * search.trials,
        n_grid_points=n_points,
        few_points=few_points(config, search.trials),
        n_workers=n_workers,
        seconds=_START_S + rounds * (build_s + epochs * epoch_s) if is_known else None,
        assumptions=tuple(assumptions) if is_known else (),
        rows=_rows(dataset),
        notes=(*dataset.notes, *filter(None, [dataset.note_on_strangers])),
    )


def few_points(config: SweepConfig, n_trials: int) -> str | None:
    """Which arms have fewer points than trials, where nobody sees to it that each is tried once."""
    assert config.space is not None and config.search is not None
    if config.search.sampler not in ("tpe", "random"):
        return None
    space = config.space
    arms = {"the space": space} if config.compare is None else arms_of(space, config.compare)
    few = []
    for i, (arm, of_arm) in enumerate(arms.items()):
        n_points, n_tried = _n_points(of_arm), len(range(i, n_trials, len(arms)))
        if n_points is not None and n_points < n_tried:
            few.append(f"{arm} has {plural(n_points, 'point')} for {plural(n_tried, 'trial')}")
    cure = '; sampler = "grid" tries each once' if _n_points(space) is not None else ""
    return f"{', '.join(few)}: points are tried again{cure}" if few else None


def with_data(plan: Plan, dataset: DatasetDescription, read_s: float) -> Plan:
    """The plan of a study whose data are yet to be read and whose baselines to be fitted.

    Args:
        read_s: what reading them took here.
    """
    fit_s = dataset.train.n_rows * _FIT_ROW_S
    if plan.seconds is None or read_s + fit_s < _LEAST_DATA_S:
        return plan
    told = (
        f"{format_duration(read_s)} to read the data, as here just now, and "
        f"{format_duration(fit_s)} to fit the baselines"
    )
    seconds = plan.seconds + read_s + fit_s
    return replace(plan, seconds=seconds, assumptions=(*plan.assumptions, told))


def _rows(dataset: DatasetDescription) -> str:
    """`train 65,336 · validation 11,740 of 172 users · confirm 4,038 of 57 · test 18,886`."""
    return " · ".join(
        f"{name} {part.n_rows:,}"
        + (f" of {plural(part.n_users, 'user')}" if name in _JUDGING else "")
        for name, part in dataset.parts.items()
    )


_JUDGING = ("validation", "confirm")


def _arms(config: SweepConfig) -> str | None:
    assert config.space is not None and config.search is not None
    if config.compare is None:
        return None
    (choices,) = (c.choices for c in config.space.columns if c.name == config.compare)
    return shares_text(config.compare, choices, config.search.trials, config.search.sampler)


def _expected_epochs(config: SweepConfig) -> int:
    """Of a trial."""
    search = config.search
    assert search is not None
    most = search.max_epochs
    by_patience = _USUAL_BEST_EPOCH + search.patience if search.patience else most
    known = PRUNERS.get(search.pruner)
    told = with_defaults(known.arguments if known else (), search.pruner_args)
    n_trials = search.trials // max(1, len(config.arms))
    can_stop = told.get("n_warmup_epochs", 0) < most and told.get("n_startup_trials", 0) < n_trials
    share = _SHARE_OF_EPOCHS.get(search.pruner, 1.0) if can_stop else 1.0
    return max(1, min(most, by_patience, round(most * share)))


def _mean_epoch_s(config: SweepConfig, train: PartDescription) -> float:
    """Seconds of an epoch on one core, over configurations drawn from the space."""
    dice = random.Random(config.seed)
    draws = (draw_values(config, dice) for _ in range(_N_DRAWS))
    return fmean(_epoch_s(config, values, train) for values in draws)


def _epoch_s(config: SweepConfig, values: Mapping[str, Value], train: PartDescription) -> float:
    model = ranking_config(values, config.architectures)
    # User, item and, with side features, about one more embedding and a few numbers.
    width = model.embedding_size * (3 if model.side_features else 2)
    widths = (width, *model.layer_sizes, 1)
    weights = sum(a * b for a, b in pairwise(widths))
    if model.architecture == "dcn":
        weights += model.cross_layers * width * (2 * model.cross_rank or width)
    # Two operations a weight forward, four backward.
    step_s = _UPDATE_S + _tables_s(model, train.n_users + train.n_items)
    return train.n_rows / model.batch_size * step_s + train.n_rows * weights * 6 / _FLOPS


def _tables_s(model: RankingConfig, n_ids: int) -> float:
    """Seconds that a step takes to move the users and items."""
    width = model.embedding_size + model.biases
    all_s = n_ids * width * _SWEPT_S
    return all_s if model.jit_compile else min(all_s, 2 * model.batch_size * width * _PICKED_S)


def _n_points(space: SearchSpace) -> int | None:
    try:
        return space.count()
    except ValueError:
        return None
