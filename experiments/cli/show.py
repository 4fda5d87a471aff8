"""Where a study stands, one of its trials, and all studies: as text and as JSON.

The JSON is for programs: its keys keep their names and meaning within one `schema`, and a number
that is not finite is null.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.cli import wording
from experiments.machine.crew import read_crew
from experiments.records import (
    Purpose,
    StudyRecord,
    TrialRecord,
    TrialState,
    VerdictRecord,
)
from experiments.records.values import value_text, values_text
from experiments.typed import from_here, typed
from reports.labels import arm_text

SCHEMA = 1


def show_text(study: StudyRecord, n_rows: int | None = None) -> str:
    """Data, baselines, search and standing, then a line a trial: complete ones by RMSE first.

    Args:
        n_rows: of trials at most, so that the lines above do not leave a screen; None: all.
    """
    lines = [f"{study.name} · {study.state} → {from_here(study.folder)}"]
    if noted := wording.note_text(study):
        lines.append(f"note     {noted}")
    lines += [f"damaged  {said}" for said in study.unreadable]
    lines += wording.about_lines(study)
    counts = wording.counts_text(study.search_trials, _is_live(study)) or "no trial yet"
    lines.append(f"trials   {study.n_done}/{study.n_trials_asked_for} · {counts}")
    if _is_live(study) and (crew := read_crew(study.folder)):
        lines.append(f"workers  {crew[0]} at once, of at most {crew[1]}")
    if study.ranked:
        best = wording.best_text(study.ranked[0], study)
        lines.append(f"best     {best}")
    if arms := wording.arms_of(study):
        said = wording.arms_text(study.search_trials, arms, is_judged=study.leader is not None)
        lines.append(f"arms     {study.compared_dimension}: {said}")
    if study.verdict is not None:
        lines += _verdict_lines(study, study.verdict)
    if study.state != "running":
        steps = {"go on": wording.resume_step(study), "next": wording.verdict_step(study)}
        lines += [f"{what:<8} {step}" for what, step in steps.items() if step]
    if study.trials:
        lines += ["", *_trial_table(study, n_rows)]
        if n_rows is not None and len(study.trials) > n_rows:
            n_more = len(study.trials) - n_rows
            lines.append(f"and {n_more:,} more: recsweep show {typed(study.folder)} | less")
    return "\n".join(lines)


def _verdict_lines(study: StudyRecord, verdict: VerdictRecord) -> list[str]:
    """What is decided, among whom; or how far it is."""
    judged = f"{wording.plural(len(verdict.finalists), 'finalist')}, {len(verdict.seeds)} seeds"
    if verdict.results is None:
        n_trials = sum(not finalist.is_baseline for finalist in verdict.finalists)
        n_all = n_trials * len(verdict.seeds)
        n_done = sum(t.purpose is Purpose.VERDICT and t.state.is_finished for t in study.trials)
        return [f"verdict  {judged}: {n_done}/{n_all} trained"]
    from reports.judging.decision import headline_of_verdict

    headline = headline_of_verdict(study)
    assert headline is not None
    late = ""
    if study.late_trials:
        late = f"; not judged, since later: {wording.plural(len(study.late_trials), 'trial')}"
    return [
        f"verdict  {headline.text}",
        f"         {judged}{late}; in full by: recsweep verdict {typed(study.folder)}",
    ]


def show_json(study: StudyRecord) -> dict[str, Any]:
    """A study and its trials, without their curves."""
    return {
        "schema": SCHEMA,
        "study": _study_json(study),
        "baselines": [
            {"name": b.name, "val_rmse": _number(b.val_rmse), "seconds": b.seconds}
            for b in study.baselines
        ],
        "trials": [_trial_summary(study, trial) for trial in _by_rank(study)],
    }


def trial_text(study: StudyRecord, trial: TrialRecord) -> str:
    """One trial: what it was, how it ended, its curve and its attempts."""
    bias = study.baseline("bias")
    arm = f" · {arm_text(study, trial.arm)}" if trial.arm else ""
    default = " · the default configuration" if study.is_default(trial) else ""
    default = " · enqueued" if trial.is_enqueued else default
    lines = [
        f"{study.name}:{trial.number} · {trial.name}{arm}{default}",
        f"state    {_state_text(study, trial)}",
    ]
    if trial.error:
        lines += [f"error    {line}" for line in trial.error.strip().splitlines()]
    if trial.best_rmse is not None:
        gap = f"    {wording.gap_text(trial.best_rmse, bias.val_rmse)} bias" if bias else ""
        place = ""
        if trial.is_ranked:
            ranked = [other.number for other in study.ranked]
            place = f"    place {ranked.index(trial.number) + 1} of {len(ranked)}"
        lines.append(
            f"best     {wording.rmse_text(trial.best_rmse)} at epoch {trial.best_epoch}{gap}{place}"
        )
    size = f" · {wording.plural(trial.n_parameters, 'parameter')}" if trial.n_parameters else ""
    lines.append(
        f"cost     {wording.plural(len(trial.epochs), 'epoch')} · {trial.seconds:.1f} s{size} "
        f"· seed {trial.seed}"
    )
    width = max((len(name) for name in trial.values), default=0)
    lines += ["", "values", *(f"  {n:<{width}}  {value_text(v)}" for n, v in trial.values.items())]
    if trial.epochs:
        rows = [
            [
                str(epoch.epoch),
                wording.rmse_text(epoch.val_rmse),
                wording.rmse_text(epoch.train_rmse),
                f"{epoch.n_updates:,}" if epoch.n_updates else "-",
                f"{epoch.seconds:.2f}",
                "best" if epoch.epoch == trial.best_epoch else "",
            ]
            for epoch in trial.epochs
        ]
        lines += ["", *_table(["epoch", "val RMSE", "train RMSE", "updates", "seconds", ""], rows)]
    if len(trial.attempts) > 1:
        rows = [
            [
                str(attempt.attempt),
                attempt.worker,
                "-" if attempt.first_epoch is None else str(attempt.first_epoch),
                attempt.stop_reason.value if attempt.stop_reason else "-",
            ]
            for attempt in trial.attempts
        ]
        lines += ["", *_table(["attempt", "worker", "from epoch", "ended"], rows)]
    return "\n".join(lines)


def trial_json(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """One trial with its curve and its attempts."""
    return {
        "schema": SCHEMA,
        "study": _study_json(study),
        "trial": _trial_summary(study, trial)
        | {
            "epochs": [
                {
                    "epoch": epoch.epoch,
                    "val_rmse": _number(epoch.val_rmse),
                    "train_rmse": _number(epoch.train_rmse),
                    "n_updates": epoch.n_updates or None,
                    "seconds": epoch.seconds,
                }
                for epoch in trial.epochs
            ],
            "attempts": [
                {
                    "attempt": attempt.attempt,
                    "worker": attempt.worker,
                    "first_epoch": attempt.first_epoch,
                    "stop_reason": attempt.stop_reason.value if attempt.stop_reason else None,
                    "started_at": _timestamp(attempt.started_at),
                    "ended_at": _timestamp(attempt.ended_at),
                }
                for attempt in trial.attempts
            ],
        },
    }


def ls_text(studies: Iterable[StudyRecord]) -> str:
    """A line a study: state, data, trials, best, its gap to its own bias baseline, note. Empty
    where there is none."""
    rows = []
    for study in studies:
        best, bias = _best_and_bias(study)
        gap = ""
        if best is not None and bias is not None:
            gap = f"{wording.gap_text(best, bias)} bias"
        rows.append(
            [
                study.name,
                study.state,
                _data_name(study),
                f"{study.n_done}/{study.n_trials_asked_for}",
                wording.rmse_text(best),
                gap,
                wording.note_text(study),
            ]
        )
    if not rows:
        return ""
    return "\n".join(_table(["study", "state", "data", "trials", "best", "", "note"], rows))


def ls_json(studies: Iterable[StudyRecord]) -> dict[str, Any]:
    """Every study, without its trials."""
    return {"schema": SCHEMA, "studies": [_study_json(study) for study in studies]}


def _study_json(study: StudyRecord) -> dict[str, Any]:
    best, bias = _best_and_bias(study)
    dataset = study.dataset
    return {
        "name": study.name,
        "folder": str(study.folder),
        "state": study.state,
        "note": study.note,
        "tags": list(study.tags),
        "data": _data_name(study),
        "split_fingerprint": dataset.get("split_fingerprint"),
        "compared": study.compared_dimension,
        "n_trials_asked_for": study.n_trials_asked_for,
        "n_trials": {
            word: sum(wording.outcome_text(t, _is_live(study)) == word for t in study.search_trials)
            for word in wording.OUTCOMES
        },
        "best_trial": study.ranked[0].number if study.ranked else None,
        "best_rmse": best,
        "leading_trial": study.leader.number if study.leader else None,
        "bias_rmse": bias,
    }


def _trial_summary(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    return {
        "number": trial.number,
        "name": trial.name,
        "purpose": trial.purpose.value,
        "arm": trial.arm,
        "state": trial.state.value,
        "stop_reason": trial.stop_reason.value if trial.stop_reason else None,
        "error": trial.error,
        "is_default": study.is_default(trial),
        "is_enqueued": trial.is_enqueued,
        "is_ranked": trial.is_ranked,
        "best_rmse": _number(trial.best_rmse),
        "best_epoch": trial.best_epoch,
        "n_epochs": len(trial.epochs),
        "n_parameters": trial.n_parameters,
        "seconds": trial.seconds,
        "seed": trial.seed,
        "values": dict(trial.values),
    }


def _trial_table(study: StudyRecord, n_rows: int | None) -> list[str]:
    bias = study.baseline("bias")
    has_arms = study.compared_dimension is not None
    rows = []
    for trial in _by_rank(study)[:n_rows]:
        gap = ""
        if bias and trial.best_rmse is not None:
            gap = wording.short(trial.best_rmse - bias.val_rmse)
        rows.append(
            [
                f"#{trial.number}" if trial.name == f"{trial.number:04d}" else trial.name,
                *([trial.arm or "-"] if has_arms else []),
                _state_text(study, trial),
                wording.rmse_text(trial.best_rmse),
                gap,
                f"{trial.best_epoch or '-'}/{len(trial.epochs)}",
                f"{trial.seconds:.1f} s",
                values_text(trial.values, without=study.compared_dimension)
                + (" (default)" if study.is_default(trial) else "")
                + (" (enqueued)" if trial.is_enqueued else ""),
            ]
        )
    header = ["trial", *(["arm"] if has_arms else []), "state", "val RMSE", "to bias"]
    return _table([*header, "best/epochs", "time", "values"], rows)


def _by_rank(study: StudyRecord) -> list[TrialRecord]:
    """Complete trials by RMSE, then running, pruned, failed and waiting ones by number."""
    order = [TrialState.RUNNING, TrialState.PRUNED, TrialState.FAIL, TrialState.WAITING]
    ranked = list(study.ranked)
    in_front = {trial.name for trial in ranked}
    others = [trial for trial in study.trials if trial.name not in in_front]
    position = {state: i for i, state in enumerate([*order, TrialState.COMPLETE])}
    return ranked + sorted(others, key=lambda t: (position[t.state], t.number, t.name))


def _is_live(study: StudyRecord) -> bool:
    return study.state == "running"


def _state_text(study: StudyRecord, trial: TrialRecord) -> str:
    """`complete`, `pruned`, `diverged`, `failed: out_of_memory`."""
    word = wording.outcome_text(trial, _is_live(study))
    return f"{word}: {trial.stop_reason}" if word == "failed" and trial.stop_reason else word


def _best_and_bias(study: StudyRecord) -> tuple[float | None, float | None]:
    bias = study.baseline("bias")
    return (
        study.ranked[0].best_rmse if study.ranked else None,
        bias.val_rmse if bias else None,
    )


def _data_name(study: StudyRecord) -> str:
    return str(study.dataset.get("name", "-"))


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _timestamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, numbers to the right, no spaces at the ends of lines."""
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    to_right = [bool(rows) and all(_is_numeric(row[i]) for row in rows) for i in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in table
    ]


def _is_numeric(cell: str) -> bool:
    return not cell or cell[0] in "-.0123456789"
