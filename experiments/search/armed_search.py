"""A search of several arms that take turns, each with a search of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiments.records import StopReason, TrialRecord
from experiments.search.optuna_search import OptunaSearch
from experiments.search.search_protocol import Proposal, searched


class ArmedSearch:
    """One search an arm, taking turns: trial n is number n // k of arm n % k.

    Where arms run out (a grid with more points in one arm than in another), the others go on.
    """

    def __init__(self, arms: Mapping[str, OptunaSearch]) -> None:
        self._arms = dict(arms)
        self.prunes = any(search.prunes for search in arms.values())
        self._turns = _turns({arm: search.n_trials for arm, search in arms.items()})

    def place(self, number: int) -> tuple[str, int] | None:
        """The arm of a trial and its number there; None after the last trial."""
        if self._turns is not None:
            return self._turns[number] if number < len(self._turns) else None
        names = list(self._arms)
        return names[number % len(names)], number // len(names)

    def ask(self, number: int) -> Proposal | None:
        place = self.place(number)
        return self._arms[place[0]].ask(place[1]) if place else None

    def report(self, number: int, epoch: int, value: float) -> bool:
        search, arm_number = self._at(number)
        return search.report(arm_number, epoch, value)

    def tell(self, number: int, reason: StopReason, value: float | None) -> None:
        search, arm_number = self._at(number)
        search.tell(arm_number, reason, value)

    def pruner_state(self, number: int) -> dict[str, Any]:
        search, arm_number = self._at(number)
        return search.pruner_state(arm_number)

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        stopped: list[int] = []
        for name, search in self._arms.items():
            own = [trial for trial in searched(trials) if trial.arm == name]
            stopped_in_arm = search.restore(
                [replace(trial, number=trial.arm_number) for trial in own],
                {trial.arm_number: checkpoints.get(trial.number, 0) for trial in own},
            )
            stopped += (own[arm_number].number for arm_number in stopped_in_arm)
        return tuple(sorted(stopped))

    def _at(self, number: int) -> tuple[OptunaSearch, int]:
        place = self.place(number)
        assert place is not None, f"trial {number} was never asked for"
        return self._arms[place[0]], place[1]


def _turns(n_trials: Mapping[str, int | None]) -> list[tuple[str, int]] | None:
    """Each trial's arm and number in it, arms taking turns until each has run out."""
    counts = {arm: n for arm, n in n_trials.items() if n is not None}
    if not counts:
        return None
    rounds = range(max(counts.values()))
    return [(arm, i) for i in rounds for arm, n in counts.items() if i < n]
