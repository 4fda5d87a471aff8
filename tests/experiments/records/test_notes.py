"""Notes and tags beside a study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from experiments.cli.main import app
from experiments.errors import RequestError, StateError
from experiments.records import read_study
from experiments.records.notes import NOTE_NAME, Note, read_note, write_note
from reports.render import write_report
from tests.synthetic_study import make_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_study(tmp_path / "mine")


def invoke(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--studies", str(folder.parent)])


def test_a_note_goes_before_the_sweeps_own_and_an_empty_one_takes_it_away(folder: Path) -> None:
    own = read_study(folder).note
    assert own
    assert invoke(folder, "note", "mine", "ids\nonly \x1b[31m").stdout == "ids only [31m\n"
    assert read_study(folder).note == "ids only [31m" != own
    assert invoke(folder, "note", "mine", "").exit_code == 0
    assert read_study(folder).note == ""


def test_tags_are_added_taken_away_and_leave_the_text(folder: Path) -> None:
    write_note(folder, "first", ["v2", "paper", "v2"])
    assert read_note(folder) == Note("first", ("paper", "v2"))
    assert invoke(folder, "note", "mine", "--untag", "v2", "--tag", "naïve").exit_code == 0
    assert read_note(folder) == Note("first", ("naïve", "paper"))
    with pytest.raises(RequestError, match="at most 500"):
        write_note(folder, "x" * 501, ["long"])
    with pytest.raises(RequestError, match="one word"):
        write_note(folder, None, ["two words"])
    assert read_note(folder) == Note("first", ("naïve", "paper"))


def test_ls_shows_and_filters_tags(folder: Path) -> None:
    make_study(folder.parent / "other")
    write_note(folder, "look here", ["paper"])
    assert "look here  #paper" in invoke(folder, "ls").stdout
    (only,) = json.loads(invoke(folder, "ls", "--tag", "paper", "--json").stdout)["studies"]
    assert (only["name"], only["tags"]) == ("mine", ["paper"])
    missing = invoke(folder, "ls", "--tag", "papers").exception
    assert "no study has the tag 'papers'; there are: paper" in str(missing)


def test_a_report_has_note_and_tags(folder: Path) -> None:
    write_note(folder, "<b>look</b>", ["paper"])
    page = write_report(read_study(folder)).html.read_text()
    assert "&lt;b&gt;look&lt;/b&gt; · paper" in page


def test_a_damaged_note_is_named(folder: Path) -> None:
    (folder / NOTE_NAME).write_text("[]")
    with pytest.raises(StateError, match=r"note\.json.*delete it"):
        read_study(folder)
