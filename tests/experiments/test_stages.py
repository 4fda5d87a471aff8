"""Stages of a start: they add up, and each is told once."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from experiments.stages import Stages


def test_each_stage_is_told_once_and_they_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told: list[tuple[str, float]] = []
    stages = Stages(lambda name, seconds: told.append((name, seconds)), began=98.0)
    stages.over("command line")
    now = 101.5
    stages.over("data")
    now = 105.0
    stages.over("data")
    stages.over("first epoch")
    assert told == [("command line", 2.0), ("data", 1.5), ("first epoch", 3.5)]


def test_where_nobody_asked_nothing_is_told() -> None:
    Stages().over("data")


def test_when_a_process_was_started_is_known_to_a_few_hundredths() -> None:
    code = (
        "import time; from experiments.stages import process_age_s; "
        "print(time.monotonic() - process_age_s())"
    )
    before = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    after = time.monotonic()
    started = float(child.communicate()[0])
    assert before - 0.05 <= started <= after + 0.05
