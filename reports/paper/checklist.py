"""A reproducibility checklist, answered from what was recorded and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from experiments.records import StudyRecord
from reports import labels, numbers, ranking
from reports.described import default_moved, described, is_movielens, left_open, training_time
from reports.exports import run_again_command
from reports.judging.openings import n_early_openings, openings_text
from reports.paper.methods import argued
from reports.trained_with import commit, git, hardware, package_versions, version

Answer = Literal["yes", "no", "not recorded"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question that reviewers ask."""

    question: str
    answer: Answer
    evidence: str


def checklist(study: StudyRecord) -> tuple[Item, ...]:
    return (*_data_items(study), *_search_items(study), *_result_items(study), *_code_items(study))


def _known(question: str, evidence: str) -> Item:
    """Answered by the evidence where there is any."""
    return Item(question, "yes" if evidence else "not recorded", evidence or numbers.NOTHING)


def _data_items(study: StudyRecord) -> tuple[Item, ...]:
    data = described(study)
    size = f"{data.name}: {data.size_text}" if data.name else ""
    parts = ""
    if data.train.n_rows is not None:
        parts = (
            f"{data.method}: train {numbers.count(data.train.n_rows)}, "
            f"validation {numbers.count(data.validation.n_rows)}, "
            + (f"confirm {numbers.count(data.confirm.n_rows)}, " if data.confirm else "")
            + f"test {numbers.count(data.test.n_rows)}"
        )
    prints = ", ".join(
        f"{what} {fingerprint[:16]}"
        for what, fingerprint in (("ratings", data.fingerprint), ("split", data.split_fingerprint))
        if fingerprint
    )
    cold = data.validation.unseen_users
    return (
        _known("The data set is named, with its size", size),
        _known("The exact rows can be checked (SHA-256)", prints),
        _known("The split is stated, with the size of each part", parts),
        _cleaning(study),
        _known("The share of users unseen in training is stated",
               "" if cold is None else f"{numbers.share(cold)} of the validation rows"),
    )  # fmt: skip


def _cleaning(study: StudyRecord) -> Item:
    question, data = "What cleaning did to the data is stated", described(study)
    told = "; ".join(data.notes)
    if data.name is None or is_movielens(study):
        return _known(question, told or ("nothing to clean" if data.name else ""))
    here = f"; as it was read: {told}" if told else ""
    return Item(question, "not recorded", f"what was done to the table before{here}")


def _search_items(study: StudyRecord) -> tuple[Item, ...]:
    how = ", ".join(
        f"{what} {name}" for what in ("sampler", "pruner") if (name := argued(study, what))
    )
    fixed = (*(study.sweep.get("model") or {}), *left_open(study, "model"))
    n = ranking.counts(study.search_trials)
    default, moved = ranking.default_trial(study), default_moved(study)
    arms = ranking.arms(study)
    counts = {len(arm.trials) for arm in arms}
    items = [
        _known("The range of every hyperparameter is stated",
               f"{numbers.plural(len(study.columns), 'column')}; sweep.toml [space]"
               if study.columns else ""),
        _known("What does not vary is stated, defaults too",
               "sweep.toml [model]; provenance.json left_open" if fixed else ""),
        _known("How configurations were chosen is stated", how),
        _known("The number of trials is stated, those that failed too",
               f"{n.total:,}: {n.complete:,} complete, {n.pruned:,} pruned, {n.diverged:,} "
               f"diverged, {n.failed:,} failed" if n.total else ""),
        Item("The default configuration was tried, as far as its space holds it",
             "yes" if default else "no",
             f"#{default.number}, {default.state.value}" + (f"; {moved}" if moved else "")
             if default else numbers.NOTHING),
    ]  # fmt: skip
    if arms:
        told = ", ".join(f"{labels.arm_text(study, arm.arm)}: {len(arm.trials):,}" for arm in arms)
        items.append(
            Item("What is compared got the same number of trials",
                 "yes" if len(counts) == 1 else "no", told)
        )  # fmt: skip
    return tuple(items)


