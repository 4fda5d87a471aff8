"""A study as one file to hand on: what its report rests on, and the hash of each part.

A ZIP archive of `bundle.json` (the list of files with size and SHA-256), `requirements.txt` and
the study's folder. It holds no rating of the data set, no weights and no pickle. The same study
gives the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import shutil
import sqlite3
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.errors import RequestError, StateError
from experiments.files import atomic_write, disk_errors
from experiments.ledger.journal import Journal, journal_files, read_journal
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import holder_of
from experiments.machine.crew import CREW_NAME
from experiments.machine.versions import package_version
from experiments.records import JOURNAL_NAME, LEDGER_NAME, StudyRecord, read_study
from experiments.records.openings import OPENINGS_NAME
from experiments.sweep import name_problem
from experiments.typed import typed

FORMAT = 1
MANIFEST_NAME = "bundle.json"
REQUIREMENTS_NAME = "requirements.txt"
RENDERERS = ("recsweep", "matplotlib", "pillow", "pandas", "pyarrow")
"""Packages whose version can change how a report is written, though not what it says."""

_PARTS = (
    "README.txt",
    "sweep.toml",
    "*.json",
    "code/**/*.py",
    "journal/*.jsonl",
    "predictions/**/metadata.json",
    "predictions/**/arrays-*.npz",
    "trials/*/error.log",
    "report/earlier/*.html",
)
"""What is taken of a study's folder as it is; ledger, openings and report are made for it."""
_LEFT_OUT = {CREW_NAME}
"""Who works on it now."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself."""

    study: str
    report_as_of: datetime
    """What an unfinished study's report is "as of": the last sign in its ledger."""
    made_with: Mapping[str, str | None]
    """Versions that rendered the report."""
    files: Mapping[str, tuple[int, str]]
    """Size and SHA-256 by path in the archive."""


def stage_study(folder: Path, stage: Path) -> StudyRecord:
    """Copy of a study what goes into its bundle to `stage`, but for the report.

    Raises:
        StateError: it is running, or its folder cannot be read, or a journal is damaged.
        RequestError: its folder's name cannot be a study's.
    """
    study = read_study(folder)
    if (holder := holder_of(folder)) is not None:
        raise StateError(
            f"{study.name} is being run by {holder}; wait for it, or end it with: "
            f"recsweep stop {typed(study.folder)}"
        )
    if problem := name_problem(study.name):
        raise RequestError(f"{folder}: the folder's name {problem}; rename it")
    for path in journal_files(folder / JOURNAL_NAME):
        read_journal(path)  # also what the ledger took in long ago
    target = stage / study.name
    for pattern in _PARTS:
        for path in sorted(folder.glob(pattern)):
            inside = path.relative_to(folder)
            if path.is_file() and not path.is_symlink() and path.name not in _LEFT_OUT:
                (target / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / inside)
    _copy_ledger(folder / LEDGER_NAME, target / LEDGER_NAME)
    with Ledger(target / LEDGER_NAME) as ledger:
        ledger.catch_up(target / JOURNAL_NAME)
    if study.openings:
        # Those of the studies beside it, too: every report of this split counts them.
        with Journal(target / OPENINGS_NAME) as journal:
            for opening in study.openings:
                journal.append("opening", **asdict(opening))
    return read_study(target)


def as_of(study: StudyRecord) -> datetime:
    """The last sign that a study's ledger has of it."""
    ends = [attempt.ended_at or attempt.started_at for t in study.trials for attempt in t.attempts]
    signs = [*ends, *(t.ended_at or t.asked_at for t in study.trials)]
    return datetime.fromtimestamp(
        max(signs, default=study.provenance.get("started_at") or 0.0), UTC
    )


def pack(stage: Path, study: StudyRecord, target: Path) -> Manifest:
    """Write the bundle of a staged study; whole or not at all.

    Raises:
        RequestError: the target is a folder.
        DiskError: there is no room.
    """
    if target.is_dir():
        raise RequestError(f"{target} is a folder; name the file to write: -o FILE")
    (stage / REQUIREMENTS_NAME).write_text(requirements(study.provenance), encoding="utf-8")
    paths = sorted(
        (path for path in stage.rglob("*") if path.is_file()),
        key=lambda path: path.relative_to(stage).as_posix(),
    )
    files = {
        path.relative_to(stage).as_posix(): (path.stat().st_size, sha256_of(path)) for path in paths
    }
    manifest = Manifest(study.name, as_of(study), renderers(), files)
    plain = {
        "format": FORMAT,
        "study": manifest.study,
        "state": study.state,
        "report_as_of": manifest.report_as_of.isoformat(),
        "made_with": dict(manifest.made_with),
        "files": {name: {"bytes": size, "sha256": sha} for name, (size, sha) in files.items()},
    }
    with disk_errors(target):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, MANIFEST_NAME, (json.dumps(plain, indent=1) + "\n").encode())
            for name in files:
                _add(archive, name, (stage / name).read_bytes())
        atomic_write(target, buffer.getvalue())
    return manifest


def renderers() -> dict[str, str | None]:
    """Versions of what writes a report here."""
    versions = {name: package_version(name) for name in RENDERERS}
    return {"python": platform.python_version(), **versions}


def requirements(provenance: Mapping[str, Any]) -> str:
    """What the study began with, for `pip install -r`; of older studies, the packages that count.

    What a later run had otherwise stands above, as a comment.
    """
    packages = provenance.get("packages") or provenance.get("versions") or {}
    git = provenance.get("git") or {}
    commit = f"commit {git['commit']}" if git.get("commit") else "no commit on record"
    commit += ", with uncommitted changes" if git.get("dirty") else ""
    lines = [
        f"# Python {provenance.get('python')}, recsweep {provenance.get('recsweep')} ({commit})",
        *(
            f"# since {datetime.fromtimestamp(change['at'], UTC):%Y-%m-%d}: {name} {new or 'none'}"
            for change in provenance.get("changes") or ()
            for name, (_, new) in change["versions"].items()
        ),
        *(
            f"{name}=={version}"
            for name, version in packages.items()
            if version and name != "recsweep"
        ),
    ]
    return "\n".join(lines) + "\n"


def read_manifest(path: Path) -> Manifest:
    """What an unpacked bundle says of itself.

    Raises:
        StateError: it says nothing, or in another format.
    """
    try:
        plain = json.loads(path.read_bytes())
        if plain["format"] != FORMAT:
            raise StateError(
                f"{path.name}: this bundle has format {plain['format']!r}, this recsweep reads "
                f"{FORMAT}; read it with the recsweep that wrote it"
            )
        return Manifest(
            study=_study_name(plain["study"]),
            report_as_of=datetime.fromisoformat(plain["report_as_of"]),
            made_with=dict(plain["made_with"]),
            files={
                str(name): (int(about["bytes"]), str(about["sha256"]))
                for name, about in plain["files"].items()
            },
        )
    except OSError:
        raise StateError(f"this is no bundle: it has no {MANIFEST_NAME}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"{path.name}: not the list that belongs there ({type(error).__name__}: {error})"
        ) from error


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _study_name(name: object) -> str:
    if not isinstance(name, str) or name_problem(name):
        raise ValueError(f"{name!r} cannot be a study's name")
    return name


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """With one date and one set of rights for all, so that the same content is the same file."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content, compresslevel=6)


def _copy_ledger(source: Path, target: Path) -> None:
    """A whole copy, what SQLite has not merged yet included."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        ) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")
