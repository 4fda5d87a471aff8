"""What a search is: what to try next, whether to go on, and what became of it.

It knows no Ray and no files. Tests drive it with `tests/fake_runner.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from experiments.records import Purpose, StopReason, TrialRecord, Value


@dataclass(frozen=True, slots=True)
class Proposal:
    """The values of a new trial and its place in the comparison."""

    values: dict[str, Value]
    """Active dimensions only, by column name."""
    arm: str | None
    arm_number: int
    is_default: bool
    """The default configuration, projected onto the space: the first of every arm."""
    is_enqueued: bool = False
    """Asked for by the sweep; no sampler proposed it."""


class Search(Protocol):
    """What proposes trials and stops weak ones.

    Numbers are those of the search's trials, from 0 without gaps; epochs count from 1.
    """

    @property
    def prunes(self) -> bool:
        """Whether `report` may ever end a trial whose values are finite."""

    def ask(self, number: int) -> Proposal | None:
        """The next trial, whose number is the one after the last; None when there is none left."""

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell the pruner a running trial's `val_rmse` after an epoch. Whether to keep going.

        A value that is not finite is not told, and ends the trial. A second report of an epoch,
        from a later attempt, changes nothing and gets the first answer.
        """

    def tell(self, number: int, reason: StopReason, value: float | None) -> None:
        """The end of a trial, once, and its best `val_rmse`, which counts where it is COMPLETE.

        An attempt that ended (interrupted, recycled) leaves its trial running.
        """

    def pruner_state(self, number: int) -> dict[str, Any]:
        """What `restore` needs to know of a trial beside its record; plain JSON, often empty.

        To be recorded after each ask (as of epoch 0) and each report, where it changed.
        """

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        """Rebuild a new search from the trials of an earlier one.

        Args:
            trials: numbered without a gap; those of other purposes than search are left out.
            checkpoints: by number, the epoch after which an unfinished trial goes on; what it
                reported later is forgotten. 0 where a number is missing.

        Returns:
            The unfinished trials that the pruner had stopped already: to be ended, not continued.
        """


class NoSearch:
    """That of a study whose trials are all known beforehand: proposes and stops nothing."""

    prunes = False

    def ask(self, number: int) -> Proposal | None:
        return None

    def report(self, number: int, epoch: int, value: float) -> bool:
        return True

    def tell(self, number: int, reason: StopReason, value: float | None) -> None: ...

    def pruner_state(self, number: int) -> dict[str, Any]:
        return {}

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        return ()


def searched(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The trials that a search asked for, by number."""
    own = (trial for trial in trials if trial.purpose is Purpose.SEARCH)
    return sorted(own, key=lambda trial: trial.number)
