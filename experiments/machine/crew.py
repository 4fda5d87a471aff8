"""How many trials run at once, also when somebody changes that while they run.

`workers.json` in the study's folder says how many there are and how many there can be; the file
`scale` beside it is a wish for another number, which the driver takes up and removes.
"""

from __future__ import annotations

from pathlib import Path

from experiments.errors import RequestError, StateError
from experiments.files import atomic_write, read_json, write_json
from experiments.ledger.lock import holder_of
from experiments.records import read_study
from experiments.typed import typed

CREW_NAME = "workers.json"
WISH_NAME = "scale"


class Crew:
    """The workers of one run of the driver, until `dismiss_crew`.

    Args:
        folder: the study's.
        size: how many it begins with.
        at_most: how many the cluster can hold.
    """

    def __init__(self, folder: Path, size: int, at_most: int) -> None:
        self._folder = folder
        self._at_most = max(size, at_most)
        self._size = size
        (folder / WISH_NAME).unlink(missing_ok=True)
        self._write()

    @property
    def size(self) -> int:
        """How many trials are to run at once; takes up a wish that was left since the last look."""
        taken = self._folder / f".{WISH_NAME}"
        try:
            # Taken before it is read: a wish that comes meanwhile waits for the next look.
            wish = (self._folder / WISH_NAME).replace(taken).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return self._size
        taken.unlink(missing_ok=True)
        if wish.isdecimal() and 1 <= int(wish) <= self._at_most:
            self._size = int(wish)
            self._write()
        return self._size

    def _write(self) -> None:
        write_json(self._folder / CREW_NAME, {"workers": self._size, "at_most": self._at_most})


def dismiss_crew(folder: Path) -> None:
    """Forget who works, also where the driver that said so was killed."""
    for name in (WISH_NAME, CREW_NAME):
        (folder / name).unlink(missing_ok=True)


def read_crew(folder: Path) -> tuple[int, int] | None:
    """How many trials run at once and how many could; None where no driver trains."""
    try:
        crew = read_json(folder / CREW_NAME)
    except StateError:
        return None
    return int(crew["workers"]), int(crew["at_most"])


def ask_for_workers(folder: Path, n_workers: int) -> tuple[int, str]:
    """Leave the wish for so many workers; how many there were, and who takes it up.

    Raises:
        RequestError: not so many can be had.
        StateError: nobody runs the study, or it has not begun to train yet.
    """
    name, as_typed = folder.name, typed(folder)
    if n_workers < 1:
        raise RequestError(
            f"--workers must be at least 1, got {n_workers}; to run none: recsweep stop {as_typed}"
        )
    holder = holder_of(folder)
    if holder is None:
        study = read_study(folder)
        if study.is_searched and study.verdict_results is not None:
            raise StateError(f"nobody runs {name}: its search and its verdict are done")
        raise StateError(
            f"nobody runs {name}; start it with so many: recsweep "
            f"{study.training_command} {as_typed} --workers {n_workers}"
        )
    crew = read_crew(folder)
    if crew is None:
        raise StateError(f"{name} has no workers yet, or none any more: try again")
    now, at_most = crew
    if n_workers > at_most:
        raise RequestError(
            f"--workers must be at most {at_most}, which is what the cluster of {name} can hold, "
            f"got {n_workers}; with more it can be started again: recsweep stop {as_typed}, then "
            f"recsweep {read_study(folder).training_command} {as_typed} --workers {n_workers}"
        )
    atomic_write(folder / WISH_NAME, f"{n_workers}\n")
    return now, str(holder)
