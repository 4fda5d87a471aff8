from __future__ import annotations

import io
import json
import shutil
import sqlite3
import struct
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.errors import StateError
from experiments.folder.folders import write_importance
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import StudyLock
from experiments.records import StudyRecord, read_study
from experiments.search.importance import importance
from experiments.sharing.bundle import sha256_of
from experiments.sharing.unpacking import unpack
from reports.blocks import Section
from reports.render import build_sections
from reports.sections.leaderboard import leaderboard
from search_spaces import parse_space
from tests.synthetic_study import make_study

pytestmark = pytest.mark.slow


def recsweep(*command: object) -> tuple[int, str]:
    """Exit code and all that a command says."""
    result = CliRunner().invoke(app, [*map(str, command)])
    error = result.exception
    code = error.exit_code if isinstance(error, StateError) else result.exit_code
    assert error is None or isinstance(error, StateError | SystemExit), result.output
    return code, result.output + (error.message if isinstance(error, StateError) else "")


def _without_pictures(study: StudyRecord, _anchors: object = ()) -> dict[str, Section]:
    found = leaderboard(study)
    assert found is not None
    return {"leaderboard": found}


@pytest.fixture(scope="module", autouse=True)
def quick_reports() -> Iterator[None]:
    """Without pictures, which are what takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.render.build_sections", _without_pictures)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what is made up in the others computed."""
    folder = make_study(tmp_path_factory.mktemp("studies") / "made-up", n_trials=48)
    space, _ = parse_space(tomllib.loads((folder / "sweep.toml").read_text())["space"])
    assert space is not None
    write_importance(folder, importance(space, read_study(folder).trials))
    return folder


