"""Whoever looks on while a study runs: the terminal, a test, or nobody."""

from __future__ import annotations

from experiments.records import EpochRecord, StudyRecord, TrialRecord


class StudyWatcher:
    """What the study flow tells, in this order; it changes nothing and is never asked anything."""

    def started(self, study: StudyRecord, estimate_s: float | None = None) -> None:
        """Trials are about to run; of a resumed study the record holds the earlier ones.

        Args:
            estimate_s: wall seconds that the trials still to come may take.
        """

    def trial_started(self, trial: TrialRecord) -> None:
        """A trial begins, or goes on after an interruption."""

    def epoch(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """One more epoch of a running trial."""

    def trial_ended(self, trial: TrialRecord) -> None:
        """A trial is COMPLETE, PRUNED or FAIL."""

    def message(self, text: str) -> None:
        """Something a user should read now, one line."""

    def finished(self, study: StudyRecord) -> None:
        """This run of the driver is over, whatever ended it; the last call."""


class Silent(StudyWatcher):
    """Watches without a word, for use from Python."""
