from __future__ import annotations

import itertools
import math
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
import pytest

from experiments.records import Purpose, StopReason, TrialRecord, TrialState, Value
from experiments.search.optuna_search import OptunaSearch
from experiments.search.pruners import PRUNERS
from experiments.search.samplers import SAMPLERS
from experiments.search.search import build_search
from experiments.search.search_protocol import Proposal, Search
from experiments.sweep import SearchConfig
from recommender.config import shape_of
from search_spaces import SearchSpace
from tests.fake_runner import FakeRunner, Killed, TrialFailure
from tests.made_up_spaces import (
    CONDITIONAL,
    DEFAULTS,
    FINITE,
    overfitter,
    slow_learner,
    troubled,
)


def search_over(
    space: SearchSpace = CONDITIONAL,
    *,
    sampler: str = "random",
    pruner: str = "none",
    compare: str | None = None,
    seed: int = 42,
    **pruner_args: Any,
) -> Search:
    config = SearchConfig(
        trials=10, max_epochs=9, sampler=sampler, pruner=pruner, pruner_args=pruner_args
    )
    return build_search(space, config, seed, compare, DEFAULTS)


def optuna_trials(search: Search) -> list[optuna.trial.FrozenTrial]:
    assert isinstance(search, OptunaSearch)
    return search._frozen_trials()


def asked(search: Search, number: int) -> Proposal:
    proposal = search.ask(number)
    assert proposal is not None
    return proposal


# Proposals


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_default_configuration_comes_first_and_is_marked(sampler: str) -> None:
    search = search_over(FINITE, sampler=sampler)
    first, second = asked(search, 0), asked(search, 1)
    assert first.values == {"architecture": "plain", "learning_rate": 0.001, "dropout": 0.2}
    assert first.is_default and not second.is_default
    assert not first.is_enqueued and not second.is_enqueued


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_proposal_is_a_point_of_the_space(sampler: str) -> None:
    runner = FakeRunner(slow_learner, n_trials=30, max_epochs=2)
    for trial in runner.run(search_over(sampler=sampler)):
        assert CONDITIONAL.problems(trial.values) == []


def test_two_sweep_seeds_propose_differently_and_one_repeats() -> None:
    def values(seed: int) -> list[Mapping[str, Value]]:
        search = search_over(seed=seed)
        return [asked(search, number).values for number in range(4)]

    assert values(1) == values(1)
    assert values(1)[1:] != values(2)[1:]


def test_a_number_out_of_turn_is_refused() -> None:
    search = search_over()
    search.ask(0)
    for number in (0, 2):
        with pytest.raises(ValueError, match="trial 1 is next"):
            search.ask(number)


def test_tpe_finds_better_values_than_random() -> None:
    def mean_of_last(sampler: str) -> float:
        trials = FakeRunner(slow_learner, n_trials=50, max_epochs=3).run(
            search_over(sampler=sampler)
        )
        return sum(t.best_rmse or math.inf for t in trials[30:]) / 20

    assert mean_of_last("tpe") < mean_of_last("random") - 0.01


def test_asking_tpe_after_a_hundred_trials_is_quick() -> None:
    search = search_over(sampler="tpe")
    FakeRunner(slow_learner, n_trials=100, max_epochs=1).run(search)
    seconds = []
    for number in range(100, 105):
        start = time.process_time()
        search.ask(number)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


def test_nothing_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    FakeRunner(troubled, n_trials=20).run(search_over(sampler="tpe", pruner="hyperband"))
    assert capfd.readouterr() == ("", "")


# Grids


def test_a_grid_is_every_point_once_equal_shapes_together_after_the_default() -> None:
    trials = FakeRunner(slow_learner, n_trials=1000, max_epochs=1).run(
        search_over(FINITE, sampler="grid")
    )
    points = list(FINITE.points())
    assert len(trials) == len(points) == FINITE.count() == 27
    default = DEFAULTS.on(FINITE)
    assert trials[0].values == default
    assert sorted(map(repr, (t.values for t in trials))) == sorted(map(repr, points))
    shapes = [shape_of(t.values) for t in trials]
    assert len(set(shapes)) < len(shapes)
    n_changes = sum(a != b for a, b in itertools.pairwise(shapes))
    assert n_changes == len(set(shapes)) - 1


