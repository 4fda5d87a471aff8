"""How trials, arms and what an RMSE averages over are called."""

from __future__ import annotations

from experiments.records import StudyRecord, TrialRecord
from reports import numbers
from reports.described import described


def arm_text(study: StudyRecord, arm: str) -> str:
    """`dcn`, `embedding_size 16`: a number or a truth value says nothing by itself."""
    compared = next((c for c in study.columns if c.name == study.compared_dimension), None)
    is_word = compared is None or any(isinstance(choice, str) for choice in compared.choices)
    return arm if is_word else f"{study.compared_dimension} {arm}"


def architecture_of(study: StudyRecord, trial: TrialRecord) -> str:
    """`dcn`, also where the sweep fixes it, so that no trial has it among its values."""
    fixed = (study.sweep.get("model") or {}).get("architecture", "plain")
    return str(trial.values.get("architecture", fixed)).rpartition(":")[2]


def label(study: StudyRecord, trial: TrialRecord) -> str:
    """How a trial is named in tables and pictures: `#19 dcn`, `#0 embedding_size 16, default`."""
    arm = f" {arm_text(study, trial.arm)}" if trial.arm is not None else ""
    is_default = study.is_default(trial)
    origin = "default" if is_default else "enqueued" if trial.is_enqueued else ""
    return f"#{trial.number}{arm}" + (f"{',' if arm else ''} {origin}" if origin else "")


def what_is_averaged(study: StudyRecord) -> str:
    """What every RMSE of a search is: over which rows, of which epoch, clipped or not."""
    data = described(study)
    n = data.validation.n_rows
    rows = f"{numbers.count(n)} validation rows" if n is not None else "all validation rows"
    if data.confirm is not None:
        rows += f" of the {numbers.count(data.validation.n_users)} users whom the search sees"
    return rmse_over(study, rows)


def rmse_over(study: StudyRecord, rows: str) -> str:
    unit = described(study).unit
    return f"RMSE in {unit} over {rows}, predictions unclipped, at each trial's best epoch"