@pytest.fixture(scope="module")
def bundle(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "made-up.zip"
    code, said = recsweep("bundle", study, "-o", target)
    assert code == 0, said
    return target


@pytest.fixture
def repacked(bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """The bundle with files changed by whoever knows to change their hashes, too."""

    def repack(change: Callable[[Path], None], *, with_hashes: bool = True) -> Path:
        folder, target = tmp_path / "open", tmp_path / "changed.zip"
        unpack(bundle, folder)
        change(folder / "made-up")
        manifest = json.loads((folder / "bundle.json").read_text())
        if with_hashes:
            for name in manifest["files"]:
                path = folder / name
                manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bundle.json", json.dumps(manifest))
            for path in folder.rglob("*"):
                if path.is_file() and path != folder / "bundle.json":
                    archive.write(path, path.relative_to(folder).as_posix())
        return target

    return repack


def test_a_whole_report_is_the_same_again(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: Callable[..., object]
) -> None:
    monkeypatch.setattr("reports.render.build_sections", build_sections)
    monkeypatch.setattr("reports.drawing.canvas.draw", undrawn)
    recsweep("bundle", study, "-o", tmp_path / "whole.zip")
    assert "made-up/report/figures/best.svg" in zipfile.ZipFile(tmp_path / "whole.zip").namelist()
    code, said = recsweep("verify", tmp_path / "whole.zip")
    assert code == 0 and "WRONG" not in said


def test_a_bundle_holds_what_a_report_rests_on_and_verifies_elsewhere(
    study: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.zip"
    recsweep("bundle", study, "-o", again)
    assert again.read_bytes() == bundle.read_bytes()
    names = set(zipfile.ZipFile(bundle).namelist())
    assert {"bundle.json", "requirements.txt"} <= names
    assert {f"made-up/{n}" for n in ("sweep.toml", "study.db", "report/trials.csv")} <= names
    assert not any("tensorboard" in name or "/best/" in name for name in names)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    code, said = recsweep("verify", bundle, "--to", tmp_path / "kept")
    assert code == 0 and "WRONG" not in said
    assert (tmp_path / "kept" / "made-up" / "study.db").is_file()


def test_an_unfinished_study_says_as_of_when_and_a_running_one_is_refused(tmp_path: Path) -> None:
    study = make_study(tmp_path / "cut", is_finished=False)
    write_importance(study, [])
    code, said = recsweep("bundle", study, "-o", tmp_path / "cut.zip")
    assert code == 0 and "interrupted" in said
    assert recsweep("verify", tmp_path / "cut.zip")[0] == 0
    with StudyLock(study):
        code, said = recsweep("bundle", study, "-o", tmp_path / "running.zip")
    assert code == 4 and "recsweep stop cut" in said


def test_a_journal_damaged_in_the_middle_is_not_packed(tmp_path: Path) -> None:
    study = make_study(tmp_path / "flipped")
    write_importance(study, [])
    journal = next((study / "journal").glob("worker-*.jsonl"))
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    code, said = recsweep("bundle", study, "-o", tmp_path / "flipped.zip")
    assert code == 4 and "`recsweep repair " in said
    assert not (tmp_path / "flipped.zip").exists()


def test_a_bundle_that_another_tool_packed_again_is_the_same(bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    shutil.copyfile(bundle, again)
    with zipfile.ZipFile(again, "a") as archive:
        archive.writestr("made-up/", b"")
        archive.writestr("made-up/report/", b"")
    assert recsweep("verify", again)[0] == 0


def test_a_changed_file_is_named(repacked: Callable[..., Path]) -> None:
    def change(study: Path) -> None:
        path = study / "report" / "trials.csv"
        path.write_text(path.read_text().replace("COMPLETE", "PRUNED", 1))
        (study / "report" / "table.tex").write_text("more")
        (study / "code").mkdir(exist_ok=True)
        (study / "code" / "bundle.json").write_text("more, under the name of the list")
        (study / "report" / "report.md").unlink()

    code, said = recsweep("verify", repacked(change, with_hashes=False))
    assert code == 4
    assert "made-up/report/trials.csv is not what was packed" in said
    assert "made-up/report/table.tex was not packed" in said
    assert "made-up/code/bundle.json was not packed" in said
    assert "made-up/report/report.md is missing" in said
    assert "trials.csv: 0000, state: PRUNED there, COMPLETE anew" in said


def test_a_better_number_in_the_ledger_is_found_by_the_journals(
    repacked: Callable[..., Path],
) -> None:
    def change(study: Path) -> None:
        with sqlite3.connect(study / "study.db") as ledger:
            ledger.execute("UPDATE epochs SET val_rmse = 0.9 WHERE number = 0 AND epoch = 3")
        ledger.close()

    code, said = recsweep("verify", repacked(change))
    assert code == 4
    assert "trial 0000, epoch 3: (epoch=3, val_rmse=0.9," in said
    assert "trials.csv: 0000, best_rmse: " in said and "0.9 anew" in said


def test_a_record_that_went_on_without_its_report_is_found(repacked: Callable[..., Path]) -> None:
    """Whoever changes journals, ledger and hashes alike still has another report."""

    def change(study: Path) -> None:
        with Journal(study / "journal" / "driver.jsonl") as journal:
            journal.append("extend", trials=60)
        (study / "study.db").unlink()
        with Ledger(study / "study.db") as ledger:
            ledger.catch_up(study / "journal")

    code, said = recsweep("verify", repacked(change))
    assert code == 4
    assert "holds    ledger" in said
    assert "report.md" in said


@pytest.mark.parametrize(
    ("name", "change", "wrong"),
    [
        ("importance.json", lambda text: text.replace(b"0.", b"0.0", 1), "importance"),
        ("study.db", lambda _: b"no database", "study        cannot be read"),
        ("sweep.toml", lambda _: b"[[[", "study        cannot be read"),
        ("provenance.json", lambda _: b"[" * 100_000, "study        cannot be read"),
        ("journal/driver.jsonl", lambda text: b"x" + text, "ledger       cannot be read"),
    ],
)
def test_what_cannot_be_read_or_was_not_computed_is_listed(
    repacked: Callable[..., Path], name: str, change: Callable[[bytes], bytes], wrong: str
) -> None:
    def damage(study: Path) -> None:
        (study / name).write_bytes(change((study / name).read_bytes()))

    code, said = recsweep("verify", repacked(damage))
    assert code == 4 and "Traceback" not in said
    assert any(line.startswith("WRONG") and wrong in line for line in said.splitlines()), said


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("made-up/code/mine.py")
    info.external_attr = 0o120777 << 16
    return info


HOSTILE: dict[str, tuple[str | zipfile.ZipInfo, bytes, str]] = {
    "above": ("../evil.py", b"", "leads out"),
    "inside": ("made-up/../../evil.py", b"", "leads out"),
    "absolute": ("/tmp/evil.py", b"", "leads out"),
    "drive": ("C:/evil.py", b"", "leads out"),
    "backslash": ("made-up\\..\\..\\evil.py", b"", "leads out"),
    "link": (link(), b"/etc/passwd", "is a link"),
    "kind": ("made-up/model.pkl", b"", "of a kind that no bundle holds"),
    "deep": ("/".join(["a"] * 40) + ".py", b"", "too long a path"),
    "bomb": ("made-up/sweep.toml", b"#" * 40_000_000, "a bomb"),
    "twice": ("BUNDLE.json", b"{}", "is there twice"),
    "both": ("bundle.json/sweep.toml", b"", "is a file and a folder"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_before_a_byte_is_written(kind: str, tmp_path: Path) -> None:
    name, content, wrong = HOSTILE[kind]
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", "{}")
        archive.writestr(name, content)
    code, said = recsweep("verify", path, "--to", tmp_path / "target")
    assert code == 4 and wrong in said
    assert not (tmp_path / "target").exists() and not (tmp_path.parent / "evil.py").exists()


def test_sizes_that_lie_are_not_believed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", b"0" * 5_000_000)
    lying = buffer.getvalue().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 10))
    path = tmp_path / "lying.zip"
    path.write_bytes(lying)
    code, said = recsweep("verify", path, "--to", tmp_path / "target")
    assert code == 4 and "a damaged one" in said
    assert sum(file.stat().st_size for file in (tmp_path / "target").rglob("*")) <= 10


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.zip"
    path.write_text("no archive")
    assert recsweep("verify", path)[0] == 4
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made-up/sweep.toml", "")
    code, said = recsweep("verify", path)
    assert code == 4 and "it has no bundle.json" in said
