"""What nothing needs any more, and what must stay."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner, Result

from experiments.cli.main import app
from experiments.files import disk_error
from experiments.folder.garbage import collect, garbage_of
from experiments.ledger.lock import StudyLock
from experiments.records import (
    Finalist,
    Purpose,
    StudyRecord,
    TrialState,
    VerdictRecord,
    read_study,
)
from experiments.running.keeping import KEPT_BEST
from tests.synthetic_study import make_study


@pytest.fixture
def study(tmp_path: Path) -> StudyRecord:
    """Every trial of it has weights, predictions and a checkpoint to go on from."""
    study = read_study(make_study(tmp_path / "mine"))
    for trial in study.trials:
        for place in ("trials/{}/best", "trials/{}/last", "predictions/validation/{}"):
            folder = study.folder / place.format(trial.name)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "weights.npz").write_bytes(b"x" * 1000)
    return study


def invoke(study: StudyRecord, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["gc", *arguments, "--studies", str(study.folder.parent)])


def places(study: StudyRecord) -> set[str]:
    return {str(g.path.relative_to(study.folder)) for g in garbage_of(study)}


def test_what_a_trial_goes_on_from_and_the_best_weights_stay(study: StudyRecord) -> None:
    running = replace(study.ranked[-1], state=TrialState.RUNNING)
    others = tuple(t for t in study.trials if t.name != running.name)
    failed = next(t for t in study.search_trials if t.state is TrialState.FAIL)
    found = places(replace(study, trials=(*others, running)))
    assert not {path for path in found if running.name in path}
    assert f"trials/{failed.name}/last" in found  # it may be tried again, but from its start
    best = study.ranked[:KEPT_BEST]
    assert all(f"trials/{t.name}/last" in found for t in best)
    assert not {f"trials/{t.name}/best" for t in best} & found
    pruned = next(t for t in study.search_trials if t.state is TrialState.PRUNED)
    assert {f"trials/{pruned.name}/best", f"predictions/validation/{pruned.name}"} <= found


def test_the_best_of_each_arm_and_the_finalists_stay(study: StudyRecord) -> None:
    worst = study.ranked[-1]
    alone = replace(worst, arm="alone")
    others = tuple(t for t in study.trials if t.name != worst.name)
    assert f"trials/{worst.name}/best" not in places(replace(study, trials=(*others, alone)))
    pruned = next(t for t in study.search_trials if t.state is TrialState.PRUNED)
    verdict = VerdictRecord(0.0, 1, (1,), (Finalist(pruned.name, pruned.number, ()),))
    assert f"trials/{pruned.name}/best" not in places(replace(study, verdict=verdict))


def test_a_verdicts_weights_stay_until_the_test_split_is_scored(study: StudyRecord) -> None:
    trained = replace(study.ranked[0], name="0000-v1", purpose=Purpose.VERDICT)
    folder = study.folder / "trials" / "0000-v1" / "best"
    folder.mkdir(parents=True)
    judged = replace(study, trials=(*study.trials, trained))
    assert "trials/0000-v1/best" not in places(judged)
    assert "trials/0000-v1/best" in places(replace(judged, test=object()))  # type: ignore[arg-type]  # only whether it is there counts


def test_nothing_is_deleted_unless_it_is_said(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = study.folder / "trials" / "9999" / "last"
    stranger.mkdir(parents=True)
    half = study.folder / "trials" / study.ranked[0].name / "best" / ".weights.npz.123"
    half.write_bytes(b"x")
    found = garbage_of(study)
    dry = invoke(study, "mine")
    assert "mine: files that a killed process left half written (1), 1 bytes" in dry.stdout
    assert dry.stdout.endswith("nothing is deleted yet: recsweep gc mine --yes\n")
    monkeypatch.setenv("RECSWEEP_STUDIES", "elsewhere")
    way = f"recsweep gc {study.folder} --yes\n"
    assert invoke(study).stdout.endswith(way) and invoke(study, "mine").stdout.endswith(way)
    assert all(garbage.path.exists() for garbage in found)
    assert "freed" in invoke(study, "--yes").stdout
    assert not any(garbage.path.exists() for garbage in found)
    assert stranger.is_dir()
    assert invoke(study).stdout == "nothing to free\n"
    again = read_study(study.folder)
    assert repr(again.trials) == repr(study.trials)


def test_hidden_files_that_a_whole_model_saved_stay(study: StudyRecord) -> None:
    saved = study.folder / "trials" / study.ranked[0].name / "best" / "model-best-000003-1-2"
    (saved / ".keras").mkdir(parents=True)
    (saved / ".config.json").write_text("{}")
    assert not {path for path in places(study) if "model-best" in path}


def test_a_running_study_is_left_alone(study: StudyRecord) -> None:
    with StudyLock(study.folder):
        assert invoke(study).stdout == "nothing to free\n"
        refused = invoke(study, "mine", "--yes")
        assert "is being run by" in str(refused.exception)
    assert collect(study.folder)


def test_a_full_disk_does_not_keep_what_would_make_room(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("experiments.ledger.lock.os.pwrite", Mock(side_effect=full))
    up_to_date = Mock(side_effect=disk_error(study.folder / "study.db", full))
    monkeypatch.setattr("experiments.folder.garbage.bring_up_to_date", up_to_date)
    assert collect(study.folder)
    assert garbage_of(study) == []
