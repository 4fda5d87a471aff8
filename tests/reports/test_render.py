from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from experiments.records import StopReason, StudyRecord, TrialState
from reports.blocks import Picture
from reports.drawing import canvas
from reports.render import ReportPaths, build_sections, write_report
from reports.sections import registry
from reports.sections.best_picture import best_picture
from reports.sections.curves import curves
from tests.reports.conftest import MakeStudy, with_one_complete, without_complete
from tests.reports.verdicts import opened

pytestmark = pytest.mark.slow

UNDRAWN = pytest.mark.usefixtures("undrawn")
NOON = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&|`*_=1+1"


class Page(HTMLParser):
    """Tags, ids, text and every address that a browser would follow."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self._is_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._is_style = tag in ("style", "script")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "srcset", "action", "data", "xlink:href"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.text += data + " "


def page_of(study: StudyRecord, folder: Path) -> Page:
    return Page(write_report(study, folder, now=NOON).html.read_text("utf-8"))


def test_everything_is_written_beside_the_study(study: StudyRecord, paths: ReportPaths) -> None:
    assert paths.html == study.folder / "report" / "report.html"
    for path in (paths.html, paths.markdown, paths.csv, paths.parquet, *paths.figures):
        assert path.stat().st_size > 0
    assert {path.name for path in paths.figures} >= {"best.svg", "arms.svg", "curves.svg"}


def test_every_picture_is_there_for_print_too(
    study: StudyRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    paint_prints: Callable[..., dict[str, bytes]],
) -> None:
    monkeypatch.setattr(canvas, "paint_prints", paint_prints)
    paths = write_report(study, tmp_path)
    captions = paths.html.parent.joinpath("figures", "captions.txt").read_text("utf-8")
    drawings = [path for path in paths.figures if path.suffix == ".svg"]
    assert drawings
    for path in drawings:
        with Image.open(path.with_suffix(".png")) as png:
            assert png.width == 7 * 300
            assert png.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            corner = png.getpixel((0, 0))
            caption = png.text["Description"]  # type: ignore[attr-defined]  # of PNG files
        assert corner[:3] == (255, 255, 255)  # type: ignore[index]  # not a palette
        stem = path.stem
        assert f"{stem}.svg, {stem}.png, {stem}.pdf, {stem}-column.pdf\n{caption}\n" in captions
        for file in (f"{stem}.pdf", f"{stem}-column.pdf"):
            pdf = path.with_name(file).read_bytes()
            assert b"/FontFile2" in pdf and b"/Type3" not in pdf  # TrueType, embedded


@UNDRAWN
def test_a_run_leaves_prints_to_who_asks_for_them_and_keeps_none_that_are_old(
    study: StudyRecord, tmp_path: Path
) -> None:
    def prints(paths: ReportPaths) -> set[str]:
        captions = (tmp_path / "figures" / "captions.txt").read_text("utf-8")
        told = {name for name in captions.replace(",", " ").split() if name.endswith(".png")}
        there = {path.name for path in (tmp_path / "figures").glob("*.png")}
        assert told == there == {path.name for path in paths.figures if path.suffix == ".png"}
        return there

    assert not prints(write_report(study, tmp_path, with_prints=False))
    asked = prints(write_report(study, tmp_path))
    assert asked
    for name in asked:
        (tmp_path / "figures" / name).write_bytes(b"old")
    assert prints(write_report(study, tmp_path, with_prints=False)) == asked
    assert b"old" not in {(tmp_path / "figures" / name).read_bytes() for name in asked}


def test_files_for_print_have_the_same_bytes_twice(
    study: StudyRecord,
    monkeypatch: pytest.MonkeyPatch,
    paint_prints: Callable[..., dict[str, bytes]],
) -> None:
    monkeypatch.setattr(canvas, "paint_prints", paint_prints)
    one, other = (
        [block.prints() for block in curves(study).blocks if isinstance(block, Picture)]
        for _ in range(2)
    )
    assert one and one == other


def test_of_runs_of_one_model_one_curve_is_in_colour(study: StudyRecord) -> None:
    first, second, third, *_ = study.ranked
    trials = (replace(t, values=first.values) if t == second else t for t in study.trials)
    (drawn,) = curves(replace(study, trials=tuple(trials))).blocks
    assert isinstance(drawn, Picture)
    assert f"#{first.number} " in drawn.alt and f"#{third.number} " in drawn.alt
    assert f"#{second.number} " not in drawn.alt


def test_no_temporary_file_is_left(paths: ReportPaths) -> None:
    names = {path.name for path in paths.html.parent.rglob("*") if path.is_file()}
    assert not [name for name in names if name.startswith(".")]


@UNDRAWN
def test_a_report_that_a_verdict_changes_is_kept_under_its_date(
    study: StudyRecord, judged_study: StudyRecord, tmp_path: Path
) -> None:
    before = write_report(study, tmp_path).html.read_bytes()
    write_report(study, tmp_path)
    assert not (tmp_path / "earlier").exists()
    write_report(judged_study, tmp_path)
    write_report(judged_study, tmp_path)  # the same verdict changes nothing more
    (kept,) = (tmp_path / "earlier").iterdir()
    assert re.fullmatch(r"report-\d{4}-\d\d-\d\d-\d{6}\.html", kept.name)
    assert kept.read_bytes() == before != (tmp_path / "report.html").read_bytes()


@UNDRAWN
def test_a_report_that_an_unseal_changes_is_kept_too(
    judged_study: StudyRecord, tmp_path: Path
) -> None:
    sealed = replace(judged_study, test=None, openings=())
    before = write_report(sealed, tmp_path).html.read_bytes()
    unsealed = opened(sealed)
    write_report(unsealed, tmp_path)
    write_report(unsealed, tmp_path)
    (kept,) = (tmp_path / "earlier").iterdir()
    assert kept.read_bytes() == before
    frame = pd.read_csv(tmp_path / "test.csv")
    assert unsealed.test is not None and unsealed.test.refit is not None
    by_seed = frame[frame["fitted_on"] == "train and validation"]["rmse"]
    assert tuple(by_seed) == unsealed.test.refit.rmse_by_seed
    for found in unsealed.test.results.finalists:
        rows = frame[(frame["model"] == found.name) & (frame["fitted_on"] == "train")]
        assert rows["rmse"].mean() == pytest.approx(found.mean)
    assert set(unsealed.test.baselines) <= set(frame["model"])
    # A refit that comes later is another change.
    os.utime(tmp_path / "report.html", (1_700_000_000, 1_700_000_000))
    write_report(replace(unsealed, test=replace(unsealed.test, refit=None)), tmp_path)
    assert len(list((tmp_path / "earlier").iterdir())) == 2


def test_a_finished_study_gives_the_same_bytes_twice(
    study: StudyRecord, paths: ReportPaths, tmp_path: Path
) -> None:
    one, other = paths, write_report(study, tmp_path)
    for left, right in (
        (one.html, other.html),
        (one.markdown, other.markdown),
        (one.csv, other.csv),
        (one.parquet, other.parquet),
        *zip(one.figures, other.figures, strict=True),
    ):
        assert left.read_bytes() == right.read_bytes(), left.name


def test_the_page_asks_for_nothing_and_runs_one_script_of_its_own(paths: ReportPaths) -> None:
    html = paths.html.read_text("utf-8")
    page = Page(html)
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert page.tags["script"] == 1 and not page.tags["link"] and not page.tags["iframe"]
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}';" in html
    assert not re.search(r"url\((?!#)|@import|https?://", html)


def test_every_id_is_unique_and_every_link_has_its_target(paths: ReportPaths) -> None:
    page = Page(paths.html.read_text("utf-8"))
    assert [name for name, n in Counter(page.ids).items() if n > 1] == []
    assert {address.removeprefix("#") for address in page.addresses} <= set(page.ids)


def test_headings_skip_no_level_and_every_picture_has_its_words(paths: ReportPaths) -> None:
    html = paths.html.read_text("utf-8")
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    alternatives = re.findall(r'role="img" aria-label="([^"]*)"', html)
    assert len(alternatives) == html.count("<figure>")
    assert all(len(text) > 20 for text in alternatives)


def test_text_from_outside_is_escaped_everywhere(study: StudyRecord, tmp_path: Path) -> None:
    trials = tuple(
        replace(
            t,
            arm=f"{t.arm}{HOSTILE}",
            error=HOSTILE if t.error else None,
            values=dict(t.values) | {"optimizer": HOSTILE},
        )
        for t in study.trials
    )
    labels = tuple(replace(b, label=f"{b.label}{HOSTILE}") for b in study.baselines)
    hostile = replace(study, trials=trials, baselines=labels, note=HOSTILE, importance=())
    page = page_of(hostile, tmp_path)
    assert page.tags["script"] == 1
    assert HOSTILE in page.text
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "<script>" not in markdown


def test_a_dollar_in_a_name_is_no_formula_in_a_picture(study: StudyRecord) -> None:
    priced = replace(study, trials=tuple(replace(t, arm=f"{t.arm} $x_1$") for t in study.trials))
    drawn = best_picture(priced)
    assert drawn is not None and "$x_1$" in drawn.wide  # without matplotlib's comments


@UNDRAWN
def test_a_section_that_fails_shows_its_error_in_its_place(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(study: StudyRecord) -> None:
        raise ZeroDivisionError("nothing to divide <by>")

    monkeypatch.setitem(registry.SECTIONS, "curves", broken)
    page = page_of(study, tmp_path)
    assert "ZeroDivisionError: nothing to divide <by>" in page.text
    assert "Provenance" in page.text
    assert "ZeroDivisionError" in (tmp_path / "report.md").read_text("utf-8")


@UNDRAWN
def test_html_and_markdown_carry_the_same_numbers(study: StudyRecord, paths: ReportPaths) -> None:
    page = Page(paths.html.read_text("utf-8"))
    markdown = paths.markdown.read_text("utf-8")
    numbers = re.compile(r"[−+]?\d\.\d{4}\b")
    # Of a picture, Markdown has the text alternative only.
    assert set(numbers.findall(markdown)) <= set(numbers.findall(page.text)) | set(
        numbers.findall(_alternatives(study))
    )
    for trial in study.ranked:
        assert f"{trial.best_rmse:.4f}" in markdown
        assert f"{trial.best_rmse:.4f}" in page.text


def _alternatives(study: StudyRecord) -> str:
    blocks = [b for section in build_sections(study).values() for b in section.blocks]
    pictures = [getattr(b, "picture", b) for b in blocks]
    return " ".join(getattr(p, "alt", "") for p in pictures)


def test_columns_that_hold_the_same_are_defined_once(paths: ReportPaths) -> None:
    said = "Dimension of the search space"
    text, page = (p.read_text("utf-8") for p in (paths.markdown, paths.html))
    assert text.count(said) == page.count(f"<dd>{said}") == 1
    assert "*optimizer, learning_rate, embedding_size, n_layers, dropout" in text


@UNDRAWN
def test_a_running_study_says_how_far_it_is_and_when(make: MakeStudy, tmp_path: Path) -> None:
    running = replace(make(n_trials=20, is_finished=False), state="running")
    page = page_of(running, tmp_path / "out")
    assert "running: 18 of 22 trials finished, as of 14:02 on 02 January 2026" in page.text
    assert re.search(r"\b2\s+running", page.text)
    assert "recsweep show made-up --watch" in page.text


@UNDRAWN
def test_an_interrupted_study_says_how_to_go_on(make: MakeStudy, tmp_path: Path) -> None:
    page = page_of(make(n_trials=20, is_finished=False), tmp_path / "out")
    assert re.search(r"\b2\s+interrupted", page.text)
    assert "interrupted: 18 of 22" in page.text
    assert "recsweep resume made-up" in page.text


def test_a_study_without_a_trial_has_a_report(make: MakeStudy, tmp_path: Path) -> None:
    page = page_of(make(n_trials=0), tmp_path / "out")
    assert "No trial is complete" in page.text
    assert "could not be made" not in page.text


def test_a_study_with_nothing_at_all_has_a_report(study: StudyRecord, tmp_path: Path) -> None:
    bare = replace(
        study, trials=(), baselines=(), importance=(), columns=(), provenance={}, sweep={}
    )
    assert "could not be made" not in page_of(bare, tmp_path).text


def test_a_study_where_all_failed_has_a_report(study: StudyRecord, tmp_path: Path) -> None:
    page = page_of(without_complete(study), tmp_path)
    assert "No trial is complete" in page.text
    assert "24 failed" in " ".join(page.text.split())
    assert "could not be made" not in page.text


def test_a_study_with_one_complete_trial_has_a_report(study: StudyRecord, tmp_path: Path) -> None:
    page = page_of(with_one_complete(study), tmp_path)
    assert "The only complete trial" in page.text
    assert "could not be made" not in page.text


def test_every_state_of_a_healthy_study_draws_every_section(
    study: StudyRecord, judged_study: StudyRecord
) -> None:
    sections = build_sections(judged_study)
    assert list(sections) == list(registry.SECTIONS)
    problems = [b.text for s in sections.values() for b in s.blocks if b.kind == "problem"]
    assert not problems


def test_csv_and_parquet_hold_every_trial(paths: ReportPaths) -> None:
    csv, parquet = pd.read_csv(paths.csv), pd.read_parquet(paths.parquet)
    assert len(csv) == len(parquet) == 24
    assert list(csv.columns) == list(parquet.columns)


def test_ten_thousand_trials_take_a_minute_and_ten_megabytes_at_most(
    ten_thousand: tuple[ReportPaths, float],
) -> None:
    paths, seconds = ten_thousand
    assert seconds < 60
    assert paths.html.stat().st_size < 10e6
    assert "more are in trials.csv" in paths.html.read_text("utf-8")


def test_importing_reports_pulls_in_no_heavy_library() -> None:
    heavy = "'ray', 'optuna', 'tensorflow', 'tf_keras', 'tensorboard', 'matplotlib.pyplot'"
    code = (
        "import sys, reports.render\n"
        f"found = [name for name in ({heavy}) if name in sys.modules]\n"
        "sys.exit(', '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_failed_trial_is_shown_with_its_reason(study: StudyRecord, paths: ReportPaths) -> None:
    failed = [t for t in study.trials if t.state is TrialState.FAIL]
    assert failed
    page = Page(paths.html.read_text("utf-8"))
    for trial in failed:
        assert trial.error and trial.error in page.text
    assert any(t.stop_reason is StopReason.OUT_OF_MEMORY for t in failed)
    assert "ran out of memory" in page.text
