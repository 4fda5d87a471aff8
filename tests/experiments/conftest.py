"""A small real study of two arms, trained once without Ray, to be copied by each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.study import run_study
from experiments.watcher import Silent
from tests.in_process import InProcess
from tests.small_studies import a_sweep, decide


@pytest.fixture(scope="session")
def searched(ratings_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        InProcess().use(monkeypatch)
        root = tmp_path_factory.mktemp("real")
        return run_study(a_sweep(ratings_csv), root=root, watcher=Silent()).study.folder


@pytest.fixture(scope="session")
def decided(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a verdict, to be copied by each test."""
    folder = tmp_path_factory.mktemp("decided") / "small"
    shutil.copytree(searched, folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        InProcess().use(monkeypatch)
        decide(folder, top=1, n_seeds=2)
    return folder


@pytest.fixture
def study(searched: Path, tmp_path: Path) -> Path:
    shutil.copytree(searched, tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    in_process = InProcess()
    in_process.use(monkeypatch)
    return in_process


@pytest.fixture(autouse=True)
def _studies_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where commands look for studies by themselves: there they are told by name."""
    monkeypatch.setenv("RECSWEEP_STUDIES", str(tmp_path))


@pytest.fixture(autouse=True)
def _reports_without_pictures(undrawn: Callable[..., object]) -> None:
    """Pictures are the reports' own matter."""
