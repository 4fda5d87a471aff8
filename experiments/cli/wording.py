"""What a study looks like in words: the lines that the terminal and `show` have in common.

Standard library only, so that `show` and `ls` answer at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.arms import arm_name, shares_text
from experiments.durations import format_duration
from experiments.machine.machine import machine_text
from experiments.records import (
    BaselineRecord,
    EpochRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    verdict_cost,
)
from experiments.records.values import plural as plural
from experiments.records.values import values_text
from experiments.typed import from_here, typed
from reports.described import described
from reports.judging.openings import openings_text
from reports.labels import arm_text


def rmse_text(rmse: float | None) -> str:
    """Four decimals, no more; `-` where there is none."""
    return "-" if rmse is None else f"{rmse:.4f}"


def gap_text(rmse: float, reference: float) -> str:
    """`.0102 under`, `.0031 over`: where a validation RMSE lies beside another."""
    side = "under" if rmse < reference else "over"
    return f"{short(abs(rmse - reference))} {side}"


def short(number: float) -> str:
    """Four decimals without the zero in front: `.0102`, `-.0004`, `1.0210`."""
    text = f"{number:.4f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def clock(seconds: float) -> str:
    """`1:52`, `2:07:30`."""
    minutes, left = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def outcome_text(trial: TrialRecord, is_live: bool = True) -> str:
    """`complete`, `pruned`, `diverged`, `failed`, `running`, `waiting`.

    Args:
        is_live: a driver runs the study; else what has not ended was `interrupted`.
    """
    if trial.is_diverged:
        return "diverged"
    if trial.state is TrialState.RUNNING and not is_live:
        return "interrupted"
    return "failed" if trial.state is TrialState.FAIL else trial.state.value.lower()


OUTCOMES = ("complete", "pruned", "diverged", "failed", "running", "interrupted", "waiting")


def counts_text(trials: Iterable[TrialRecord], is_live: bool = True) -> str:
    """`11 complete 14 pruned 1 diverged 1 failed`, without those that there are none of."""
    counts = Counter(outcome_text(trial, is_live) for trial in trials)
    return " ".join(f"{counts[word]} {word}" for word in OUTCOMES if counts[word])


def named(trial: TrialRecord, study: StudyRecord | None) -> str:
    """`#19 dcn`, `#11 embedding_size 64`."""
    if trial.arm is None or study is None:
        return f"#{trial.number}"
    return f"#{trial.number} {arm_text(study, trial.arm)}"


def epoch_text(who: int | str, epoch: EpochRecord) -> str:
    """`#19 epoch 7 val 1.0298 train 0.9312, 2.10 s`, of a trial by its number or its name."""
    return (
        f"{f'#{who}' if isinstance(who, int) else who} epoch {epoch.epoch} val "
        f"{rmse_text(epoch.val_rmse)} train {rmse_text(epoch.train_rmse)}, {epoch.seconds:.2f} s"
    )


def best_text(trial: TrialRecord, study: StudyRecord) -> str:
    """`#19 dcn    1.0298   .0102 under bias    adam 1.1e-3, 64-32, 1 cross layer, epoch 7`."""
    assert trial.best_rmse is not None
    parts = [named(trial, study), rmse_text(trial.best_rmse)]
    if (bias := study.baseline("bias")) is not None:
        parts.append(f"{gap_text(trial.best_rmse, bias.val_rmse)} bias")
    without = study.compared_dimension
    described = [values_text(trial.values, without=without), f"epoch {trial.best_epoch}"]
    return "    ".join([*parts, ", ".join(part for part in described if part)])


def arms_text(
    trials: Iterable[TrialRecord], arms: Sequence[str], *, is_judged: bool = False
) -> str:
    """`dcn 1.0298 (6 complete)     plain 1.0306 (5 complete)      .0008 apart: not decided`.

    The best arm comes first. One seed each decides nothing, so no winner is named; what a verdict
    decided `is_judged` leaves to it.
    """
    finals: dict[str, list[float]] = {arm: [] for arm in arms}
    for trial in trials:
        if trial.is_ranked and trial.arm is not None and trial.best_rmse is not None:
            finals.setdefault(trial.arm, []).append(trial.best_rmse)
    best = sorted((min(f, default=math.inf), arm) for arm, f in finals.items())
    parts = [
        f"{arm} {rmse_text(rmse if finals[arm] else None)} ({len(finals[arm])} complete)"
        for rmse, arm in best
    ]
    if len(best) > 1 and math.isfinite(best[1][0]) and not is_judged:
        parts.append(f" {short(best[1][0] - best[0][0])} apart: not decided")
    return "     ".join(parts)


def arms_of(study: StudyRecord) -> tuple[str, ...]:
    """The names of the arms, in the order of the space; empty where nothing is compared."""
    return tuple(arm_name(choice) for choice in study.compared_choices)


def header_lines(study: StudyRecord, estimate_s: float | None = None) -> list[str]:
    """What is about to happen, before the first trial: data, split, what is to be beaten, ..."""
    version = ".".join(str(study.provenance.get("recsweep", "")).split(".")[:2])
    lines = [f"{f'recsweep {version}'.strip()} · {study.name} → {from_here(study.folder)}"]
    lines += about_lines(study)
    machine = study.provenance.get("machine") or {}
    parts = [machine_text(machine)] if machine else []
    if address := (study.provenance.get("resources") or {}).get("address"):
        parts = [f"the Ray cluster at {address}"]
    if n_workers := study.provenance.get("n_workers"):
        is_least = (study.provenance.get("resources") or {}).get("pack_up_to")
        more = ", more where a probe finds room" if is_least else ""
        parts.append(f"{plural(n_workers, 'worker')}{more}")
    if estimate_s is not None:
        parts.append(f"about {format_duration(estimate_s)}")
    if parts:
        lines.append(f"machine  {' · '.join(parts)}")
    lines.append(
        f"watch    recsweep board {typed(study.folder)}        stop  Ctrl-C        "
        f"go on  recsweep resume {typed(study.folder)}"
    )
    return lines


def about_lines(study: StudyRecord) -> list[str]:
    """Data, split, what is to be beaten, and how it is searched."""
    lines = data_lines(study)
    if study.baselines:
        lines.append(f"to beat  {to_beat_text(study.baselines)}      validation RMSE")
    return [*lines, f"search   {search_text(study)}"]


def note_text(study: StudyRecord) -> str:
    """The note and the tags: `first look, ids only  #paper #v2`."""
    parts = " ".join(study.note.split()), " ".join(f"#{tag}" for tag in study.tags)
    return "  ".join(filter(None, parts))


def data_lines(study: StudyRecord) -> list[str]:
    """The data set, what is odd about it, its split, and whether that was opened, as the provenance
    describes them."""
    dataset = study.dataset
    if not dataset:
        return []
    low, high = dataset["rating_range"]
    lines = [
        f"data     {dataset['name']}: {plural(dataset['n_ratings'], 'rating')}, "
        f"{plural(dataset['n_users'], 'user')}, {plural(dataset['n_items'], 'item')}, "
        f"{described(study).unit} {low:g} to {high:g}"
    ]
    lines += [f"         {note}" for note in dataset.get("notes") or ()]
    rows = " · ".join(f"{part} {dataset[part]['n_rows']:,}" for part in _PARTS if dataset.get(part))
    lines.append(f"split    {dataset['split']['method']}: {rows} ({openings_text(study)})")
    if confirm := dataset.get("confirm"):
        lines.append(
            f"         confirm: {plural(confirm['n_users'], 'validation user')} that the search "
            "never sees, for the verdict alone"
        )
    unseen = dataset["test"]["unseen_users"]
    if unseen >= 0.005:
        lines.append(
            f"         {100 * unseen:.0f} % of the test rows belong to users never seen in training"
        )
    return lines


_PARTS = ("train", "validation", "confirm", "test")


def resume_step(study: StudyRecord) -> str | None:
    """`recsweep resume NAME        (3 trials left)`; None where the search is at its end."""
    n_left = study.n_trials_asked_for - study.n_done
    if n_left <= 0 or study.is_finished:
        return None
    left, more = f"{plural(n_left, 'trial')} left", ""
    if study.is_out_of_time:
        left, more = f"{left}, and no time", " --timeout 1h"
    return f"recsweep resume {typed(study.folder)}{more}        ({left})"


def verdict_step(study: StudyRecord) -> str | None:
    """`recsweep verdict NAME        (7 models × 5 seeds, about 2 min)`; None after it."""
    cost = verdict_cost(study)
    return None if cost is None else f"recsweep verdict {typed(study.folder)}        ({cost.text})"


def to_beat_text(baselines: Sequence[BaselineRecord]) -> str:
    """`bias 1.0400 · matrix factorisation 1.0384 · train mean 1.1374`, the bias first."""
    ordered = sorted(baselines, key=lambda b: (b.name != "bias", b.val_rmse))
    return " · ".join(f"{b.name.replace('_', ' ')} {rmse_text(b.val_rmse)}" for b in ordered)


def search_text(study: StudyRecord) -> str:
    """`60 trials · architecture: 30 plain, 30 dcn · tpe, median · up to 30 epochs · seed 42`."""
    search = study.sweep.get("search") or {}
    parts = [plural(study.n_trials_asked_for, "trial")]
    methods = [_method_name(search.get(key)) for key in ("sampler", "pruner")]
    if (compared := study.compared_dimension) and (choices := study.compared_choices):
        parts.append(shares_text(compared, choices, study.n_trials_asked_for, methods[0]))
    if named := [name for name in methods if name and name != "none"]:
        parts.append(", ".join(named))
    if enqueued := search.get("enqueue"):
        parts.append(f"{len(enqueued)} enqueued")
    if "max_epochs" in search:
        parts.append(f"up to {plural(search['max_epochs'], 'epoch')}")
    parts.append(f"seed {study.sweep.get('seed', '-')}")
    return " · ".join(parts)


def _method_name(method: Any) -> str | None:
    name = method.get("name") if isinstance(method, Mapping) else method
    # A study names the researcher's functions by its copies.
    return None if name is None else str(name).removeprefix("code/")
