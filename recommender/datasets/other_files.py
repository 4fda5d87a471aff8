"""Commands that make a table of ratings of a file that is none: told with its refusal, to type."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import zlib
from pathlib import Path

_UNPACKED_BY = {
    ".zip": "unzip",
    ".bz2": "bunzip2 --keep",
    ".xz": "unxz --keep",
    ".zst": "zstd --decompress",
    ".tar.gz": "tar xzf",
    ".tgz": "tar xzf",
    ".tar": "tar xf",
    ".7z": "7z x",
}
_SHEETS = (".xlsx", ".xls", ".ods")
_TEXTS = (".dat", ".data", ".inter", ".base", ".test", ".log", ".list")
WIDE = 30
"""Columns from which a table is taken for one with a column an item."""


def of_other_kind(path: Path) -> str:
    """What to do with a file whose ending says no table; "" where it does not say what it is."""
    name = path.name.lower()
    for ending, command in _UNPACKED_BY.items():
        if name.endswith(ending):
            return f"unpack it: {command} {shlex.quote(str(path))}"
    if re.search(r"\.(json|jsonl|ndjson)(\.gz)?$", name):
        # Not pandas's own reader, for which 007 and times are numbers.
        opened = (
            f"gzip.open({_text(path)}, {_text('rt')})"
            if name.endswith(".gz")
            else f"open({_text(path)})"
        )
        is_whole = _begins_with(path, b"[")
        line = "ast.literal_eval" if _begins_with(path, b"{'") else "json.loads"
        rows = f"json.load({opened})" if is_whole else f"map({line}, {opened})"
        target = _text(_called(path, ".csv"))
        return "make a table of it: " + _python(
            "ast, gzip, json, pandas", f"pandas.DataFrame({rows}).to_csv({target}, index=False)"
        )
    if name.endswith(_SHEETS):
        return "save it as CSV in UTF-8"
    if name.endswith(_TEXTS):
        return f"call a text with columns so: {_command('cp', path, _called(path, '.tsv'))}"
    return ""


def with_blanks(path: Path) -> str:
    """Tabs for the blanks between the columns of a file."""
    target = shlex.quote(str(_called(path, ".tabs.tsv")))
    command = _reading(path, "awk -v OFS='\\t' '{$1 = $1; print}'")
    return f"write a tab instead: {command} > {target}"


def with_colons(path: Path) -> str:
    """Tabs for the `::` between the columns of a file."""
    target = shlex.quote(str(_called(path, ".tabs.tsv")))
    command = _reading(path, "sed 's/::/\\t/g'")
    return f"write one tab instead: {command} > {target}"


def with_doubled_quotes(path: Path) -> str:
    """Quotes inside fields as CSV has them, of a file that writes `\\"`."""
    target = shlex.quote(str(_called(path, ".quoted.csv")))
    command = _reading(path, """sed 's/\\\\"/""/g'""")
    return f'quotes inside fields are written \\", and CSV has them twice: {command} > {target}'


def without_names(path: Path, separator: str, n_columns: int) -> str:
    """A first line for a file that begins with a rating."""
    names = ["user", "item", "rating", "time", *(f"column{i}" for i in range(5, n_columns + 1))]
    is_tab = separator == "\t"
    written = ("\\t" if is_tab else separator).join(names[:n_columns])
    target = shlex.quote(str(_called(path, ".named.tsv" if is_tab else ".named.csv")))
    command = _reading(path, f"sed '1i {written}'")
    return (
        f"write one above it, the names in the order of its columns, such as {command} > {target}"
    )


def of_blocks(path: Path) -> str:
    """A row a rating of the blocks of the Netflix prize: `7:`, and below it who rated film 7."""
    target = shlex.quote(str(_called(path, ".rows.csv")))
    program = (
        """awk 'BEGIN {print "user,item,rating,date"} """
        """/:/ {sub(":.*", ""); film = $0; next} {sub(",", "," film ","); print}'"""
    )
    return f"make rows of them: {_reading(path, program)} > {target}"


def _reading(path: Path, command: str) -> str:
    """A command on the text of a file."""
    source = shlex.quote(str(path))
    return f"zcat {source} | {command}" if path.suffix == ".gz" else f"{command} {source}"


def of_wide_table(path: Path, user: str | None) -> str:
    """A row a rating of a table with a row a user and a column an item.

    Args:
        user: whose column it is; None: its columns have no names.
    """
    if user is None:
        return "write a row a rating below a first line such as user,item,rating"
    read = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    melted = f'melt({_text(user)}, var_name="item", value_name="rating").dropna()'
    target = _text(_called(path, ".rows.csv"))
    return "make a row a rating of it: " + _python(
        "pandas", f"pandas.{read}({_text(path)}).{melted}.to_csv({target}, index=False)"
    )


def _python(modules: str, code: str) -> str:
    return _command("python", "-c", f"import {modules}; {code}")


def _command(*words: object) -> str:
    return shlex.join(map(str, words))


def _text(name: Path | str) -> str:
    """As Python writes it."""
    return json.dumps(str(name), ensure_ascii=False)


def _called(path: Path, ending: str) -> Path:
    """Beside a file, and hardly there already: what is typed writes over it."""
    return path.with_name(path.name + ending)


def _begins_with(path: Path, start: bytes) -> bool:
    is_packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if is_packed else path.open("rb") as file:
            return file.read(64).lstrip().startswith(start)
    except (OSError, EOFError, zlib.error):  # packed in name only
        return False
