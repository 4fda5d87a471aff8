"""The values a dimension can take, and when two of them are the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal, TypeGuard

Value = bool | int | float | str

Kind = Literal["text", "truth", "whole", "number"]

LARGEST_WHOLE = 1 << 53
"""Whole numbers stay exact up to here in every library and file format that we hand them to."""


def as_python(value: Any) -> Any:
    """A number of NumPy's, or a member of an enumeration of numbers or text, as Python's own; an
    array as a list; all else as it is."""
    if isinstance(value, Enum) and isinstance(value, int | float | str):
        return value.value
    return value.tolist() if hasattr(value, "dtype") and hasattr(value, "tolist") else value


def kind_of(value: object) -> Kind | None:
    """What sort of value it is; None where it is none that a dimension can take."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "whole" if abs(value) <= LARGEST_WHOLE else None
    if isinstance(value, float):
        return "number" if math.isfinite(value) else None
    return None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whole or not, but finite; `True` is none, though Python counts it among the integers."""
    return kind_of(value) in ("whole", "number")


def is_whole(value: object) -> TypeGuard[int]:
    return kind_of(value) == "whole"


def is_same(one: Value, other: Value) -> bool:
    """Equal, and not `True` beside 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def is_among(value: Value, values: Iterable[Value]) -> bool:
    return any(is_same(value, other) for other in values)


def spell(value: object) -> str:
    """The value as a user would write it in TOML, for messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def spell_all(values: Iterable[object]) -> str:
    return ", ".join(spell(value) for value in values)