def test_a_grid_that_was_begun_in_another_order_goes_on_with_what_is_left() -> None:
    begun = FakeRunner(slow_learner, n_trials=5, max_epochs=1)
    others = search_over(FINITE, sampler="grid")
    default = DEFAULTS.on(FINITE)
    assert isinstance(others, OptunaSearch)
    others._planned = [default, *(p for p in FINITE.points() if p != default)]
    past = begun.run(others)
    search = search_over(FINITE, sampler="grid")
    search.restore(past, {})
    values = [dict(trial.values) for trial in past]
    for number in range(5, 27):
        proposal = search.ask(number)
        assert proposal is not None
        values.append(dict(proposal.values))
    assert search.ask(27) is None
    assert sorted(map(repr, values)) == sorted(map(repr, FINITE.points()))


def test_a_grid_has_nothing_left_after_its_last_point() -> None:
    search = search_over(FINITE, sampler="grid")
    for number in range(27):
        asked(search, number)
    assert search.ask(27) is None


def test_a_pruner_works_on_a_grid() -> None:
    trials = FakeRunner(slow_learner, n_trials=1000).run(
        search_over(FINITE, sampler="grid", pruner="median")
    )
    assert Counter(t.state for t in trials)[TrialState.PRUNED] > 3


# Arms


def test_arms_take_turns_and_have_the_same_number_of_trials() -> None:
    trials = FakeRunner(slow_learner, n_trials=12, max_epochs=1).run(
        search_over(sampler="tpe", compare="architecture")
    )
    assert [(t.arm, t.arm_number) for t in trials[:4]] == [
        ("plain", 0),
        ("dcn", 0),
        ("plain", 1),
        ("dcn", 1),
    ]
    assert Counter(t.arm for t in trials) == {"plain": 6, "dcn": 6}
    assert all(t.values["architecture"] == t.arm for t in trials)
    assert [t.number for t in trials if t.is_default] == [0, 1]


def test_the_default_of_an_arm_is_the_default_configuration_with_its_choice() -> None:
    search = search_over(compare="architecture")
    plain, dcn = asked(search, 0).values, asked(search, 1).values
    assert dcn == {**plain, "architecture": "dcn", "cross_layers": 1}


def test_an_arm_does_not_learn_from_the_other() -> None:
    def dcn_values(rates: Mapping[str, float]) -> list[Mapping[str, Value]]:
        def objective(values: Mapping[str, Value], epoch: int) -> float:
            return rates[str(values["architecture"])] + slow_learner(values, epoch)

        search = search_over(sampler="tpe", compare="architecture")
        trials = FakeRunner(objective, n_trials=40, max_epochs=1).run(search)
        return [t.values for t in trials if t.arm == "dcn"]

    assert dcn_values({"plain": 0.0, "dcn": 0.0}) == dcn_values({"plain": -100.0, "dcn": 0.0})


def test_arms_do_not_draw_the_same_numbers() -> None:
    search = search_over(compare="architecture")
    proposals = [asked(search, number) for number in range(8)][2:]
    drawn = [proposal.values["input_dropout"] for proposal in proposals]
    assert len(set(drawn)) == len(drawn)


def test_truths_can_be_compared() -> None:
    search = search_over(compare="biases")
    assert [asked(search, n).arm for n in (0, 1)] == ["true", "false"]
    assert asked(search, 2).values["biases"] is True


def test_a_compared_grid_goes_on_with_the_arm_that_has_more_points() -> None:
    trials = FakeRunner(slow_learner, n_trials=1000, max_epochs=1).run(
        search_over(FINITE, sampler="grid", compare="architecture")
    )
    assert Counter(t.arm for t in trials) == {"plain": 9, "dcn": 18}
    assert [t.arm for t in trials[:18]] == ["plain", "dcn"] * 9
    assert [t.arm_number for t in trials if t.arm == "dcn"] == list(range(18))


# Truthful states


def run_one(
    values_by_epoch: Sequence[float], pruner: str = "none", **options: Any
) -> tuple[TrialRecord, optuna.trial.FrozenTrial]:
    """One trial with this curve after 6 complete ones at 1.0."""

    def objective(values: Mapping[str, Value], epoch: int) -> float:
        return values_by_epoch[epoch - 1] if len(runner.trials) == 7 else 1.0

    search = search_over(pruner=pruner)
    runner = FakeRunner(objective, n_trials=7, max_epochs=len(values_by_epoch), **options)
    trial = runner.run(search)[-1]
    return trial, optuna_trials(search)[-1]


def intermediate_of(trial: TrialRecord) -> dict[int, float]:
    return {e.epoch: e.val_rmse for e in trial.epochs if math.isfinite(e.val_rmse)}


