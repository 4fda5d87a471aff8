"""`--set key.path=value` and `RECSWEEP_SEARCH__TRIALS=100`: changes to a sweep from outside.

The command line goes before the environment, the environment before the
file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from recommender.errors import unknown

KeyPath = tuple[str | int, ...]

ENVIRONMENT_PREFIX = "RECSWEEP_"

_PART = re.compile(r"([A-Za-z0-9_-]+)((?:\[\d+\])*)")


class OverrideError(ValueError):
    """An override that cannot be read or put into the sweep; says which and why."""


@dataclass(frozen=True, slots=True)
class Override:
    """One value for one key of the sweep."""

    path: KeyPath
    value: Any
    origin: str
    """How the user gave it: `--set search.trials=100` or `RECSWEEP_SEARCH__TRIALS=100`."""

    @property
    def key(self) -> str:
        return format_key(self.path)


def format_key(path: Iterable[str | int]) -> str:
    """`("space", "learning_rate", 1, "low")` as `space.learning_rate[1].low`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse_key(text: str) -> KeyPath:
    """The inverse of `format_key`; OverrideError where it is no such key."""
    path: list[str | int] = []
    for part in text.split("."):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise OverrideError(f"{text!r} is no key; write one like search.trials")
        path.append(match[1])
        path += [int(index) for index in re.findall(r"\d+", match[2])]
    return tuple(path)


def parse_set(text: str) -> Override:
    """`key.path=TOML value`; a bare word is taken as a string.

    Raises:
        OverrideError: no `=`, no key, or a value that begins like TOML and is none.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise OverrideError(f"--set {text}: write --set key=value, such as search.trials=100")
    origin = f"--set {text}"
    try:
        return Override(parse_key(key.strip()), _parse_value(value.strip()), origin)
    except OverrideError as error:
        raise OverrideError(f"{origin}: {error}") from None


def read_environment(
    environ: Mapping[str, str], top_level_keys: Sequence[str]
) -> tuple[list[Override], list[str]]:
    """The overrides in `RECSWEEP_...` variables and what is wrong with others.

    `__` goes down one table. A variable that names no key of a sweep is somebody else's and is
    left alone, unless it looks like a slip.
    """
    tables = {*top_level_keys} - {"name", "note", "seed"}
    overrides: list[Override] = []
    problems: list[str] = []
    for name, text in sorted(environ.items()):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        path = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if path[0] in top_level_keys and all(path):
            try:
                overrides.append(Override(path, _parse_value(text.strip()), f"{name}={text}"))
            except OverrideError as error:
                problems.append(f"{name}={text}: {error}")
        elif path[0] not in top_level_keys and path[0].partition("_")[0] in tables:
            slip = name.removeprefix(ENVIRONMENT_PREFIX)
            meant = ENVIRONMENT_PREFIX + slip.replace("_", "__", 1)
            problems.append(f"{name}={text}: two underscores go down into a table: {meant}")
        elif len(path) > 1 or get_close_matches(path[0], top_level_keys, cutoff=0.75):
            problems.append(f"{name}={text}: {unknown('key', path[0], top_level_keys)}")
    return overrides, problems


def apply_override(table: dict[str, Any], override: Override) -> None:
    """Puts the value into the table, making the tables on the way.

    Raises:
        OverrideError: the way leads through a value, or to a list entry that is not there.
    """
    place: Any = table
    for depth, part in enumerate(override.path):
        is_last = depth + 1 == len(override.path)
        here = format_key(override.path[:depth])
        if isinstance(part, int):
            if not isinstance(place, list) or part >= len(place):
                raise OverrideError(
                    f"{override.origin}: {here} has no entry [{part}]; give the whole of {here}"
                )
        elif not isinstance(place, dict):
            what = "a list; name an entry, such as [0]" if isinstance(place, list) else "no table"
            raise OverrideError(f"{override.origin}: {here} is {what}")
        if is_last:
            place[part] = override.value
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            place = place[part]


def unreadable(error: ValueError | RecursionError) -> str:
    """What makes `tomllib` give up on text that is TOML."""
    if isinstance(error, RecursionError):
        return "its brackets are nested too deeply"
    return "a number in it is too long"


def _parse_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        if text[:1] in ("[", "{", '"', "'"):
            raise OverrideError(
                f"{text} is no TOML, as ['a', 'b'] and {{a = 1}} are; in a shell put all of it "
                "between quotes, which it takes away"
            ) from None
        return text
    except (ValueError, RecursionError) as error:
        raise OverrideError(f"the value cannot be read: {unreadable(error)}") from None
    # A line break in the text would smuggle in a second key.
    return parsed["value"] if list(parsed) == ["value"] else text
