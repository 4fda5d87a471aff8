"""What the models have to beat, on the same rows."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import labels, noise, numbers, ranking
from reports.blocks import Column, Problem, Row, Section, Table, Text
from reports.judging.judged_rows import kept_users_text

DEFINITIONS = {
    "train_mean": "the mean rating of the train rows, for everyone",
    "item_mean": "each item's mean rating in train; the train mean where it has none",
    "bias": "train mean plus a regularised user and item effect",
    "matrix_factorisation": "the bias model plus a product of user and item factors",
}


def baselines(study: StudyRecord) -> Section:
    if not study.baselines:
        return Section("Baselines", (Problem("No baseline is stored in the study folder."),))
    ranked = study.ranked
    rows = tuple(
        Row(
            (
                baseline.label,
                numbers.rmse(baseline.val_rmse),
                f"{sum(ranking.objective(t) < baseline.val_rmse for t in ranked):,}"
                f" of {len(ranked):,}",
                numbers.gap(ranking.objective(ranked[0]) - baseline.val_rmse)
                if ranked
                else numbers.NOTHING,
                numbers.two_digits(noise.usual(study, baseline.name).rmse),
                numbers.seconds(baseline.seconds),
                DEFINITIONS.get(baseline.name, numbers.NOTHING),
            )
        )
        for baseline in sorted(study.baselines, key=lambda b: b.val_rmse)
    )
    return Section(
        "Baselines",
        (
            Text(
                "Fitted on the train rows, and scored on the validation rows of every trial; these "
                "also choose the regularisation of the bias and the epoch of the matrix "
                "factorisation, as they choose each trial's epoch. "
                + (
                    f"{kept}; their numbers on those stand in the verdict. "
                    if (kept := kept_users_text(study))
                    else ""
                )
                + "A model that does not beat them has learned nothing worth its training."
            ),
            Table(
                caption="Baselines, best first",
                columns=(
                    Column("baseline", "Its name."),
                    Column(
                        "RMSE",
                        f"{labels.what_is_averaged(study).partition(', at each')[0]}.",
                        is_number=True,
                    ),
                    Column("beaten by", "COMPLETE trials with a lower RMSE.", is_number=True),
                    Column("best to it", "Best trial's RMSE minus its; below 0: beaten.", True),
                    Column(
                        "noise",
                        "What 95 % of the gaps between it and an equal model of one seed lie "
                        "under: users tell it from a model less surely than two models.",
                        is_number=True,
                    ),
                    Column("time", "To fit and score it.", is_number=True),
                    Column("predicts", "What it predicts for a pair.", is_wide=True),
                ),
                rows=rows,
            ),
        ),
    )
