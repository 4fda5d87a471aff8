"""The question that several studies ask alike: which arm is ahead in each, and what is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from experiments.records import Answer, StudyRecord
from reports import labels, numbers, ranking
from reports.blocks import Block, Column, Note, Row, Section, Table, Text
from reports.comparing.changes import own_code
from reports.judging.decision import (
    arm_of,
    deciding_pair,
    headline_of_verdict,
    unbeaten_baselines,
)

NONE_YET = "none yet"


def arms_across(studies: Sequence[StudyRecord]) -> Section | None:
    """None where no two studies compare the same dimension with two arms in common.

    An arm of a study is compared with the others of that study alone, so that its rows need not be
    those of another study.
    """
    blocks: list[Block] = []
    for dimension in dict.fromkeys(study.compared_dimension for study in studies):
        asking = [study for study in studies if study.compared_dimension == dimension]
        bests = {study.folder: _bests(study) for study in asking}
        in_how_many = Counter(arm for best in bests.values() for arm in best)
        shared = [arm for arm, n in in_how_many.items() if n > 1]
        asking = [s for s in asking if len(bests[s.folder].keys() & set(shared)) > 1]
        if dimension is None or len(asking) < 2:
            continue
        blocks += [
            Text(_said(asking, {s.folder: bests[s.folder] for s in asking})),
            _table(dimension, shared, asking),
            *_other_code(shared, asking),
        ]
    if not blocks:
        return None
    blocks.append(
        Note(
            "Studies that share ratings, as folds of one data set do, are not independent: counts "
            "of them are no test."
        )
    )
    return Section("The same question", tuple(blocks))


def _bests(study: StudyRecord) -> dict[str, float]:
    """Of each arm that has a complete trial the lowest RMSE."""
    return {arm.arm: ranking.objective(arm.best) for arm in ranking.arms(study) if arm.best}


def _said(studies: Sequence[StudyRecord], bests: dict[object, dict[str, float]]) -> str:
    first = studies[0]
    ahead = Counter(min(best, key=lambda arm: best[arm]) for best in bests.values())
    leads = ", ".join(f"{labels.arm_text(first, arm)} in {n:,}" for arm, n in ahead.most_common())
    answers = Counter(_answer(study) for study in studies)
    in_order = sorted(answers.items(), key=lambda entry: (entry[0] == NONE_YET, -entry[1]))
    decided = ", ".join(f"{answer} in {n:,}" for answer, n in in_order)
    return (
        f"{len(studies):,} studies compare {first.compared_dimension}. The arm with the best "
        f"trial, of one seed each: {leads}. After a verdict: {decided}."
    )


def _answer(study: StudyRecord) -> str:
    results = study.verdict_results
    if results is None:
        return NONE_YET
    if unbeaten_baselines(study, results):
        return "a baseline unbeaten"
    pair = deciding_pair(study, results)
    if pair is None:  # the finalists that could answer did not complete
        return "not decided"
    if pair.answer == Answer.BETTER:
        arm = arm_of(study, pair.first)
        return f"decided for {labels.arm_text(study, arm)}" if arm else "decided"
    return "a tie" if pair.answer == Answer.TIE else "not decided"


def _other_code(arms: Sequence[str], studies: Sequence[StudyRecord]) -> tuple[Note, ...]:
    """Arms of the researcher's own that share no more than the name."""
    codes = [own_code(study) for study in studies]
    told = [arm for arm in arms if len({code[arm] for code in codes if arm in code}) > 1]
    return (Note(f"Not the same code in all of them: {', '.join(told)}."),) if told else ()


def _table(dimension: str, arms: Sequence[str], studies: Sequence[StudyRecord]) -> Table:
    rows = []
    for study in studies:
        bias, best = ranking.bias_rmse(study), _bests(study)
        gaps = [None if arm not in best or bias is None else best[arm] - bias for arm in arms]
        headline = headline_of_verdict(study)
        rows.append(
            Row(
                (
                    study.name,
                    *map(numbers.gap, gaps),
                    headline.text if headline else f"{NONE_YET}: not decided, one seed each",
                )
            )
        )
    return Table(
        caption=f"The arms of {dimension} in each study",
        columns=(
            Column("study", "Its name."),
            *(
                Column(
                    f"{labels.arm_text(studies[0], arm)}, to bias",
                    "RMSE of the arm's best trial, of one seed, minus that of the bias baseline on "
                    "the same rows.",
                    True,
                )
                for arm in arms
            ),
            Column("verdict", "What its verdict allows to be said.", is_wide=True),
        ),
        rows=tuple(rows),
    )
