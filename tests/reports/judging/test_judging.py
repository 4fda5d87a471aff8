"""What a verdict makes of predictions, held against the same numbers worked out one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from experiments.records import Answer, Finalist, StudyRecord, VerdictRecord, VerdictResults
from recommender.metrics import rmse
from reports import noise, ranking
from reports.judging.judgement import judge
from reports.judging.optimism import optimism_of_best
from reports.judging.statistics import answer, difference, holm, over_seeds

N_SEEDS, N_USERS = 3, 25
DICE = np.random.default_rng(7)
USERS = DICE.permutation(np.repeat(np.arange(100, 100 + N_USERS), DICE.integers(1, 9, N_USERS)))
ACTUAL = DICE.integers(1, 6, len(USERS)).astype(np.float32)
OFF = {"good": 0.2, "fair": 0.5, "control": 0.48, "bias": 0.6}
NOISE = {
    name: DICE.normal(0, off, (1 if name == "bias" else N_SEEDS, len(USERS)))
    for name, off in OFF.items()
}


def frozen_of(study: StudyRecord) -> tuple[dict[str, str], VerdictRecord]:
    """Three trials, of which the last failed under a seed, a control and a baseline: names by
    role, and the list."""
    good, fair, lost = study.ranked[3], study.ranked[0], study.ranked[1]
    names = {"good": good.name, "fair": fair.name, "lost": lost.name}
    names |= {"control": f"control-{fair.name}", "bias": "bias"}
    finalists = (
        *(Finalist(trial.name, trial.number, ("place 1",)) for trial in (lost, fair, good)),
        Finalist(names["control"], fair.number, ("size control",), values={"n_layers": 1}),
        Finalist("bias", None, ("best baseline",)),
    )
    return names, VerdictRecord(1.0, 3, (11, 12, 13), finalists)


def judged(study: StudyRecord, **further: object) -> tuple[dict[str, str], VerdictResults]:
    names, frozen = frozen_of(study)
    predicted = {names[role]: ACTUAL + off for role, off in NOISE.items()}
    by_seed: dict[str, tuple[float | None, ...]] = {
        name: tuple(rmse(row, ACTUAL) for row in rows) for name, rows in predicted.items()
    }
    by_seed[names["lost"]] = (1.0, None, 1.1)
    results = judge(
        study, frozen, predicted=predicted, rmse_by_seed=by_seed, actual=ACTUAL, users=USERS,
        **further,  # type: ignore[arg-type]
    )  # fmt: skip
    return names, results


def test_finalists_stand_by_their_means_and_those_without_one_last(study: StudyRecord) -> None:
    names, results = judged(study)
    order = [names[role] for role in ("good", "control", "fair", "bias", "lost")]
    assert [found.name for found in results.finalists] == order
    for role, off in NOISE.items():
        found = results.finalist(names[role])
        scores = [rmse(ACTUAL + row, ACTUAL) for row in off]
        assert found is not None and found.mean == pytest.approx(np.mean(scores))
        assert found.rmse_by_seed == pytest.approx(scores)
        interval = over_seeds(scores)
        expected = (None, None) if role == "bias" else (interval.low, interval.high)
        assert (found.low, found.high) == pytest.approx(expected)
    lost = results.finalist(names["lost"])
    assert lost is not None and lost.rmse_by_seed == (1.0, None, 1.1)
    assert (lost.mean, lost.low, lost.shrinkage, lost.p_best) == (None,) * 4
    chances = [found.p_best for found in results.finalists if found.p_best is not None]
    assert sum(chances) == pytest.approx(1) and chances[0] > 0.99
    assert (results.n_rows, results.n_users) == (len(USERS), N_USERS)


def test_every_pair_is_there_with_the_better_first_and_corrected_for_all(
    study: StudyRecord,
) -> None:
    names, results = judged(study)
    counts = np.bincount(USERS - 100)
    sums = {
        role: np.stack([np.bincount(USERS - 100, row**2) for row in rows])
        for role, off in NOISE.items()
        for rows in [np.broadcast_to((ACTUAL + off) - ACTUAL, (N_SEEDS, len(USERS)))]
    }
    pairs = list(combinations(("good", "control", "fair", "bias"), 2))
    found = [difference(sums[a], sums[b], counts) for a, b in pairs]
    corrected = holm([pair.p for pair in found])
    assert results.margin == noise.margin(study) == 0.003
    for (a, b), expected, p, pair in zip(pairs, found, corrected, results.pairs, strict=True):
        assert (pair.first, pair.second) == (names[a], names[b])
        assert (pair.estimate, pair.low, pair.high) == pytest.approx(
            (expected.estimate, expected.low, expected.high)
        )
        assert pair.degrees_of_freedom == pytest.approx(expected.degrees_of_freedom)
        assert (pair.p, pair.holm_p) == pytest.approx((expected.p, p))
        assert pair.answer == answer(expected, p, 0.003)
        # The cross-check is about the same.
        assert pair.bootstrap_low < pair.estimate < pair.bootstrap_high
    assert {pair.answer for pair in results.pairs} == {Answer.BETTER, Answer.OPEN}


def test_shrinkage_is_told_on_the_rows_that_chose(study: StudyRecord) -> None:
    names, results = judged(study)
    told = {found.name: found.shrinkage for found in results.finalists}
    shrinkage = {role: told[name] for role, name in names.items()}
    best = {trial.name: ranking.objective(trial) for trial in study.ranked}
    for role in ("good", "fair"):
        found = results.finalist(names[role])
        assert found is not None and found.search_rmse == best[names[role]]
        assert shrinkage[role] == pytest.approx((found.mean or 0) - best[names[role]])
    # The search never saw a control, a baseline has no fresh seeds, and what failed no mean.
    assert (shrinkage["control"], shrinkage["bias"], shrinkage["lost"]) == (None,) * 3
    bias, control = results.finalist("bias"), results.finalist(names["control"])
    assert bias is not None and control is not None
    assert (bias.search_rmse, control.search_rmse) == (1.04, None)

    on_searched = dict.fromkeys(names.values(), (0.9, 1.0, 1.4))
    on_searched |= {names["fair"]: (0.9, None, 1.4)}  # type: ignore[dict-item]
    _, kept = judged(study, on_searched=on_searched, baselines={"bias": 0.7})
    good, fair = kept.finalist(names["good"]), kept.finalist(names["fair"])
    assert good is not None and fair is not None and fair.shrinkage is None
    assert good.shrinkage == pytest.approx(1.1 - best[names["good"]])
    assert kept.is_confirmed and kept.baselines == {"bias": 0.7}
    assert not results.is_confirmed and results.baselines == {}


def test_how_much_too_good_the_best_is_follows_from_all_trials_of_the_search(
    study: StudyRecord,
) -> None:
    counts = np.full(20, 5)
    sums = DICE.gamma(5, 1, (7, 20))
    _, results = judged(study, searched=(sums, counts))
    assert results.optimism == optimism_of_best(sums[:, None], counts)
    assert results.n_choosable == 7
    _, without = judged(study)
    assert (without.optimism, without.n_choosable) == (None, 0)


def test_equal_finalists_stand_in_the_order_of_their_names(study: StudyRecord) -> None:
    names, frozen = frozen_of(study)
    rows = np.broadcast_to(ACTUAL + NOISE["good"], (N_SEEDS, len(USERS)))
    listed = [names["good"], names["fair"]]
    results = judge(
        study,
        replace(frozen, finalists=tuple(f for f in frozen.finalists if f.name in listed)),
        predicted=dict.fromkeys(sorted(listed, reverse=True), rows),
        rmse_by_seed=dict.fromkeys(listed, (1.0, 1.0, 1.0)),
        actual=ACTUAL,
        users=USERS,
    )
    assert [found.name for found in results.finalists] == sorted(listed)
    (pair,) = results.pairs
    # Nothing varies, which no Student's distribution describes.
    assert (pair.degrees_of_freedom, pair.p, pair.answer) == (None, 1.0, Answer.TIE)
