"""Thousands of trials are looked at without a wait; margins are wide, for machines at work."""

from __future__ import annotations

import json
import time
import weakref
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments import records
from experiments.cli.main import app
from tests.synthetic_study import make_study

N_TRIALS = 2_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("studies")
    (root / "big").mkdir()
    make_study(root / "big", n_trials=N_TRIALS)
    return root


def lines_within_5_s(root: Path, *arguments: str) -> list[str]:
    began = time.monotonic()
    done = CliRunner().invoke(app, [*arguments, "--studies", str(root)])
    assert time.monotonic() - began < 5  # .4 s on two quiet cores
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.mark.slow
def test_a_study_of_thousands_of_trials_is_shown_and_listed_at_once(root: Path) -> None:
    assert len(lines_within_5_s(root, "show", "big")) > N_TRIALS
    (told,) = lines_within_5_s(root, "show", "big", "--json")
    assert len(json.loads(told)["trials"]) == N_TRIALS
    assert any("big" in line for line in lines_within_5_s(root, "ls"))
    assert "17" in lines_within_5_s(root, "show", "big:17")[0]


def test_studies_are_listed_without_holding_one_beside_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Watched(records.StudyRecord):
        """One that can be referred to weakly."""

    alive: weakref.WeakValueDictionary[Path, Watched] = weakref.WeakValueDictionary()
    most = 0

    def watched(folder: Path) -> records.StudyRecord:
        nonlocal most
        study = Watched(**{f.name: getattr(small, f.name) for f in fields(small)})
        alive[folder] = study
        most = max(most, len(alive))
        return study

    for i in range(6):
        make_study(tmp_path / f"small-{i}", n_trials=3)
    small = records.read_study(tmp_path / "small-0")
    monkeypatch.setattr(records, "read_study", watched)
    assert len(lines_within_5_s(tmp_path, "ls")) == 7
    assert most <= 2
