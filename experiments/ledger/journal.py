"""The record of a study: append-only files of checksummed JSON lines, one writer each.

A line is `{"sum":"<crc32 of the event>","event":{"kind":...}}`. It is handed to the kernel in one
write before anybody hears of it, so that it survives the death of its process, and synced where
`append` is told to, so that it survives the machine's.
"""

from __future__ import annotations

import json
import math
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.errors import StateError
from experiments.files import disk_errors, sync_folder
from experiments.typed import typed

Event = dict[str, Any]

_HEAD = b'{"sum":"%08x","event":'
_HEAD_LENGTH = len(_HEAD % 0)


class JournalError(StateError):
    """A journal is damaged before its last line."""


class Journal:
    """One journal, open for appending by its only writer.

    A line that an earlier writer of the same file left torn is cut off first: to append to it
    would make two events unreadable instead of none.

    Raises:
        JournalError: the journal is damaged before its last line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            self._last_at = -math.inf
            self._ahead_s = 0.0
            """Of the clock, where that was set back."""
            if is_new:
                sync_folder(path.parent)
            else:
                events, end = read_journal(path)
                os.ftruncate(self._descriptor, end)
                self._last_at = max((e["at"] for e in events), default=-math.inf)

    def append(self, kind: str, sync: bool = False, in_order: bool = False, **fields: Any) -> None:
        """Add one event; floats among the fields that are not finite are written as strings.

        Each event says when it happened: `at`, seconds since 1970, is now unless it is given.

        Args:
            sync: wait until the disk has it, and all lines before it.
            in_order: `at` is later than in all lines before it, also where the clock was set back;
                such lines of one writer are as far apart as they were written.

        Raises:
            DiskError: no room; the journal ends with the event before, whole.
        """
        event = {"kind": kind} | {name: _standard(value) for name, value in fields.items()}
        now = time.time()
        if in_order:
            self._ahead_s = max(self._ahead_s, self._last_at + 1e-6 - now)
            now += self._ahead_s
        event.setdefault("at", now)
        self._last_at = max(self._last_at, event["at"])
        text = json.dumps(event, separators=(",", ":"), allow_nan=False).encode()
        line = memoryview(_HEAD % zlib.crc32(text) + text + b"}\n")
        with disk_errors(self.path):
            begin = os.fstat(self._descriptor).st_size
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                os.ftruncate(self._descriptor, begin)
                raise
            if sync:
                os.fsync(self._descriptor)

    def touch(self) -> None:
        """Say that its writer is alive, without a line: the file's time changes."""
        os.utime(self._descriptor)

    @property
    def is_in_place(self) -> bool:
        """Whether its path still leads to it: nobody has deleted, moved or replaced the file."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Sync and close; closing twice does nothing."""
        if self._descriptor >= 0:
            with disk_errors(self.path):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events from a byte offset on, and the offset where the next one will begin.

    What is torn or damaged at the very end is left out, and the offset stays before it: it is
    either still being written or was never reported to anybody.

    Args:
        offset: 0, or an offset that this function gave; where no line begins there any more, the
            file is read from its start.

    Raises:
        JournalError: a damaged line with sound ones after it; names the file and the byte.
    """
    with path.open("rb") as file:
        if offset:
            file.seek(offset - 1)
            # A machine that lost power may have lost lines that were read, and the file may have
            # grown again since: where no line begins, all of it is new.
            if file.read(1) != b"\n":
                offset = 0
        file.seek(offset)
        data = file.read()
    events: list[Event] = []
    damaged_at: int | None = None
    end = 0
    for begin, line in _whole_lines(data):
        event = _decode(line)
        if event is None:
            if damaged_at is None:
                damaged_at = begin
            continue
        if damaged_at is not None:
            raise JournalError(
                f"{path}: damaged at byte {offset + damaged_at:,}, with sound lines after it; "
                f"`recsweep repair {typed(path.parent.parent)}` goes on without the damaged lines"
            )
        events.append(event)
        end = begin + len(line) + 1
    return events, offset + end


def ended(number: int, attempt: int, reason: str, error: str | None = None) -> Event:
    """The fields of an `end`, or of an `attempt_end` after which the trial goes on."""
    return {"number": number, "attempt": attempt, "stop_reason": reason, "error": error}


def sound_events(path: Path) -> Iterator[Event]:
    """One after the other, damaged lines left out; none where there is no journal."""
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                if (event := _decode(line.removesuffix(b"\n"))) is not None:
                    yield event


def sound_lines(path: Path) -> tuple[bytes, int]:
    """The whole and sound lines of a journal, and how many damaged ones lie before the last."""
    lines = [line for _, line in _whole_lines(path.read_bytes())]
    is_sound = [_decode(line) is not None for line in lines]
    n_kept = len(lines) - next((i for i, sound in enumerate(reversed(is_sound)) if sound), 0)
    kept = b"".join(line + b"\n" for line, sound in zip(lines, is_sound, strict=True) if sound)
    return kept, n_kept - sum(is_sound)


def journal_files(folder: Path) -> list[Path]:
    """The journals of a study's `journal/` folder, by name; none where there is no folder."""
    return sorted(folder.glob("*.jsonl"))


def _whole_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    begin = 0
    while (end := data.find(b"\n", begin)) >= 0:
        yield begin, data[begin:end]
        begin = end + 1


def _decode(line: bytes) -> Event | None:
    """The event of a line, or None where the line is not what was written."""
    text = line[_HEAD_LENGTH:-1]
    if line[:_HEAD_LENGTH] != _HEAD % zlib.crc32(text) or line[-1:] != b"}":
        return None
    event: Event = json.loads(text)
    return event


def _standard(value: Any) -> Any:
    """JSON has no NaN and no infinity: `"nan"`, `"inf"`, `"-inf"`, which `float` reads back."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    return value
