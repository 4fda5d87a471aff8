"""The `[metrics]` table: what is computed of predictions beside the RMSE that ranks trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.request.data_checks import read_reference
from experiments.sweep_files.sweep_file import SweepSource
from experiments.sweep_files.sweep_tables import MetricsTable, Report, read_table
from recommender.errors import unknown
from recommender.further_metrics import METRICS
from recommender.own import OwnDefinition
from recommender.own_functions import argument_problems, is_reference

_TAKEN = {
    "val_rmse", "train_rmse", "epochs", "parameters", "seconds", "number", "epoch", "n_updates"
}  # fmt: skip
"""What the curves and the dashboard call something else."""


def read_metrics(
    table: Mapping[str, Any], source: SweepSource, report: Report
) -> dict[str, OwnDefinition | None]:
    """The metrics by name, in the order asked for; None is one of ours."""
    read = read_table(MetricsTable, table.get("metrics", {}), "metrics", report)
    found: dict[str, OwnDefinition | None] = {}
    for asked in read.also if read is not None else ():
        own = None
        if is_reference(asked):
            takes = ("actual", "predicted")
            own = read_reference("metrics.also", asked, takes, source, report, ("user",))
            if own is None:
                continue
            if lacking := argument_problems(own, {}):
                report(
                    "metrics.also",
                    f"{own.where} is called with arrays and nothing else; "
                    f"give {', '.join(lacking)} a default",
                )
                continue
        elif asked not in METRICS:
            cure = 'a function of your own is written "mine.py:auc_at_4"'
            report("metrics.also", f"{unknown('metric', asked, METRICS)}; {cure}")
            continue
        name = asked if own is None else own.function
        if name in found or name in _TAKEN or (own is not None and name in METRICS):
            report("metrics.also", f"{name!r} is there already; give the function another name")
            continue
        found[name] = own
    return found
