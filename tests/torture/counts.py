"""What torture did, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counts:
    """Of one kind of torture."""

    name: str
    faults: int = 0
    """Injected."""
    finished: int = 0
    """Trials, over all studies."""
    lost: int = 0
    twice: int = 0
    """Trials that ran to their end more than once though their end was on the record."""
    repeated: int = 0
    """Trials that ran to their end again because a cut took their end from the record."""
    different: int = 0
    """Studies, reports or boards that do not say what they should."""
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Something is wrong."""
        self.findings.append(text)

    def note(self, text: str) -> None:
        """Something happened, as it was meant to."""
        self.notes.append(text)

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.twice or self.different)

    def __str__(self) -> str:
        repeated = f", {self.repeated} repeated after their record was cut" if self.repeated else ""
        return (
            f"{self.name}: {self.faults} faults injected, {self.finished} trials finished, "
            f"{self.lost} lost, {self.twice} run twice, {self.different} different{repeated}"
        )
