"""The arms of a comparison: one space for each choice of the compared dimension.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search_spaces import Choice, SearchSpace, Value


def arm_name(choice: Value) -> str:
    """A choice as the name of its arm, as TOML would write it, without quotes."""
    if isinstance(choice, bool):
        return "true" if choice else "false"
    return str(choice)


def shares_text(
    dimension: str, choices: Sequence[Value], n_trials: int, sampler: str | None
) -> str:
    """How many trials each arm has: `architecture: 30 plain, 30 dcn`, `n_layers: 8 at 1, 7 at 2`.

    Arms take turns, so the first ones may have one more. Those of a grid have as many as each has
    points, and are only named.
    """
    names = [arm_name(choice) for choice in choices]
    if sampler != "grid":
        between = " " if any(isinstance(choice, str) for choice in choices) else " at "
        n_arms = len(names)
        names = [
            f"{len(range(i, n_trials, n_arms))}{between}{name}" for i, name in enumerate(names)
        ]
    return f"{dimension}: {', '.join(names)}"


def unequal_problem(n_trials: int, n_arms: int, more_than: int = 0) -> str | None:
    """What keeps arms from having the same number of trials each; None where nothing does.

    Args:
        more_than: as many trials are there already.
    """
    if n_arms == 0 or n_trials % n_arms == 0:
        return None
    below = n_trials - n_trials % n_arms
    fits = " or ".join(str(n) for n in (below, below + n_arms) if n > more_than)
    return f"{n_arms} arms get the same number of trials each, got {n_trials}; ask for {fits}"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The default configuration of a sweep."""

    values: Mapping[str, Value]
    own: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """By architecture, the defaults that hold for it alone."""

    def on(self, space: SearchSpace, chosen: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """The default configuration, projected onto a space.

        Args:
            chosen: what goes before any default; its `layer_size` before theirs of a layer.
        """
        chosen = space.by_column(chosen or {})
        point = space.project({**self.values, **chosen})
        architecture = point.get("architecture", self.values.get("architecture"))
        its = self.own.get(str(architecture))
        return space.project({**self.values, **its, **chosen}) if its else point

    def moved(self, space: SearchSpace) -> dict[str, tuple[Value, Value]]:
        """By name the defaults that lie outside a space, and what stands for each."""
        point = self.on(space)
        architecture = point.get("architecture", self.values.get("architecture"))
        its = {**self.values, **self.own.get(str(architecture), {})}
        return {n: (its[n], v) for n, v in point.items() if n in its and its[n] != v}


def arms_of(space: SearchSpace, compare: str) -> dict[str, SearchSpace]:
    """The space of each arm by its name, in the order of the choices; ValueError where `compare` is
    no unconditional Choice of the space."""
    dimension = next((d for d in space.dimensions if d.name == compare), None)
    if dimension is None or len(dimension.cases) != 1 or dimension.cases[0].conditions:
        raise ValueError(f"{compare!r} is not an unconditional dimension of the space")
    distribution = dimension.cases[0].distribution
    if not isinstance(distribution, Choice):
        raise ValueError(f"{compare!r} has no choices to compare")
    return {arm_name(choice): space.restrict(compare, choice) for choice in distribution.choices}
