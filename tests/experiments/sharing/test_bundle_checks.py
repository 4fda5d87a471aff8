"""What is held of a judged and opened study: each kind of change is found, and nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.files import read_json, write_json
from experiments.ledger.journal import sound_events
from experiments.records import DRIVER_JOURNAL, read_study
from experiments.records.openings import OPENINGS_NAME
from experiments.sharing.bundle_checks import run_checks
from reports.recheck import verdict_differences
from tests.in_process import InProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(decided: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opened") / "small"
    shutil.copytree(decided, folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        InProcess().use(monkeypatch)
        command = ["unseal", "small", "--studies", str(folder.parent), "--yes"]
        assert CliRunner().invoke(app, command).exit_code == 0
    return folder


@pytest.fixture
def copy(opened: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(opened, tmp_path / "small"))


def wrong(folder: Path) -> list[str]:
    study = read_study(folder)
    checks = [f"{c.subject}: {problem}" for c in run_checks(study) for problem in c.problems]
    return checks + verdict_differences(study)


def edited(name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        plain = read_json(folder / name)
        change(plain)
        write_json(folder / name, plain)

    return edit


def without_a_finalist(plain: dict[str, Any]) -> None:
    results = plain["results"]
    lost = next(f["name"] for f in results["finalists"] if f["name"] != "bias")
    results["finalists"] = [f for f in results["finalists"] if f["name"] != lost]
    results["pairs"] = [p for p in results["pairs"] if lost not in (p["first"], p["second"])]


def swapped(folder: Path) -> None:
    one, other = sorted((folder / "predictions" / "test").iterdir())[:2]
    one.rename(folder / "aside")
    other.rename(one)
    (folder / "aside").rename(other)


def forgotten(folder: Path) -> None:
    (folder / OPENINGS_NAME).unlink()
    (folder.parent / OPENINGS_NAME).unlink(missing_ok=True)


def farther_apart(plain: dict[str, Any]) -> None:
    for key in ("estimate", "low", "high"):
        plain["results"]["pairs"][0][key] -= 0.2


def of_a_model(**values: object) -> Callable[[dict[str, Any]], object]:
    def change(plain: dict[str, Any]) -> None:
        finalists = plain["results"]["finalists"]
        next(f for f in finalists if f["shrinkage"] is not None).update(values)

    return change


VERDICT, TEST, PROVENANCE = "verdict.json", "test.json", "provenance.json"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited(VERDICT, farther_apart), "verdict of .*: difference -"),
        (edited(VERDICT, without_a_finalist), "verdict: .* on the frozen list, but was not judged"),
        (lambda f: (f / VERDICT).unlink(), "verdict: trained for a verdict and on no frozen list"),
        (edited(VERDICT, lambda v: v["results"].update(margin=0.05)), "verdict of all: margin"),
        (edited(VERDICT, of_a_model(shrinkage=-0.02)),
         "verdict of .*: shrinkage"),
        (edited(VERDICT, lambda v: v["results"].update(n_rows=7)), "verdict: 7 rows judge"),
        (edited(VERDICT, lambda v: v["results"].update(n_users=7)), "verdict: 7 users judge"),
        (edited(VERDICT, lambda v: v["results"].update(n_choosable=600)), "best of 600 trials"),
        (edited(VERDICT, lambda v: v["results"]["pairs"][0].update(p=0.5)), "p 0.5 there"),
        (edited(TEST, of_a_model(mean=0.9)), "test of .*: mean"),
        (edited(TEST, of_a_model(rmse_by_seed=[0.9, 0.9])),
         "test split: .*: RMSE by seed"),
        (edited(TEST, without_a_finalist), "test split: not the finalists of the frozen list"),
        (swapped, "test split: .*: RMSE by seed"),
        (forgotten, "test split: it was scored, and no opening is on record"),
        (edited(PROVENANCE, lambda p: p["versions"].update(tensorflow="9.9")),
         "provenance: tensorflow 9.9 there"),
        (edited(PROVENANCE, lambda p: p.update(recsweep="0.9")), "provenance: recsweep 0.9 there"),
        (edited(PROVENANCE, lambda p: p.update(seed=99)), "provenance: seed 99 there"),
        (edited(PROVENANCE, lambda p: p["machine"].update(cpu_count=512)), "provenance: the mach"),
    ],
)  # fmt: skip
def test_every_change_is_found(copy: Path, change: Callable[[Path], None], said: str) -> None:
    assert wrong(copy) == []
    change(copy)
    found = wrong(copy)
    assert any(re.search(said, told) for told in found), found
    assert not any(str(copy.parent) in told for told in found)


def test_a_study_that_began_on_another_machine_than_its_first_session_is_sound(copy: Path) -> None:
    """A driver wrote the provenance, was killed, and another machine went on."""
    first = next(e for e in sound_events(copy / DRIVER_JOURNAL) if e["kind"] == "session")

    def elsewhere(plain: dict[str, Any]) -> None:
        change = {
            "at": first["at"] - 5,
            "machine": plain["machine"],
            "versions": {"numpy": ["1", plain["versions"]["numpy"]]},
        }
        plain["changes"] = [change]
        plain["machine"] = plain["machine"] | {"cpu": "Another 9000"}
        plain["versions"]["numpy"] = "1"

    edited(PROVENANCE, elsewhere)(copy)
    assert wrong(copy) == []
    edited(PROVENANCE, lambda p: p["changes"][0].update(at=first["at"] + 5))(copy)
    assert wrong(copy)
