"""A model card for an exported model: what it is, how good, how sure, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.records import FinalistResult, StudyRecord, TrialRecord, Value
from reports import labels, noise, numbers, ranking
from reports.described import described, left_open
from reports.exports import reproduce_commands
from reports.judging.decision import headline_of_verdict, label
from reports.judging.judged_rows import judged_on, optimism_in_short
from reports.pages import as_markdown
from reports.trained_with import commit, git, package_versions, version


def model_card(study: StudyRecord, trial: TrialRecord) -> str:
    """Markdown; only what is on record."""
    parts = (
        ("", _about(study, trial)),
        ("Use", _use(study, trial)),
        ("Training data", _data(study)),
        ("How good it is", _quality(study, trial)),
        ("Limits", _limits(study, trial)),
        ("Hyperparameters", _hyperparameters(study, trial)),
        ("Made again by", [f"    {line}" for line in reproduce_commands(study, trial)]),
        ("Made with", _software(study)),
    )
    text = ""
    for title, lines in parts:
        if lines:
            head = f"## {title}\n\n" if title else ""
            text += head + "\n".join(lines) + "\n\n"
    return text.rstrip() + "\n"


def _about(study: StudyRecord, trial: TrialRecord) -> list[str]:
    kind = as_markdown(labels.architecture_of(study, trial))
    size = f", {numbers.count(trial.n_parameters)} parameters" if trial.n_parameters else ""
    return [
        f"# Model card: {as_markdown(study.name)}, trial {trial.number}",
        "",
        f"A rating model ({kind}{size}), trained for "
        f"{numbers.plural(len(trial.epochs), 'epoch')} under seed {trial.seed}; weights of epoch "
        f"{trial.best_epoch}, its best.",
    ]


def _hyperparameters(study: StudyRecord, trial: TrialRecord) -> list[str]:
    """All that are on record: varied, fixed by the sweep, left at their defaults."""
    fixed: Mapping[str, Value] = study.sweep.get("model") or {}
    architecture = trial.values.get("architecture", fixed.get("architecture", "plain"))
    defaults: Mapping[str, Value] = left_open(study, "model").get(str(architecture)) or {}
    lines = [f"- {name}: {numbers.exact(value)}" for name, value in trial.values.items()]
    for which, others in (("fixed", fixed), ("at their defaults", defaults)):
        told = [f"{n} {numbers.exact(v)}" for n, v in others.items() if n not in trial.values]
        if told:
            lines.append(f"- {which}, where the model has them: {', '.join(told)}")
    return lines


def _use(study: StudyRecord, trial: TrialRecord) -> list[str]:
    data = described(study)
    model: Mapping[str, object] = study.sweep.get("model") or {}
    has_side_features = trial.values.get("side_features", model.get("side_features", True))
    when = ""
    if has_side_features and {"hour_of_day", "day_of_week"} & {*data.features}:
        when = ", timestamp=tf.constant([893286638], tf.int64)"
    span = ""
    if data.rating_range:
        span = f" from {data.rating_range[0]:g} to {data.rating_range[1]:g}"
    return [
        "It predicts the rating that a user would give an item, to order items that were chosen "
        "by other means. It was not made to choose them from the whole catalogue, and was not "
        "judged by what people click, watch or buy.",
        "",
        "    model = tf.saved_model.load(FOLDER)",
        '    rate = model.signatures["serving_default"]',
        f'    rate(user_id=tf.constant(["7"]), item_id=tf.constant(["42"]){when})',
        "",
        f"It gives `rating` (in {data.unit}{span}, clipped) and `raw`."
        + (" `timestamp` is in seconds since 1970." if when else "")
        + " Unseen users and items are allowed: they get what the model learned for strangers.",
    ]


def _data(study: StudyRecord) -> list[str]:
    data = described(study)
    if data.name is None:
        return ["Not on record."]
    lines = [
        f"- {as_markdown(data.name)}: {data.size_text}",
        f"- split {as_markdown(data.method)}: trained on "
        f"{numbers.count(data.train.n_rows)} rows, chosen on "
        f"{numbers.count(data.validation.n_rows)} validation rows",
    ]
    if data.features:
        lines.append(f"- features offered: {as_markdown(', '.join(data.features))}")
    if data.fingerprint:
        lines.append(f"- SHA-256 of the ratings {data.fingerprint}")
    return lines


def _quality(study: StudyRecord, trial: TrialRecord) -> list[str]:
    ranked = study.ranked
    place = f", rank {ranked.index(trial) + 1} of {len(ranked):,}" if trial in ranked else ""
    lines = [f"- validation RMSE {numbers.rmse(trial.best_rmse)}, one seed{place}"]
    lines += [
        f"- {as_markdown(b.label)}: {numbers.rmse(b.val_rmse)}"
        for b in sorted(study.baselines, key=lambda b: b.val_rmse)
    ]
    results = study.verdict_results
    found = results.finalist(trial.name) if results else None
    if found is not None and found.mean is not None and results is not None:
        lines.append(
            f"- mean over {len(found.rmse_by_seed)} fresh seeds {_with_interval(found)}, on "
            f"{judged_on(results)}{_there(study, results.baselines)}"
        )
        if results.is_confirmed and trial == study.leader:
            lines += [f"- {told}" for told in [optimism_in_short(study, results)] if told]
    tested = study.test.results.finalist(trial.name) if study.test else None
    if study.test is not None and tested is not None and tested.mean is not None:
        lines.append(
            f"- test RMSE {_with_interval(tested)}, mean over the same seeds, on "
            f"{study.test.results.n_rows:,} rows that chose nothing"
            f"{_there(study, study.test.baselines)}"
        )
    headline = headline_of_verdict(study)
    if headline is not None:
        lines.append(f"- the study's verdict: {as_markdown(headline.text)}")
    return lines


def _there(study: StudyRecord, baselines: Mapping[str, float]) -> str:
    """Of baselines on rows that are not the search's; empty where these are."""
    listed = ", ".join(
        f"{label(study, name)} {numbers.rmse(rmse)}"
        for name, rmse in sorted(baselines.items(), key=lambda item: item[1])
    )
    return f"; there {as_markdown(listed)}" if listed else ""


