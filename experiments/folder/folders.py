"""A study's folder: its name, what it holds before the first trial, what must not change later."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments.arms import unequal_problem
from experiments.errors import DiskError, RequestError, StateError
from experiments.files import (
    NO_LOCKS,
    atomic_write,
    disk_error,
    has_locks,
    is_disk_error,
    write_json,
)
from experiments.folder.provenance import provenance
from experiments.ledger.journal import Journal
from experiments.ledger.lock import BEAT_NAME, LOCK_NAME
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.own.kept_code import (
    CODE,
    as_kept,
    keep_code,
    own_code,
    refuse_changed_code,
)
from experiments.records import (
    BASELINES_NAME,
    COLUMNS_NAME,
    IMPORTANCE_NAME,
    PROVENANCE_NAME,
    SWEEP_NAME,
    BaselineRecord,
    ColumnRecord,
    ImportanceRecord,
    StudyRecord,
    read_study,
    study_folders,
)
from experiments.records.values import plural
from experiments.request.config import sweep_to_toml
from experiments.request.frozen import difference, frozen_sweep
from experiments.sweep import SweepConfig
from experiments.typed import from_here, typed
from recommender.baselines import Baseline
from recommender.datasets.description import DatasetDescription
from recommender.repeating import repeats_on_gpus
from search_spaces import SearchSpace

_OF_A_BEGINNING = {
    LOCK_NAME, BEAT_NAME, CODE.name, COLUMNS_NAME, PROVENANCE_NAME, "README.txt"
}  # fmt: skip
"""What a driver that ended while it made a folder leaves there, without a study."""
_OF_A_MOMENT = (".tmp", "-takeover")
"""Ends of the hidden names that files and folders have there for a moment."""
_LONGEST_ROOT = 400
"""Bytes. SQLite opens no file whose path has more than 512."""

README = """{name}: a recsweep study

In this folder:

