"""What the samplers and pruners of a sweep may be told, and what is wrong with what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces import Problem
from search_spaces.problems import unknown


@dataclass(frozen=True, slots=True)
class Argument:
    """A whole number that a sampler or a pruner takes, with the range it must keep to."""

    name: str
    default: int
    low: int
    meaning: str
    """For the user: what it does, as the end of a sentence."""
    high: int | None = None

    def problem_with(self, value: object) -> str | None:
        """What is wrong with a value, or None."""
        limits = f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"
        rule = f"must be a whole number, {limits} ({self.meaning})"
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{rule}, got {value!r}"
        if value < self.low or (self.high is not None and value > self.high):
            return f"{rule}, got {value}"
        return None


def check_arguments(
    key: str, owner: str, known: Sequence[Argument], given: Mapping[str, Any]
) -> list[Problem]:
    """Everything wrong with the arguments given to `owner`, each under `key.name`."""
    by_name = {argument.name: argument for argument in known}
    problems = []
    for name, value in given.items():
        argument = by_name.get(name)
        message = (
            argument.problem_with(value)
            if argument
            else unknown(f"argument of {owner}", name, by_name)
        )
        if message:
            problems.append(Problem(f"{key}.{name}", message))
    return problems


def with_defaults(known: Sequence[Argument], given: Mapping[str, Any]) -> dict[str, int]:
    """The value of every argument: the one given, else the default."""
    return {argument.name: given.get(argument.name, argument.default) for argument in known}
