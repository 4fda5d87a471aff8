"""The shape of a sweep file's tables: which keys there are and what type each has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args

from annotated_types import Ge, Len, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.sweep_files.overrides import format_key
from recommender.config import MAX_EPOCHS, PATIENCE
from recommender.datasets.config import Duplicates, SplitMethod
from recommender.errors import unknown

Report = Callable[[str, str], None]
"""Takes a mistake's key and message."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seed = Annotated[int, Ge(0), Lt(2**32)]
_TOO_MANY = 10**9
Words = list[str]


class Table(BaseModel):
    """Values must have their types, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class HeadTable(Table):
    """The keys above the first table."""

    name: str | None = None
    seed: Seed = 42
    note: str = ""


class DatasetTable(Table):
    """`[dataset]`; `columns`, `items` and `users` are tables of their own."""

    name: str | None = None
    path: str | None = None
    rating_range: Annotated[list[Finite], Len(2, 2)] | None = None
    duplicates: Duplicates = "refuse"
    features: Words = []


class ColumnsTable(Table):
    """`[dataset.columns]`: what one's own table calls its columns."""

    user: str
    item: str
    rating: str
    time: str | None = None
    part: str | None = None


class FeaturesTable(Table):
    """`[dataset.items]`, `[dataset.users]`."""

    path: str
    key: str
    category: Words = []
    list: Words = []
    number: Words = []
    text: Words = []


class SplitTable(Table):
    """`[split]`."""

    method: SplitMethod = "time-range"
    train: Finite = 0.6
    validation: Finite = 0.2
    seed: Seed = 0
    folds: Annotated[int, Ge(3)] = 5
    fold: Annotated[int, Ge(1)] = 1
    confirm: Finite = 0.0
    train_path: str | None = None
    test_path: str | None = None
    validation_path: str | None = None


class CompareTable(Table):
    """`[compare]`."""

    dimension: str


class SearchTable(Table):
    """`[search]`; sampler and pruner are a name, or a table with a name and arguments."""

    trials: Annotated[int, Ge(1), Lt(_TOO_MANY)] | None = None
    max_epochs: Annotated[int, Ge(1), Lt(_TOO_MANY)] = MAX_EPOCHS
    patience: Annotated[int, Ge(0)] = PATIENCE
    sampler: Any = "tpe"
    pruner: Any = "median"
    timeout: Any = None
    trial_timeout: Any = None
    stall_timeout: Any = "30m"
    enqueue: list[dict[str, Any]] = []


class MetricsTable(Table):
    """`[metrics]`."""

    also: Words = []


class TrainingTable(Table):
    """`[training]`: one model's epochs; a sweep says them in `[search]`."""

    max_epochs: Annotated[int, Ge(1), Lt(_TOO_MANY)] = MAX_EPOCHS
    patience: Annotated[int, Ge(0)] = PATIENCE


TableT = TypeVar("TableT", bound=Table)


def read_table(
    shape: type[TableT],
    raw: object,
    key: str,
    report: Report,
    *,
    also_known: tuple[str, ...] = (),
) -> TableT | None:
    """The table with its types, after every mistake in it was reported under `key`.

    What is wrong is left out, so that the rest can be checked further: `is_whole` tells. None
    where what is left makes no table.

    Args:
        also_known: keys that somebody else reads, for the guess at an unknown one.
    """
    if not isinstance(raw, dict):
        report(key, f"must be a table, got {raw!r}; write [{key}] and its keys below")
        return None
    try:
        return shape.model_validate(raw)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        place = format_key((key, *mistake["loc"]) if key else mistake["loc"])
        report(place, _say([*shape.model_fields, *also_known], shape, dict(mistake)))
    wrong = {str(mistake["loc"][0]) for mistake in mistakes}
    if any(shape.model_fields[name].is_required() for name in wrong & shape.model_fields.keys()):
        return None
    return shape.model_validate({k: v for k, v in raw.items() if str(k) not in wrong})


def is_whole(table: Table, raw: Mapping[str, Any]) -> bool:
    """Whether every known key of the raw table was sound."""
    return table.model_fields_set == raw.keys() & type(table).model_fields.keys()


def _say(known: list[str], shape: type[Table], mistake: dict[str, Any]) -> str:
    """Pydantic's finding in our words: the rule and the value."""
    kind, value, limits = mistake["type"], mistake["input"], mistake.get("ctx", {})
    name = str(mistake["loc"][-1])
    if kind == "extra_forbidden":
        return unknown("key", name, known)
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        choices = get_args(shape.model_fields[name].annotation)
        return unknown(name, value, choices)
    if kind in ("too_long", "too_short"):
        n_entries = limits.get("max_length", limits.get("min_length"))
        return f"must have exactly {n_entries} entries, got {value!r}"
    rule = _RULES[kind].format(**limits) if kind in _RULES else mistake["msg"]
    return f"{rule}, got {str(value).lower() if isinstance(value, bool) else repr(value)}"


_RULES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:,.12g}",
}


def cases_of(name: str, dimension: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables that a dimension of `[space]` has, one or a list, each with its key."""
    if isinstance(dimension, dict):
        yield f"space.{name}", dimension
    elif isinstance(dimension, list):
        for i, case in enumerate(dimension):
            if isinstance(case, dict):
                yield f"space.{name}[{i}]", case
