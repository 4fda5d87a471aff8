"""Trials without a rank: pruned, diverged and failed, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from experiments.records import StopReason, StudyRecord, TrialRecord, TrialState
from reports import labels, numbers
from reports.blocks import Block, Column, Row, Section, Table, Text

N_ROWS = 200
REASONS = {
    StopReason.PRUNER: "stopped by the pruner",
    StopReason.DIVERGED: "diverged to a value that is not finite",
    StopReason.ERROR: "raised an exception",
    StopReason.OUT_OF_MEMORY: "ran out of memory",
    StopReason.WORKER_LOST: "lost the worker, also after retries",
    StopReason.STALLED: "gave no sign of life",
    StopReason.TRIAL_TIMEOUT: "took too long",
}


def failures(study: StudyRecord) -> Section:
    trials = study.search_trials
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    diverged = [trial for trial in trials if trial.is_diverged]
    pruned = [t for t in trials if t.state is TrialState.PRUNED and not t.is_diverged]
    resumed = [trial for trial in trials if len(trial.attempts) > 1]
    if not (failed or diverged or pruned):
        blocks: list[Block] = [Text("No trial was pruned, diverged or failed.")]
    else:
        n = len(failed) + len(diverged) + len(pruned)
        reasons = Counter(trial.stop_reason for trial in (*failed, *diverged, *pruned))
        said = ", ".join(f"{k:,} {_reason(reason)}" for reason, k in reasons.most_common())
        blocks = [Text(f"{numbers.plural(n, 'trial')} without a rank: {said}.")]
    if failed:
        blocks.append(_failed(study, failed))
    if diverged:
        blocks.append(_diverged(study, diverged))
    if pruned:
        blocks.append(_pruned(study, pruned))
    if resumed:
        n_went_on = sum(any((a.first_epoch or 1) > 1 for a in t.attempts) for t in resumed)
        blocks.append(
            Text(
                f"{numbers.plural(len(resumed), 'trial')} took more than one attempt (a worker or "
                "the driver went away, or what had failed was tried again); "
                f"{n_went_on:,} went on from a checkpoint."
            )
        )
    return Section("Pruned, diverged, failed", tuple(blocks))


def _failed(study: StudyRecord, trials: Sequence[TrialRecord]) -> Table:
    columns = (
        Column("reason", "Why the last attempt ended."),
        Column("attempts", "How often it was tried.", is_number=True),
        Column("error", "The error as it was raised; the log is in the trial's folder.",
               is_wide=True),
    )  # fmt: skip
    cells = [
        (_reason(t.stop_reason), str(len(t.attempts)), t.error or numbers.NOTHING) for t in trials
    ]
    return _table(study, "Failed", trials, columns, cells)


def _diverged(study: StudyRecord, trials: Sequence[TrialRecord]) -> Table:
    columns = (
        Column("epoch", "The epoch in which a value was not finite.", is_number=True),
        Column("best before", "Lowest validation RMSE before; not ranked.", is_number=True),
        _VALUES,
        Column("error", "What was not finite, and where.", is_wide=True),
    )
    cells = []
    for trial in trials:
        # The last: its validation RMSE may be finite where what the model makes of train is not.
        epoch = trial.epochs[-1].epoch if trial.epochs else None
        best = min((e.val_rmse for e in trial.epochs[:-1]), default=None)
        told = trial.error or numbers.NOTHING
        cells.append((numbers.count(epoch), numbers.rmse(best), _values(study, trial), told))
    return _table(study, "Diverged", trials, columns, cells)


def _pruned(study: StudyRecord, trials: Sequence[TrialRecord]) -> Table:
    columns = (
        Column("epoch", "The epoch after which the pruner stopped it.", is_number=True),
        Column("last", "Validation RMSE at that epoch.", is_number=True),
        Column("best", "Lowest validation RMSE up to it; not ranked.", is_number=True),
        _VALUES,
    )
    cells = []
    for trial in trials:
        last = trial.epochs[-1] if trial.epochs else None
        epoch, rmse = (last.epoch, last.val_rmse) if last else (None, None)
        best = numbers.rmse(trial.best_rmse)
        cells.append((numbers.count(epoch), numbers.rmse(rmse), best, _values(study, trial)))
    return _table(study, "Pruned", trials, columns, cells, is_collapsed=len(trials) > 12)


_VALUES = Column("values", "What the search chose; active dimensions only.", is_wide=True)


def _values(study: StudyRecord, trial: TrialRecord) -> str:
    return numbers.summary(trial.values, leave_out=study.compared_dimension)


def _table(
    study: StudyRecord,
    state: str,
    trials: Sequence[TrialRecord],
    columns: tuple[Column, ...],
    cells: Sequence[tuple[str, ...]],
    *,
    is_collapsed: bool = False,
) -> Table:
    left_out = len(trials) - N_ROWS
    return Table(
        caption=f"{state}: {numbers.plural(len(trials), 'trial')}",
        columns=(
            Column("trial", "Number in the study, and its arm where arms are compared."),
            *columns,
        ),
        rows=tuple(
            Row((labels.label(study, trial), *its))
            for trial, its in zip(trials[:N_ROWS], cells, strict=False)
        ),
        note=f"The first {N_ROWS} by number; {left_out:,} more are in trials.csv."
        if left_out > 0
        else "",
        is_collapsed=is_collapsed,
    )


def _reason(reason: StopReason | None) -> str:
    return "for no known reason" if reason is None else REASONS.get(reason, reason.value)