def test_a_trial_at_its_last_epoch_is_complete_with_its_best_value_and_all_epochs() -> None:
    trial, theirs = run_one([1.5, 1.2, 1.3])
    assert (trial.stop_reason, theirs.state) == (
        StopReason.MAX_EPOCHS,
        optuna.trial.TrialState.COMPLETE,
    )
    assert theirs.value == 1.2
    assert theirs.intermediate_values == intermediate_of(trial) == {1: 1.5, 2: 1.2, 3: 1.3}


def test_a_trial_that_stops_early_by_itself_is_complete_not_pruned() -> None:
    trial, theirs = run_one([1.5, 1.2, 1.3, 1.4, 1.5], patience=2)
    assert trial.stop_reason is StopReason.PATIENCE
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.COMPLETE, 1.2)
    assert theirs.intermediate_values == {1: 1.5, 2: 1.2, 3: 1.3, 4: 1.4}


def test_a_pruned_trial_is_pruned_and_keeps_its_last_value() -> None:
    trial, theirs = run_one([2.0, 1.9, 1.8, 1.7, 1.6], pruner="median")
    assert trial.stop_reason is StopReason.PRUNER
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.PRUNED, 1.8)
    assert theirs.intermediate_values == intermediate_of(trial) == {1: 2.0, 2: 1.9, 3: 1.8}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_trial_is_pruned_without_the_value_that_is_not_finite(bad: float) -> None:
    trial, theirs = run_one([1.5, bad, 1.3])
    assert trial.stop_reason is StopReason.DIVERGED
    assert (theirs.state, theirs.intermediate_values) == (
        optuna.trial.TrialState.PRUNED,
        {1: 1.5},
    )


def test_a_trial_that_diverges_at_once_is_pruned_without_any_value() -> None:
    trial, theirs = run_one([math.nan, 1.0])
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.PRUNED, None)
    assert theirs.intermediate_values == {}
    assert trial.best_rmse is None


def test_a_failed_trial_is_fail_and_keeps_its_epochs() -> None:
    def objective(values: Mapping[str, Value], epoch: int) -> float:
        if epoch == 3:
            raise TrialFailure("broken")
        return 1.0 + epoch

    search = search_over()
    FakeRunner(objective, n_trials=1).run(search)
    (theirs,) = optuna_trials(search)
    assert (theirs.state, theirs.value) == (optuna.trial.TrialState.FAIL, None)
    assert theirs.intermediate_values == {1: 2.0, 2: 3.0}


@pytest.mark.parametrize("reason", [StopReason.INTERRUPTED, StopReason.RECYCLED])
def test_the_end_of_an_attempt_leaves_the_trial_running(reason: StopReason) -> None:
    search = search_over()
    search.ask(0)
    search.tell(0, reason, None)
    assert optuna_trials(search)[0].state is optuna.trial.TrialState.RUNNING
    assert search.report(0, 1, 1.0)


@pytest.mark.parametrize(
    ("reason", "n_epochs"),
    [
        (reason, n_epochs)
        for reason in StopReason
        for n_epochs in (0, 2)
        if reason.state.is_finished and (n_epochs or reason.state is not TrialState.COMPLETE)
    ],
)
def test_every_end_is_told_with_its_own_state_and_the_epochs_of_the_ledger(
    reason: StopReason, n_epochs: int
) -> None:
    search = search_over(pruner="median")
    search.ask(0)
    for epoch in range(1, n_epochs + 1):
        search.report(0, epoch, 1.0 / epoch)
    search.tell(0, reason, 0.5 if n_epochs else None)
    (theirs,) = optuna_trials(search)
    assert theirs.state.name == reason.state.value
    assert list(theirs.intermediate_values) == list(range(1, n_epochs + 1))


def test_a_trial_is_told_once() -> None:
    search = search_over()
    search.ask(0)
    search.report(0, 1, 1.0)
    search.tell(0, StopReason.MAX_EPOCHS, 1.0)
    with pytest.raises(KeyError):
        search.tell(0, StopReason.MAX_EPOCHS, 1.0)


def test_an_epoch_reported_again_by_a_later_attempt_gets_the_first_answer() -> None:
    search = search_over(pruner="successive-halving", n_warmup_epochs=2, reduction_factor=2)
    search.ask(0)
    search.ask(1)
    assert search.report(0, 1, 1.0) and search.report(0, 2, 1.0)
    assert search.report(1, 1, 2.0)
    assert not search.report(1, 2, 2.0)
    assert search.report(1, 1, 5.0)
    assert not search.report(1, 2, 5.0)
    assert optuna_trials(search)[1].intermediate_values == {1: 2.0, 2: 2.0}


