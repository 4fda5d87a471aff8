from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.sweep_files.toml_text import toml_section, toml_value

_text = st.text(st.characters(codec="utf-8"))
_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_text, _values, max_size=4))
def test_what_is_written_is_read_again_in_its_order(table: dict[str, Any]) -> None:
    read = tomllib.loads(toml_section("[table]", table))["table"]
    assert read == table
    assert list(read) == list(table)
    assert all(type(read[key]) is type(table[key]) for key in table)


def test_a_section_reads_as_a_person_would_write_it() -> None:
    section = toml_section(
        "[[space.learning_rate]]", {"low": 3e-4, "log": True, "when": {"optimizer": ["adam"]}}
    )
    assert section == (
        '[[space.learning_rate]]\nlow = 0.0003\nlog = true\nwhen = { optimizer = ["adam"] }'
    )


def test_what_toml_does_not_have_is_our_slip() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_value(None)
