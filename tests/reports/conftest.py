"""Made-up studies in all the states that a report has to cope with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.records import StopReason, StudyRecord, TrialState, read_study
from reports.render import ReportPaths, write_report
from tests.reports.verdicts import crossing_record, judged, opened
from tests.synthetic_study import make_study

MakeStudy = Callable[..., StudyRecord]


@pytest.fixture
def make(tmp_path: Path) -> MakeStudy:
    """`make(n_trials=24, compare=True, ...)`: a made-up study, written and read back."""

    def make(**options: object) -> StudyRecord:
        folder = tmp_path / "made-up"
        folder.mkdir(exist_ok=True)
        return read_study(make_study(folder, **options))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """24 trials in two arms: complete, pruned, diverged, failed and resumed ones."""
    folder = tmp_path_factory.mktemp("studies") / "made-up"
    folder.mkdir()
    return read_study(make_study(folder, n_trials=24))


@pytest.fixture(scope="session")
def judged_study(study: StudyRecord) -> StudyRecord:
    """The same with a verdict on its best two trials, scored on the test split.

    The best is a dcn: a size control stands beside it, and what it crosses was kept.
    """
    first, second = study.ranked[:2]
    decided = judged(study, {first.number: 0.01, second.number: 0.02}, control=0.015)
    return opened(replace(decided, crossings={first.name: crossing_record(moved=0.9)}))


@pytest.fixture(scope="session")
def paths(study: StudyRecord) -> ReportPaths:
    """The report of `study`, in its own folder."""
    return write_report(study)


@pytest.fixture(scope="session")
def judged_paths(
    judged_study: StudyRecord, tmp_path_factory: pytest.TempPathFactory
) -> ReportPaths:
    """The report of `judged_study`."""
    return write_report(judged_study, tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="session")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportPaths, float]:
    """The report of 10,000 trials, and how many seconds it took."""
    folder = tmp_path_factory.mktemp("studies") / "ten-thousand"
    folder.mkdir()
    few = read_study(make_study(folder, n_trials=200))
    many = tuple(
        replace(
            t,
            number=200 * k + t.number,
            name=f"{200 * k + t.number:04d}",
            is_default=t.is_default and k == 0,
            best_rmse=None if t.best_rmse is None else t.best_rmse + 1e-6 * k,
        )
        for k in range(50)
        for t in few.trials
    )
    began = time.monotonic()
    paths = write_report(replace(few, trials=many, n_trials_asked_for=10_000))
    return paths, time.monotonic() - began


def without_complete(study: StudyRecord) -> StudyRecord:
    """The same study with every trial failed."""
    trials = tuple(
        replace(t, state=TrialState.FAIL, stop_reason=StopReason.ERROR, error="ValueError: no")
        for t in study.trials
    )
    return replace(study, trials=trials, importance=())


def renamed_arm(study: StudyRecord, old: str, new: str) -> StudyRecord:
    """The same study with another name for an arm."""
    return replace(
        study,
        trials=tuple(replace(t, arm=new) if t.arm == old else t for t in study.trials),
        importance=tuple(replace(i, arm=new) if i.arm == old else i for i in study.importance),
    )


def with_one_complete(study: StudyRecord) -> StudyRecord:
    """The same study with nothing but its best trial."""
    return replace(study, trials=study.ranked[:1], importance=(), n_trials_asked_for=1)
