"""One answer to the question that several studies ask of several splits of the same ratings.

A verdict compares configurations on one split. Here every split had a search and a verdict of its
own, so that what is compared are the arms with their tuning.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from experiments.records import Answer, StudyRecord, VerdictResults
from experiments.typed import typed
from reports import labels, numbers, ranking
from reports.blocks import (
    Block,
    Column,
    Command,
    Headline,
    Note,
    Problem,
    Row,
    Section,
    Table,
    Text,
)
from reports.comparing.changes import own_code, settings
from reports.described import described
from reports.judging.decision import ANSWERS, arm_of, first_of_arms, label, trial_of
from reports.judging.statistics import Difference, answer, holm, over_splits

MIN_SPLITS = 3
"""With two an interval is wider than anything one would ask."""

_SPLIT_KEYS = {"folds": "split.fold", "random": "split.seed"}
"""By the method, what sets splits apart that stand for all splits of these ratings."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """An arm, or all trials where there are none, by what its search put first; or the best
    baseline."""

    text: str
    is_baseline: bool
    by_split: tuple[float, ...]
    """RMSE on the rows of each split that judge: a finalist's mean over its seeds."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_split)


@dataclass(frozen=True, slots=True)
class Standing:
    """The first contestant against another one."""

    first: Contestant
    other: Contestant
    found: Difference
    """RMSE of the other minus that of the first."""
    holm_p: float
    answer: Answer
    """Of the other: better or worse than the first."""


def groups_of_splits(studies: Sequence[StudyRecord]) -> list[list[StudyRecord]]:
    """Studies whose sweeps, own code included, differ in the split of the same ratings and perhaps
    in the seed alone, three and more together."""
    groups: dict[object, list[StudyRecord]] = {}
    for study in studies:
        data = described(study)
        key = _SPLIT_KEYS.get(str(data.split.get("method")))
        if key is None or None in (data.fingerprint, data.split_fingerprint, data.train.n_rows):
            continue
        same = {name: v for name, v in settings(study).items() if name not in ("seed", key)}
        ratings = data.fingerprint, data.items_fingerprint
        asked = frozenset(same.items()), frozenset(own_code(study).items())
        groups.setdefault((ratings, asked), []).append(study)
    return [group for group in groups.values() if len(group) >= MIN_SPLITS]


def section_over_splits(studies: Sequence[StudyRecord]) -> Section:
    """The answer of a group of splits, or what it lacks."""
    names = ", ".join(study.name for study in studies)
    said = Text(f"{names} ask the same of {len(studies):,} splits of the same ratings.")
    title = "Over the splits"
    if (problem := _problem(studies)) is not None:
        return Section(title, (said, *problem))
    blocks: list[Block] = [said]
    opened = all(study.test is not None for study in studies)
    for on_test in (False, True)[: 1 + opened]:
        if _can_stand(studies, on_test=on_test):
            standings = stand(studies, on_test=on_test)
            blocks.append(Text(_headline(studies, standings, on_test=on_test).text + "."))
            blocks.append(_table(studies, standings, on_test=on_test))
        else:
            blocks.append(Problem("No answer on the test rows: no arm was scored in every split."))
        blocks += _not_everywhere(studies, on_test=on_test)
    blocks += _stand_ins(studies)
    said_of_rows = (
        " The validation rows chose what is judged on them; where all splits have opened their "
        "test parts, these stand here, too."
    )
    knew = not (opened or all(_results(study, False).is_confirmed for study in studies))
    blocks.append(
        Note(
            "An interval is for other splits of these ratings, whose searches and seeds would be "
            "others, too; not for other users. Splits share train rows, which makes it wider "
            "than their spread alone would (Nadeau and Bengio 2003)." + said_of_rows * knew
        )
    )
    return Section(title, tuple(blocks))


def _not_everywhere(studies: Sequence[StudyRecord], *, on_test: bool) -> tuple[Note, ...]:
    """Arms that lack a mean in some split, which therefore stand nowhere here."""
    lacking: dict[str | None, list[str]] = {}
    arms: dict[str | None, None] = {a.arm: None for study in studies for a in ranking.arms(study)}
    every = arms or {None: None}
    for study in studies:
        chosen = first_of_arms(study, _results(study, on_test=False))
        for arm in every:
            found = _results(study, on_test).finalist(chosen[arm].name) if arm in chosen else None
            if found is None or found.mean is None:
                lacking.setdefault(arm, []).append(study.name)
    if not lacking:
        return ()
    told = "; ".join(
        f"{_arm_text(studies[0], arm)} (not in {', '.join(names)})"
        for arm, names in lacking.items()
    )
    which = "what the search put first of them" if arms else "it"
    return (Note(f"Left out, since {which} has no mean in every split: {told}."),)


