"""TOML as a person would write it: a line a key, inline tables, and the order kept.

`tomli_w` puts what fits on a line before the tables, and the order of a space's dimensions counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_section(header: str, entries: Mapping[str, Any]) -> str:
    """`[header]` and a line an entry; of `[[header]]` one entry of an array of tables."""
    return "\n".join([header, *(f"{toml_key(k)} = {toml_value(v)}" for k, v in entries.items())])


def toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def toml_value(value: Any) -> str:
    """Text, numbers, truth values, and lists and dicts of them, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(float(value) if isinstance(value, float) else int(value))
    if isinstance(value, Mapping):
        inside = ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
