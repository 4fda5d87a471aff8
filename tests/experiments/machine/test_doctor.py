"""What `recsweep doctor` finds on machines made up in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.machine import doctor
from experiments.machine.doctor import Finding
from experiments.machine.ray_environment import socket_path_problem, temporary_folder


def wrong(findings: object) -> list[Finding]:
    return [f for f in list(findings) if f.mark == "wrong"]  # type: ignore[call-overload]


def test_this_machine_can_run_sweeps(tmp_path: Path) -> None:
    findings = doctor.examine(tmp_path / "studies", {})
    assert wrong(findings) == []
    assert {"versions", "machine", "studies", "shared memory", "Ray"} <= {
        f.subject for f in findings
    }


def test_a_user_without_a_name_and_a_home_folder_can_run_sweeps(
    tmp_path: Path, nameless: None
) -> None:
    assert wrong(doctor.examine(tmp_path / "studies", {})) == []


def test_a_stale_cluster_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    (stale,) = (f for f in doctor._ray({}, tmp_path) if f.mark == "note")
    assert "stale" in stale.text
    assert "ray_current_cluster" in stale.text


def test_ray_without_a_token_is_wrong(tmp_path: Path) -> None:
    (finding,) = wrong(doctor._ray({"RAY_AUTH_MODE": "disabled"}, Path("/tmp")))
    assert "run code" in finding.text


def test_a_temporary_folder_too_long_for_sockets_is_wrong(tmp_path: Path) -> None:
    assert socket_path_problem(Path("/tmp")) is None
    assert "TMPDIR" in (socket_path_problem(Path("/scratch") / ("x" * 60)) or "")
    assert "ASCII" in (socket_path_problem(Path("/für")) or "")


def test_a_relative_temporary_folder_is_one_of_where_the_command_is_typed() -> None:
    assert temporary_folder({"TMPDIR": "mine"}) == Path.cwd() / "mine"


def test_folders_that_hide_ours_are_named(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").touch()
    (tmp_path / "recsweep.py").touch()
    findings = list(doctor._strangers(tmp_path, Path("/elsewhere")))
    assert [f.subject for f in findings] == ["folders", "folders"]
    assert "hides recsweep's own reports" in findings[0].text


def test_a_token_that_others_can_read_is_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    (finding,) = doctor._token(token, {})
    assert "chmod 600" in finding.text
    token.chmod(0o600)
    assert list(doctor._token(token, {})) == []


def test_a_file_in_place_of_the_studies_folder_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "studies"
    file.touch()
    assert any("cannot be written" in f.text for f in wrong(doctor._disks(file)))


def test_a_disk_without_locks_is_wrong(tmp_path: Path, no_locks: None) -> None:
    assert "no file locks" in wrong(doctor._disks(tmp_path / "studies"))[0].text


def test_the_new_keras_is_wrong() -> None:
    (finding,) = doctor._keras({"TF_USE_LEGACY_KERAS": "0"})
    assert finding.mark == "wrong"


def test_a_missing_package_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "current_versions", lambda: {"optuna": None, "ray": "2.60"})
    (finding,) = wrong(doctor._versions())
    assert "optuna" in finding.text