def _arm_text(study: StudyRecord, arm: str | None) -> str:
    return "the first of the search" if arm is None else labels.arm_text(study, arm)


def _stand_ins(studies: Sequence[StudyRecord]) -> tuple[Note, ...]:
    """Where the one that a search put first is not the one that its arm stands by."""
    told = []
    for study in studies:
        results = _results(study, on_test=False)
        chosen = first_of_arms(study, results)
        for found in results.finalists:
            arm = arm_of(study, found.name)
            if found.mean is None and trial_of(study, found.name) and arm in chosen:
                stands = chosen[arm]
                if (found.search_rmse or math.inf) < (stands.search_rmse or math.inf):
                    told.append(
                        f"in {study.name} {label(study, stands.name)} stands for "
                        f"{label(study, found.name)}"
                    )
    said = "Where the first of an arm failed or diverged under a seed, its next one stands for it"
    return (Note(f"{said}: {'; '.join(told)}."),) if told else ()


def headline_over_splits(studies: Sequence[StudyRecord]) -> Headline | None:
    """None where a study of the group lacks what an answer needs."""
    if _problem(studies) is not None:
        return None
    return _headline(studies, stand(studies, on_test=False), on_test=False)


def stand(studies: Sequence[StudyRecord], *, on_test: bool) -> list[Standing]:
    """The arm with the lowest mean against every other and the best baseline, best first.

    Only of studies that all have a verdict on two contestants in common.
    """
    contestants = _contestants(studies, on_test=on_test)
    rows = [(_results(study, on_test).n_rows, described(study).train.n_rows) for study in studies]
    ratio = statistics.fmean(judged / train for judged, train in rows if train)
    found = [
        over_splits([b - a for a, b in zip(one.by_split, other.by_split, strict=True)], ratio)
        for one, other in combinations(contestants, 2)
    ]
    adjusted = holm([difference.p for difference in found])
    margin = _margin(studies, on_test)
    # Pairs come with those of the first contestant at the front.
    standings = [
        Standing(contestants[0], other, difference, p, answer(difference, p, margin))
        for other, difference, p in zip(contestants[1:], found, adjusted, strict=False)
    ]
    return sorted(standings, key=lambda standing: standing.other.mean)


def _problem(studies: Sequence[StudyRecord]) -> tuple[Block, ...] | None:
    """Why there is no answer yet, and the cure."""
    if without := [study for study in studies if study.verdict_results is None]:
        lines = tuple(f"recsweep verdict {typed(study.folder)}" for study in without)
        lack = "1 has" if len(without) == 1 else f"{len(without):,} have"
        return (
            Problem(f"No answer for all of them yet: {lack} no verdict."),
            Command("Have them judged, then compare again", lines),
        )
    of_split: dict[str, str] = {}
    for study in studies:
        split = str(described(study).split_fingerprint)
        if (other := of_split.setdefault(split, study.name)) != study.name:
            told = f"{other} and {study.name} judge the same split, which would count twice"
            return (Problem(f"No answer for all of them: {told}; leave one of them out."),)
    if not _can_stand(studies, on_test=False):
        return (Problem("No answer for all of them: no arm was judged in every split."),)
    return None


def _can_stand(studies: Sequence[StudyRecord], *, on_test: bool) -> bool:
    """Whether a model and something to hold it against were judged in every split."""
    contestants = _contestants(studies, on_test=on_test)
    return len(contestants) > 1 and not contestants[0].is_baseline


def _contestants(studies: Sequence[StudyRecord], *, on_test: bool) -> list[Contestant]:
    """The arms by their means, then the best baseline."""
    models = sorted(_models(studies, on_test), key=lambda model: model.mean)
    baselines = sorted(_baselines(studies, on_test), key=lambda baseline: baseline.mean)
    return [*models, *baselines[:1]]


def _models(studies: Sequence[StudyRecord], on_test: bool) -> list[Contestant]:
    """The arms that have a finalist in every split: the one that its search put first."""
    chosen = [first_of_arms(study, _results(study, on_test=False)) for study in studies]
    shared = [arm for arm in chosen[0] if all(arm in best for best in chosen)]
    contestants = []
    for arm in shared:
        found = [
            _results(study, on_test).finalist(best[arm].name)
            for study, best in zip(studies, chosen, strict=True)
        ]
        means = [f.mean for f in found if f is not None and f.mean is not None]
        if len(means) == len(studies):
            text = _arm_text(studies[0], arm)
            contestants.append(Contestant(text, is_baseline=False, by_split=tuple(means)))
    return contestants


