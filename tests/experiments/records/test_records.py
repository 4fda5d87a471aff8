from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from experiments.cli.options import study_folder
from experiments.cli.show import show_text
from experiments.errors import RequestError, StateError
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import StudyLock
from experiments.records import (
    DRIVER_JOURNAL,
    Purpose,
    StopReason,
    StudyError,
    TrialState,
    find_studies,
    read_study,
    study_folders,
)
from experiments.verdict.frozen_finalists import frozen_or_chosen
from reports.render import write_report
from tests.experiments.facts import ask, epoch, start
from tests.reports.verdicts import judged
from tests.synthetic_study import COLUMNS, make_study


def test_a_finished_study_is_read_whole(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "mine", n_trials=24))
    assert (study.name, study.state, study.n_trials_asked_for) == ("mine", "finished", 24)
    assert study.is_finished
    assert study.compared_dimension == "architecture"
    assert study.columns == COLUMNS
    assert study.columns[2].choices == ()
    assert [t.number for t in study.trials] == list(range(24))
    assert study.n_done == len(study.search_trials) == 24
    assert {t.stop_reason for t in study.trials} >= {
        StopReason.PATIENCE,
        StopReason.PRUNER,
        StopReason.DIVERGED,
        StopReason.OUT_OF_MEMORY,
        StopReason.ERROR,
    }
    assert [t.arm for t in study.trials[:2] if t.is_default] == ["plain", "dcn"]
    ranked = [t.best_rmse for t in study.ranked]
    assert ranked == sorted(ranked, key=float)  # type: ignore[arg-type]  # none of them is None
    bias = study.baseline("bias")
    assert bias is not None
    assert bias.val_rmse == 1.04
    assert study.provenance["dataset"]["n_ratings"] == 100_000
    retried = study.trial(9)
    assert retried is not None
    assert [a.first_epoch for a in retried.attempts] == [1, 4]
    assert [e.epoch for e in retried.epochs] == list(range(1, len(retried.epochs) + 1))
    assert study.trial(99) is None


def test_a_study_without_a_driver_and_with_trials_left_is_interrupted(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "mine", is_finished=False))
    assert study.state == "interrupted"
    assert not study.is_finished
    assert sum(t.state is TrialState.RUNNING for t in study.search_trials) == 2
    assert study.n_trials_asked_for == len(study.trials) + 2


def test_a_study_that_a_driver_holds_is_running_also_when_its_trials_are_done(
    tmp_path: Path,
) -> None:
    folder = make_study(tmp_path / "mine")
    with StudyLock(folder):
        study = read_study(folder)
    assert study.state == "running"
    assert study.is_finished


@pytest.mark.parametrize(
    ("is_running_on", "n_more", "is_done"),
    [(False, 0, True), (False, 1, False), (True, 0, False), (True, 1, False)],
)
def test_whoever_holds_a_study_knows_whether_there_is_anything_left_to_do(
    tmp_path: Path, is_running_on: bool, n_more: int, is_done: bool
) -> None:
    """Its driver asks so before it says that there is nothing to resume."""
    folder = make_study(tmp_path / "mine", n_trials=6, is_finished=not is_running_on)
    n_trials = len(read_study(folder).search_trials)
    (folder / "sweep.toml").write_text(f"[search]\ntrials = {n_trials}\n")
    if n_more:
        with Journal(folder / DRIVER_JOURNAL) as journal, Ledger(folder / "study.db") as ledger:
            journal.append("extend", trials=n_trials + n_more)
            ledger.catch_up(folder / "journal")
    with StudyLock(folder):
        study = read_study(folder)
    assert study.is_finished is is_done
    assert not study.is_ended_by_time
    out_of_time = replace(study, is_out_of_time=True)
    # What runs can still be brought to its end; what was never asked for no longer counts.
    assert out_of_time.is_ended_by_time is not is_running_on
    assert out_of_time.is_searched is not is_running_on
    assert out_of_time.training_command == ("resume" if is_running_on else "verdict")


def test_a_search_that_ran_out_of_points_is_finished_before_its_number_of_trials(
    tmp_path: Path,
) -> None:
    folder = make_study(tmp_path / "mine", n_trials=6)
    (folder / "sweep.toml").write_text("[search]\ntrials = 100\n")
    assert read_study(folder).state == "finished"


