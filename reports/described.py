"""What the provenance says about data, split and defaults; None where it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.records import StudyRecord, Value
from experiments.records.values import layers_text
from reports import numbers

MOVIELENS = frozenset(
    (
        "movielens-small", "ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m", "ml-latest",
        "ml-latest-small",
    )
)  # fmt: skip
"""What a sweep calls the MovieLens data that recsweep reads itself."""

MOST_STARS, LEAST_SPAN = 10, 2
"""Ratings are told in stars where they go from 0 or more to so many, over so many at least, between
whole or half ones; thumbs, shares and -10 to 10 are none."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the split."""

    n_rows: int | None
    n_users: int | None
    n_items: int | None
    unseen_users: float | None
    """Share of its rows whose user is in no train row."""
    unseen_items: float | None
    first_time: float | None
    """Seconds since 1970."""
    last_time: float | None


@dataclass(frozen=True, slots=True)
class Described:
    """The data set of a study."""

    name: str | None
    n_ratings: int | None
    n_users: int | None
    n_items: int | None
    rating_range: tuple[float, float] | None
    split: Mapping[str, Any]
    """The method and what it was given."""
    train: Part
    validation: Part
    test: Part
    confirm: Part | None
    """Validation users kept for the verdict; None where there are none."""
    features: tuple[str, ...]
    fingerprint: str | None
    items_fingerprint: str | None
    split_fingerprint: str | None
    notes: tuple[str, ...]
    """What cleaning did."""
    rating_unit: float
    """What models count ratings in."""

    @property
    def size_text(self) -> str:
        """`100,000 ratings, 943 users, 1,682 items`."""
        counts = {"ratings": self.n_ratings, "users": self.n_users, "items": self.n_items}
        return ", ".join(f"{numbers.count(n)} {what}" for what, n in counts.items())

    @property
    def method(self) -> str:
        """Of the split."""
        return str(self.split.get("method", "unknown"))

    @property
    def split_arguments(self) -> str:
        """What the method was given: `train 0.6, validation 0.2, seed 0`; empty without any."""
        given = {k: v for k, v in self.split.items() if k != "method" and v is not None}
        return ", ".join(f"{k} {v}" for k, v in given.items())

    @property
    def unit(self) -> str:
        """What ratings, and so their errors, are counted in: nobody gives 100 stars, or -10."""
        if self.rating_range is None:
            return "stars"
        low, high = self.rating_range
        is_stars = 0 <= low <= high - LEAST_SPAN and high <= MOST_STARS
        return "stars" if is_stars and low % 0.5 == high % 0.5 == 0 else "points"


def described(study: StudyRecord) -> Described:
    """Read leniently: a report tells what it can of a study folder that lacks the rest."""
    data = study.dataset
    span = data.get("rating_range")
    train, validation, test, confirm = (
        Part(**{field: (data.get(part) or {}).get(field) for field in Part.__slots__})
        for part in ("train", "validation", "test", "confirm")
    )
    return Described(
        name=data.get("name"),
        n_ratings=data.get("n_ratings"),
        n_users=data.get("n_users"),
        n_items=data.get("n_items"),
        rating_range=(float(span[0]), float(span[1])) if span else None,
        split=data.get("split") or {},
        train=train,
        validation=validation,
        test=test,
        confirm=confirm if data.get("confirm") else None,
        features=tuple(data.get("features") or ()),
        fingerprint=data.get("fingerprint"),
        items_fingerprint=data.get("items_fingerprint"),
        split_fingerprint=data.get("split_fingerprint"),
        notes=tuple(data.get("notes") or ()),
        rating_unit=data.get("rating_unit") or 1.0,
    )


def is_movielens(study: StudyRecord) -> bool:
    """Whether the sweep names MovieLens; a table of one's own has a path and no name, whatever
    its file is called."""
    dataset: Mapping[str, Any] = study.sweep.get("dataset") or {}
    return dataset.get("name") in MOVIELENS


def search_seed_text(study: StudyRecord) -> str:
    """What the search drew under, and where that comes from if it is not the sweep's own seed;
    empty where it is not on record."""
    of_sweep, seed = study.sweep.get("seed"), study.search_seed
    if seed is None:
        return ""
    is_own = of_sweep in (None, seed)
    return f"{seed}" if is_own else f"{seed} (which follows from {of_sweep} and the split)"


def training_time(study: StudyRecord) -> str:
    """`25 s, summed over trials, and 45 s more for the verdict`."""
    of_search = sum(trial.seconds for trial in study.search_trials)
    more = sum(trial.seconds for trial in study.trials) - of_search
    of_verdict = f", and {numbers.seconds(more)} more for the verdict" if more > 0 else ""
    return f"{numbers.seconds(of_search)}, summed over trials{of_verdict}"


def left_open(study: StudyRecord, what: str) -> Mapping[str, Any]:
    """Defaults of model, sampler or pruner that a sweep leaves open; empty where not on record."""
    return (study.provenance.get("left_open") or {}).get(what) or {}


def default_architecture(study: StudyRecord) -> str | None:
    """The one of all its models, where the sweep does not say it; None where it does, or where
    that is not on record."""
    said = (study.sweep.get("space") or {}, study.sweep.get("model") or {})
    of_models = left_open(study, "model")
    if len(of_models) != 1 or any("architecture" in table for table in said):
        return None
    return next(iter(of_models))


def default_moved(study: StudyRecord) -> str:
    """`embedding_size 16 for 32`, `dropout 0.1 for 0 in dcn`: what stands for defaults that the
    space does not hold, where it is not the same for all arms with those; else empty."""
    by_arm = study.provenance.get("default_moved") or {}
    arms_of: dict[str, list[str]] = {}
    for arm, moved in by_arm.items():
        for name, (default, tried) in moved.items():
            told = f"{name} {numbers.exact(tried)} for {numbers.exact(default)}"
            arms_of.setdefault(told, []).append(arm)
    return " and ".join(
        told if len(arms) == len(by_arm) else f"{told} in {', '.join(arms)}"
        for told, arms in arms_of.items()
    )


def layers(study: StudyRecord, values: Mapping[str, Value]) -> str | None:
    """Widths of the dense layers of a trial with these values, such as `256-64`, or `none`: with
    what the sweep fixes and what it leaves to the defaults. None where that is not on record."""
    told: dict[str, Value] = {**(study.sweep.get("model") or {}), **values}
    of_models = left_open(study, "model")
    architecture = str(told.get("architecture", next(iter(of_models), "")))
    defaults: Mapping[str, Value] = of_models.get(architecture) or {}
    n_layers = told.get("n_layers", defaults.get("n_layers"))
    if not isinstance(n_layers, int):
        return layers_text(told)
    widths = dict(enumerate(str(defaults.get("layer_sizes", "")).split("-")))
    found = [
        told.get(f"layer_size_{i}", told.get("layer_size", widths.get(i))) for i in range(n_layers)
    ]
    return None if not all(found) else "-".join(map(str, found)) or "none"
