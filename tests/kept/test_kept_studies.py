"""Study folders that earlier versions wrote must be readable, and report, for ever.

A folder here is never changed. A version that writes another format adds one of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments.ledger.ledger import Ledger
from experiments.records import StopReason, TrialState, read_study
from reports.render import write_report

KEPT = sorted(path.parent for path in Path(__file__).parent.glob("*/sweep.toml"))


@pytest.fixture(params=KEPT, ids=lambda folder: folder.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return shutil.copytree(request.param, tmp_path / "kept")


def test_it_is_read_and_reports(kept: Path) -> None:
    study = read_study(kept)
    assert study.state == "finished"
    assert len(study.search_trials) == 14
    assert study.ranked[0].number == 3
    assert study.ranked[0].best_rmse == pytest.approx(0.619311, abs=1e-6)
    reasons = {trial.stop_reason for trial in study.trials}
    assert reasons == {
        StopReason.MAX_EPOCHS,
        StopReason.PATIENCE,
        StopReason.PRUNER,
        StopReason.DIVERGED,
    }
    assert sum(t.state is TrialState.COMPLETE for t in study.search_trials) == 5
    page = write_report(study).html.read_text(encoding="utf-8")
    assert "Not decided" in page
    assert "0.6193" in page


def test_its_journals_alone_give_its_ledger_back(kept: Path) -> None:
    before = read_study(kept)
    (kept / "study.db").unlink()
    with Ledger(kept / "study.db") as ledger:
        ledger.catch_up(kept / "journal")
    assert repr(read_study(kept).trials) == repr(before.trials)
