"""Sweeps in and out: from a file or from Python to a `SweepConfig`, and back to TOML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.errors import SweepFileError, SweepProblem
from experiments.own.own_objects import without_objects
from experiments.request.sweep_checks import build_sweep
from experiments.sweep import SearchConfig, SweepConfig
from experiments.sweep_files.sweep_file import SweepSource, read_sweep_file
from experiments.sweep_files.toml_text import toml_key, toml_section
from recommender.config import MAX_EPOCHS, PATIENCE, Value
from recommender.datasets.config import SPLIT_KEYS, DatasetConfig, SplitConfig
from recommender.own import OwnDefinition
from search_spaces import SearchSpace
from search_spaces.values import as_python


def load_sweep(
    source: str | Path,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    *,
    also: Sequence[SweepProblem] = (),
) -> SweepConfig:
    """A sweep file, or a shipped sweep by name, checked and resolved.

    Args:
        overrides: as `--set` takes them; they go before the environment.
        environ: with `RECSWEEP_SEARCH__TRIALS=100` and the like; None: nothing from it.
        also: mistakes found elsewhere (the options of a command), told together with the sweep's.

    Raises:
        SweepFileError: with every mistake, each by file, line and key.
    """
    return build_sweep(read_sweep_file(source, overrides, environ), also)


def sweep_to_toml(config: SweepConfig) -> str:
    """The resolved sweep; read again it gives an equal one. Paths in it are absolute."""
    head: dict[str, Any] = {"name": config.name, "seed": config.seed, "note": config.note}
    comment = (
        "# A resolved sweep: environment and options are in it. It leaves open features, where it\n"
        "# names none, and keys of [model]: they are at their defaults."
    )
    parts = [toml_section(comment, head)]
    for name, table in _tables(config).items():
        if name != "space":
            said = {key: value for key, value in table.items() if value is not None}
            parts.append(toml_section(f"[{name}]", _plain(said)))
            continue
        for dimension, cases in table.items():
            key = f"space.{toml_key(dimension)}"
            if isinstance(cases, list):
                parts += [toml_section(f"[[{key}]]", case) for case in cases]
            else:
                parts.append(toml_section(f"[{key}]", cases))
    return "\n\n".join(parts) + "\n"


def Sweep(  # noqa: N802  # it reads as the thing it makes
    name: str,
    *,
    dataset: str | Callable[..., Any] | Mapping[str, Any] = "movielens-small",
    split: str | Callable[..., Any] | Mapping[str, Any] = "time-range",
    space: SearchSpace | str | Mapping[str, Any] | None = None,
    compare: str | None = None,
    model: Mapping[str, Value] | None = None,
    trials: int | None = None,
    max_epochs: int = MAX_EPOCHS,
    patience: int = PATIENCE,
    sampler: str | Callable[..., Any] | Mapping[str, Any] = "tpe",
    pruner: str | Callable[..., Any] | Mapping[str, Any] = "median",
    timeout: str | float | None = None,
    trial_timeout: str | float | None = None,
    stall_timeout: str | float | None = None,
    enqueue: Sequence[Mapping[str, Value]] = (),
    seed: int = 42,
    note: str = "",
    metrics: Sequence[str | Callable[..., Any]] = (),
    architectures: Mapping[str, str | Callable[..., Any]] | None = None,
) -> SweepConfig:
    """A sweep written in Python: the same tables as a sweep file's, the same checks.

    Args:
        dataset: a shipped data set by name, or the `[dataset]` table. Here and in `split`,
            `sampler`, `pruner` and `metrics` a function of your own may stand for its name.
        split: a method by name, or the `[split]` table.
        space: a space, a shipped one by name, or the `[space]` table; None: one model, for
            `train`. An architecture may be the function or class itself.
        enqueue: values to try first, after the default.
        trials: None only for the whole of a grid, or without a space.
        metrics: further ones, `"mae"` or `"mine.py:auc_at_4"`.
        architectures: the `[architectures]` table: models of your own by the names that the space
            has for them, where two have one name.

    Raises:
        SweepFileError: with every mistake, each by its key.
    """
    wrong: list[SweepProblem] = []
    enqueue, metrics = _listed(enqueue), _listed(metrics)

    def table(key: str, named: str, given: Any, default: str) -> Mapping[str, Any]:
        if isinstance(given, Mapping):
            return given
        if isinstance(given, str) or callable(given):
            return {named: given}
        told = (
            f"must be a name, a function of your own, or the [{key}] table as a dict such as "
            f"{_TABLES[key]}, got {type(given).__name__}"
        )
        wrong.append(SweepProblem(key, told, "Sweep(...)"))
        return {named: default}

    tables: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "note": note,
        "dataset": table("dataset", "name", dataset, "movielens-small"),
        "split": table("split", "method", split, "time-range"),
        "model": {} if model is None else model,
    }
    length: dict[str, Any] = {"max_epochs": max_epochs, "patience": patience}
    if space is None and trials is None:
        tables["training"] = length
    else:
        tables["search"] = length | {"sampler": sampler, "pruner": pruner}
        optional = {
            "trials": trials,
            "timeout": timeout,
            "trial_timeout": trial_timeout,
            "stall_timeout": stall_timeout,
            "enqueue": enqueue,
        }
        tables["search"] |= {key: value for key, value in optional.items() if value is not None}
    if isinstance(space, SearchSpace):
        tables["space"] = space.to_table()
    elif space is not None:
        tables["space"] = {"use": space} if isinstance(space, str) else space
    if architectures is not None:
        tables["architectures"] = architectures
    if metrics:
        tables["metrics"] = {"also": metrics}
    if compare is not None:
        tables["compare"] = {"dimension": compare}
    return build_sweep(SweepSource(_plain(without_objects(tables)), "Sweep(...)"), wrong)


def checked(config: SweepConfig) -> SweepConfig:
    """The sweep that the same values given to `Sweep` make: a copy by `dataclasses.replace` was
    held to no rule but those of its class.

    Raises:
        SweepFileError: with every mistake, each by its key.
    """
    wrong = [
        SweepProblem(
            key,
            f"must be what rs.Sweep(..., {key}=...) makes of it, got {type(value).__name__}",
            "Sweep(...)",
        )
        for key, kind in _KINDS.items()
        if not isinstance(value := getattr(config, key), kind)
    ]
    if isinstance(config.search, SearchConfig):
        wrong += [
            SweepProblem(
                f"search.{key}",
                f"must be a dict of arguments by name, got {type(value).__name__}",
                "Sweep(...)",
            )
            for key in ("sampler_args", "pruner_args")
            if not isinstance(value := getattr(config.search, key), Mapping)
        ]
    if wrong:
        raise SweepFileError(wrong)
    told = {"name": config.name, "seed": config.seed, "note": config.note} | _tables(config)
    tables = {
        name: {key: value for key, value in table.items() if value is not None}
        if isinstance(table, Mapping)
        else table
        for name, table in told.items()
    }
    return build_sweep(SweepSource(_plain(without_objects(tables)), "Sweep(...)"))


_KINDS: dict[str, Any] = {
    "dataset": DatasetConfig,
    "split": SplitConfig,
    "space": SearchSpace | None,
    "search": SearchConfig | None,
    "model": Mapping,
    "architectures": Mapping,
    "metrics": Mapping,
}
_TABLES = {
    "dataset": '{"path": "ratings.csv", "columns": {"user": ..., "item": ..., "rating": ...}}',
    "split": '{"method": "random", "train": 0.8, "validation": 0.1}',
}


def _tables(config: SweepConfig) -> dict[str, Any]:
    """The tables below the head, in the order of a sweep file."""
    dataset, split, search = config.dataset, config.split, config.search
    tables: dict[str, Any] = {
        "dataset": {
            "name": dataset.own.reference if dataset.own else dataset.name,
            "path": dataset.path,
            "columns": dict(dataset.columns) or None,
            "rating_range": dataset.rating_range,
            "duplicates": dataset.duplicates if dataset.duplicates != "refuse" else None,
            **{f"{of}s": asdict(side) for of, side in dataset.sides.items()},
            "features": dataset.features or None,
        },
        "split": {"method": split.own.reference if split.own else split.method}
        | {key: getattr(split, key) for key in SPLIT_KEYS[split.method]}
        | ({"confirm": split.confirm} if split.confirm else {}),
    }
    if config.compare is not None:
        tables["compare"] = {"dimension": config.compare}
    if config.space is not None:
        tables["space"] = config.space.to_table()
    if config.model:
        tables["model"] = dict(config.model)
    if config.architectures:
        tables["architectures"] = {n: own.reference for n, own in config.architectures.items()}
    if config.metrics:
        also = [name if own is None else own.reference for name, own in config.metrics.items()]
        tables["metrics"] = {"also": also}
    if search is None:
        tables["training"] = {
            "max_epochs": config.training.max_epochs,
            "patience": config.training.patience,
        }
    else:
        tables["search"] = {
            "trials": search.trials,
            "max_epochs": search.max_epochs,
            "patience": search.patience,
            "sampler": _named(search.sampler, search.sampler_args, search.sampler_own),
            "pruner": _named(search.pruner, search.pruner_args, search.pruner_own),
            "timeout": search.timeout_s,
            "trial_timeout": search.trial_timeout_s,
            "stall_timeout": search.stall_timeout_s,
            "enqueue": search.enqueue or None,
        }
    return tables


def _named(name: str, args: Mapping[str, Any], own: OwnDefinition | None) -> str | dict[str, Any]:
    name = own.reference if own else name
    return {"name": name, **args} if args else name


def _listed(value: Any) -> Any:
    """A generator, a view of a dict or an array as a list."""
    if isinstance(value, Iterator | KeysView | ValuesView):
        return list(value)
    return as_python(value)


def _plain(value: Any) -> Any:
    """As TOML has it: dicts, lists and text for mappings, tuples and paths; no NumPy."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else as_python(value)
