"""Thousands of trials are looked at without a wait; margins are wide, for machines at work."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

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
