"""What can be wrong with data and models, said so that a user can mend it."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable, Sequence


class DataError(Exception):
    """The data cannot be used; every problem found, each a full sentence with its cure."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ModelError(ValueError):
    """A model configuration breaks a rule; the message names the key, the value and the rule."""


class OwnCodeError(ModelError):
    """What a researcher's own code did wrong, by its file and line."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log or message
        """The traceback from the first line of theirs on; the message where there is none."""

    @property
    def in_full(self) -> str:
        """The message, and the traceback below it."""
        return str(self) if self.log == str(self) else f"{self}\n{self.log.rstrip()}"


class Interrupted(Exception):
    """Training was asked to stop in the middle of an epoch; that epoch counts for nothing."""


def raised(error: BaseException) -> str:
    """What was raised, as one line; an `OwnCodeError` says itself what, and where."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return lines[0] if isinstance(error, OwnCodeError) else f"{type(error).__name__}: {lines[0]}"


_NO_ROOM = re.compile(
    rf"{os.strerror(errno.ENOSPC)}|{os.strerror(errno.EDQUOT)}|\d+ requested and \d+ written"
)


def is_out_of_room(error: BaseException) -> bool:
    """Whether a disk was full, said by this error or one that it came of.

    By their text: TensorFlow calls it ResourceExhaustedError, as it calls a lack of memory, and
    NumPy's and shutil's errors have no number.
    """
    told: BaseException | None = error
    while told is not None:
        if _NO_ROOM.search(str(told)):
            return True
        told = told.__cause__ or told.__context__
    return False


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """`unknown data set 'ml-10k'; did you mean 'ml-100k'? Known: ...`."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    guess = f"; did you mean {close[0]!r}? Known: " if close else "; known: "
    return f"unknown {kind} {name!r}{guess}{', '.join(names)}"
