"""What is found wrong or odd in a table, with counts and places."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.sources import N_PLACES_SHOWN, RawTable, counted

Mask = npt.NDArray[np.bool_]

MEND = "mend or remove them"
MOST_LEFT_OUT = 0.1
"""Share of the rows that may be damaged: of more the table itself is wrong, or was read wrong."""


class Findings:
    """Problems and notes about one table, each said with count and first lines."""

    def __init__(self, table: RawTable) -> None:
        self.table = table
        self.problems: list[str] = []
        self.notes: list[str] = list(table.notes)
        self.is_damaged: Mask = np.zeros(len(table.frame), bool)
        """The rows of all problems that are those of rows."""
        self.left_out: list[str] = []
        """What the problems of rows are, without the cure."""

    def refuse(
        self, is_bad: Mask, one: str, many: str, *, such_as: str = "", cure: str = MEND
    ) -> None:
        """Note the rows of a mask as a problem, if there are any.

        Args:
            one: what follows the count where that is 1.
            many: what follows it elsewhere.
            such_as: the first of them, quoted.
        """
        if is_bad.any():
            told = counted(int(is_bad.sum()), one, many) + (
                f", such as {such_as}" if such_as else ""
            )
            told += f" ({self.places(is_bad)})"
            self.is_damaged |= is_bad
            self.left_out.append(told)
            if cure == MEND and is_bad.mean() > MOST_LEFT_OUT:
                cure = "mend them where they come from"
            self.refuse_table(f"{told}; {cure}")

    def refuse_table(self, what: str) -> None:
        self.problems.append(f"{self.table.name}: {what}")

    def note(self, what: str) -> None:
        self.notes.append(f"{self.table.name}: {what}")

    def places(self, is_bad: Mask) -> str:
        """`lines 3, 17`, or `first of them: lines ...` where there are more than are shown."""
        rows = self.table.frame.index.to_numpy()[is_bad] + self.table.first
        shown = ", ".join(str(row) for row in rows[:N_PLACES_SHOWN])
        unit = self.table.unit + ("s" if len(rows) > 1 else "")
        return f"{'first of them: ' if len(rows) > N_PLACES_SHOWN else ''}{unit} {shown}"


def example(column: pd.Series[Any], is_bad: Mask) -> str:
    return repr(str(column[is_bad].iloc[0])) if is_bad.any() else ""
