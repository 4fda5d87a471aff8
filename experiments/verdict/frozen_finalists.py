"""The list of finalists, frozen once: before anybody knows what a verdict will say of them."""

from __future__ import annotations

import time

from experiments.errors import RequestError, StateError
from experiments.records import BASELINES_NAME, StudyRecord
from experiments.records.finalists import N_SEEDS, TOP, chosen_trials, judging_users
from experiments.records.verdict_records import Finalist, VerdictRecord, read_verdict
from experiments.search.samplers import stable_seed
from experiments.typed import typed
from experiments.verdict.size_control import size_control
from recommender.baselines import BASELINES


def frozen_or_chosen(
    study: StudyRecord, top: int | None = None, n_seeds: int | None = None
) -> VerdictRecord:
    """The study's frozen list, or the one that it would freeze now; writes nothing.

    Raises:
        StateError: the search is not over.
        RequestError: nothing can be judged, or the list is frozen for other numbers.
    """
    if judging_users(study) == 1:
        is_alone = study.dataset.get("n_users") == 1
        cure = "another split, such as --set split.method=random"
        raise RequestError(
            f"{study.name}: the validation ratings that would judge are all of one user, and what "
            "holds for other users takes two at least; run it with "
            + ("ratings of others, too" if is_alone else cure)
        )
    frozen = read_verdict(study.folder)
    if frozen is not None:
        for option, asked, there in (
            ("--top", top, frozen.top),
            ("--seeds", n_seeds, len(frozen.seeds)),
        ):
            if asked is not None and asked != there:
                raise RequestError(
                    f"{study.name} has a verdict with {option} {there}, frozen before its result "
                    f"was known; leave {option} out to go on with it"
                )
        return frozen
    if not study.is_finished and (study.state == "running" or not study.is_ended_by_time):
        how = (
            f"wait for its end: recsweep show {typed(study.folder)} --watch"
            if study.state == "running"
            else f"bring it to its end first with: recsweep resume {typed(study.folder)}"
        )
        raise StateError(f"{study.name} is not finished, and its finalists are frozen once: {how}")
    top, n_seeds = TOP if top is None else top, N_SEEDS if n_seeds is None else n_seeds
    for option, number in (("--top", top), ("--seeds", n_seeds)):
        if type(number) is not int:
            raise RequestError(f"{option} must be a whole number, got {number!r}")
    if top < 1:
        raise RequestError(f"--top must be at least 1, got {top}")
    if n_seeds < 2:
        raise RequestError(f"--seeds must be at least 2, got {n_seeds}: one seed decides nothing")
    if not study.baselines:
        n_arms, n_trials = max(1, len(study.compared_choices)), study.n_trials_asked_for
        raise StateError(
            f"{study.folder / BASELINES_NAME} is missing or damaged, and a verdict judges the best "
            f"baseline, too; `recsweep resume {typed(study.folder)} --trials "
            f"{n_trials - n_trials % n_arms + n_arms}` fits them anew"
        )
    if not study.ranked:
        raise RequestError(
            f"{study.name} has no complete trial: there is nothing to judge. What became of its "
            f"trials: recsweep show {typed(study.folder)}"
        )
    return VerdictRecord(
        frozen_at=time.time(),
        top=top,
        seeds=tuple(fresh_seeds(study, n_seeds)),
        finalists=choose_finalists(study, top),
    )


def choose_finalists(study: StudyRecord, top: int) -> tuple[Finalist, ...]:
    """The best `top`, the best of each arm, the best default, a control as large as the best DCN
    where that is compared with plain, and the best baseline."""
    finalists = [
        Finalist(trial.name, trial.number, reasons) for trial, reasons in chosen_trials(study, top)
    ]
    known = [b for b in study.baselines if b.name in BASELINES]
    if (control := size_control(study)) is not None:
        finalists.append(control)
    if known:
        best = min(known, key=lambda b: b.val_rmse)
        finalists.append(Finalist(best.name, None, ("best baseline",)))
    return tuple(finalists)


def fresh_seeds(study: StudyRecord, n_seeds: int) -> list[int]:
    """Seeds that follow from the search's and that no search trial was trained under."""
    used = {trial.seed for trial in study.search_trials}
    seeds: list[int] = []
    index = 1
    while len(seeds) < n_seeds:
        seed = stable_seed(study.search_seed or 0, "verdict", index)
        if seed not in used and seed not in seeds:
            seeds.append(seed)
        index += 1
    return seeds
