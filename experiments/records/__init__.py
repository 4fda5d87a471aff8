"""What a study folder holds, as frozen values: the one thing that reports read.

Standard library only, so that `recsweep show` and the reports need neither Ray nor TensorFlow.
"""

from experiments.errors import StudyError
from experiments.ledger.trial_records import (
    FIRST_NUMBER_BESIDE,
    AttemptRecord,
    EpochRecord,
    Purpose,
    StopReason,
    TrialRecord,
    TrialState,
    Value,
    first_runs,
)
from experiments.records.derived_records import (
    BoardCheck,
    CrossingRecord,
    NoiseRecord,
    Segment,
    SegmentsRecord,
    Spread,
)
from experiments.records.finalists import VerdictCost, verdict_cost
from experiments.records.first_sweep import DRIVER_JOURNAL, JOURNAL_NAME
from experiments.records.openings import Opening
from experiments.records.study_records import (
    BASELINES_NAME,
    COLUMNS_NAME,
    IMPORTANCE_NAME,
    LEDGER_NAME,
    PROVENANCE_NAME,
    SWEEP_NAME,
    BaselineRecord,
    ColumnRecord,
    ImportanceRecord,
    StudyRecord,
    find_studies,
    read_study,
    refuse_no_study,
    study_folders,
    sweep_text,
)
from experiments.records.values import is_layer_size
from experiments.records.verdict_records import (
    CONFIDENCE,
    Answer,
    Finalist,
    FinalistResult,
    PairResult,
    RefitResult,
    UnsealedRecord,
    VerdictRecord,
    VerdictResults,
)

__all__ = [
    "BASELINES_NAME",
    "COLUMNS_NAME",
    "CONFIDENCE",
    "DRIVER_JOURNAL",
    "FIRST_NUMBER_BESIDE",
    "IMPORTANCE_NAME",
    "JOURNAL_NAME",
    "LEDGER_NAME",
    "PROVENANCE_NAME",
    "SWEEP_NAME",
    "Answer",
    "AttemptRecord",
    "BaselineRecord",
    "BoardCheck",
    "ColumnRecord",
    "CrossingRecord",
    "EpochRecord",
    "Finalist",
    "FinalistResult",
    "ImportanceRecord",
    "NoiseRecord",
    "Opening",
    "PairResult",
    "Purpose",
    "RefitResult",
    "Segment",
    "SegmentsRecord",
    "Spread",
    "StopReason",
    "StudyError",
    "StudyRecord",
    "TrialRecord",
    "TrialState",
    "UnsealedRecord",
    "Value",
    "VerdictCost",
    "VerdictRecord",
    "VerdictResults",
    "find_studies",
    "first_runs",
    "is_layer_size",
    "read_study",
    "refuse_no_study",
    "study_folders",
    "sweep_text",
    "verdict_cost",
]
