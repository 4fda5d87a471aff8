"""One trial of a study as a file that trains it again."""

from __future__ import annotations

from dataclasses import replace

from experiments.own.own_code import OwnCode
from experiments.records import StudyRecord, TrialRecord
from experiments.request.config import sweep_to_toml
from experiments.sweep import SweepConfig, ranking_values


def single_model(sweep: SweepConfig, study: StudyRecord, trial: TrialRecord) -> SweepConfig:
    """The sweep with the trial's values for `[model]` and nothing left to vary."""
    values = ranking_values(sweep, trial.values)
    own = {n: o for n, o in sweep.architectures.items() if n == values.get("architecture")}
    is_known = OwnCode(own).is_known
    return replace(
        sweep,
        name=f"{study.name}-{trial.name}"[:64],
        seed=trial.seed,
        note=f"trial {trial.number} of {study.name}",
        compare=None,
        space=None,
        search=None,
        model={name: value for name, value in values.items() if is_known(name)},
        architectures=own,
    )


def trial_to_toml(sweep: SweepConfig, study: StudyRecord, trial: TrialRecord) -> str:
    """The file that `recsweep train` trains again to the same number."""
    said = (
        f"validation RMSE {trial.best_rmse:.4f} at epoch {trial.best_epoch}"
        + ("" if trial.is_ranked else f" ({trial.state})")
        if trial.best_rmse is not None
        else f"no finite validation RMSE ({trial.state})"
    )
    head = f"# Trial {trial.number} of the study {study.name}: {said}, seed {trial.seed}.\n"
    return head + "# recsweep train FILE\n" + sweep_to_toml(single_model(sweep, study, trial))
