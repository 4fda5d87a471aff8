"""A study made readable again from its journals, which are the record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.errors import StateError
from experiments.files import atomic_write
from experiments.ledger.journal import Journal, journal_files, sound_lines
from experiments.ledger.ledger import DamagedLedgerError, Ledger
from experiments.ledger.lock import StudyLock
from experiments.records import JOURNAL_NAME, LEDGER_NAME, Purpose
from experiments.records.values import plural

WRITTEN_BACK = Path(JOURNAL_NAME) / "repaired.jsonl"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair found and did."""

    n_trials: int
    n_finished: int
    set_aside: tuple[Path, ...] = ()
    """Damaged files, kept under another name."""
    n_lines_lost: int = 0
    """Damaged lines of journals."""
    n_written_back: int = 0
    """Facts that only the ledger held."""
    lost: tuple[int, ...] = ()
    """Numbers of trials of which nothing is known any more."""
    was_missing: bool = False

    @property
    def lines(self) -> list[str]:
        """What a user is told."""
        n_all = self.n_trials + len(self.lost)
        if not (self.set_aside or self.was_missing or self.n_written_back):
            return [
                f"nothing to repair: {plural(n_all, 'trial')}, {self.n_finished} of them finished"
            ]
        text = [f"{path.name} is what was there before" for path in self.set_aside]
        if self.n_lines_lost:
            text.append(
                f"{plural(self.n_lines_lost, 'damaged line')} of the journals could not be read"
            )
        if self.n_written_back:
            text.append(f"{WRITTEN_BACK} tells again what only the ledger still held")
        text.append(
            f"{self.n_trials} of {n_all} trials recovered, {self.n_finished} of them finished"
        )
        if self.lost:
            numbers = ", ".join(f"#{number}" for number in self.lost)
            text.append(f"lost: {numbers}; the study can be reported, but not resumed")
        return text


def repair_study(folder: Path) -> Repair:
    """Rebuild a damaged or missing ledger, and leave damaged lines of journals out.

    What only a sound ledger holds is told again by a journal of its own. A sound study is left as
    it is. What is damaged is renamed, never deleted.

    Raises:
        StateError: a driver runs the study, or there is no journal to rebuild it from.
        LedgerError: the ledger is another version's.
    """
    ledger_path, journals = folder / LEDGER_NAME, folder / JOURNAL_NAME
    with StudyLock(folder):
        was_missing = not ledger_path.exists()
        nothing_else = StateError(
            f"{journals}: there are no journals, and nothing else to rebuild {LEDGER_NAME} from"
        )
        is_empty = was_missing or ledger_path.stat().st_size == 0
        if is_empty and not journal_files(journals):
            raise nothing_else
        set_aside: list[Path] = []
        n_lost = n_written_back = 0
        for path in journal_files(journals):
            lines, n_damaged = sound_lines(path)
            if n_damaged:
                n_lost += n_damaged
                set_aside.append(_set_aside(path))
                atomic_write(path, lines)
        try:
            with Ledger(ledger_path) as ledger:
                if n_lost:
                    ledger.forget_offsets()
                ledger.catch_up(journals)
                n_written_back = _write_back(ledger, journals)
        except DamagedLedgerError:
            if not journal_files(journals):
                raise nothing_else from None
            # Beside the file lie what SQLite had not merged into it yet; they belong together.
            parts = [ledger_path.with_name(LEDGER_NAME + end) for end in ("", "-wal", "-shm")]
            set_aside += [_set_aside(part) for part in parts if part.exists()]
            with Ledger(ledger_path) as ledger:
                ledger.catch_up(journals)
        with Ledger.reading(ledger_path) as ledger:
            trials = ledger.trials()
    numbers = {trial.number for trial in trials if trial.purpose is Purpose.SEARCH}
    return Repair(
        n_trials=len(trials),
        n_finished=sum(trial.state.is_finished for trial in trials),
        set_aside=tuple(set_aside),
        n_lines_lost=n_lost,
        n_written_back=n_written_back,
        lost=tuple(sorted(set(range(max(numbers, default=-1) + 1)) - numbers)),
        was_missing=was_missing,
    )


def _write_back(ledger: Ledger, journals: Path) -> int:
    events = ledger.beyond(journals)
    if events:
        with Journal(journals / WRITTEN_BACK.name) as journal:
            for event in events:
                journal.append(**event)
        ledger.catch_up(journals)
    return len(events)


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return path.rename(aside)
