"""Small files of a study folder: written whole or not at all, and read with a clear complaint."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from experiments.errors import DiskError, StateError

RecordT = TypeVar("RecordT")

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG}
_DENIALS = {errno.EACCES, errno.EPERM}
_NETWORK_FILE_SYSTEMS = (
    "nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs", "glusterfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "virtiofs", "panfs", "orangefs",
)  # fmt: skip


NO_LOCKS = "its disk has no file locks, which the ledger needs (Lustre: mount it with flock)"


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all: temporary file beside it, fsync, rename.

    Raises:
        DiskError: the disk is full, read-only or failing; a file that was there before still is.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place once it is whole.

    Raises:
        DiskError: the disk is full, read-only or failing.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with disk_errors(path):
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Indented standard JSON, whole or not at all; ValueError where a number is not finite."""
    atomic_write(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        StateError: the file is missing, unreadable or no JSON; the message names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StateError(f"{path}: cannot be read as JSON: {error}") from error


def read_record(
    path: Path, build: Callable[[Any], RecordT], what: str, cure: str = ""
) -> RecordT | None:
    """What recsweep itself wrote as JSON; None where there is no such file.

    Args:
        build: from the JSON value.
        what: the record is called.
        cure: what can be done about a damaged one.

    Raises:
        StateError: the file is damaged; names it.
    """
    if not path.exists():
        return None
    try:
        return build(read_json(path))
    except (KeyError, TypeError, AttributeError, StateError) as error:
        why = "it cannot be read as JSON" if isinstance(error, StateError) else repr(error)
        cure = f"; {cure}" if cure else ""
        raise StateError(f"{path}: holds no {what} of recsweep's ({why}){cure}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, not only the files behind them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError that means a full or failing disk, or that this user may not write there,
    into a DiskError naming path and space."""
    try:
        yield
    except OSError as error:
        if not (is_disk_error(error) or is_denied(error)):
            raise
        raise disk_error(path, error) from error


def is_disk_error(error: OSError) -> bool:
    """Whether an error means that the disk is full, read-only or failing."""
    return error.errno in _DISK_ERRORS


def is_denied(error: OSError) -> bool:
    """Whether an error means that this user may not."""
    return error.errno in _DENIALS


def free_bytes(path: Path) -> int:
    """What is free on the disk of a path, which need not exist yet."""
    there = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    return shutil.disk_usage(there).free


def disk_error(path: Path, error: Exception) -> DiskError:
    """The DiskError for a write that failed: what, where, and how much room is left there."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return DiskError(f"{path}: cannot be written: {reason}. Go on where it can be")
    if isinstance(error, OSError) and is_denied(error):
        return DiskError(
            f"{path}: cannot be written: {reason}. Its owner can; others write elsewhere, or "
            "go on with a copy of the study"
        )
    return DiskError(
        f"{path}: cannot be written: {reason} ({free_bytes(path) / 1e6:,.0f} MB free there). "
        "What was finished is safe; make room and resume the study"
    )


def has_locks(folder: Path) -> bool:
    """Whether files in a folder can be locked as SQLite does it; leaves nothing behind.

    Tried out, since nothing else tells of a disk that has no locks, or that is read-only.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def is_on_network(path: Path) -> bool:
    """Whether a path lies on a network file system, where SQLite's WAL mode does not work."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    resolved = path.resolve()
    longest, kind = "", ""
    for line in mounts.splitlines():
        _, mount, file_system, *_ = line.split(" ")
        mount = mount.encode().decode("unicode_escape")
        if resolved.is_relative_to(mount) and len(mount) >= len(longest):
            longest, kind = mount, file_system
    return kind.startswith(_NETWORK_FILE_SYSTEMS)
