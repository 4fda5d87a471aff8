"""A trial trained once more in this process: does its number come back?"""

from __future__ import annotations

from collections.abc import Iterator

from experiments.data.study_data import load_same_data
from experiments.errors import RequestError, StateError
from experiments.records import StudyRecord, TrialRecord
from experiments.records.conditions import conditions_of
from experiments.records.values import plural
from experiments.request.frozen import frozen_sweep
from experiments.running.replicas import Replicas
from experiments.running.sessions import other_than_now
from experiments.waiting import waiting


def replay_trial(study: StudyRecord, trial: TrialRecord) -> Iterator[str]:
    """Train a trial's epochs again, its model, seed and data; lines to print, one an epoch.

    Nothing is written: the study stays as it is.

    Raises:
        RequestError: the trial has no epoch to compare with.
        StateError: sweep or data are no longer those of the study; an epoch has another number.
    """
    if not trial.epochs:
        raise RequestError(
            f"{study.name}:{trial.number} ended before its first epoch, so that there is no number "
            "to compare with"
        )
    sweep = frozen_sweep(study.folder)
    loaded = load_same_data(study, sweep)
    is_own = (
        trial.values.get("architecture", sweep.model.get("architecture")) in sweep.architectures
    )
    advice = _OF_OWN if is_own else ""
    run = Replicas(study.folder, sweep, loaded.encoded).new_run(trial, len(trial.epochs))
    for then in trial.epochs:
        with waiting(f"training epoch {then.epoch}"):
            now = run.step()
        # As text: NaN is not equal to itself.
        if repr(now.val_rmse) != repr(then.val_rmse):
            raise StateError(
                f"the number did not come back: epoch {then.epoch} of {study.name}:{trial.number} "
                f"has a validation RMSE of {now.val_rmse!r} now and had {then.val_rmse!r}. "
                f"{_what_differs(study, trial)}{advice}"
            )
        yield f"epoch {then.epoch:>3}   validation {now.val_rmse:.6f}   as before"
    told = f"{plural(len(trial.epochs), 'epoch')} came back to the bit"
    if trial.best_rmse is not None:
        told += f"; best validation RMSE {trial.best_rmse:.4f} at epoch {trial.best_epoch}"
    yield told


_OF_OWN = (
    ". A model of your own comes back if it draws from data.seed or from the global generators of "
    "Python, NumPy, TensorFlow and PyTorch, and not from one that seeds itself, as "
    "np.random.default_rng() does, and if its module keeps nothing from trial to trial"
)


def _what_differs(study: StudyRecord, trial: TrialRecord) -> str:
    changes = other_than_now(conditions_of(study.provenance, trial))
    if not changes:
        return "Versions, processor and GPUs are as they were"
    return f"What is other now: {'; '.join(f'{name} {told}' for name, told in changes.items())}"
