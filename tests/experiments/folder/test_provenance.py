from __future__ import annotations

import json
import platform
import subprocess
import time
from pathlib import Path

import pytest

from experiments.folder.provenance import provenance
from experiments.machine.machine import Machine
from experiments.machine.versions import git_state, package_version
from experiments.request.config import load_sweep
from tests.experiments.request.test_plan import _data


def test_a_studys_origin_is_plain_json() -> None:
    sweep = load_sweep("quickstart", ["seed=7"])
    machine = Machine(n_cpus=2, cpu="Zen", memory_gb=8.0)
    origin = provenance(sweep, _data(), machine, ["recsweep", "run", "quickstart"])
    assert json.loads(json.dumps(origin, allow_nan=False)) == origin
    assert origin["python"] == platform.python_version()
    assert origin["command"] == ["recsweep", "run", "quickstart"]
    assert origin["seed"] == 7
    assert origin["machine"]["cpu_count"] == 2
    assert origin["dataset"]["name"] == "made-up"
    assert origin["versions"]["optuna"] == package_version("optuna")
    assert abs(origin["started_at"] - time.time()) < 60
    of_fold = load_sweep("quickstart", ["split={method='folds', fold=2}"])
    origin = provenance(of_fold, _data(), machine, [])
    assert origin["seed"] == of_fold.search_seed != of_fold.seed


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert package_version("no-such-package") is None


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_and_changes_of_a_repository_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    _git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    file = tmp_path / "a.txt"
    file.write_text("a")
    _git(tmp_path, "add", "a.txt")
    _git(tmp_path, "commit", "-q", "-m", "first")
    state = git_state(tmp_path)
    assert state is not None
    assert len(state["commit"]) == 40
    assert state["dirty"] is False
    (tmp_path / "untracked.txt").write_text("b")
    assert git_state(tmp_path) == state
    file.write_text("b")
    assert git_state(tmp_path) == state | {"dirty": True}


def test_an_installed_recsweep_has_not_the_commit_of_the_project_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    _git(tmp_path, "init", "-q")
    (tmp_path / "mine.py").write_text("x = 1")
    _git(tmp_path, "add", "mine.py")
    _git(tmp_path, "commit", "-q", "-m", "first")
    (installed := tmp_path / ".venv" / "recsweep.py").parent.mkdir()
    installed.write_text("y = 2")
    assert git_state(installed) is None
    state = git_state(tmp_path)
    assert state is not None and git_state(tmp_path / "mine.py") == state


def test_without_git_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(__file__).parent) is None