State, trials     recsweep show .
Go on             recsweep resume .
Report            report/report.html; written anew by: recsweep report .
Dashboard         recsweep board .
Do it again       recsweep run sweep.toml (the sweep as it was begun)
"""


def free_name(root: Path, name: str) -> tuple[str, str | None]:
    """The name of the next study of a sweep, and a sentence where it is not the sweep's own.

    Raises:
        StateError: the latest study of that name is unfinished.
        RequestError: `root` cannot hold folders, or nothing can be written there.
    """
    _refuse_unwritable(root)
    candidate, number = name, 1
    while (root / candidate).exists():
        folder = root / candidate
        if not (folder / SWEEP_NAME).is_file():
            if not folder.is_dir() or not _is_beginning(folder):
                raise StateError(
                    f"{folder} is there and is no study; choose another name: --set name=OTHER"
                )
            break
        study = read_study(folder)
        if study.state != "finished":
            is_running = study.state == "running"
            raise StateError(
                f"the study {candidate} is {'running' if is_running else 'unfinished'}.\n"
                + (
                    f"  watch it:       recsweep show {typed(folder)} --watch\n"
                    f"  stop it:        recsweep stop {typed(folder)}\n"
                    if is_running
                    else f"  go on with it:  recsweep resume {typed(folder)}, or in Python "
                    f"rs.resume({from_here(folder)!r})\n"
                )
                + f"  start another:  give it another name, as --set name={name}-other does"
            )
        number += 1
        candidate = f"{name}-{number}"
    if candidate == name:
        return name, None
    return candidate, f"{name} is finished: this run is {candidate}"


def _is_beginning(folder: Path) -> bool:
    names = [path.name for path in folder.iterdir()]
    hidden = [name for name in names if name.startswith(".") and name.endswith(_OF_A_MOMENT)]
    return set(names) <= _OF_A_BEGINNING.union(hidden)


def _refuse_unwritable(root: Path) -> None:
    """Also where `has_locks` says so, which tries it out and leaves nothing behind."""
    path = os.fsencode(root.absolute())
    if len(path) > _LONGEST_ROOT:
        raise RequestError(
            f"{root}: {len(path)} bytes long, where {_LONGEST_ROOT} is the most for the ledgers of "
            "studies; name another folder with --studies"
        )
    try:
        path.decode()
    except UnicodeDecodeError as error:
        told = path.decode(errors="backslashreplace")
        raise RequestError(f"{told}: not UTF-8; name another folder with --studies") from error
    try:
        there = next(path for path in (root, *root.absolute().parents) if path.exists())
        if not there.is_dir():
            raise RequestError(f"{there} is a file; --studies must name a folder")
        if has_locks(there):
            return
    except OSError as error:
        if is_disk_error(error) and error.errno != errno.EROFS:
            raise disk_error(root, error) from error
        why = error.strerror or type(error).__name__
        raise RequestError(
            f"{root} cannot be written to: {why}; name another folder with --studies"
        ) from error
    raise RequestError(f"{root}: {NO_LOCKS}; name another folder with --studies")


def begun_study(root: Path, sweep: SweepConfig) -> Path | None:
    """The study of a sweep under `root` that is unfinished, else the last begun; None where there
    is none.

    A sweep that differs in its trials alone is the study's where it was extended to as many. Where
    its data lie makes no difference: their fingerprints are compared when they are read.

    Raises:
        StateError: it was begun with another sweep; shows the difference.
    """
    numbered = re.compile(rf"{re.escape(sweep.name)}(-\d+)?")
    folders = [folder for folder in study_folders(root) if numbered.fullmatch(folder.name)]
    if folders != [root / sweep.name]:
        # Another sweep may have what `free_name` numbers for its own name.
        studies = [s for s in map(read_study, folders) if s.sweep.get("name") == sweep.name]
        studies.sort(key=lambda s: (s.state != "finished", s.provenance.get("started_at") or 0.0))
        folders = [study.folder for study in studies]
    if not folders:
        return None
    folder = folders[-1]
    frozen = frozen_sweep(folder, sweep)
    now = replace(sweep, name=frozen.name)
    if frozen == now:
        return folder
    own = own_code(now)
    if own_code(frozen).keys() == own.keys():
        refuse_changed_code(folder, ((name, own[name].root, own[name].files) for name in own))
        now = replace(now, architectures=frozen.architectures, metrics=frozen.metrics)
    way_on = f"recsweep resume {typed(folder)}"
    if now.search and frozen.search and now.search.trials:
        more = replace(frozen.search, trials=now.search.trials)
        if replace(frozen, search=more) == now:
            n_asked_for = read_study(folder).n_trials_asked_for
            if now.search.trials == n_asked_for:
                return folder
            if now.search.trials > n_asked_for:
                way_on += f" --trials {now.search.trials}"
    raise StateError(
        f"{folder} was begun with another sweep:\n"
        + difference(sweep_to_toml(frozen), sweep_to_toml(now))
        + f"\nGo on with it: {way_on}; or begin another: "
        f"add --set name={sweep.name}-other to the command"
    )


def made(folder: Path) -> Path:
    """The folder, which is there from now on; DiskError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


def create(
    folder: Path,
    sweep: SweepConfig,
    description: DatasetDescription,
    machine: Machine,
    resources: Resources,
    command: Sequence[str],
) -> Path:
    """Write the frozen sweep, the columns of its space and the provenance; gives the folder.

    Who may run beside others holds the study's lock.

    Raises:
        StateError: another driver has made a study of it meanwhile.
        DiskError: the folder cannot be made.
    """
    assert sweep.space is not None
    if (made(folder) / SWEEP_NAME).exists():
        raise StateError(f"{folder}: another study of this name was begun just now; start again")
    try:
        keep_code(folder, sweep)
    except OSError as error:
        raise DiskError(f"{folder}: cannot be written: {error.strerror}") from error
    write_json(folder / COLUMNS_NAME, [asdict(column) for column in columns_of(sweep.space)])
    write_json(
        folder / PROVENANCE_NAME,
        provenance(sweep, description, machine, command)
        | {
            "n_workers": resources.workers,
            "resources": asdict(resources),
            # What the nodes of somebody's cluster have in their environment, nobody knows.
            "gpu_repeats": repeats_on_gpus() if resources.gpus and not resources.address else None,
        },
    )
    atomic_write(folder / "README.txt", README.format(name=folder.name))
    frozen = as_kept(Path(), sweep)
    # Last: a folder with a sweep.toml is a study.
    atomic_write(folder / SWEEP_NAME, sweep_to_toml(frozen))
    return folder


