"""What can be wrong with data and models, said so that a user can mend it."""

from __future__ import annotations

from collections.abc import Sequence


class DataError(Exception):
    """The data cannot be used; every problem found, each a full sentence with its cure."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ModelError(ValueError):
    """A model configuration breaks a rule; the message names the key, the value and the rule."""


class Interrupted(Exception):
    """Training was asked to stop in the middle of an epoch; that epoch counts for nothing."""
