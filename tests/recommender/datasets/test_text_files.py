"""Large text files are read in pieces, which nothing shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recommender.datasets import text_files
from recommender.datasets.text_files import read_text
from recommender.errors import DataError


@pytest.mark.parametrize(
    "ratings",
    [
        ["3", "4", "5", "1", "2"],
        ["3", "4", "5", "1", "2.5"],
        ["3.5", "4", "5", "1", "9007199254740993"],
        ["3", "4", "5", "", "2"],
        ["3", "4", "5", "1", "good"],
        ["", "", "5", "1", "2"],
        ["True", "False", "5", "1", "2"],
    ],
)
def test_a_table_is_the_same_in_pieces_and_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratings: list[str]
) -> None:
    path = tmp_path / "ratings.csv"
    rows = [f'u{i},"an ""item"" {i}",{rating}' for i, rating in enumerate(ratings)]
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    whole = read_text(path, ("user", "item", "rating"), ("user", "item")).frame

    read = pd.read_csv
    asked: list[object] = []

    def reading(*args: object, **options: object) -> object:
        asked.append(options.get("chunksize"))
        return read(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(pd, "read_csv", reading)
    monkeypatch.setattr(text_files, "PIECE_ROWS", 2)
    in_pieces = read_text(path, ("user", "item", "rating"), ("user", "item")).frame
    pd.testing.assert_frame_equal(in_pieces, whole)
    assert asked[0] == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_stray_quotes_are_refused_whatever_ends_the_lines(tmp_path: Path, end: str) -> None:
    lines = ["user,item,rating,time,title"]
    quotes = {20: '"', 180: '"'}
    lines += [f"u{i},i{i % 7},{i % 5 + 1},{i},{quotes.get(i, '')}Film" for i in range(200)]
    path = tmp_path / "ratings.csv"
    path.write_bytes(end.join(lines).encode())
    with pytest.raises(DataError, match="opens a quote that is closed on line"):
        read_text(path, ("user", "item", "rating", "title"), ("user", "item", "title"))
    path.write_bytes(end.join(lines).replace('"', "").encode() + end.encode())
    raw = read_text(path, ("user", "item", "rating", "title"), ("user", "item", "title"))
    assert raw.frame.shape == (200, 4)