def columns_of(space: SearchSpace) -> tuple[ColumnRecord, ...]:
    return tuple(
        ColumnRecord(c.name, c.kind, c.low, c.high, c.log, tuple(c.choices), c.is_always_there)
        for c in space.columns
    )


def write_baselines(folder: Path, baselines: Sequence[Baseline]) -> None:
    rows = [BaselineRecord(b.name, b.label, b.val_rmse, b.seconds) for b in baselines]
    write_json(folder / BASELINES_NAME, [asdict(row) for row in rows])


def write_importance(folder: Path, records: Sequence[ImportanceRecord]) -> None:
    write_json(folder / IMPORTANCE_NAME, [asdict(record) for record in records])


def extend(study: StudyRecord, sweep: SweepConfig, n_trials: int, journal: Journal) -> None:
    """Ask for more search trials in all; for as many as an unfinished study has to run, again,
    changes nothing.

    Raises:
        RequestError: there are as many already, its arms would not get equally many, its grid has
            fewer points, or it is no whole number.
    """
    if type(n_trials) is not int:
        raise RequestError(f"trials must be a whole number, got {n_trials!r}")
    if n_trials == study.n_trials_asked_for and not study.is_finished:
        return
    if n_trials <= study.n_trials_asked_for:
        raise RequestError(
            f"{study.name} has {study.n_trials_asked_for} trials to run in all; --trials must ask "
            f"for more, got {n_trials}"
        )
    assert sweep.search is not None and sweep.space is not None
    is_grid = sweep.search.sampler == "grid"
    if is_grid and n_trials > (n_all := sweep.space.count()):
        raise RequestError(
            f"{study.name}: --trials: the grid has {plural(n_all, 'point')}, got {n_trials}; "
            + (
                f"--trials {n_all} takes them all"
                if n_all > study.n_trials_asked_for
                else "all of them are asked for"
            )
        )
    n_arms = 0 if is_grid else len(sweep.arms)
    if problem := unequal_problem(n_trials, n_arms, study.n_trials_asked_for):
        raise RequestError(f"{study.name}: --trials: {problem}")
    journal.append("extend", sync=True, in_order=True, trials=n_trials)


def refuse_changed_data(study: StudyRecord, now: DatasetDescription) -> None:
    """Data and split must be those that the study began with.

    Raises:
        StateError: names what changed, and how to begin another study.
    """
    before: Mapping[str, Any] = study.provenance["dataset"]
    changes = [
        f"{what}: {before[key]} then, {getattr(now, key)} now"
        for key, what in (("n_ratings", "ratings"), ("n_users", "users"), ("n_items", "items"))
        if before[key] != getattr(now, key)
    ]
    same = all(
        before[key] == getattr(now, key)
        for key in ("fingerprint", "items_fingerprint", "split_fingerprint")
    )
    unit = before.get("rating_unit") or 1.0  # of builds from before it was on record
    if same and unit == now.rating_unit:
        return
    detail = "; ".join(changes) or "the same counts, other rows"
    told = f"the data of {study.name} changed since it began ({detail})"
    cure = "put the data back, or begin another study"
    if same:
        told = (
            f"models of {study.name} counted ratings in {unit:g}, and do in {now.rating_unit:g} now"
        )
        cure = "begin another study"
    sweep = shlex.quote(str(study.folder / SWEEP_NAME))
    raise StateError(
        f"{told}; its trials could not be compared with new ones.\n"
        f"  {cure}: recsweep run {sweep} --set name={study.name}-new-data"
    )
