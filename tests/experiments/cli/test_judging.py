from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.cli.main import app, main
from experiments.records import read_study
from tests.in_process import InProcess


def recsweep(command: str, folder: Path, *options: str) -> list[str]:
    """The lines that a command prints on stdout."""
    result = CliRunner().invoke(
        app, [command, folder.name, "--studies", str(folder.parent), *options]
    )
    assert result.exception is None, result.output
    return result.stdout.splitlines()


def test_a_plan_says_who_would_be_judged_and_freezes_nothing(study: Path) -> None:
    lines = recsweep("verdict", study, "--plan", "--top", "1", "--seeds", "3")
    assert any("best baseline" in line for line in lines)
    assert lines[-1].startswith("cost     ") and "× 3 fresh seeds" in lines[-1]
    assert read_study(study).verdict is None


def test_a_verdict_is_given_when_the_reader_of_its_cost_has_gone(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as unread:
        monkeypatch.setattr("sys.stdout", unread)
        command = ["recsweep", "verdict", str(study), "--top", "1", "--seeds", "2"]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ending:
            main()
    assert not ending.value.code
    verdict = read_study(study).verdict
    assert verdict is not None and verdict.results is not None


def test_the_cost_comes_first_and_the_verdict_last(study: Path, workers: InProcess) -> None:
    lines = recsweep("verdict", study, "--top", "1", "--seeds", "2")
    heads = [line.split(" ")[0] for line in lines if not line.startswith(" ")]
    assert heads.index("cost") < heads.index("verdict") < heads.index("report")
    record = read_study(study)
    results = record.verdict_results
    assert results is not None
    frame = pd.read_csv(study / "report" / "verdict.csv", dtype={"finalist": str})
    others = [b for b in record.baselines if results.finalist(b.name) is None]
    assert len(frame) == sum(len(f.rmse_by_seed) for f in results.finalists) + len(others)
    assert "## Verdict" in (study / "report" / "report.md").read_text()
    again = recsweep("verdict", study)
    assert any(line.startswith("cost     none") for line in again)
    assert [line for line in again if line.startswith("verdict")] == [
        line for line in lines if line.startswith("verdict")
    ]


def test_a_verdict_stops_in_time_and_the_next_one_goes_on(study: Path, workers: InProcess) -> None:
    options = [study.name, "--studies", str(study.parent)]
    command = ["verdict", *options, "--top", "1", "--seeds", "2", "--stop-at"]
    stopped = CliRunner().invoke(app, [*command, "0.001"])
    assert stopped.exit_code == 143, stopped.output
    assert f"recsweep verdict {study.name}" in stopped.output.replace(f"{study.parent}/", "")
    assert workers.trained == []
    done = CliRunner().invoke(app, [*command, "1h"])
    assert done.exit_code == 0, done.output
    assert len(workers.trained) > 1


@pytest.mark.parametrize(("typed", "exit_code"), [("n\n", 0), ("", 130)])
def test_a_test_split_that_is_not_to_be_opened_stays_sealed(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch, typed: str, exit_code: int
) -> None:
    recsweep("verdict", study, "--top", "1", "--seeds", "2")
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("experiments.cli.judging.sys", terminal)
    result = CliRunner().invoke(app, ["unseal", str(study)], input=typed)
    assert result.exit_code == exit_code, result.output
    assert "Open the test split now?" in result.output
    assert read_study(study).test is None and not read_study(study).openings


def test_debug_shows_where_an_error_comes_from_and_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECSWEEP_DEBUG", "")  # so that it is put back
    for options, has_traceback in (([], False), (["--debug"], True)):
        monkeypatch.setattr(
            "sys.argv", ["recsweep", *options, "show", "nope", "--studies", str(tmp_path)]
        )
        with pytest.raises(SystemExit) as ending:
            main()
        assert ending.value.code == 2
        assert ("Traceback" in capsys.readouterr().err) is has_traceback
