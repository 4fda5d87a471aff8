"""What is wrong with data, as it is told to who gave them."""

from __future__ import annotations

import shlex
from pathlib import Path

from experiments.errors import DataProblem
from experiments.typed import from_here
from recommender.datasets.findings import MEND
from recommender.errors import DataError


def data_problem(error: DataError, table: Path | None) -> DataProblem:
    """All its problems, and, where rows of a table of ratings are among them, what leaves them out.

    Args:
        table: of the researcher's own; None: the ratings are not in one.
    """
    lines = list(error.problems)
    if table is not None and any(
        line.startswith(f"{table.name}: ") and line.endswith(MEND) for line in lines
    ):
        lines.append(f"or leave such rows out: recsweep data clean {shlex.quote(from_here(table))}")
    return DataProblem("\n".join(lines))
