"""Each sampler and pruner goes on after a rebuild exactly as if nothing had happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from experiments.records import StopReason, TrialRecord
from experiments.search.optuna_search import VERDICT, OptunaSearch
from experiments.search.pruners import PRUNERS
from experiments.search.samplers import SAMPLERS
from experiments.search.search import build_search
from experiments.search.search_protocol import Search
from experiments.sweep import SearchConfig
from tests.fake_runner import FakeRunner, Objective
from tests.made_up_spaces import CONDITIONAL, DEFAULTS, FINITE, overfitter, troubled

pytestmark = pytest.mark.slow

N_TRIALS = 22


def new_search(sampler: str, pruner: str, compare: str | None = None) -> Search:
    space = FINITE if sampler == "grid" else CONDITIONAL
    config = SearchConfig(trials=N_TRIALS, max_epochs=9, sampler=sampler, pruner=pruner)
    return build_search(space, config, 42, compare, DEFAULTS)


def runner(objective: Objective = overfitter, **options: Any) -> FakeRunner:
    return FakeRunner(objective, n_trials=N_TRIALS, patience=3, **options)


def essence(trials: Sequence[TrialRecord]) -> list[tuple[Any, ...]]:
    """All that an interruption must not change; the representation, since NaN equals nothing."""
    return [
        (t.number, t.arm, t.arm_number, repr(t.values), t.state, t.stop_reason, repr(t.epochs))
        for t in trials
    ]


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_killed_between_trials_goes_on_as_if_it_had_not_been(
    sampler: str, pruner: str
) -> None:
    uninterrupted = runner().run(new_search(sampler, pruner))
    stopping_early = runner()
    for n_trials in (1, 13, N_TRIALS):
        stopping_early.n_trials = n_trials
        resumed = stopping_early.run(new_search(sampler, pruner))
    assert essence(resumed) == essence(uninterrupted)


@pytest.mark.parametrize("checkpoint_every", [2, 100])
@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_killed_anywhere_within_a_trial_goes_on_as_if_it_had_not_been(
    sampler: str, pruner: str, checkpoint_every: int
) -> None:
    whole = runner(checkpoint_every=checkpoint_every)
    uninterrupted = whole.run(new_search(sampler, pruner))
    kills = range(67, whole.n_writes, 61)
    killed = runner(checkpoint_every=checkpoint_every)
    resumed = killed.run_through_kills(lambda: new_search(sampler, pruner), kills)
    assert essence(resumed) == essence(uninterrupted)


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_trials_that_ran_side_by_side_go_on_from_their_last_epoch(
    sampler: str, pruner: str
) -> None:
    whole = runner(n_workers=3)
    uninterrupted = whole.run(new_search(sampler, pruner))
    killed = runner(n_workers=3)
    resumed = killed.run_through_kills(
        lambda: new_search(sampler, pruner), range(65, whole.n_writes, 59)
    )
    assert essence(resumed) == essence(uninterrupted)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_arms_and_troubled_trials_survive_kills_too(sampler: str) -> None:
    def make() -> Search:
        return new_search(sampler, "median", compare="architecture")

    whole = runner(troubled)
    uninterrupted = whole.run(make())
    resumed = runner(troubled).run_through_kills(make, range(3, whole.n_writes, 53))
    assert essence(resumed) == essence(uninterrupted)
    if sampler != "grid":
        assert {t.stop_reason for t in resumed} >= {StopReason.DIVERGED, StopReason.ERROR}


@pytest.mark.parametrize("pruner", ["successive-halving", "hyperband"])
def test_each_single_write_is_a_safe_place_to_be_killed(pruner: str) -> None:
    whole = runner(checkpoint_every=2)
    whole.n_trials = 5
    uninterrupted = whole.run(new_search("random", pruner))
    for kill in range(1, whole.n_writes):
        killed = runner(checkpoint_every=2)
        killed.n_trials = 5
        resumed = killed.run_through_kills(lambda: new_search("random", pruner), [kill])
        assert essence(resumed) == essence(uninterrupted), f"killed after write {kill}"


@pytest.mark.parametrize("pruner", ["successive-halving", "hyperband", "median"])
def test_the_rebuilt_studies_hold_what_the_uninterrupted_one_holds(pruner: str) -> None:
    search = new_search("tpe", pruner)
    whole = runner(troubled)
    trials = whole.run(search)
    rebuilt = new_search("tpe", pruner)
    rebuilt.restore(trials, {})
    assert isinstance(search, OptunaSearch) and isinstance(rebuilt, OptunaSearch)
    for before, after in zip(search._frozen_trials(), rebuilt._frozen_trials(), strict=True):
        assert before.state == after.state
        assert before.values == after.values
        assert before.params == after.params
        assert before.distributions == after.distributions
        assert before.intermediate_values == after.intermediate_values
        assert before.system_attrs == after.system_attrs


def test_a_finished_trial_whose_last_epochs_the_driver_never_heard_of_fills_its_rungs() -> None:
    first = runner().run(new_search("random", "successive-halving"))[0]
    search = new_search("random", "successive-halving")
    search.restore([replace(first, pruner_state={"0": first.pruner_state["0"]})], {})
    rungs = first.pruner_state[str(len(first.epochs))].keys() - {VERDICT}
    assert rungs and search.pruner_state(0).keys() == rungs


def test_proposals_do_not_depend_on_the_process() -> None:
    program = (
        "from tests.contracts.test_search_rebuilds import *\n"
        "print(essence(runner().run(new_search('tpe', 'hyperband'))))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
