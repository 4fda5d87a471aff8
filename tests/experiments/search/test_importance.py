from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from experiments.records import ImportanceRecord, StopReason, TrialRecord, TrialState, Value
from experiments.search.importance import (
    MIN_TOP_TRIALS,
    N_RESAMPLES,
    _to_optuna,
    importance,
)
from experiments.search.search import build_search
from experiments.sweep import SearchConfig
from experiments.translate.optuna import study_in_memory
from tests.fake_runner import FakeRunner
from tests.made_up_spaces import CONDITIONAL, DEFAULTS


def dropout_decides(values: Mapping[str, Value], epoch: int) -> float:
    return 1.0 + float(values["input_dropout"]) + 1e-3 * int(values["n_layers"])


def trials_of(n_trials: int, compare: str | None = None) -> list[TrialRecord]:
    config = SearchConfig(trials=n_trials, max_epochs=1, sampler="random", pruner="none")
    search = build_search(CONDITIONAL, config, 42, compare, DEFAULTS)
    return list(FakeRunner(dropout_decides, n_trials=n_trials, max_epochs=1).run(search))


def test_the_dimension_that_decides_is_the_most_important_and_shares_add_up() -> None:
    records = importance(CONDITIONAL, trials_of(100))
    assert records[0].dimension == "input_dropout"
    assert records[0].importance > 0.3
    assert sum(r.importance for r in records) == pytest.approx(1)
    assert all(r.n_trials == 100 and r.arm is None for r in records)


def test_a_dimension_with_several_cases_has_one_share() -> None:
    names = [r.dimension for r in importance(CONDITIONAL, trials_of(60))]
    assert names.count("learning_rate") == 1
    assert set(names) <= {column.name for column in CONDITIONAL.columns}


def test_each_arm_has_its_own_importance_without_the_compared_dimension() -> None:
    records = importance(CONDITIONAL, trials_of(60, compare="architecture"))
    for arm in ("plain", "dcn"):
        own = [r for r in records if r.arm == arm]
        assert sum(r.importance for r in own) == pytest.approx(1)
        assert "architecture" not in {r.dimension for r in own}
        assert {r.n_trials for r in own} == {30}
    assert "cross_layers" not in {r.dimension for r in records if r.arm == "plain"}


def test_too_few_complete_trials_say_nothing() -> None:
    trials = trials_of(ImportanceRecord.MIN_TRIALS)
    assert importance(CONDITIONAL, trials)
    pruned = replace(trials[0], state=TrialState.PRUNED, stop_reason=StopReason.PRUNER)
    assert importance(CONDITIONAL, [pruned, *trials[1:]]) == []
    assert importance(CONDITIONAL, []) == []


def test_it_is_what_optuna_makes_of_a_study_that_holds_the_trials() -> None:
    trials = trials_of(40)
    study = study_in_memory("theirs")
    study.add_trials([_to_optuna(CONDITIONAL, trial) for trial in (*trials, *trials[:3])])
    evaluator = PedAnovaImportanceEvaluator(target_quantile=MIN_TOP_TRIALS / 43)
    theirs = get_param_importances(study, evaluator=evaluator)
    ours = importance(CONDITIONAL, [*trials, *trials[:3]])
    assert {r.dimension: r.importance for r in ours} == pytest.approx(theirs)


@pytest.mark.parametrize(("n_trials", "n_draws"), [(40, 200), (400, 125), (600, 100)])
def test_trials_are_drawn_a_hundred_times_at_least(
    n_trials: int, n_draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = "experiments.search.importance._shares"
    monkeypatch.setattr(shares, lambda trials, names: {"n_layers": 1.0})
    monkeypatch.setattr("experiments.search.importance._to_optuna", lambda space, trial: trial)
    (record,) = importance(CONDITIONAL, trials_of(n_trials), n_resamples=N_RESAMPLES)
    assert record.n_draws == n_draws


def test_it_is_the_same_every_time() -> None:
    trials = trials_of(40)
    once, again = (importance(CONDITIONAL, trials, n_resamples=5) for _ in range(2))
    assert once == again


def test_intervals_hold_the_shares_and_shrink_with_more_trials() -> None:
    few, many = (importance(CONDITIONAL, trials_of(n), n_resamples=40) for n in (20, 200))
    for record in (*few, *many):
        assert record.low is not None and record.high is not None
        assert 0 <= record.low < record.high <= 1
    leader = many[0]
    assert leader.dimension == "input_dropout"
    assert leader.low < leader.importance < leader.high  # type: ignore[operator]  # above
    assert leader.low > max(record.high for record in many[1:])  # type: ignore[type-var,operator]
    in_few = next(record for record in few if record.dimension == leader.dimension)
    assert leader.high - leader.low < in_few.high - in_few.low  # type: ignore[operator]


def test_no_intervals_are_computed_unless_asked_for() -> None:
    assert {(r.low, r.high) for r in importance(CONDITIONAL, trials_of(20))} == {(None, None)}


def test_trials_that_all_did_equally_well_say_nothing() -> None:
    trials = [replace(t, best_rmse=1.0) for t in trials_of(20)]
    assert importance(CONDITIONAL, trials, n_resamples=5) == []
