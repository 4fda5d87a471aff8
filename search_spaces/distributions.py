"""Sets of values, each with its scale: `Float`, `Int`, `Choice`.

Ranges are closed at both ends. `when` and `each` make a `Case` of a distribution:

    Float(3e-4, 5e-3, log=True).when(optimizer=["adam", "adamw"])
    Choice([32, 64, 128]).each("n_layers")
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Literal, cast

from search_spaces.cases import Case, regular_conditions
from search_spaces.problems import Problem, SpaceError
from search_spaces.values import (
    Kind,
    Value,
    as_python,
    is_among,
    is_number,
    is_same,
    is_whole,
    kind_of,
    spell,
    spell_all,
)


class _Fluent:
    """What all distributions have in common: how they become a case of a dimension."""

    __slots__ = ()

    def when(self, **conditions: Value | Sequence[Value]) -> Case:
        """Active only where each named dimension has the value, or one of the values."""
        return Case(cast(Distribution, self), regular_conditions(conditions))

    def each(self, count: str | int) -> Case:
        """One value per layer: the dimension (or number) `count` says how many."""
        return Case(cast(Distribution, self), count=count)


@dataclass(frozen=True, slots=True)
class Float(_Fluent):
    """Numbers from `low` to `high`, both ends included."""

    low: float
    high: float
    log: bool = False
    """Equal ratios are equally likely, not equal differences."""
    step: float | None = None
    """Only `low`, `low + step`, ..., `high`."""

    kind: ClassVar[Literal["float"]] = "float"

    def __post_init__(self) -> None:
        _make_plain(self)
        problems = _problems_with_range(self.low, self.high, self.log, self.step, "number")
        if problems:
            raise SpaceError(problems)
        for name in ("low", "high") if self.step is None else ("low", "high", "step"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def __str__(self) -> str:
        step = "" if self.step is None else f" in steps of {self.step!r}"
        return f"from {self.low!r} to {self.high!r}{step}"

    def contains(self, value: object) -> bool:
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        nearest = self._at(round((value - self.low) / self.step))
        return abs(value - nearest) <= max(1e-9 * self.step, 4 * math.ulp(nearest))

    def clip(self, value: object) -> float:
        """The nearest allowed value; `low` for what is no number."""
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            return self.low
        inside = min(max(value, self.low), self.high)
        return (
            float(inside) if self.step is None else self._at(round((inside - self.low) / self.step))
        )

    @property
    def size(self) -> int | None:
        """How many values there are; None for a continuum."""
        if self.low == self.high:
            return 1
        return None if self.step is None else self._n_steps + 1

    def grid(self) -> Iterator[float]:
        """All values, ascending. Only where `size` is not None."""
        assert self.size is not None
        return (self._at(k) for k in range(self.size))

    @property
    def _n_steps(self) -> int:
        return int(_steps(self.low, self.high, self.step)) if self.step else 0

    def _at(self, k: int) -> float:
        # In decimals: the third step of .1 is .3, not .30000000000000004.
        if self.step is None or k == 0:
            return self.low
        if k >= self._n_steps:
            return self.high
        return float(_decimal(self.low) + k * _decimal(self.step))


@dataclass(frozen=True, slots=True)
class Int(_Fluent):
    """Whole numbers from `low` to `high`, both ends included."""

    low: int
    high: int
    log: bool = False
    """Equal ratios are equally likely, not equal differences."""
    step: int = 1
    """Only `low`, `low + step`, ..., `high`."""

    kind: ClassVar[Literal["int"]] = "int"

    def __post_init__(self) -> None:
        _make_plain(self)
        problems = _problems_with_range(self.low, self.high, self.log, self.step, "whole")
        if problems:
            raise SpaceError(problems)

    def __str__(self) -> str:
        step = "" if self.step == 1 else f" in steps of {self.step}"
        return f"a whole number from {self.low} to {self.high}{step}"

    def contains(self, value: object) -> bool:
        return (
            is_whole(value)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )

    def clip(self, value: object) -> int:
        """The nearest allowed value; `low` for what is no number."""
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            return self.low
        inside = min(max(value, self.low), self.high)
        return self.low + self.step * round((inside - self.low) / self.step)

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def grid(self) -> Iterator[int]:
        """All values, ascending."""
        return iter(range(self.low, self.high + 1, self.step))


@dataclass(frozen=True, slots=True)
class Choice(_Fluent):
    """One of some values of one kind: text, numbers, or true and false."""

    choices: Sequence[Value]
    """Kept as a tuple; whole numbers beside others become floats."""
    value_kind: Kind = field(init=False, repr=False)
    """Kept so that `Choice([0, 1])` and `Choice([False, True])` differ."""

    kind: ClassVar[Literal["choice"]] = "choice"

    def __post_init__(self) -> None:
        choices = as_python(self.choices)
        if isinstance(choices, list | tuple):
            choices = tuple(map(as_python, choices))
        problems = _problems_with_choices(choices)
        if problems:
            raise SpaceError(problems)
        kinds = {cast(Kind, kind_of(choice)) for choice in choices}
        if kinds == {"whole", "number"}:
            choices, kinds = map(float, choices), {"number"}
        object.__setattr__(self, "choices", tuple(choices))
        object.__setattr__(self, "value_kind", kinds.pop())

    def __str__(self) -> str:
        return f"one of {spell_all(self.choices)}"

    def contains(self, value: object) -> bool:
        return kind_of(value) is not None and is_among(cast(Value, value), self.choices)

    def clip(self, value: object) -> Value:
        """The choice that equals the value, or else the first."""
        equal = (c for c in self.choices if kind_of(value) and is_same(cast(Value, value), c))
        return next(equal, self.choices[0])

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.choices)

    def grid(self) -> Iterator[Value]:
        """All values, as written."""
        return iter(self.choices)


Distribution = Float | Int | Choice


def _make_plain(distribution: Float | Int) -> None:
    for name in ("low", "high", "log", "step"):
        object.__setattr__(distribution, name, as_python(getattr(distribution, name)))


def _decimal(value: float) -> Fraction:
    """The number as it is written, not as it is stored: exactly 1/10 for .1."""
    return Fraction(repr(float(value)))


def _steps(low: float, high: float, step: float) -> Fraction:
    return (_decimal(high) - _decimal(low)) / _decimal(step)


def _problems_with_range(
    low: object, high: object, log: object, step: object, kind: Literal["whole", "number"]
) -> list[Problem]:
    is_right = is_whole if kind == "whole" else is_number
    a_number = "a whole number of at most 2^53" if kind == "whole" else "a finite number"
    problems = [
        Problem(name, f"must be {a_number}, got {spell(value)}")
        for name, value in (("low", low), ("high", high))
        if not is_right(value)
    ]
    if not isinstance(log, bool):
        problems.append(Problem("log", f"must be true or false, got {spell(log)}"))
    no_step = (is_whole(step) and step == 1) if kind == "whole" else step is None
    has_step = not no_step
    step_is_sound = has_step and is_right(step) and cast(float, step) > 0
    if has_step and not step_is_sound:
        a_number = "a whole number" if kind == "whole" else "a finite number"
        problems.append(Problem("step", f"must be {a_number} above 0, got {spell(step)}"))
    if log is True and has_step:
        problems.append(Problem("step", "log and step exclude each other: drop one"))
    if log is True and is_right(low):
        if kind == "whole" and cast(int, low) < 1:
            problems.append(Problem("low", f"must be at least 1 with log = true, got {low}"))
        elif kind == "number" and cast(float, low) <= 0:
            problems.append(Problem("low", f"must be above 0 with log = true, got {low!r}"))
    if not (is_right(low) and is_right(high)):
        return problems
    low, high = cast(float, low), cast(float, high)
    if low > high:
        problems.append(Problem("low", f"must not exceed high, got {low!r} and {high!r}"))
    elif not math.isfinite(float(high) - float(low)):
        problems.append(Problem("high", f"{low!r} to {high!r} is too wide a range"))
    elif step_is_sound and log is not True:
        steps = _steps(low, high, cast(float, step))
        if steps.denominator != 1:
            last = float(_decimal(low) + int(steps) * _decimal(cast(float, step)))
            message = (
                f"steps of {step!r} from {low!r} miss {high!r}; "
                f"the last one below it is {int(last) if kind == 'whole' else last!r}"
            )
            problems.append(Problem("step", message))
    return problems


def _problems_with_choices(choices: object) -> list[Problem]:
    if not isinstance(choices, Sequence) or isinstance(choices, str | bytes):
        return [Problem("choices", f"must be a list of values, got {spell(choices)}")]
    if not choices:
        return [Problem("choices", "must not be empty")]
    problems = [
        Problem(
            "choices",
            "a choice must be text, a finite number (whole ones of at most 2^53), true or false, "
            f"got {spell(choice)}",
        )
        for choice in choices
        if kind_of(choice) is None
    ]
    sound = [choice for choice in choices if kind_of(choice)]
    if len({"number" if kind_of(c) == "whole" else kind_of(c) for c in sound}) > 1:
        problems.append(
            Problem(
                "choices",
                f"must be of one kind (text, numbers, or true and false), got {spell_all(sound)}",
            )
        )
    twice = [c for i, c in enumerate(sound) if is_among(c, sound[:i])]
    if twice:
        problems.append(Problem("choices", f"each choice once, please: {spell_all(twice)}"))
    return problems
