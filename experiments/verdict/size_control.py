"""The control beside a cross network: `plain`, widened until it trains as many numbers.

Where `plain` and `dcn` are compared, a DCN that wins may owe it to its crossing or to its size. The
control has the size and not the crossing, and all else of the best DCN of the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from experiments.records import StudyRecord, TrialRecord, Value
from experiments.records.finalists import controlled_trial
from experiments.records.verdict_records import Finalist, VerdictRecord
from experiments.sweep import SweepConfig, model_of
from recommender.config import CROSS_VALUES
from recommender.datasets.encoded import EncodedDataset
from recommender.sizes import plain_as_large

PLAIN = "plain"


def size_control(study: StudyRecord) -> Finalist | None:
    """The control of the study's best DCN, not yet sized; None where there is nothing to control.

    That is: another question than plain or DCN, no complete DCN, or one without dense layers, which
    has none to widen.
    """
    best = controlled_trial(study)
    if best is None:
        return None
    return Finalist(f"control-{best.name}", best.number, ("size control",), values={})


def with_sized_control(
    frozen: VerdictRecord, study: StudyRecord, sweep: SweepConfig, dataset: EncodedDataset
) -> VerdictRecord:
    """The list with its control's values; as it is where they are known or there is no control."""
    finalists = []
    for finalist in frozen.finalists:
        if finalist.is_control and not finalist.values:
            assert finalist.number is not None
            trial = study.trial(finalist.number)
            assert trial is not None, finalist
            sized = plain_as_large(model_of(sweep, trial.values), dataset)
            finalist = replace(finalist, values=_values(trial, sized.layer_sizes))
        finalists.append(finalist)
    return replace(frozen, finalists=tuple(finalists))


def trained_as(finalist: Finalist, trial: TrialRecord) -> TrialRecord:
    """The trial of the search that a finalist is, or what its control has in its place."""
    if finalist.values is None:
        return trial
    return replace(trial, arm=PLAIN, values=finalist.values, is_default=False)


def _values(trial: TrialRecord, sizes: tuple[int, ...]) -> Mapping[str, Value]:
    kept = {
        name: value
        for name, value in trial.values.items()
        if name not in CROSS_VALUES and not name.startswith("layer_size")
    }
    widths = {f"layer_size_{i}": size for i, size in enumerate(sizes)}
    return kept | {"architecture": PLAIN} | widths
