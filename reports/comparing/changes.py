"""What differs between studies: key by key of their sweeps, and of what was recorded of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.records import StudyRecord
from reports import numbers
from reports.described import default_architecture, left_open
from reports.trained_with import commit, git, hardware, over_time, package_versions, version

Change = tuple[str, tuple[str, ...]]
"""A key, and its value in every study."""

_METHODS = ("sampler", "pruner")
_TOLD = ("name", "note")
"""Of a sweep, what says nothing about the outcome."""
_YES_OR_NO: Mapping[object, str] = {True: "yes", False: "no"}
_RECORDED: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "data fingerprint": lambda p: (p.get("dataset") or {}).get("fingerprint"),
    "features fingerprint": lambda p: (p.get("dataset") or {}).get("items_fingerprint"),
    "split fingerprint": lambda p: (p.get("dataset") or {}).get("split_fingerprint"),
    "ratings": lambda p: (p.get("dataset") or {}).get("n_ratings"),
    "host": lambda p: (p.get("machine") or {}).get("host"),
}


def changes(studies: Sequence[StudyRecord]) -> tuple[Change, ...]:
    """Keys of the sweeps that differ, in the order of the first sweep that has them; what a sweep
    leaves open is what it came to."""
    said, open_ = [settings(study) for study in studies], [_left_open(study) for study in studies]
    keys = set.union(*map(set, said)) | set.intersection(*map(set, open_))
    keys |= {f"model.{name}" for study in studies for name in study.sweep.get("space") or {}}
    return _differing([
        told | {k: v for k, v in left.items() if k in keys and k not in told}
        for told, left in zip(said, open_, strict=True)
    ])  # fmt: skip


def settings(study: StudyRecord) -> dict[str, str]:
    """All that its sweep says of the outcome, by `search.trials`.

    The number of trials is that of the study, which may have been extended.
    """
    said = {key: value for key, value in study.sweep.items() if key not in _TOLD}
    search = said.get("search") or {}
    # A bare name is that of a method under its defaults.
    named = {what: {"name": search[what]} for what in _METHODS if isinstance(search.get(what), str)}
    said["search"] = {**search, **named}
    return _flat(said) | {"search.trials": _text(study.n_trials_asked_for)}


def _left_open(study: StudyRecord) -> dict[str, str]:
    """Features, hyperparameters and what sampler and pruner are told, where its sweep does not say
    them, as they are on record; but for what the space varies, or depends on the architecture."""
    models = [*left_open(study, "model").values()]
    first = models[0] if models else {}
    space = study.sweep.get("space") or {}
    shared = {
        f"model.{name}": _text(value)
        for name, value in first.items()
        if name not in space and all(model.get(name, value) == value for model in models)
    }
    for what in _METHODS:
        shared |= {f"search.{what}.{k}": _text(v) for k, v in left_open(study, what).items()}
    if (architecture := default_architecture(study)) is not None:
        shared["model.architecture"] = architecture
    features = study.dataset.get("features")
    return shared | ({"dataset.features": _text(features)} if features else {})


def recorded_changes(studies: Sequence[StudyRecord]) -> tuple[Change, ...]:
    """What differs in data, code, versions and machine."""
    flat = []
    for study in studies:
        facts = {name: _text(read(study.provenance)) for name, read in _RECORDED.items()}
        code = {f"own code: {name}": sha256 for name, sha256 in own_code(study).items()}
        trained = {
            "recsweep": version(study, "recsweep"),
            "commit": commit(study),
            "uncommitted changes": _YES_OR_NO.get(git(study).get("dirty"), ""),
            "Python": version(study, "python"),
            "hardware": hardware(study),
            "workers": over_time(study, lambda run: _text(run.resources.get("workers"))),
        }
        told = {name: text for name, text in trained.items() if text}
        flat.append(told | facts | package_versions(study) | code)
    return _differing(flat)


def own_code(study: StudyRecord) -> dict[str, str]:
    """The SHA-256 of each piece of the researcher's own code, whose name says nothing of it."""
    code: Mapping[str, Any] = study.provenance.get("code") or {}
    return {name: str(of_it["sha256"]) for name, of_it in code.items()}


def _differing(flat: Sequence[Mapping[str, str]]) -> tuple[Change, ...]:
    keys = dict.fromkeys(key for values in flat for key in values)
    rows = ((key, tuple(values.get(key, numbers.NOTHING) for values in flat)) for key in keys)
    return tuple((key, values) for key, values in rows if len(set(values)) > 1)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{"search": {"trials": 4}}` as `{"search.trials": "4"}`; lists stay whole."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = _text(value)
    return flat


def _text(value: object) -> str:
    if value is None:
        return numbers.NOTHING
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0, as recorded, is the 1 that someone wrote
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