def test_an_extended_study_is_unfinished(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine", n_trials=6)
    with Journal(folder / "journal" / "driver.jsonl") as journal, Ledger(folder / "study.db") as db:
        journal.append("extend", trials=8)
        db.catch_up(folder / "journal")
    study = read_study(folder)
    assert (study.state, study.n_trials_asked_for) == ("interrupted", 8)


def test_a_study_is_read_while_its_driver_writes(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine", n_trials=0)
    with StudyLock(folder), Ledger(folder / "study.db") as ledger:
        for event in (ask(), start(), epoch()):
            ledger.apply(event)
        assert read_study(folder).trials == ()
        ledger.commit()
        (trial,) = read_study(folder).trials
        assert (trial.state, trial.best_rmse) == (TrialState.RUNNING, 1.0)


def test_a_study_whose_driver_was_killed_is_read(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine", n_trials=0)
    code = """
import os, signal, sys
from pathlib import Path
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import StudyLock
from tests.experiments.facts import ask
folder = Path(sys.argv[1])
lock, ledger = StudyLock(folder), Ledger(folder / "study.db")
ledger.apply(ask())
ledger.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (folder / "study.db-wal").exists()
    study = read_study(folder)
    assert [t.state for t in study.trials] == [TrialState.WAITING]


def test_a_folder_that_is_no_study_is_told_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StudyError, match="this is no study") as error:
            read_study(folder)
        assert error.value.exit_code == 2


def test_a_study_that_has_not_begun_its_trials_has_none(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / "study.db").unlink()
    shutil.rmtree(folder / "journal")
    for name in ("baselines.json", "importance.json"):
        (folder / name).unlink()
    study = read_study(folder)
    assert (study.trials, study.baselines, study.importance) == ((), (), ())
    assert study.state == "interrupted"


def test_a_missing_ledger_is_told_with_its_cure(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / "study.db").unlink()
    with pytest.raises(StudyError, match=r"study\.db: .*missing; `recsweep repair mine` rebuilds"):
        read_study(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sweep.toml", "name = "),
        ("provenance.json", "{"),
        ("columns.json", "[1]"),
        ("verdict.json", "{}"),
        ("test.json", "["),
        ("study.db", "no database at all " * 50),
        ("study.db", ""),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / name).write_text(content)
    with pytest.raises(StateError, match=f"mine/{name}"):
        read_study(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("baselines.json", '[{"name": "bias", "speed": 1}]'),
        ("importance.json", "3"),
        ("segments.json", "{"),
        ("noise.json", '{"of_trials": 0.1}'),
        ("board.json", "[]"),
    ],
)
def test_what_can_be_worked_out_anew_is_left_out_and_said(
    tmp_path: Path, name: str, content: str
) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / name).write_text(content)
    study = read_study(folder)
    (said,) = study.unreadable
    assert said.startswith(f"{name}: ")
    assert len(study.ranked) > 0
    assert f"damaged  {said}" in show_text(study).splitlines()
    assert name in write_report(study).markdown.read_text()


def test_what_a_newer_version_adds_to_a_verdict_is_passed_over(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "mine"))
    first, second = study.ranked[:2]
    verdict = judged(study, {first.number: 0.01, second.number: 0.02}).verdict
    assert verdict is not None
    plain = asdict(verdict)
    results = plain["results"]
    for record in (plain, results, *results["finalists"], *results["pairs"]):
        record["new"] = 1
    (study.folder / "verdict.json").write_text(json.dumps(plain))
    assert read_study(study.folder).verdict == verdict


def test_a_folder_that_is_no_study_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    make_study(tmp_path / "mine", n_trials=2)
    (tmp_path / "notes").mkdir()
    with pytest.raises(RequestError, match=r"notes is a folder without sweep\.toml.* mine"):
        study_folder("notes", tmp_path)
    with pytest.raises(RequestError, match=r"no study 'elsewhere'; .* mine"):
        study_folder("elsewhere", tmp_path)


def test_a_verdict_does_not_go_without_a_baseline(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / "baselines.json").write_text("{")
    with pytest.raises(StateError, match=r"baselines\.json is missing .* resume mine --trials 26"):
        frozen_or_chosen(read_study(folder))


def test_studies_are_found_by_name_and_other_folders_are_not(tmp_path: Path) -> None:
    for name in ("b", "a"):
        make_study(tmp_path / name, n_trials=2)
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    assert [folder.name for folder in study_folders(tmp_path)] == ["a", "b"]
    assert [study.name for study in find_studies(tmp_path)] == ["a", "b"]
    assert find_studies(tmp_path / "missing") == ()


def test_a_study_is_named_after_its_folder_also_from_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_study(tmp_path / "mine", n_trials=2))
    assert read_study(Path()).name == "mine"


def test_trials_for_other_purposes_are_neither_counted_nor_ranked(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine", n_trials=2)
    with Ledger(folder / "study.db") as ledger:
        ledger.apply(ask(1_000, name="0000-v1", purpose=Purpose.VERDICT.value))
    study = read_study(folder)
    assert [t.name for t in study.trials] == ["0000", "0001", "0000-v1"]
    assert len(study.search_trials) == 2
    assert sum(t.state is TrialState.WAITING for t in study.search_trials) == 0


def test_reading_a_study_needs_the_standard_library_alone(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    code = """
import sys
import tomllib
from pathlib import Path
from experiments.records import read_study
study = read_study(Path(sys.argv[1]))
ours = ("experiments", "__main__")
foreign = {m.split(".")[0] for m in sys.modules} - sys.stdlib_module_names - set(ours)
import json; print(json.dumps([len(study.trials), sorted(foreign)]))
"""
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path[:0] = [{str(Path.cwd())!r}]\n{code}",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    n_trials, foreign = json.loads(done.stdout)
    assert n_trials == 24
    assert [m for m in foreign if not m.startswith(("_", "sitecustomize", "distutils"))] == []


@pytest.mark.parametrize("now", ["", "seed = 5\n", "[[split]]\n", "[dataset]\nitems = []\n"])
def test_a_sweep_that_was_changed_later_is_not_told_as_what_was_run(
    tmp_path: Path, now: str
) -> None:
    folder = make_study(tmp_path / "mine", n_trials=2)
    text = (folder / "sweep.toml").read_text()
    with Journal(folder / "journal" / "driver.jsonl") as journal:
        journal.append("session", sync=True, sweep=text)
    assert read_study(folder).unreadable == ()
    (folder / "sweep.toml").write_text(now)
    study = read_study(folder)
    assert study.sweep == tomllib.loads(text)
    (said,) = study.unreadable
    assert said.startswith("sweep.toml was changed since this study began: what it began with is")


def test_missing_columns_are_said(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine", n_trials=2)
    (folder / "columns.json").unlink()
    study = read_study(folder)
    assert study.unreadable == ("columns.json is missing: arms and dimensions are not told",)
    assert "damaged  columns.json is missing" in show_text(study)
