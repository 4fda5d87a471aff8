"""Names cut to the room that a drawing has for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from reports.drawing.fonts import FONT, is_in_font


def fitted(names: Sequence[str], room_px: float, size_px: float = 12.5) -> list[str]:
    """The names, or what is left of all of them where one has no room:
    `#12 mypackage.models:Offsets` without its module, `#12 embedding_size 16` without its
    dimension, and of that as much as there is room for, the value behind it first. Of names that
    would be cut to the same, what they begin with goes."""
    for what in ("", r"\S*:(?=\S)", r"(?<![^ ])[^\W\d]\w* (?=[-.\d]|(?:true|false)\b)"):
        names = [re.sub(what, "", name) for name in names]
        if room_for(names, size_px) <= room_px:
            return names
    cut = {name: _cut(name, room_px, size_px) for name in names}
    n_alike = Counter(cut.values())
    return [
        cut[name] if n_alike[cut[name]] == 1 else _cut_front(name, room_px, size_px)
        for name in names
    ]


def room_for(names: Sequence[str], size_px: float = 12.5) -> float:
    """Of the longest, in pixels."""
    return max((_width(name, size_px) for name in names), default=0.0)


def _cut(name: str, room_px: float, size_px: float) -> str:
    if _width(name, size_px) <= room_px:
        return name
    head, between, value = name.rpartition(" · ")
    while (head := head[:-1].rstrip(" ,")) and " " in head:  # its number stays whole
        if _width(f"{head}…{between}{value}", size_px) <= room_px:
            return f"{head}…{between}{value}"
    while name and _width(f"{name}…", size_px) > room_px:
        name = name[:-1].rstrip(" ,")
    return f"{name}…"


def _cut_front(name: str, room_px: float, size_px: float) -> str:
    end = name
    while end and _width(f"…{end}", size_px) > room_px:
        end = end[1:].lstrip("_ ")
    return f"…{end}"


@cache
def _width(name: str, size_px: float) -> float:
    if not name.strip():
        return 0.0
    # Of the letters' boxes: their outlines, which are a pixel narrower, take thirty times as long.
    # DejaVu Sans is wider than the fonts of the page: what fits in it fits in them. What it lacks,
    # as Chinese letters, is as wide as it is high in any font.
    known = "".join(letter for letter in name if is_in_font(letter))
    n_others = len(name) - len(known)
    font = FontProperties(family=FONT, size=size_px)
    width = float(text_to_path.get_text_width_height_descent(known, font, ismath=False)[0])
    return width + n_others * size_px
