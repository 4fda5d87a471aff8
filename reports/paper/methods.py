"""A methods paragraph from the record: data, split, space, budget, seeds, tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.records import StudyRecord, Value, VerdictResults
from reports import labels, noise, numbers, ranking
from reports.described import (
    default_architecture,
    default_moved,
    described,
    left_open,
    search_seed_text,
    training_time,
)
from reports.judging.decision import (
    caveats_on_test,
    chosen_text,
    label,
    lower_baseline_text,
)
from reports.judging.judged_rows import (
    judged_on,
    kept_users_text,
    late_in_short,
    refitted_on,
    too_good_by,
)
from reports.judging.openings import n_early_openings
from reports.trained_with import commit, hardware, package_versions, version


def methods_paragraph(study: StudyRecord) -> str:
    """Only what is on record; what is not is left out, never guessed."""
    sentences = (
        *_data(study), *_space(study), *_budget(study), _objective(study), *_baselines(study),
        *_effort(study), _tests(study), _test_split(study),
    )  # fmt: skip
    return " ".join(sentence for sentence in sentences if sentence)


def _data(study: StudyRecord) -> list[str]:
    data = described(study)
    if data.name is None:
        return []
    span = ""
    if data.rating_range:
        span = f", rated from {data.rating_range[0]:g} to {data.rating_range[1]:g}"
    sentences = [
        f"We used {data.name}: {numbers.count(data.n_ratings)} ratings of "
        f"{numbers.count(data.n_items)} items by {numbers.count(data.n_users)} users{span}"
        + (f" (SHA-256 {data.fingerprint[:16]})." if data.fingerprint else ".")
    ]
    # Of pairs that were rated again, which no count above tells.
    sentences += [f"{note.partition(': ')[2]}." for note in data.notes if "pair again;" in note]
    method = data.method + (f" ({data.split_arguments})" if data.split_arguments else "")
    n_kept = data.confirm.n_rows if data.confirm else None
    beside = "" if n_kept is None else f", and {n_kept:,} kept for the verdict"
    sentences.append(
        f"The {method} split gave {numbers.count(data.train.n_rows)} train, "
        f"{numbers.count(data.validation.n_rows)} validation and "
        f"{numbers.count(data.test.n_rows)} test ratings{beside}."
    )
    if data.validation.unseen_users is not None:
        sentences.append(
            f"Of the validation ratings {numbers.share(data.validation.unseen_users)} belong to "
            "users without a train rating."
        )
    sentences.append("Models were trained on train and chosen on validation.")
    if _is_fitted_by_recsweep(study):
        sentences.append("recsweep's models were fitted to the mean squared error.")
        if data.rating_unit != 1:
            sentences.append(
                "Within recsweep's models and their loss ratings were divided by "
                f"{data.rating_unit:g}, the power of 2 next to their standard deviation in train."
            )
    if (kept := kept_users_text(study)) is not None:
        sentences.append(f"{kept[0].upper()}{kept[1:]}.")
    if data.features:
        sentences.append(f"Features: {', '.join(data.features)}.")
    return sentences


def _space(study: StudyRecord) -> list[str]:
    space: Mapping[str, Any] = study.sweep.get("space") or {}
    sentences = []
    if space:
        dimensions = "; ".join(f"{name} {_range(cases)}" for name, cases in space.items())
        sentences.append(f"The search space was: {dimensions}.")
    if fixed := fixed_text(study):
        sentences.append(f"Fixed for all trials: {fixed}.")
    if defaults := defaults_text(study):
        sentences.append(f"What the sweep does not set was at its default: {defaults}.")
    return sentences


def fixed_text(study: StudyRecord) -> str:
    """`architecture dcn, dropout 0.1`: what the sweep fixes of its models."""
    fixed: Mapping[str, Any] = study.sweep.get("model") or {}
    return ", ".join(f"{name} {numbers.exact(value)}" for name, value in fixed.items())


def defaults_text(study: StudyRecord) -> str:
    """`optimizer adam; of plain: biases yes; where the space leaves it out: dropout 0.3`: by
    architecture what has another value in others, or means nothing to them."""
    space: Mapping[str, Any] = study.sweep.get("space") or {}
    models = left_open(study, "model")
    by_value: dict[tuple[str, str], list[str]] = {}
    for architecture, values in models.items():
        for name, value in values.items():
            by_value.setdefault((name, numbers.exact(value)), []).append(architecture)
    unsaid = default_architecture(study)
    told: dict[str, list[str]] = {"": [f"architecture {unsaid}"] * (unsaid is not None)}
    for (name, value), where in by_value.items():
        whose = [f"of {' and '.join(where)}"] if len(where) < len(models) else []
        whose += ["where the space leaves it out"] if name in space else []
        told.setdefault(", ".join(whose), []).append(f"{name} {value}")
    return "; ".join(
        (f"{whose}: " if whose else "") + ", ".join(of_it) for whose, of_it in told.items() if of_it
    )


def _is_fitted_by_recsweep(study: StudyRecord) -> bool:
    """Whether any model is: to all others what belongs to the loss means nothing."""
    said = (study.sweep.get("space") or {}, study.sweep.get("model") or {})
    return any("embedding_l2" in values for values in (*said, *left_open(study, "model").values()))


def _range(cases: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """`from 0.03 to 0.2 (log) where optimizer is adagrad`, of all cases of a dimension."""
    if not isinstance(cases, Mapping):
        return ", ".join(map(_range, cases))
    if "choices" in cases:
        text = f"of {_alternatives(cases['choices'], ' and ')}"
    else:
        text = f"from {numbers.exact(cases['low'])} to {numbers.exact(cases['high'])}"
        notes = ["log"] * bool(cases.get("log"))
        notes += [f"in steps of {numbers.exact(cases['step'])}"] if cases.get("step") else []
        text += f" ({', '.join(notes)})" if notes else ""
    if each := cases.get("each"):
        text += f" for each of {each}"
    conditions = [
        f"{name} is {_alternatives(wanted if isinstance(wanted, list) else [wanted], ' or ')}"
        for name, wanted in (cases.get("when") or {}).items()
    ]
    return text + (f" where {' and '.join(conditions)}" if conditions else "")


def _alternatives(values: Sequence[Value], last: str) -> str:
    """`16`, `16 or 32`, `16, 32 or 64`."""
    *first, end = map(numbers.exact, values)
    return f"{', '.join(first)}{last}{end}" if first else end


def _budget(study: StudyRecord) -> list[str]:
    search: Mapping[str, Any] = study.sweep.get("search") or {}
    n = ranking.counts(study.search_trials)
    arms = [f"{len(arm.trials):,} {labels.arm_text(study, arm.arm)}" for arm in ranking.arms(study)]
    split = f" ({', '.join(arms)})" if arms else ""
    seed = search_seed_text(study)
    seeded = f" under seed {seed}" if seed else ""
    sentences = [
        f"The search ran {numbers.plural(n.total, 'trial')}{split}"
        + (f" with the {sampler} sampler" if (sampler := argued(study, "sampler")) else "")
        + f"{seeded}."
    ]
    n_asked = max(study.n_trials_asked_for, n.total)
    if (limit := search.get("timeout")) is not None:
        cut = study.is_ended_by_time and n.total < n_asked
        ended = f", and time ended it before the {n_asked:,} trials asked for" if cut else ""
        sentences.append(f"The sweep limited the search to {numbers.seconds(limit)}{ended}.")
    if random := _drawn_at_random(study):
        sentences.append(random)
    if "max_epochs" in search:
        patience = search.get("patience") or 0
        most = numbers.plural(search["max_epochs"], "epoch")
        could = 0 < patience < search["max_epochs"] - 1
        after = numbers.plural(patience, "epoch") if could else ""
        early = f", ended early after {after} without improvement" if after else ""
        sentences.append(f"A trial was trained for at most {most}{early}.")
    sentences.append(_pruner(study))
    sentences.append(
        f"Of all trials {n.complete:,} completed, {n.pruned:,} were pruned, {n.diverged:,} "
        f"diverged to a value that is not finite and {n.failed:,} failed; only completed ones are "
        "ranked."
    )
    if not study.is_searched:
        left = f"{n_asked - n.finished:,} of the {n_asked:,} asked for"
        sentences.append(f"When this was written {left} had not ended.")
    if ranking.default_trial(study) is not None:
        moved = default_moved(study)
        held = f" (with {moved}, which the space does not hold)" if moved else ""
        of = " of every arm" if arms else ""
        sentences.append(f"The default configuration{held} was the first trial{of}.")
    if n_enqueued := sum(trial.is_enqueued for trial in study.search_trials):
        sentences.append(
            f"The values of {numbers.plural(n_enqueued, 'other')} were given beforehand."
        )
    return sentences


def argued(study: StudyRecord, what: str) -> str:
    """A sampler or pruner with all that it was told: `median (n_warmup_epochs 3)` pruner."""
    name, told = _named(study, what)
    arguments = ", ".join(f"{key} {numbers.exact(value)}" for key, value in told.items())
    return f"{name} ({arguments})" if arguments else name


def _named(study: StudyRecord, what: str) -> tuple[str, dict[str, Any]]:
    """Of a sampler or pruner its name, and its arguments with those that were left open."""
    said = (study.sweep.get("search") or {}).get(what)
    told = {**(said if isinstance(said, Mapping) else {}), **left_open(study, what)}
    told.pop("name", None)
    return name_of(said), told


def _most_trials(study: StudyRecord) -> int:
    """Of the arm that has most; of all where there are no arms."""
    arms = ranking.arms(study)
    return max((len(arm.trials) for arm in arms), default=len(study.search_trials))


def _pruner(study: StudyRecord) -> str:
    """Whether it could stop any trial: none does in its warm-up, nor at its last epoch."""
    name, told = _named(study, "pruner")
    if name in ("", "none"):
        return ""
    max_epochs = (study.sweep.get("search") or {}).get("max_epochs", math.inf)
    lacks = ["epochs"] * (told.get("n_warmup_epochs", 0) >= max_epochs)
    lacks += ["trials"] * (told.get("n_startup_trials", 0) >= _most_trials(study))
    could = f"had too few {' and '.join(lacks)} to stop any" if lacks else "could stop weak trials"
    return f"The {argued(study, 'pruner')} pruner {could}."


def _drawn_at_random(study: StudyRecord) -> str:
    """Of which trials it would be too much to say that tpe proposed them."""
    name, told = _named(study, "sampler")
    n_first = told.get("n_startup_trials")
    if name != "tpe" or not n_first:
        return ""
    arms = ranking.arms(study)
    text = f"It draws at random until {'an arm has' if arms else 'there are'} {n_first} trials"
    if _most_trials(study) > n_first:
        return f"{text}."
    return f"{text}, and {'none had' if arms else 'there were no'} more."


def name_of(value: object) -> str:
    """Of a sampler or pruner, with or without arguments."""
    return str(value.get("name", "")) if isinstance(value, Mapping) else str(value or "")


def _objective(study: StudyRecord) -> str:
    return (
        f"The objective was the {labels.what_is_averaged(study)}: the square root of the mean of "
        "the squared errors over all rated pairs."
    )


def _baselines(study: StudyRecord) -> list[str]:
    if not study.baselines:
        return []
    listed = ", ".join(
        f"{b.label} {numbers.rmse(b.val_rmse)}"
        for b in sorted(study.baselines, key=lambda b: b.val_rmse)
    )
    return [f"Baselines on the same rows: {listed}."]


def _effort(study: StudyRecord) -> list[str]:
    on = f" on {found}" if (found := hardware(study)) else ""
    sentences = [f"Training took {training_time(study)}{on}."]
    if ours := version(study, "recsweep"):
        from_ = f" (commit {found})" if (found := commit(study, 12)) else ""
        versions = package_versions(study)
        with_ = ", ".join(
            f"{label} {versions[name]}"
            for name, label in (("tensorflow", "TensorFlow"), ("optuna", "Optuna"), ("ray", "Ray"))
            if name in versions
        )
        sentences.append(f"We used recsweep {ours}{from_}" + (f" with {with_}." if with_ else "."))
    return sentences


def _seed(study: StudyRecord) -> str:
    trials = study.search_trials
    n_seeds = len({trial.seed for trial in trials})
    if n_seeds < 2:
        return "one seed"
    own = f"a seed of its own (it follows from {study.search_seed})"
    # One that was begun when all trials of a search had one.
    return own if n_seeds == len(trials) else f"the seed of the first ones, or {own}"


def _tests(study: StudyRecord) -> str:
    usual = noise.usual(study).rmse
    results = study.verdict_results
    if study.verdict is None or results is None:
        return (
            f"Every trial was trained under {_seed(study)} and no test of significance was made; "
            "the best of many trials is optimistic on the rows it was chosen on, and differences "
            f"under {numbers.two_digits(usual)} RMSE are not interpreted."
        )
    return (
        f"The search trained every trial under {_seed(study)}. Then {len(results.finalists):,} "
        f"finalists ({chosen_text(study, study.verdict)}) were frozen, the models among them "
        f"trained again under {numbers.plural(len(study.verdict.seeds), 'fresh seed')} "
        f"({', '.join(map(str, study.verdict.seeds))}), the same for all, and judged on "
        f"{judged_on(results)}. {_lost(results)}{_late(study)}{_lower(study, results)}"
        "Differences have 95 "
        "% intervals for other seeds and other users (Student's t, Satterthwaite's degrees of "
        f"freedom); p values are Holm's over {numbers.plural(len(results.pairs), 'pair')}; "
        f"two tie where the whole interval lies within {numbers.two_digits(results.margin)} "
        "RMSE, and one is "
        "better where p is below .05 and the difference at least that. "
        + _chosen(results)
        + "The variance of the search itself is not covered."
    )


def _late(study: StudyRecord) -> str:
    late = late_in_short(study)
    return f"{late} " if late else ""


def _lower(study: StudyRecord, results: VerdictResults) -> str:
    lower = lower_baseline_text(study, results)
    return f"{lower} " if lower else ""


def _lost(results: VerdictResults) -> str:
    n = sum(found.mean is None for found in results.finalists)
    if not n:
        return ""
    were = "was" if n == 1 else "were"
    return f"Of these {n:,} failed or diverged under a seed and {were} compared with none. "


def _chosen(results: VerdictResults) -> str:
    by = too_good_by(results, results.optimism or 0.0)
    if results.is_confirmed:
        seen = "Which finalist leads was seen on these users alone"
        return f"{seen}, which flatters its mean by up to {by}. " if by else ""
    up_to = f", by up to {by}" if by else ""
    return f"The choice of the finalists on these rows flatters them{up_to}. "


def _test_split(study: StudyRecord) -> str:
    if not study.openings:
        return "The ratings of the test part were sealed and never opened."
    n_own = sum(opening.study == study.name for opening in study.openings)
    who = (
        (n_own, "by this study after its finalists were frozen"),
        (len(study.openings) - n_own, "by other studies of the same split"),
    )
    told = " and ".join(f"{numbers.plural(n, 'time')} {by}" for n, by in who if n)
    if study.test is not None and not n_own:  # renamed since: which of them is its own is not known
        told = numbers.plural(len(study.openings), "time")
    n_early = n_early_openings(study)
    early = f" ({n_early:,} before the search had ended)" if n_early else ""
    scored = ""
    if study.test is not None:
        means = ", ".join(
            f"{label(study, found.name)} {numbers.rmse(found.mean)}"
            for found in study.test.results.finalists
            if found.mean is not None
        )
        scored = (
            f"; on its {study.test.results.n_rows:,} ratings the frozen finalists had these RMSE, "
            "at the epoch of their lowest validation RMSE, means over the same seeds but for a "
            f"baseline: {means}"
        )
    lost = "".join(f" {said}" for said in caveats_on_test(study, study.test)) if study.test else ""
    return f"The test part was opened {told}{early}{scored}.{lost}{_refit(study)}"


def _refit(study: StudyRecord) -> str:
    refit = study.test.refit if study.test else None
    if refit is None:
        return ""
    return (
        f" Trained again on {refitted_on(study)} together, for as many epochs, "
        f"{label(study, refit.name)} had {numbers.rmse(refit.mean)}."
    )
