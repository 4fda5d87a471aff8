"""What somebody wrote about a study after it began: a text and tags, in a file of their own.

The sweep is frozen, with the note that it has; this one goes before it. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import RequestError
from experiments.files import read_record, write_json

NOTE_NAME = "note.json"
LONGEST = 500
_TAG = re.compile(r"[\w.-]{1,32}")


@dataclass(frozen=True, slots=True)
class Note:
    """Of one study."""

    text: str | None = None
    """None: nothing was written beside the sweep's own note."""
    tags: tuple[str, ...] = ()
    """In alphabetical order, none twice."""


def read_note(folder: Path) -> Note:
    """What was written about a study; nothing where there is no file.

    Raises:
        StateError: the file is damaged.
    """
    return read_record(folder / NOTE_NAME, _note, "note", "delete it") or Note()


def _note(plain: Any) -> Note:
    text = plain["text"]
    return Note(None if text is None else str(text), tuple(map(str, plain["tags"])))


def write_note(
    folder: Path, text: str | None, tags: Iterable[str] = (), without: Iterable[str] = ()
) -> None:
    """Replace the text (None: leave it), add tags and take tags away.

    Raises:
        RequestError: a tag is no single word, or the text is too long for a table.
    """
    tags = list(tags)
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise RequestError(
                f"a tag is one word of letters, digits, _ . and -, at most 32; got {tag!r}"
            )
    before = read_note(folder)
    if text is not None:
        # One line, for tables; whatever a terminal would take for a command goes.
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if len(text) > LONGEST:
            raise RequestError(f"a note has at most {LONGEST} characters, got {len(text)}")
    note = Note(
        text=before.text if text is None else text,
        tags=tuple(sorted({*before.tags, *tags} - {*without})),
    )
    write_json(folder / NOTE_NAME, {"text": note.text, "tags": note.tags})
