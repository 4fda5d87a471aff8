"""A sweep file as a plain table, with the overrides in it and the place of every key.

What the table means is the business of `experiments.request.sweep_checks`.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import SweepFileError, SweepProblem
from experiments.sweep_files.overrides import (
    KeyPath,
    Override,
    OverrideError,
    apply_override,
    parse_key,
    parse_set,
    read_environment,
    unreadable,
)
from experiments.typed import at_home, from_here
from recommender.errors import unknown

SWEEPS: dict[str, Path] = {
    path.stem: path for path in sorted((Path(__file__).parents[1] / "sweeps").glob("*.toml"))
}
"""The shipped sweeps by name."""
_TABLES = (".csv", ".tsv", ".parquet", ".gz")
"""How tables of ratings end, which somebody may name in place of a sweep."""

TOP_LEVEL_KEYS = (
    "name",
    "seed",
    "note",
    "dataset",
    "split",
    "compare",
    "space",
    "model",
    "architectures",
    "metrics",
    "search",
    "training",
)


@dataclass(frozen=True, slots=True)
class SweepSource:
    """One sweep's table and where each of its keys was written."""

    table: dict[str, Any]
    origin: str
    """The file as the user named it, or `Sweep(...)`."""
    path: Path | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    """In the order in which they were applied."""
    override_problems: tuple[SweepProblem, ...] = ()
    is_frozen: bool = False
    """A study's own: its dimensions stay as they were proposed, whatever is said of them now."""

    def problem(self, key: str, message: str) -> SweepProblem:
        """A mistake at a key, placed at the override or the line that made it."""
        path = _path_of(key)
        override = self._override_at(path)
        if override is not None:
            return SweepProblem(key, message, override.origin)
        return SweepProblem(key, message, self.origin, self._line_at(path))

    def resolve(self, key: str, path: str) -> Path:
        """An absolute path: a file's are relative to the file, others to the current folder."""
        base = Path.cwd()
        if self.path is not None and self._override_at(_path_of(key)) is None:
            base = self.path.absolute().parent
        return (base / at_home(path)).absolute()

    def _override_at(self, path: KeyPath) -> Override | None:
        """The override that set a key, or that made the table at the key, which the file lacks."""
        is_in_file = path in self.lines or (*path, 0) in self.lines
        for override in reversed(self.overrides):
            is_above = override.path == path[: len(override.path)]
            if is_above or (not is_in_file and path == override.path[: len(path)]):
                return override
        return None

    def _line_at(self, path: KeyPath) -> int | None:
        for end in range(len(path), 0, -1):
            # A dimension as a whole stands where its first case does.
            for place in (path[:end], (*path[:end], 0)):
                if place in self.lines:
                    return self.lines[place]
        return None


def read_sweep_file(
    source: str | Path,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> SweepSource:
    """Reads a file, or a shipped sweep by name, and puts environment and `--set` into it.

    Raises:
        SweepFileError: there is no such file, or it is no TOML.
    """
    path = _find(source)
    origin = str(source)
    if path.suffix.lower() in _TABLES:
        init = f"recsweep init {shlex.quote(from_here(path))}"
        message = f"is a table, no sweep; have one written for it: {init}"
        raise SweepFileError([SweepProblem("", message, origin)])
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SweepFileError([_syntax_problem(origin, text, error)]) from None
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})"
        raise SweepFileError([SweepProblem("", message, origin)]) from None
    except (ValueError, RecursionError) as error:
        message = f"cannot be read: {unreadable(error)}"
        raise SweepFileError([SweepProblem("", message, origin)]) from None
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise SweepFileError([SweepProblem("", message, origin)]) from None
    return override_source(
        SweepSource(table, origin, path, lines=scan_lines(text)), overrides, environ or {}
    )


def override_source(
    source: SweepSource, overrides: Sequence[str], environ: Mapping[str, str]
) -> SweepSource:
    """The same source with environment and then `--set` applied, and the mistakes in them."""
    wanted, messages = read_environment(environ, TOP_LEVEL_KEYS)
    for text in overrides:
        try:
            wanted.append(parse_set(text))
        except OverrideError as error:
            messages.append(str(error))
    table = deepcopy(source.table)
    applied = []
    for override in wanted:
        try:
            apply_override(table, override)
            applied.append(override)
        except OverrideError as error:
            messages.append(str(error))
    problems = tuple(SweepProblem("", message) for message in messages)
    return SweepSource(table, source.origin, source.path, source.lines, tuple(applied), problems)


def scan_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every table header and of every `key =` that begins a line.

    A plain scan: keys inside inline tables and of multi-line values are placed at their parent.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if header := _HEADER.match(line):
            table = _with_indices(_split_key(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_split_key(key[1])), number)
            fence = next((f for f in ('"""', "'''") if line.count(f) == 1), "")
    return lines


_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def _split_key(text: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_NAME, text))


def _with_indices(path: KeyPath, counts: Mapping[KeyPath, int]) -> KeyPath:
    """`[a.b.c]` under `[[a.b]]` belongs to the newest entry of `a.b`."""
    full: KeyPath = ()
    for depth, part in enumerate(path):
        full = (*full, part)
        if full in counts and depth + 1 < len(path):
            full = (*full, counts[full])
    return full


def _find(source: str | Path) -> Path:
    if isinstance(source, str) and source in SWEEPS:
        return SWEEPS[source]
    path = at_home(source)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError:  # too long for a name
        is_file = is_folder = False
    if is_file:
        return path
    if is_folder:
        message = "is a folder, not a sweep file"
    else:
        message = f"no such file, and {unknown('shipped sweep', path.stem, SWEEPS)}"
    raise SweepFileError([SweepProblem("", message, str(source))])


def _syntax_problem(origin: str, text: str, error: tomllib.TOMLDecodeError) -> SweepProblem:
    message = str(error)
    match = re.search(r"\s*\(at line (\d+), column (\d+)\)", message)
    lines = text.splitlines()
    if match is None or not lines:
        return SweepProblem("", f"is no TOML: {message}", origin)
    line, column = int(match[1]), int(match[2])
    shown = lines[min(line, len(lines)) - 1]
    caret = " " * (column - 1) + "^"
    said = f"{message[: match.start()]}, column {column}\n    {shown}\n    {caret}"
    return SweepProblem("", said, origin, line)


def _path_of(key: str) -> KeyPath:
    try:
        return parse_key(key)
    except OverrideError:
        # A key that needs quotes in TOML; only its place is lost.
        return (key,)
