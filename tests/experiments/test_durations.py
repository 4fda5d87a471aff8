from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.durations import format_duration, parse_duration
from experiments.errors import RequestError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2h", 7200),
        ("90m", 5400),
        ("11h30m", 41_400),
        ("1d 2h", 93_600),
        ("45s", 45),
        ("1.5h", 5400),
        ("45", 45),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_times_are_read_as_people_write_them(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "h", "2x", "soon", "-1h", "0", 0, -5, True, "nan", float("inf"), "2h3h", "2h 5"]
)
def test_what_is_no_time_above_zero_is_refused(written: str | float) -> None:
    with pytest.raises(RequestError, match="a time must be above 0"):
        parse_duration(written)


@settings(max_examples=50)
@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_parts_of_a_time_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "1 s"), (45, "45 s"), (240, "4 min"), (7500, "2 h 5 min"), (36_000, "10 h")],
)
def test_a_time_is_told_as_exactly_as_a_plan_needs(seconds: float, told: str) -> None:
    assert format_duration(seconds) == told
