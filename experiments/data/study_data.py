"""The data of a sweep: as it asks for them, as its study began with them, and what is wrong."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from experiments.errors import DataProblem
from experiments.folder.folders import refuse_changed_data
from experiments.own.kept_code import ONLY_PYTHON, as_kept, keep_code
from experiments.records import StudyRecord
from experiments.stages import stage_over
from experiments.sweep import SweepConfig
from experiments.typed import from_here
from experiments.waiting import waiting
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.findings import MEND
from recommender.datasets.loading import load_dataset
from recommender.datasets.table import COLUMNS
from recommender.errors import DataError

T = TypeVar("T")


def load_data(sweep: SweepConfig) -> LoadedDataset:
    """The sweep's data, encoded; test ratings are not in it.

    Raises:
        DataProblem: everything that is wrong with them.
    """
    return read_data(sweep, load_dataset)


def read_data(sweep: SweepConfig, read: Callable[[DatasetConfig, SplitConfig], T]) -> T:
    """What `read` makes of the sweep's data.

    Raises:
        DataProblem: everything that is wrong with them.
    """
    table = sweep.dataset.path if sweep.dataset.name is None else None
    with data_problems(table, sweep.dataset.columns), waiting("reading the data"):
        found = read(sweep.dataset, sweep.split)
    stage_over("data loaded, split and encoded")
    return found


def load_same_data(study: StudyRecord, sweep: SweepConfig) -> LoadedDataset:
    """As `load_data`, for a study that has begun: StateError where the data changed since."""
    loaded = load_data(sweep)
    refuse_changed_data(study, loaded.description)
    return loaded


def load_repeatable_data(sweep: SweepConfig) -> LoadedDataset:
    """As `load_data`, for a new study: functions must give the same data when their study goes on,
    from the copy that it keeps of their code."""
    loaded, own = load_data(sweep), sweep.dataset.own or sweep.split.own
    if own is None:
        return loaded
    with TemporaryDirectory(prefix="recsweep-code-") as folder:
        keep_code(Path(folder), sweep)
        try:
            again = load_data(as_kept(Path(folder), sweep))
        except DataProblem as error:
            raise DataProblem(
                f"{own.where} gives data in {own.root} and none from a copy of its code, so that "
                f"no study of it could be resumed or judged; {ONLY_PYTHON}\n{error.message}"
            ) from error
    if again.description != loaded.description:
        raise DataProblem(
            f"{own.where} gives other data when it is called again, so that no study of it could "
            "be resumed or judged; seed its random numbers: frame.sample(n, random_state=0)"
        )
    return loaded


@contextlib.contextmanager
def data_problems(
    table: Path | None = None, columns: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Turn a DataError into a DataProblem: all that is wrong, and, where rows of a table of ratings
    are among it, what leaves them out.

    Args:
        table: of the researcher's own; None: the ratings are not in one.
        columns: by role, as far as they were said.
    """
    try:
        yield
    except DataError as error:
        lines = list(error.problems)
        if table is not None and any(
            line.startswith(f"{table.name}: ") and line.endswith(MEND) for line in lines
        ):
            command = [
                "recsweep",
                "data",
                "clean",
                from_here(table),
                *column_options(columns or {}),
            ]
            lines.append(f"or leave such rows out: {shlex.join(command)}")
        raise DataProblem("\n".join(lines)) from error


def column_options(columns: Mapping[str, str]) -> list[str]:
    """What `init` and `data clean` are told of columns that are not called like their role."""
    return [
        word
        for role in COLUMNS
        if (name := columns.get(role, role)) != role
        for word in (f"--{role}", name)
    ]
