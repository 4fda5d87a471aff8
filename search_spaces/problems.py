"""What is wrong with a space, said so that a user can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and its cure."""

    key: str
    """Where: `space.learning_rate[1].low` in a file (cases count from 0), `low` in Python."""
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message

    def under(self, prefix: str) -> Problem:
        """The same problem, seen from one level further out."""
        return Problem(f"{prefix}.{self.key}" if self.key else prefix, self.message)


class SpaceError(ValueError):
    """A distribution, a space or a set of values breaks a rule; holds every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[SpaceError], tuple[tuple[Problem, ...]]]:
        return SpaceError, (self.problems,)


def unknown(what: str, name: object, known: Iterable[str], otherwise: str = "") -> str:
    """`unknown WHAT 'optimzer'; did you mean 'optimizer'? Known: ...`.

    Args:
        otherwise: what to do, told where no known name is near.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    guess = f"; did you mean {close[0]!r}? Known: " if close else "; known: "
    told = f"unknown {what} {name!r}{guess}{', '.join(names) or 'none'}"
    return f"{told}; {otherwise}" if otherwise and not close else told
