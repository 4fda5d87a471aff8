from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import DiskError
from experiments.ledger.journal import Event, Journal, JournalError, journal_files, read_journal
from tests.descriptors import n_open

Json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def without_time(events: list[Event]) -> list[Event]:
    return [{k: v for k, v in event.items() if k != "at"} for event in events]


def write_three(path: Path) -> list[tuple[Event, int]]:
    """Three events, each with the byte where its line ends; the texts hold what could confuse."""
    with Journal(path) as journal:
        written = []
        for number, text in enumerate(["plain", "two\nlines }", 'ünicode "quoted"']):
            journal.append("note", number=number, text=text)
            event = {"kind": "note", "number": number, "text": text}
            written.append((event, path.stat().st_size))
    return written


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    written = write_three(tmp_path / "a.jsonl")
    events, offset = read_journal(tmp_path / "a.jsonl")
    assert without_time(events) == [event for event, _ in written]
    assert offset == (tmp_path / "a.jsonl").stat().st_size


@settings(max_examples=50)
@given(fields=st.dictionaries(st.from_regex(r"[a-h]{1,5}", fullmatch=True), Json, max_size=4))
def test_any_json_survives(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.jsonl"
    with Journal(path) as journal:
        journal.append("note", **fields)
    assert without_time(read_journal(path)[0]) == [{"kind": "note"} | fields]


def test_each_line_is_standard_json_also_when_a_number_is_not_finite(tmp_path: Path) -> None:
    values = [math.nan, math.inf, -math.inf, 0.1]
    with Journal(tmp_path / "a.jsonl") as journal:
        for value in values:
            journal.append("epoch", val_rmse=value)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    read = [float(json.loads(line, parse_constant=refuse)["event"]["val_rmse"]) for line in lines]
    assert [str(value) for value in read] == ["nan", "inf", "-inf", "0.1"]


def test_an_event_says_when_it_happened_unless_it_was_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl") as journal:
        journal.append("note", at=5.0)
        journal.append("note")
    told, stamped = read_journal(tmp_path / "a.jsonl")[0]
    assert told["at"] == 5.0
    assert stamped["at"] > 1e9


def test_reading_goes_on_where_it_left(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    offset = 0
    with Journal(path) as journal:
        for number in range(3):
            journal.append("note", number=number)
            events, offset = read_journal(path, offset)
            assert [event["number"] for event in events] == [number]
            assert read_journal(path, offset) == ([], offset)


def test_cut_anywhere_a_journal_gives_its_whole_lines_and_takes_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    written = write_three(tmp_path / "whole.jsonl")
    data = (tmp_path / "whole.jsonl").read_bytes()
    path = tmp_path / "cut.jsonl"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        survivors = [event for event, line_end in written if line_end <= cut]
        events, offset = read_journal(path)
        assert without_time(events) == survivors
        assert offset == max([line_end for _, line_end in written if line_end <= cut], default=0)
        with Journal(path) as journal:
            journal.append("note", number=99)
        again, _ = read_journal(path)
        assert without_time(again) == [*survivors, {"kind": "note", "number": 99}]


def test_zeros_at_the_end_are_dropped_as_a_power_failure_leaves_them(tmp_path: Path) -> None:
    written = write_three(tmp_path / "a.jsonl")
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"\x00" * 300 + b"\n" + b"\x00" * 5)
    assert without_time(read_journal(tmp_path / "a.jsonl")[0]) == [event for event, _ in written]
    Journal(tmp_path / "a.jsonl").close()
    assert (tmp_path / "a.jsonl").stat().st_size == written[-1][1]


def test_one_wrong_byte_anywhere_is_noticed(tmp_path: Path) -> None:
    written = write_three(tmp_path / "a.jsonl")
    path = tmp_path / "a.jsonl"
    data = path.read_bytes()
    # The newline before the last line belongs to it: without it two lines are one torn one.
    last_begin = written[-2][1] - 1
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        if position < last_begin:
            line_begin = max([0, *(end for _, end in written if end <= position)])
            with pytest.raises(JournalError, match=rf"a\.jsonl: damaged at byte {line_begin}\b"):
                read_journal(path)
            with pytest.raises(JournalError):
                Journal(path)
        else:
            n_sound = 1 if position == last_begin else 2
            assert without_time(read_journal(path)[0]) == [e for e, _ in written[:n_sound]]


def test_a_damaged_line_is_named_by_its_place_in_the_file_not_in_what_was_read(
    tmp_path: Path,
) -> None:
    written = write_three(tmp_path / "a.jsonl")
    path = tmp_path / "a.jsonl"
    data = bytearray(path.read_bytes())
    first_end = written[0][1]
    data[first_end + 30] ^= 0x04
    path.write_bytes(data)
    with pytest.raises(JournalError, match=f"damaged at byte {first_end},"):
        read_journal(path, first_end)


def test_when_the_disk_is_full_the_journal_ends_with_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal(path)
    journal.append("note", number=0)
    write = os.write
    calls = []

    def half_then_full(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return write(descriptor, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half_then_full)
        with pytest.raises(DiskError, match="No space left"):
            journal.append("note", number=1)
    journal.append("note", number=2)
    journal.close()
    assert [event["number"] for event in read_journal(path)[0]] == [0, 2]


def test_the_disk_has_what_is_synced_and_all_of_a_journal_that_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    on_disk: list[Path] = []

    def fsync(descriptor: int) -> None:
        on_disk.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
    with Journal(path) as journal:
        assert on_disk == [tmp_path]  # its name
        journal.append("epoch")
        assert on_disk[1:] == []
        journal.append("end", sync=True)
        assert on_disk[1:] == [path]
        journal.append("epoch")
    assert on_disk[1:] == [path, path]


def test_a_journal_is_alive_when_it_is_touched_and_leaves_nothing_open(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl") as journal:
        os.utime(journal.path, (0, 0))
        journal.touch()
        assert journal.path.stat().st_mtime > 0
        assert journal.path.stat().st_size == 0
    assert n_open(journal.path) == 0


def test_the_journals_of_a_folder_come_in_order_and_nothing_else(tmp_path: Path) -> None:
    for name in ("worker-b.jsonl", "driver.jsonl", "worker-a.jsonl", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in journal_files(tmp_path)] == [
        "driver.jsonl",
        "worker-a.jsonl",
        "worker-b.jsonl",
    ]
    assert journal_files(tmp_path / "missing") == []