# Pruners


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])
def test_no_trial_is_stopped_before_its_warm_up_and_some_are_after(pruner: str) -> None:
    trials = FakeRunner(overfitter, n_trials=40, max_epochs=9).run(search_over(pruner=pruner))
    pruned = [t for t in trials if t.stop_reason is StopReason.PRUNER]
    assert len(pruned) >= 8
    assert min(len(t.epochs) for t in pruned) == 3


def test_without_a_pruner_no_trial_is_stopped_and_nothing_is_kept_for_it() -> None:
    trials = FakeRunner(overfitter, n_trials=10).run(search_over())
    assert {t.stop_reason for t in trials} == {StopReason.MAX_EPOCHS}
    assert all(not any(t.pruner_state.values()) for t in trials)


def test_hyperband_lets_every_trial_run_when_there_are_fewer_epochs_than_its_warm_up() -> None:
    search = search_over(pruner="hyperband", n_warmup_epochs=20)
    trials = FakeRunner(overfitter, n_trials=10).run(search)
    assert {t.stop_reason for t in trials} == {StopReason.MAX_EPOCHS}


def test_hyperband_does_not_wait_for_a_complete_trial_to_know_how_long_they_get() -> None:
    runner = FakeRunner(overfitter, n_trials=12, n_workers=12)
    trials = runner.run(search_over(pruner="hyperband"))
    assert min(len(t.epochs) for t in trials) == 3


# Rebuilding


def test_what_an_unfinished_trial_did_after_its_checkpoint_is_forgotten() -> None:
    before = search_over(pruner="successive-halving")
    runner = FakeRunner(slow_learner, n_trials=1, checkpoint_every=3, kill_at=14)
    with pytest.raises(Killed):
        runner.run(before)
    assert len(runner.trials[0].epochs) > 3
    search = search_over(pruner="successive-halving")
    assert search.restore(tuple(runner.trials.values()), {0: 3}) == ()
    before_it = optuna_trials(search)[0].intermediate_values
    assert list(before_it) == [1, 2, 3]
    # Its checkpoint turns out to be damaged, and it begins anew.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert search.report(0, 1, 99.0) and search.report(0, 3, before_it[3])
    assert optuna_trials(search)[0].intermediate_values == before_it


def test_of_an_attempt_that_went_further_than_the_one_that_ended_nothing_judges_others() -> None:
    def new_search() -> Search:
        return search_over(pruner="successive-halving", reduction_factor=2)

    (went_on,) = FakeRunner(lambda v, e: 1.0 / e, n_trials=1).run(new_search())
    assert len(went_on.epochs) > 3
    # Lost, begun anew, and pruned where it fared worse.
    pruned = replace(
        went_on,
        epochs=went_on.epochs[:3],
        state=TrialState.PRUNED,
        stop_reason=StopReason.PRUNER,
    )
    search = new_search()
    search.restore([pruned], {})
    asked(search, 1)
    assert list(optuna_trials(search)[0].intermediate_values) == [1, 2, 3]
    judged = [search.report(1, epoch, 0.3) for epoch in range(1, 10)]
    assert judged == [True] * 9


def test_a_trial_that_the_pruner_had_stopped_before_the_driver_died_is_named() -> None:
    search = search_over(pruner="successive-halving", reduction_factor=2)
    runner = FakeRunner(lambda v, e: 1.0 + len(runner.trials), n_trials=2, max_epochs=5)
    trials = runner.run(search)
    assert trials[1].stop_reason is StopReason.PRUNER
    unfinished = replace(trials[1], state=TrialState.RUNNING, stop_reason=None)
    rebuilt = search_over(pruner="successive-halving", reduction_factor=2)
    assert rebuilt.restore([trials[0], unfinished], {1: 3}) == (1,)
    unheard = replace(unfinished, pruner_state={})
    rebuilt = search_over(pruner="successive-halving", reduction_factor=2)
    assert rebuilt.restore([trials[0], unheard], {1: 3}) == (1,)


def test_trials_of_other_purposes_are_left_out() -> None:
    trials = FakeRunner(slow_learner, n_trials=2, max_epochs=1).run(search_over())
    replicate = replace(trials[0], purpose=Purpose.VERDICT, name="0000-v1")
    search = search_over()
    search.restore([*trials, replicate], {})
    assert len(optuna_trials(search)) == 2
