from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from experiments.records import StudyRecord
from reports.drawing import canvas, fonts
from reports.drawing.fitting import fitted, room_for
from reports.sections.best_picture import best_picture
from tests.reports.conftest import renamed_arm


@pytest.mark.parametrize(
    ("name", "room_px", "left"),
    [
        ("#12 plain, default", 130, "#12 plain, default"),
        ("#12 mypackage.models:Offsets, default", 300, "#12 mypackage.models:Offsets, default"),
        ("#12 mypackage.models:Offsets, default", 130, "#12 Offsets, default"),
        ("#12 mine.py:WithAVeryLongName, default", 130, "#12 WithAVeryLon…"),
        ("#12 embedding_size 16, default", 300, "#12 embedding_size 16, default"),
        ("#12 embedding_size 16, default", 130, "#12 16, default"),
        ("#1 side_features true, default", 130, "#1 true, default"),
        ("#12 plain · 0.9662", 70, "#12 plai…"),
        ("#0 true, default · 0.9662", 134, "#0 true, d… · 0.9662"),
        ("odd:", 5, "…"),
    ],
)
def test_a_name_keeps_its_number_and_what_follows_the_colon(
    name: str, room_px: int, left: str
) -> None:
    assert fitted([name], room_px) == [left]


def test_of_names_beside_one_another_all_are_shortened_alike() -> None:
    names = ["#9 embedding_size 4", "#11 embedding_size 16", "#12 plain"]
    assert fitted(names, 130) == ["#9 4", "#11 16", "#12 plain"]
    assert fitted(names, 300) == names


def test_names_that_would_be_cut_to_the_same_keep_their_ends() -> None:
    names = ["a_really_long_name_one", "a_really_long_name_two", "another_long_name", "plain"]
    first, second, other, plain = fitted(names, 100)
    assert (first[0], first[-3:], second[-3:]) == ("…", "one", "two")
    assert other.startswith("another") and plain == "plain"


def test_many_long_names_are_cut_in_no_time() -> None:
    names = [f"#{i} {'a name ' * 12}" for i in range(40)]
    began = time.process_time()
    assert all(re.fullmatch(r"#\d+ a name a na?m?…", name) for name in fitted(names, 130))
    assert time.process_time() - began < 10


def test_an_arrow_is_explained_where_there_is_one(study: StudyRecord) -> None:
    near = tuple(replace(b, val_rmse=study.ranked[0].best_rmse or 0.0) for b in study.baselines)
    for shown, has_arrow in ((study, True), (replace(study, baselines=near), False)):
        drawn = best_picture(shown)
        assert drawn is not None and ("An arrow: off the scale" in drawn.caption) is has_arrow


def test_where_the_picture_is_wide_the_names_of_numeric_arms_are_whole(study: StudyRecord) -> None:
    sizes = {"plain": "8", "dcn": "16"}
    trials = tuple(replace(trial, arm=sizes[trial.arm or ""]) for trial in study.trials)
    sweep = {**study.sweep, "compare": {"dimension": "embedding_size"}}
    drawn = best_picture(replace(study, trials=trials, sweep=sweep))
    assert drawn is not None
    assert ">#0 embedding_size 8, default<" in drawn.wide and ">#0 8, default<" in drawn.narrow


def test_no_name_of_a_row_runs_into_the_dots(study: StudyRecord) -> None:
    drawn = best_picture(renamed_arm(study, "plain", "mypackage.models:Offsets"))
    assert drawn is not None
    for svg in (drawn.wide, drawn.narrow):
        names = re.findall(r">(#[^<]+)<", svg)
        assert "#0 Offsets, default" in names
        assert not any("mypackage" in name for name in names)


def test_letters_that_no_font_has_are_told_once_and_drawn_as_text_in_the_svg(
    study: StudyRecord, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, paint_prints: Callable[..., dict[str, bytes]],
) -> None:  # fmt: skip
    monkeypatch.setattr(canvas, "paint_prints", paint_prints)
    monkeypatch.setattr(canvas, "families", lambda: (fonts.FONT,))
    fonts._tell.cache_clear()
    drawn = best_picture(renamed_arm(study, "dcn", "交叉网络"))
    assert drawn is not None and "交叉网络" in drawn.svg
    assert drawn.prints().keys() == {"best.png", "best.pdf", "best-column.pdf"}
    assert not recwarn.list
    assert caplog.text.count("fonts-noto-cjk") == 1


def test_letters_beyond_the_font_are_counted_as_wide_as_high() -> None:
    assert fonts.is_in_font("größer, Łódź, сеть · −0.01") and not fonts.is_in_font("网络")
    assert room_for(["网络"], 10) == 20
    assert fitted(["#1 交叉网络交叉网络"], 90) == ["#1 交叉网络…"]
