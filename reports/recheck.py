"""Whether a report says what its study holds: it is written anew and held against the old one.

Tables are compared cell by cell and pages by their text; an interval of a finalist, a corrected p
value and an answer of a verdict are computed anew from what they follow from.
"""

from __future__ import annotations

import difflib
import math
import tempfile
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from itertools import combinations, islice
from pathlib import Path

import pandas as pd

from experiments.records import StudyRecord, VerdictResults
from reports import noise
from reports.drawing.fonts import is_in_font
from reports.exports import trials_frame
from reports.judging.statistics import Difference, answer, holm, over_seeds, p_of
from reports.render import write_report

CLOSE = 1e-9
N_LINES = 6


def report_differences(
    study: StudyRecord, report: Path, now: datetime, *, with_pages: bool
) -> tuple[int, list[str]]:
    """How many files were compared, and every difference.

    Args:
        report: the folder of the report to be checked.
        now: what the report of an unfinished study is "as of".
        with_pages: also pages and pictures, which another version writes in other words.
    """
    n_files, differences = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        anew = Path(scratch)
        write_report(study, anew, now=now)
        paths = [path for path in anew.rglob("*") if path.is_file()]
        # Else where letters stand, and how they look, follows from the fonts of the machine.
        is_alike = all(is_in_font(path.read_text("utf-8")) for path in anew.rglob("*.svg"))
        if not is_alike:
            paths = [path for path in paths if path.suffix not in (".png", ".pdf")]
        for path in sorted(paths, key=lambda path: (path.suffix not in _TABLES, path)):
            name = path.relative_to(anew).as_posix()
            old = report / name
            if path.suffix not in _TABLES and not with_pages:
                continue
            n_files += 1
            if not old.is_file():
                differences.append(f"{name} is missing")
            elif path.suffix == ".parquet":
                differences += _frame_differences(name, pd.read_parquet(old), trials_frame(study))
            elif path.suffix == ".csv":
                differences += _frame_differences(name, _read_csv(old), _read_csv(path))
            elif old.read_bytes() != path.read_bytes():
                found = list(_text_differences(name, old, path))
                differences += found if is_alike or found != [f"{name}{_SAME_WORDS}"] else []
    return n_files, differences


def verdict_differences(study: StudyRecord) -> list[str]:
    """What follows from the finalists' RMSE under each seed and from the intervals of pairs, and
    what the verdict, or its scores on the test split, says instead."""
    told = [
        ("verdict", study.verdict_results),
        ("test", study.test.results if study.test else None),
    ]
    return [
        f"{what} of {said}"
        for what, results in told
        if results is not None
        for said in (
            *_of_finalists(results),
            *_of_margin(results, noise.margin(study)),
            *_of_pairs(results),
        )
    ]


def _of_finalists(results: VerdictResults) -> Iterator[str]:
    for found in results.finalists:
        scores = [score for score in found.rmse_by_seed if score is not None]
        if not scores or len(scores) < len(found.rmse_by_seed):
            continue
        interval = over_seeds(scores)
        anew = {"mean": interval.estimate}
        is_seeded = len(scores) > 1
        if is_seeded:
            anew |= {"low": interval.low, "high": interval.high}
        # Of kept users it is told beside them, of other rows.
        if is_seeded and found.search_rmse is not None and not results.is_confirmed:
            anew["shrinkage"] = interval.estimate - found.search_rmse
        for name, value in anew.items():
            if not _close(getattr(found, name), value, 1e-6):
                yield f"{found.name}: {name} {getattr(found, name)} there, {value:.6f} anew"


def _of_margin(results: VerdictResults, margin: float) -> Iterator[str]:
    if not _close(results.margin, margin, CLOSE):
        yield f"all: margin {results.margin} there, {margin:.6f} anew"


def _of_pairs(results: VerdictResults) -> Iterator[str]:
    means = {found.name: found.mean for found in results.finalists}
    adjusted = holm([pair.p for pair in results.pairs])
    for pair, holm_p in zip(results.pairs, adjusted, strict=True):
        who = f"{pair.first} and {pair.second}"
        free = math.inf if pair.degrees_of_freedom is None else pair.degrees_of_freedom
        apart = Difference(pair.estimate, pair.low, pair.high, free, pair.p)
        first, second = means.get(pair.first), means.get(pair.second)
        if first is None or second is None:
            yield f"{who}: compared there, and one of them has no mean"
        elif not _close(pair.estimate, first - second, 1e-6):
            yield f"{who}: difference {pair.estimate} there, {first - second:.6f} anew"
        if not _close(pair.estimate, (pair.low + pair.high) / 2, 1e-6):
            yield f"{who}: interval {pair.low} to {pair.high} there, not around {pair.estimate}"
        elif not _close(pair.p, p_of(apart), 1e-6):
            yield f"{who}: p {pair.p} there, {p_of(apart):.6f} anew"
        if not _close(pair.holm_p, holm_p, CLOSE):
            yield f"{who}: corrected p {pair.holm_p}, {holm_p:.6f} anew"
        follows = answer(apart, pair.holm_p, results.margin)
        if pair.answer != follows:
            yield f"{who}: {pair.answer} there, {follows} anew"
    compared = {frozenset((pair.first, pair.second)) for pair in results.pairs}
    judged = [name for name, mean in means.items() if mean is not None]
    for one, other in combinations(judged, 2):
        if frozenset((one, other)) not in compared:
            yield f"{one} and {other}: not compared there"


_TABLES = (".csv", ".parquet")
_SAME_WORDS = ": the same words, other bytes"


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _frame_differences(name: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        yield (
            f"{name}: {len(old)} rows of {len(old.columns)} columns there, {len(new)} of "
            f"{len(new.columns)} anew, or columns of other names"
        )
        return
    key = "name" if "name" in new.columns else new.columns[0]
    for column in new.columns:
        for row, (one, other) in enumerate(zip(old[column], new[column], strict=True)):
            if not _same_cell(one, other):
                yield f"{name}: {new[key].iloc[row]}, {column}: {one} there, {other} anew"


def _same_cell(one: object, other: object) -> bool:
    if pd.isna(one) or pd.isna(other):  # type: ignore[call-overload]  # a cell of any kind
        return bool(pd.isna(one) and pd.isna(other))  # type: ignore[call-overload]
    return bool(one == other)


def _text_differences(name: str, old: Path, new: Path) -> Iterator[str]:
    try:
        before, after = (_lines(path) for path in (old, new))
    except UnicodeDecodeError:
        yield f"{name}: other bytes than anew"
        return
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    changed = [line for line in islice(lines, 2, None) if not line.startswith("@@")]
    if not changed:
        yield f"{name}{_SAME_WORDS}"
    for line in changed[:N_LINES]:
        yield f"{name}: {'there' if line[0] == '-' else 'anew '}  {line[1:].strip()[:160]}"
    if len(changed) > N_LINES:
        yield f"{name}: and {len(changed) - N_LINES} more lines"


def _lines(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    if path.suffix not in (".html", ".svg"):
        return text.splitlines()
    reader = _Words()
    reader.feed(text)
    return reader.words


class _Words(HTMLParser):
    """The words of a page, a piece a line."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        if text := " ".join(data.split()):
            self.words.append(text)


def _close(one: float | None, other: float, tolerance: float) -> bool:
    return one is not None and math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
