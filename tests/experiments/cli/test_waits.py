"""A command that lasts says on stderr what it is at."""

from __future__ import annotations

import pytest

from experiments import waiting
from experiments.cli import main


def test_a_command_that_reads_much_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "FIRST_AFTER_S", 0.0)
    monkeypatch.setattr("sys.argv", ["recsweep", "data", "describe", "quickstart"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 0
    said = capsys.readouterr()
    assert said.err == "wait     reading the data, 1 s so far\n"
    assert "wait" not in said.out