def _with_interval(found: FinalistResult) -> str:
    if found.low is None:
        return numbers.rmse(found.mean)
    return f"{numbers.rmse(found.mean)} ({numbers.rmse(found.low)} to {numbers.rmse(found.high)})"


def _limits(study: StudyRecord, trial: TrialRecord) -> list[str]:
    data, usual = described(study), noise.usual(study).rmse
    results = study.verdict_results
    found = results.finalist(trial.name) if results else None
    ours, bias = trial.best_rmse, ranking.bias_rmse(study)
    if results is not None and found is not None and found.mean is not None:
        ours, bias = found.mean, ranking.judged_baseline(study, results, "bias")
    lines = []
    if bias is not None and ours is not None and ours >= bias:
        lines.append("- It does not beat a user and an item bias alone.")
    tested = study.test.results.finalist(trial.name) if study.test else None
    if study.test is not None and tested is not None and tested.mean is not None:
        better = [name for name, rmse in study.test.baselines.items() if rmse <= tested.mean]
        if better:
            names = as_markdown(", ".join(label(study, name) for name in better))
            lines.append(f"- On the test rows it does not beat these baselines: {names}.")
    lines.append(
        "- The validation rows chose the epoch of its weights, and by their RMSE the best of the "
        "search: expect a worse one elsewhere. "
        f"Differences under {numbers.two_digits(usual)} between models of one seed each are "
        "within the noise."
    )
    if data.validation.unseen_users is not None:
        lines.append(
            f"- {numbers.share(data.validation.unseen_users)} of the validation rows belong to "
            "users never seen in training."
        )
    if study.segments is not None and trial.name in study.segments.spreads:
        spread = study.segments.spreads[trial.name].sd / study.segments.labels.sd
        under = f" under the verdict's seeds, on {judged_on(results)}," if results else ""
        lines.append(
            f"- Its predictions{under} spread by {numbers.share(spread)} of the ratings' spread."
        )
    lines.append(
        "- Ratings are of people who chose what to rate; groups of people are not on record, so "
        "fairness between them was not measured."
    )
    return lines


def _software(study: StudyRecord) -> list[str]:
    ours = version(study, "recsweep")
    lines = [f"- recsweep {ours}"] if ours else []
    if from_ := commit(study):
        lines.append(f"- commit {from_}" + (", with changes" if git(study).get("dirty") else ""))
    return lines + [f"- {name} {text}" for name, text in package_versions(study).items()]
