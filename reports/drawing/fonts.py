"""The font of drawings, and what stands in for it where a name has letters that it lacks.

SVG leaves the choice to whoever shows it. PNG and PDF need a font here: matplotlib brings DejaVu
Sans, which has Latin, Greek and Cyrillic letters; the others, as Chinese ones, are the machine's.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.font_manager import fontManager, get_font

FONT = "DejaVu Sans"
_FURTHER = (
    *(f"Noto Sans CJK {country}" for country in ("SC", "TC", "JP", "KR")),
    *(f"Noto Sans {script}" for script in ("SC", "TC", "JP", "KR", "Devanagari", "Thai", "Hebrew")),
    *("Source Han Sans SC", "Source Han Sans CN", "Source Han Sans", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "IPAexGothic", "NanumGothic", "Droid Sans Fallback", "Unifont"),
)

_log = logging.getLogger(__name__)


@cache
def families() -> tuple[str, ...]:
    """DejaVu Sans, then those fonts of this machine that have what it lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return (FONT, *(name for name in _FURTHER if name in installed))


def is_in_font(text: str) -> bool:
    """Whether DejaVu Sans has all letters of a text, so that it looks alike on every machine."""
    return text.isascii() or not [c for c in text if c.isprintable() and not _has(c)]


@cache
def _has(letter: str) -> bool:
    return bool(get_font(fontManager.findfont(FONT)).get_char_index(ord(letter)))


@contextmanager
def told_once() -> Iterator[None]:
    """What matplotlib says of each letter that no font here has, in one sentence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    others = [w for w in caught if "missing from font" not in str(w.message)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if len(others) < len(caught):
        _tell()


@cache
def _tell() -> None:
    _log.warning(
        "the figures' PNG and PDF files have boxes for letters that no font here has (their SVG "
        "and the page have the letters): install one such as Debian's fonts-noto-cjk, remove "
        "matplotlib's fontlist-*.json from ~/.cache/matplotlib, and write the report again"
    )
