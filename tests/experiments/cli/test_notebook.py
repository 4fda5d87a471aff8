from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import recsweep as rs
from experiments.cli.notebook import Notebook, in_place, kernel_shell
from experiments.errors import RequestError
from experiments.records import EpochRecord, StudyRecord, TrialState, read_study
from experiments.running.stopping import StopCause
from experiments.study import Outcome
from tests.synthetic_study import make_study


@pytest.fixture
def study(tmp_path: Path) -> StudyRecord:
    folder = tmp_path / "made-up"
    return read_study(make_study(folder, is_finished=False))


def test_progress_changes_in_place_and_ends_with_what_was_shown(study: StudyRecord) -> None:
    shown: list[tuple[str, str]] = []
    now = 0.0
    watcher = Notebook(lambda page, text: shown.append((page, text)), clock=lambda: now)
    failed = next(t for t in study.trials if t.state is TrialState.FAIL)
    running = next(t for t in study.trials if t.state is TrialState.RUNNING)
    watcher.started(study, 60.0)
    page, text = shown[-1]
    assert "<progress" in page and f"of {study.n_trials_asked_for}" in text
    n_shown = len(shown)
    watcher.trial_started(running)
    assert len(shown) == n_shown  # a quarter of a second has not gone by
    now = 1.0
    watcher.epoch(running, EpochRecord(3, 1.0312, 1.0, 10, 0.5))
    assert f"#{running.number} {running.arm} epoch 3 1.0312" in shown[-1][1]
    watcher.trial_ended(replace(failed, error="it <b>failed</b>"))
    assert "it &lt;b&gt;failed&lt;/b&gt;" in shown[-1][0] and "<b>" not in shown[-1][0]
    watcher.message("a word")
    watcher.finished(study)
    page, text = shown[-1]
    assert "<progress" not in page and "a word" in text and "recsweep resume made-up" in text


def test_what_stops_a_study_is_one_sentence_in_a_notebook(study: StudyRecord) -> None:
    assert RequestError("it is wrong: mend it")._render_traceback_() == [
        "RequestError: it is wrong: mend it"
    ]
    stopped = rs.StudyInterrupted(rs.Study(study))
    assert isinstance(stopped, KeyboardInterrupt)
    (line,) = stopped._render_traceback_()
    assert f"of {study.n_trials_asked_for} trials done" in line and "rs.resume(" in line


def test_the_end_of_a_job_ends_a_script_as_it_ends_a_command(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def resume_study(folder: Path, *, deadline: float, more_s: float, **_: object) -> Outcome:
        asked.append(deadline - time.monotonic())
        assert more_s == 7200
        return Outcome(read_study(folder), StopCause.DEADLINE)

    monkeypatch.setattr("experiments.study.resume_study", resume_study)
    with pytest.raises(SystemExit) as left:
        rs.resume(study.folder, timeout="2h", stop_at="1h", quiet=True)
    assert left.value.code == 143 and 3590 < asked[0] <= 3600
    assert (study.folder / "report" / "report.html").exists()


def test_a_kernel_is_known_by_its_shell_and_shown_to_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_shell() is None
    calls: list[tuple[object, ...]] = []

    def display(data: dict[str, str], **options: object) -> SimpleNamespace:
        calls.append(("display", data["text/plain"], options))
        return SimpleNamespace(update=lambda data, raw: calls.append(("update", data, raw)))

    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    shown = ModuleType("IPython.display")
    shown.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    assert kernel_shell() is not None
    show = in_place()
    show("<p>1</p>", "1")
    show("<p>2</p>", "2")
    assert calls == [
        ("display", "1", {"raw": True, "display_id": True}),
        ("update", {"text/html": "<p>2</p>", "text/plain": "2"}, True),
    ]
