from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from experiments.errors import DiskError, StateError
from experiments.files import atomic_write, disk_errors, is_on_network, read_json, write_json


def test_a_file_that_cannot_be_written_whole_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"a\.json: cannot be written: No space left.*MB free"):
        write_json(path, {"x": 2})
    assert read_json(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_new_file_has_the_mode_that_any_other_program_would_give_it(tmp_path: Path) -> None:
    atomic_write(tmp_path / "ours", "text")
    (tmp_path / "theirs").write_text("text")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_no_other_thread_meets_another_umask_while_a_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("of the whole process"))
    atomic_write(tmp_path / "ours", "text")


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "b" / "c.bin", b"\x00\x01")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\x00\x01"


def test_an_error_that_is_not_the_disks_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        atomic_write(tmp_path / "file" / "below", "text")


def test_json_is_standard_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


@pytest.mark.parametrize("text", ["", "{", "\x00\x00"])
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(StateError, match=r"a\.json: cannot be read as JSON"):
        read_json(tmp_path / "a.json")


def test_a_local_disk_is_not_on_the_network(tmp_path: Path) -> None:
    assert not is_on_network(tmp_path)


def test_the_mount_that_lies_deepest_says_whether_a_path_is_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path}/shared nfs4 rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda self, **_: mounts)
    assert is_on_network(tmp_path / "shared" / "studies")
    assert not is_on_network(tmp_path / "own")


def test_what_is_another_users_is_told_with_who_can_and_what_others_do(tmp_path: Path) -> None:
    told = r"stop: cannot be written: Permission denied\. Its owner can"
    with pytest.raises(DiskError, match=told), disk_errors(tmp_path / "stop"):
        raise PermissionError(errno.EACCES, "Permission denied")
