"""What lasts is said while it lasts, and what is short is not."""

from __future__ import annotations

import threading

import pytest

from experiments import waiting as module
from experiments.waiting import waiting, waits_told


def test_what_lasts_is_told_again_and_again_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_AFTER_S", 0.01)
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.01)
    told: list[str] = []
    is_third = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 3:
            is_third.set()

    with waits_told(tell), waiting("reading the data"):
        assert is_third.wait(10)
    assert set(told) == {"wait     reading the data, 1 s so far"}
    assert "recsweep-waiting" not in {thread.name for thread in threading.enumerate()}


def test_what_is_short_is_not_told() -> None:
    told: list[str] = []
    with waits_told(told.append), waiting("reading the data"):
        pass
    assert told == []


def test_it_is_over_when_the_block_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_AFTER_S", 60.0)
    with pytest.raises(KeyboardInterrupt), waits_told(lambda _: None), waiting("the baselines"):
        raise KeyboardInterrupt
    assert "recsweep-waiting" not in {thread.name for thread in threading.enumerate()}


def test_nobody_is_told_where_nobody_asked() -> None:
    with waits_told(None), waiting("reading the data"):
        assert "recsweep-waiting" not in {thread.name for thread in threading.enumerate()}
