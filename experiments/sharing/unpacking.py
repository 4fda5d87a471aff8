"""A bundle unpacked without trusting it: a stranger may have made the file.

Everything is looked at before the first byte is written, and counted while it is.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from experiments.errors import RequestError, StateError
from experiments.files import disk_errors

MAX_FILES = 100_000
MAX_BYTES = 8 << 30
MAX_RATIO = 200
"""Text and zeros shrink to a hundredth at most in a bundle of ours."""
_RATIO_FROM = 1 << 20
"""A file of less than this may be all zeros."""
_CHUNK = 1 << 20
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_SUFFIXES = (".json", ".jsonl", ".toml", ".txt", ".py", ".db", ".npz", ".log", ".html",
             ".md", ".csv", ".parquet", ".svg", ".png", ".pdf", ".tex", ".bib")  # fmt: skip


def unpack(bundle: Path, folder: Path) -> None:
    """Write the files of a bundle below an empty or missing folder.

    Raises:
        RequestError: there is no such file, or the folder is in use.
        StateError: it is no bundle, damaged, or holds what no bundle of recsweep does; every
            such entry is named, and nothing of it was written.
    """
    if not bundle.is_file():
        raise RequestError(f"there is no file {bundle}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} is not an empty folder; name another one")
    try:
        with zipfile.ZipFile(bundle) as archive:
            # Other tools write a folder as an entry of its own, which holds nothing.
            entries = [e for e in archive.infolist() if not (e.is_dir() and e.file_size == 0)]
            if problems := problems_with(entries, bundle.stat().st_size):
                shown = [f"  {problem}" for problem in problems[:20]]
                if len(problems) > 20:
                    shown.append(f"  and {len(problems) - 20} more")
                head = f"{bundle}: not unpacked, it holds what no bundle does:"
                raise StateError("\n".join([head, *shown]))
            for entry in entries:
                _write(archive, entry, folder / entry.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise StateError(f"{bundle}: is no bundle, or a damaged one: {error}") from error


def problems_with(entries: Sequence[zipfile.ZipInfo], size: int) -> list[str]:
    """Everything about the entries of an archive of that size that no bundle of recsweep has."""
    if len(entries) > MAX_FILES:
        return [f"{len(entries):,} files; a bundle has at most {MAX_FILES:,}"]
    problems = []
    seen: set[str] = set()
    for entry in entries:
        if problem := _problem_with(entry):
            problems.append(f"{entry.filename[:200]!r} {problem}")
        # Some file systems know no case.
        if entry.filename.casefold() in seen:
            problems.append(f"{entry.filename[:200]!r} is there twice")
        seen.add(entry.filename.casefold())
    parents = {str(parent) for name in seen for parent in PurePosixPath(name).parents}
    problems += [f"{name[:200]!r} is a file and a folder" for name in sorted(seen & parents)]
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BYTES:
        problems.append(f"{total:,} bytes unpacked; a bundle has at most {MAX_BYTES:,}")
    # Entries that share their bytes look harmless one by one.
    if total > _RATIO_FROM and total > MAX_RATIO * size:
        problems.append(f"all of it would grow {total // size:,} times: a bomb")
    return problems


def _problem_with(entry: zipfile.ZipInfo) -> str | None:
    name, mode = entry.filename, entry.external_attr >> 16
    parts = name.split("/")
    if _FORBIDDEN.search(name) or any(part in ("", ".", "..") for part in parts):
        return "leads out of its folder, or is no plain relative path"
    if len(name) > 400 or len(parts) > 16 or any(len(part) > 200 for part in parts):
        return "has too long a path"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link, a folder or a device, not a plain file"
    if not name.endswith(_SUFFIXES):
        return "is of a kind that no bundle holds"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than Deflate"
    if entry.file_size > _RATIO_FROM and entry.file_size > MAX_RATIO * entry.compress_size:
        return f"would grow {entry.file_size // max(1, entry.compress_size):,} times: a bomb"
    return None


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    n_left = entry.file_size
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                n_left -= len(chunk)
                if n_left < 0:
                    raise zipfile.BadZipFile(f"{entry.filename} is longer than it says")
                target.write(chunk)
    if n_left:
        raise zipfile.BadZipFile(f"{entry.filename} is shorter than it says")
