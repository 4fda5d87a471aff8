"""The search of a study whose trials are all known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.records import StopReason, TrialRecord
from experiments.search_protocol import Proposal


class NoSearch:
    """Proposes nothing and stops nothing."""

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