def _result_items(study: StudyRecord) -> tuple[Item, ...]:
    verdict = study.verdict
    results = study.verdict_results
    seeds = _text_of_seeds(study)
    baselines = ", ".join(f"{b.label} {numbers.rmse(b.val_rmse)}" for b in study.baselines)
    n_with_bars = sum(f.low is not None for f in results.finalists) if results else 0
    bars, tests = "one seed each", "no verdict was made: no difference is claimed"
    if results is not None and verdict is not None:
        bars = (
            f"{numbers.plural(n_with_bars, 'model')} complete under {len(verdict.seeds)} fresh "
            f"seeds, of {sum(not finalist.is_baseline for finalist in verdict.finalists):,} that "
            "were judged"
        )
        margin = numbers.two_digits(results.margin)
        tests = f"{numbers.plural(len(results.pairs), 'pair')}, Holm; margin {margin}"
    n_early = n_early_openings(study)
    early = f", {n_early:,} before the search had ended" if n_early else ""
    return (
        Item("The metric is defined", "yes", labels.what_is_averaged(study)),
        _known("Baselines on the same rows are stated", baselines),
        _known("Seeds are stated", seeds),
        Item(
            "The test part was kept from search and choice",
            "no" if n_early else "yes",
            openings_text(study) + early,
        ),
        Item("Results have error bars over seeds", "yes" if n_with_bars else "no", bars),
        Item(
            "Differences were tested, with correction for many",
            "yes" if results and results.pairs else "no",
            tests,
        ),
    )


def _text_of_seeds(study: StudyRecord) -> str:
    of_sweep, of_trials = study.sweep.get("seed"), {trial.seed for trial in study.search_trials}
    told = [] if of_sweep is None else [f"{of_sweep} of the sweep"]
    if study.search_seed != of_sweep:
        told.append(f"{study.search_seed} of its search, which follows from it and the split")
    if of_trials - {of_sweep}:
        told.append("one of each trial in trials.csv, by the search's and the number")
    if study.verdict is not None and study.verdict_results is not None:
        told.append(f"{', '.join(map(str, study.verdict.seeds))} of the verdict")
    return "; ".join(told)


def _code_items(study: StudyRecord) -> tuple[Item, ...]:
    about = study.provenance
    ours_from = git(study)
    listed = ", ".join(f"{name} {version}" for name, version in package_versions(study).items())
    ours = version(study, "recsweep")
    code = f"recsweep {ours}" if ours else ""
    code += f", commit {_commit(commit(study), ours_from)}" if ours_from else ""
    if project := about.get("project") or {}:
        code += f"; the project around it: commit {_commit(project['commit'], project)}"
    return (
        _known("The version of the code is stated", code),
        Item("All of the code is kept", *_is_kept(ours_from, about.get("code") or {})),
        _known("Versions of the libraries are stated", listed),
        _known("The computing infrastructure is stated", hardware(study)),
        _known("The run time is stated",
               training_time(study) if study.trials else ""),
        Item("The command that does it again is stated", "yes", run_again_command(study)),
        Item("Every trial can be trained again by one command", "yes",
             "column reproduce of trials.csv"),
    )  # fmt: skip


def _commit(commit: str, git: Mapping[str, Any]) -> str:
    states = {True: "with uncommitted changes", False: "no uncommitted changes"}
    return f"{commit}, {states.get(git.get('dirty'), 'changes unknown')}"  # type: ignore[arg-type]  # JSON


def _is_kept(git: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Answer, str]:
    """By that version, and of the researcher's own files by the study."""
    if git.get("dirty") is None:
        return "not recorded", numbers.NOTHING
    files = sorted({file for code in own.values() for file in code["files"]})
    kept = f"; own files in code/: {', '.join(files)}" if files else ""
    return (
        ("no", f"there were uncommitted changes{kept}")
        if git["dirty"]
        else ("yes", f"nothing was uncommitted{kept}")
    )
