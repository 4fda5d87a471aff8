"""How commands that are told to users name a study."""

from __future__ import annotations

from pathlib import Path

import pytest

import recsweep as rs
from experiments.cli.options import study_folder
from experiments.running.stopping import StopCause, StopSwitch
from experiments.typed import typed


@pytest.mark.parametrize(
    ("folder", "set_to", "said"),
    [
        ("studies/mine", None, "mine"),
        ("studies/my own", None, "'my own'"),
        ("elsewhere/mine", None, "elsewhere/mine"),
        ("elsewhere/mine", "elsewhere", "mine"),
        ("studies/mine", "elsewhere", "studies/mine"),
        ("/scratch/mine", None, "/scratch/mine"),
    ],
)
def test_a_study_is_named_as_the_next_command_finds_it(
    folder: str,
    set_to: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECSWEEP_STUDIES")
    if set_to:
        monkeypatch.setenv("RECSWEEP_STUDIES", set_to)
    assert typed(Path(folder)) == typed(Path(folder).absolute()) == said
    if not folder.startswith("/"):
        Path(folder).mkdir(parents=True)
        (Path(folder) / "sweep.toml").touch()
        found = study_folder(said.strip("'"), Path(set_to or "studies"))
        assert found.samefile(folder)


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECSWEEP_STUDIES", str(tmp_path.parent))
    assert typed(Path()) == tmp_path.name
    monkeypatch.delenv("RECSWEEP_STUDIES")
    assert typed(Path()) == "."


@pytest.mark.parametrize(
    ("here", "said"), [("mine", "."), ("mine/report", ".."), ("other", "../mine")]
)
def test_a_study_has_its_own_name_wherever_it_is_named_from(
    here: str, said: str, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = study.rename(study.parent / "mine")
    (study.parent / here).mkdir(exist_ok=True)
    monkeypatch.chdir(study.parent / here)
    for folder in (study_folder(said, Path("studies")), rs.load(said).folder):
        assert folder.name == "mine" and folder.samefile(mine)


def test_a_study_is_found_again_from_another_folder(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    loaded, asked = rs.load(study.name), StopSwitch(Path(study.name))
    monkeypatch.chdir("/")
    assert rs.load(loaded).record.name == study.name
    StopSwitch(study).ask(StopCause.COMMAND)
    assert asked.cause is StopCause.COMMAND and asked.path.exists()
