"""Where a study can be begun, and what it can be extended to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.errors import RequestError, StateError
from experiments.folder.folders import extend, free_name
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.records import DRIVER_JOURNAL, LEDGER_NAME, read_study
from experiments.request.frozen import frozen_sweep
from search_spaces import Choice, space


def test_a_disk_without_locks_is_refused_before_anything_is_written(
    tmp_path: Path, no_locks: None
) -> None:
    with pytest.raises(RequestError, match=r"no file locks, which .* --studies"):
        free_name(tmp_path / "studies", "mine")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "left", [".provenance.json.ab12cd34.tmp", ".driver.beat-takeover", "driver.lock"]
)
def test_a_name_is_free_where_a_driver_was_killed_before_it_had_a_study(
    tmp_path: Path, left: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / left).touch()
    assert free_name(tmp_path, "mine") == ("mine", None)
    (tmp_path / "mine" / ".git").mkdir()
    with pytest.raises(StateError, match="is no study"):
        free_name(tmp_path, "mine")


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ("x/" * 200, "bytes long, where 400 is the most"),
        ("st\udcf5", r"st\\xf5: not UTF-8"),
        ("x" * 256, "cannot be written to: File name too long"),
    ],
)
def test_a_place_that_cannot_hold_ledgers_is_refused(tmp_path: Path, root: str, why: str) -> None:
    with pytest.raises(RequestError, match=f"{why}.*--studies"):
        free_name(tmp_path / root, "mine")


def test_a_place_that_begins_with_two_slashes_is_one(tmp_path: Path) -> None:
    with Ledger(Path(f"/{tmp_path}") / LEDGER_NAME) as ledger:
        assert ledger.trials() == ()
    with Ledger.reading(Path(f"/{tmp_path}") / LEDGER_NAME) as ledger:
        assert ledger.trials() == ()


def test_an_extended_study_has_arms_of_equally_many_trials(study: Path) -> None:
    record, sweep = read_study(study), frozen_sweep(study)
    assert sweep.search is not None and record.n_trials_asked_for == 4
    with Journal(study / DRIVER_JOURNAL) as journal:
        written = journal.path.read_bytes()
        with pytest.raises(RequestError, match=r"2 arms get the same number .* ask for 6"):
            extend(record, sweep, 5, journal)
        assert journal.path.read_bytes() == written
        extend(record, sweep, 6, journal)
        # Those of a grid have as many as each has points.
        points = space(architecture=Choice(["plain", "dcn"]), embedding_size=Choice([4, 8, 12, 16]))
        search = replace(sweep.search, sampler="grid")
        extend(record, replace(sweep, space=points, search=search), 7, journal)
        with pytest.raises(RequestError, match="the grid has 8 points, got 9; --trials 8 takes"):
            extend(record, replace(sweep, space=points, search=search), 9, journal)


def test_the_command_that_extends_a_study_goes_on_with_it_where_it_is_given_again(
    study: Path,
) -> None:
    sweep = frozen_sweep(study)
    with Journal(study / DRIVER_JOURNAL) as journal, Ledger(study / LEDGER_NAME) as ledger:
        with pytest.raises(RequestError, match="must ask for more, got 4"):
            extend(read_study(study), sweep, 4, journal)
        with pytest.raises(RequestError, match="must be a whole number, got '6'"):
            extend(read_study(study), sweep, "6", journal)  # type: ignore[arg-type]  # from Python
        extend(read_study(study), sweep, 6, journal)
        ledger.catch_up(journal.path.parent)
        written = journal.path.read_bytes()
        extend(read_study(study), sweep, 6, journal)
        assert journal.path.read_bytes() == written
        with pytest.raises(RequestError, match="must ask for more, got 4"):
            extend(read_study(study), sweep, 4, journal)