def _baselines(studies: Sequence[StudyRecord], on_test: bool) -> list[Contestant]:
    contestants = []
    for baseline in studies[0].baselines:
        rmses = [_baseline_rmse(study, baseline.name, on_test) for study in studies]
        known = tuple(rmse for rmse in rmses if rmse is not None and math.isfinite(rmse))
        if len(known) == len(studies):
            contestants.append(Contestant(baseline.label, is_baseline=True, by_split=known))
    return contestants


def _headline(
    studies: Sequence[StudyRecord], standings: Sequence[Standing], *, on_test: bool
) -> Headline:
    """Of the two best arms; where there are none, or a baseline is ahead, of that and the best."""
    first = standings[0].first
    rivals = [s for s in standings if not s.other.is_baseline]
    ahead = [s for s in standings if s.other.is_baseline and s.other.mean <= first.mean]
    shown = (ahead or rivals or standings)[0]
    found, other = shown.found, shown.other
    where = f"{'on the test rows of' if on_test else 'over'} {len(studies):,} splits"
    is_told = not ahead and shown.answer is not Answer.TIE
    apart = "" if is_told else f"; {numbers.apart(found.estimate, found.low, found.high)}"
    detail = (
        f"Mean {'test' if on_test else 'validation'} RMSE over {len(studies):,} splits, each with "
        f"a search and a verdict of its own: {numbers.rmse(first.mean)} ({first.text}) and "
        f"{numbers.rmse(other.mean)} ({other.text}){apart}; 95 % interval for other splits of "
        f"these ratings, p {numbers.p_value(shown.holm_p)} after Holm."
    )
    if ahead:
        return Headline(f"No model beats {other.text} {where}", detail)
    by = f"{found.estimate:.4f} ({numbers.plain(found.low)} to {numbers.plain(found.high)})"
    if shown.answer is Answer.WORSE:
        return Headline(f"{first.text} beats {other.text} by {by} {where}", detail)
    if shown.answer is Answer.TIE:
        margin = _margin(studies, on_test)
        return Headline(
            f"{first.text} and {other.text} tie within {numbers.two_digits(margin)} {where}", detail
        )
    return Headline(f"Not decided {where}: {first.text} is ahead of {other.text} by {by}", detail)


def _table(
    studies: Sequence[StudyRecord], standings: Sequence[Standing], *, on_test: bool
) -> Table:
    first = standings[0].first
    rows = [(first.mean, Row((*_of(first), *[numbers.NOTHING] * 3, "the first"), look="best"))]
    for standing in standings:
        found, other = standing.found, standing.other
        cells = (
            *_of(other),
            numbers.gap(found.estimate),
            f"{numbers.gap(found.low)} to {numbers.gap(found.high)}",
            numbers.p_value(standing.holm_p),
            ANSWERS[standing.answer],
        )
        rows.append((other.mean, Row(cells, look="baseline" if other.is_baseline else "plain")))
    part = "test" if on_test else "validation"
    return Table(
        caption=f"RMSE on the {part} rows of {len(studies):,} splits",
        columns=(
            Column(
                studies[0].compared_dimension or "model",
                "Of an arm the finalist that the search put first in each split; and the baseline "
                "with the lowest mean.",
            ),
            Column("RMSE", f"Mean over the splits, on {part} rows; in each, over seeds.", True),
            Column("spread", "Standard deviation over the splits.", is_number=True),
            Column("to first", "Its mean RMSE minus that of the first arm.", is_number=True),
            Column("95 % interval", "Of that, for other splits of these ratings."),
            Column("p (Holm)", "Two-sided, corrected for all pairs of this table.", True),
            Column("answer", "How it stands to the first arm, by the rule of a verdict."),
        ),
        rows=tuple(row for _, row in sorted(rows, key=lambda entry: entry[0])),
    )


def _of(contestant: Contestant) -> tuple[str, str, str]:
    spread = statistics.stdev(contestant.by_split)
    return contestant.text, numbers.rmse(contestant.mean), numbers.rmse(spread)


def _results(study: StudyRecord, on_test: bool) -> VerdictResults:
    results = study.test.results if on_test and study.test else study.verdict_results
    assert results is not None, study.name
    return results


def _margin(studies: Sequence[StudyRecord], on_test: bool) -> float:
    """What matters on these ratings: their spread, by which it goes, is a little another in each
    split."""
    return statistics.fmean(_results(study, on_test).margin for study in studies)


def _baseline_rmse(study: StudyRecord, name: str, on_test: bool) -> float | None:
    if on_test and study.test is not None:
        return study.test.baselines.get(name)
    return ranking.judged_baseline(study, _results(study, on_test=False), name)
