"""What stops a command, each kind with its exit code.

Standard library only. A message says the rule, the value and what to do; it is printed as it
stands, without a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RecsweepError(Exception):
    """A command cannot go on, for a reason that its user can understand and mend."""

    exit_code = 1

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code

    @property
    def message(self) -> str:
        return str(self.args[0])

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message alone, as the command line does."""
        return [f"{type(self).__name__}: {self.message}"]


class RequestError(RecsweepError):
    """What was asked for is wrong: a sweep file, an option, a name."""

    exit_code = 2


class DataProblem(RecsweepError):
    """The data cannot be read or used."""

    exit_code = 3


class StateError(RecsweepError):
    """A study folder is locked, damaged, or does not match what is asked of it."""

    exit_code = 4


class StudyError(StateError):
    """A folder is no study, or one that cannot be read."""


class DiskError(RecsweepError):
    """A disk is full, read-only or failing."""

    exit_code = 5


class NoResultError(RecsweepError):
    """The study ended without a finite result, or with too many failed trials."""

    exit_code = 6


class ClusterError(RecsweepError):
    """Ray or a worker machine cannot be used."""

    exit_code = 7


class PortError(RecsweepError):
    """A port is taken or may not be opened."""

    exit_code = 8


def lines_of(error: BaseException) -> list[str]:
    """What somebody else's exception says; its kind where it says nothing."""
    return str(error).strip().splitlines() or [type(error).__name__]


@dataclass(frozen=True, slots=True)
class SweepProblem:
    """One mistake in a sweep: where it was made and what is wrong."""

    key: str
    """`space.learning_rate[1].low`; empty where the file as a whole is meant."""
    message: str
    origin: str = ""
    """The file, `--set`, or the environment variable that holds the mistake."""
    line: int | None = None
    """In the file, from 1; None where a plain scan does not find the key."""

    def __str__(self) -> str:
        """`sweep.toml:12 search.trials: message`, as much of it as is known."""
        place = f"{self.origin}:{self.line}" if self.line else self.origin
        head = " ".join(part for part in (place, self.key) if part)
        return f"{head}: {self.message}" if head else self.message


class SweepFileError(RequestError):
    """A sweep cannot be run as it stands; every mistake found, each with its place."""

    def __init__(self, problems: Sequence[SweepProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
