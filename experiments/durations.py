"""Lengths of time as people write them: `2h`, `90m`, `11h30m`, `45`."""

from __future__ import annotations

import math
import re

from experiments.errors import RequestError

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")


def parse_duration(value: str | float, what: str = "a time") -> float:
    """Seconds of `2h`, `90m`, `11h30m`, `1d`, or of a plain number of seconds.

    Args:
        what: the name that the error calls it by.

    Raises:
        RequestError: it is neither, is not above 0, or is not finite.
    """
    seconds = _seconds(value)
    if not (math.isfinite(seconds) and seconds > 0):
        raise RequestError(
            f"{what} must be above 0 and written like '2h', '90m', '11h30m' or 45 (seconds), "
            f"got {value!r}"
        )
    return seconds


def format_duration(seconds: float) -> str:
    """`45 s`, `4 min`, `2 h 5 min`: as exact as a plan needs."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"


def _seconds(value: str | float) -> float:
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:  # a whole number of 310 digits
            return math.inf
    text = value.replace(" ", "").lower()
    if _WHOLE.fullmatch(text):
        parts = _PART.findall(text)
        # A unit twice ("2h3h") is a slip, not a sum.
        if len({unit for _, unit in parts}) == len(parts):
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan
