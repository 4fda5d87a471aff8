"""The picture of the first screen: the best models and the baselines on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.records import StudyRecord, VerdictResults
from reports import labels, noise, numbers, ranking
from reports.blocks import Picture
from reports.drawing.arm_colours import arm_colours
from reports.drawing.canvas import COLOURS, picture
from reports.drawing.trials import Dot, dot_plot, dot_scale
from reports.judging.decision import arm_of, is_model, label
from reports.judging.judged_rows import judged_on

N_DOTS = 10


def best_picture(study: StudyRecord) -> Picture | None:
    """After a verdict its finalists with their intervals, else the best trials of one seed each."""
    results = study.verdict_results
    return _best_dots(study) if results is None else _verdict_dots(study, results)


def _verdict_dots(study: StudyRecord, results: VerdictResults) -> Picture | None:
    colours = arm_colours(study)
    dots = []
    for found in results.finalists:
        if is_model(study, found.name) and found.mean is not None:
            assert found.low is not None and found.high is not None
            name, colour = label(study, found.name), colours[arm_of(study, found.name)]
            dots.append(Dot(name, found.mean, colour, False, interval=(found.low, found.high)))
    if not dots:
        return None
    shaded_to = min(dot.rmse for dot in dots) + results.margin
    dots += [
        Dot(b.label, rmse, COLOURS["muted"], True, may_be_off=b.name != "bias")
        for b in study.baselines
        if (rmse := ranking.judged_baseline(study, results, b.name)) is not None
    ]
    dots.sort(key=lambda dot: dot.rmse)
    n_seeds = len(study.verdict.seeds) if study.verdict else 0
    caption = (
        f"The finalists and the baselines, on {judged_on(results)}. Filled circles: means over "
        f"{n_seeds} fresh seeds, with 95 % intervals over seeds on these rows; whether a "
        "difference also holds for other users stands in the verdict. Shaded: within "
        f"{numbers.two_digits(results.margin)} of the first model, which does not matter in "
        "practice"
    )
    return _drawn(dots, caption, shaded_to)


def _best_dots(study: StudyRecord) -> Picture | None:
    rows = ranking.standings(study)
    best = [row for _, row in ranking.models(study)[:N_DOTS]]
    shown = [row for row in rows if row.baseline or row in best]
    default = ranking.default_trial(study)
    shown += [row for row in rows if row.trial is default and default and row not in shown]
    if not shown:
        return None
    colours = arm_colours(study)
    dots = []
    for row in sorted(shown, key=lambda row: row.rmse):
        if row.trial:
            name, colour = labels.label(study, row.trial), colours[row.trial.arm]
            is_near = row in best
        else:
            assert row.baseline is not None
            name, colour, is_near = (
                row.baseline.label, COLOURS["muted"], row.baseline.name == "bias"
            )  # fmt: skip
        dots.append(Dot(name, row.rmse, colour, row.trial is None, may_be_off=not is_near))
    ranked = study.ranked
    usual = noise.usual(study).rmse
    shaded_to = ranking.objective(ranked[0]) + usual if ranked else None
    n = len(best)
    what = [f"the best {n} trials" if n > 1 else "the only complete model"] if n else []
    if any(row.rank and row not in best for row in shown):
        what.append("the default")
    if study.baselines:
        what.append("the baselines")
    caption = " and ".join([", ".join(what[:-1]), what[-1]] if len(what) > 1 else what)
    if n:
        caption += (
            ". Circles: trials of one seed, so without an interval. Diamonds: baselines. "
            f"Shaded: within {numbers.two_digits(usual)} of the first trial, as much as one seed "
            "and these users usually make between models"
        )
    return _drawn(dots, caption[0].upper() + caption[1:], shaded_to)


def _drawn(dots: Sequence[Dot], caption: str, shaded_to: float | None) -> Picture:
    off = ". An arrow: off the scale" if any(d.rmse > dot_scale(dots)[1] for d in dots) else ""
    alt = "; ".join(f"{dot.label} {numbers.rmse(dot.rmse)}" for dot in dots)
    return picture(
        "best",
        f"{caption}{off}.",
        f"Validation RMSE: {alt}.",
        lambda width: dot_plot(dots, shaded_to=shaded_to, width=width),
    )
