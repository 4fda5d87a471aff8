"""What became of a trial, whoever wrote what about it and in whatever order it was read."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.ledger.journal import Event
from experiments.ledger.ledger import Ledger
from experiments.ledger.outcomes import _AUTHORITY
from experiments.records import StopReason, TrialRecord, TrialState
from tests.experiments.facts import ask, end, epoch, start


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger(tmp_path_factory.mktemp("outcomes") / "study.db") as ledger:
        yield ledger


@pytest.fixture
def ledger(shared_ledger: Ledger) -> Ledger:
    """An empty ledger; one file for all tests here, which commit nothing."""
    if shared_ledger._connection.in_transaction:
        shared_ledger._connection.execute("ROLLBACK")
    return shared_ledger


def outcome(ledger: Ledger, events: Iterable[Event]) -> TrialRecord:
    for event in events:
        ledger.apply(event)
    return ledger.trial(0)


def rmse_by_epoch(trial: TrialRecord) -> dict[int, float]:
    return {e.epoch: e.val_rmse for e in trial.epochs}


def test_a_trial_waits_until_an_attempt_starts(ledger: Ledger) -> None:
    assert outcome(ledger, [ask()]).state is TrialState.WAITING
    trial = outcome(ledger, [start(n_parameters=100)])
    assert (trial.state, trial.n_parameters) == (TrialState.RUNNING, 100)


@pytest.mark.parametrize("reason", list(StopReason))
def test_each_reason_gives_its_state(ledger: Ledger, reason: StopReason) -> None:
    trial = outcome(ledger, [ask(), start(), epoch(), end(0, reason.value, error="why")])
    assert trial.state is reason.state
    assert trial.stop_reason is reason
    assert trial.error == "why"
    assert trial.ended_at == (3.0 if reason.state.is_finished else None)
    assert trial.attempts[0].stop_reason is reason


def test_every_reason_has_its_rank() -> None:
    assert set(_AUTHORITY) == set(StopReason)


def test_the_best_epoch_is_the_lowest_finite_one_and_the_first_of_equals(ledger: Ledger) -> None:
    values = [1.2, 1.1, 1.1, math.nan, math.inf]
    events = [epoch(0, i, val_rmse=value) for i, value in enumerate(values, start=1)]
    trial = outcome(ledger, [ask(), start(), *events])
    assert (trial.best_epoch, trial.best_rmse) == (2, 1.1)
    assert math.isnan(trial.epochs[3].val_rmse)
    assert math.isinf(trial.epochs[4].val_rmse)


def test_a_trial_without_a_finite_epoch_has_no_best(ledger: Ledger) -> None:
    trial = outcome(ledger, [ask(), start(), epoch(val_rmse=math.nan)])
    assert (trial.best_epoch, trial.best_rmse) == (None, None)


def test_the_same_epoch_of_a_later_attempt_replaces_the_earlier(ledger: Ledger) -> None:
    first = [epoch(0, e, 1, at=e, val_rmse=1.0 + e / 10) for e in (1, 2, 3)]
    second = [start(0, 2, at=10, first_epoch=2), epoch(0, 2, 2, at=11, val_rmse=7.0)]
    trial = outcome(ledger, [ask(), start(), *first, *second])
    assert rmse_by_epoch(trial) == {1: 1.1, 2: 7.0, 3: 1.3}
    trial = outcome(ledger, [epoch(0, 3, 2, at=12, val_rmse=8.0)])
    assert rmse_by_epoch(trial) == {1: 1.1, 2: 7.0, 3: 8.0}


def test_the_same_epoch_twice_in_one_attempt_counts_once(ledger: Ledger) -> None:
    trial = outcome(ledger, [ask(), start(), epoch(val_rmse=1.0), epoch(val_rmse=1.0)])
    assert rmse_by_epoch(trial) == {1: 1.0}


@pytest.mark.parametrize("reason", ["max_epochs", "patience", "diverged", "error"])
def test_a_late_writer_is_fenced_off(ledger: Ledger, reason: str) -> None:
    before = [ask(), start(), epoch(0, 1, at=2), start(0, 2, at=10, first_epoch=2)]
    late = [epoch(0, 2, 1, at=11, val_rmse=0.1), end(0, reason, 1, at=12)]
    trial = outcome(ledger, [*before, *late])
    assert trial.state is TrialState.RUNNING
    assert trial.stop_reason is None
    assert rmse_by_epoch(trial) == {1: 1.0}


def test_an_epoch_that_a_newer_attempt_builds_on_stays_whatever_the_clocks_say(
    ledger: Ledger,
) -> None:
    events = [ask(), start(), epoch(0, 1, at=99), start(0, 2, at=10, first_epoch=2)]
    assert rmse_by_epoch(outcome(ledger, events)) == {1: 1.0}


def test_what_an_attempt_writes_after_it_was_given_up_does_not_end_the_trial(
    ledger: Ledger,
) -> None:
    given_up = end(0, "worker_lost", 1, at=5, kind="attempt_end")
    trial = outcome(ledger, [ask(), start(), given_up, end(0, "max_epochs", 1, at=6)])
    assert trial.state is TrialState.RUNNING
    assert trial.attempts[0].stop_reason is StopReason.WORKER_LOST


def test_an_end_that_came_before_the_attempt_was_given_up_counts(ledger: Ledger) -> None:
    """The driver saw the worker die, and its last line only afterwards."""
    given_up = end(0, "worker_lost", 1, at=5, kind="attempt_end")
    trial = outcome(ledger, [ask(), start(), given_up, end(0, "max_epochs", 1, at=4)])
    assert trial.state is TrialState.COMPLETE
    assert outcome(ledger, [start(0, 2, at=6)]).state is TrialState.COMPLETE


def test_the_driver_may_end_a_trial_whose_attempt_it_had_given_up(ledger: Ledger) -> None:
    given_up = end(0, "worker_lost", 1, at=5, kind="attempt_end")
    trial = outcome(ledger, [ask(), start(), given_up, end(0, "pruner", 1, at=6)])
    assert trial.stop_reason is StopReason.PRUNER


@pytest.mark.parametrize("reason", ["max_epochs", "patience", "pruner", "diverged"])
def test_a_finished_trial_is_never_reopened(ledger: Ledger, reason: str) -> None:
    epochs = [epoch(0, number) for number in (1, 2, 3)]
    finished = [ask(), start(), *epochs, end(0, reason, at=3)]
    late = [
        start(0, 2, at=4, first_epoch=1),
        epoch(0, 1, 2, at=5, val_rmse=0.1),
        end(0, "error", 2, at=7),
        ask(),
    ]
    trial = outcome(ledger, [*finished, *late])
    assert trial.stop_reason == reason
    assert rmse_by_epoch(trial) == {1: 1.0, 2: 1.0, 3: 1.0}
    assert trial.ended_at == 3.0
    trial = outcome(ledger, [epoch(0, number, 2, at=6, val_rmse=0.1) for number in (2, 3, 4)])
    assert rmse_by_epoch(trial) == {1: 1.0, 2: 1.0, 3: 1.0}


def test_a_failed_trial_that_is_started_again_runs(ledger: Ledger) -> None:
    failed = [ask(), start(), end(0, "out_of_memory", error="no room", at=3)]
    trial = outcome(ledger, [*failed, start(0, 2, at=4)])
    assert (trial.state, trial.error) == (TrialState.RUNNING, None)
    assert outcome(ledger, [end(0, "max_epochs", 2, at=5)]).state is TrialState.COMPLETE


def test_an_attempt_may_end_before_it_could_start(ledger: Ledger) -> None:
    trial = outcome(ledger, [ask(), end(0, "error", error="cannot be built")])
    assert (trial.state, trial.error) == (TrialState.FAIL, "cannot be built")
    assert trial.attempts[0].first_epoch is None


def test_the_driver_has_the_last_word_on_an_attempt(ledger: Ledger) -> None:
    trial = outcome(
        ledger, [ask(), start(), end(0, "pruner", at=3.0), end(0, "max_epochs", at=2.9)]
    )
    assert trial.stop_reason is StopReason.PRUNER
    ends = [end(1, "error", at=2.9), end(1, "stalled", at=3.0)]
    for event in (ask(1), start(1), *ends):
        ledger.apply(event)
    assert ledger.trial(1).stop_reason is StopReason.STALLED


def test_epochs_beyond_the_end_are_cut_where_an_earlier_attempt_went_further(
    ledger: Ledger,
) -> None:
    events = [
        ask(),
        start(),
        *(epoch(0, e, 1, at=1 + e) for e in (1, 2, 3, 4)),
        start(0, 2, at=10, first_epoch=3),
        epoch(0, 3, 2, at=11),
        end(0, "pruner", 2, at=12),
    ]
    assert sorted(rmse_by_epoch(outcome(ledger, events))) == [1, 2, 3]


def test_a_trial_that_ends_right_where_it_was_checkpointed_keeps_its_epochs(
    ledger: Ledger,
) -> None:
    events = [
        ask(),
        start(),
        *(epoch(0, e, 1, at=1 + e) for e in (1, 2)),
        start(0, 2, at=10, first_epoch=3),
        end(0, "max_epochs", 2, at=12),
    ]
    assert sorted(rmse_by_epoch(outcome(ledger, events))) == [1, 2]


def test_an_interrupted_trial_runs_and_says_why_nobody_trains_it(ledger: Ledger) -> None:
    trial = outcome(ledger, [ask(), start(), epoch(), end(0, "interrupted")])
    assert (trial.state, trial.stop_reason) == (TrialState.RUNNING, StopReason.INTERRUPTED)
    assert outcome(ledger, [start(0, 2, at=10, first_epoch=2)]).stop_reason is None


def test_values_come_back_with_their_types(ledger: Ledger) -> None:
    values = {"a": 1, "b": 1.0, "c": True, "d": "x", "e": 1e-3}
    trial = outcome(ledger, [ask(values=values)])
    assert trial.values == values
    assert [type(v) for v in trial.values.values()] == [int, float, bool, str, float]


def test_the_pruners_state_comes_back_by_epoch(ledger: Ledger) -> None:
    states = [
        {"kind": "pruner", "number": 0, "epoch": e, "attrs": {"rung": [e, 0.5]}, "at": e}
        for e in (1, 2)
    ]
    assert outcome(ledger, [ask(), *states]).pruner_state == {
        "1": {"rung": [1, 0.5]},
        "2": {"rung": [2, 0.5]},
    }


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """What several attempts and the driver may write about one trial, sane clocks or not."""
    events = [ask()]
    for attempt in range(1, draw(st.integers(1, 3)) + 1):
        first = draw(st.integers(1, 3))
        if draw(st.booleans()):
            events.append(start(0, attempt, draw(st.floats(0, 20)), first))
        events += [
            epoch(0, e, attempt, draw(st.floats(0, 20)), draw(st.floats(0.5, 2)))
            for e in range(first, first + draw(st.integers(0, 3)))
        ]
        for reason in draw(st.lists(st.sampled_from(StopReason), max_size=2, unique=True)):
            kind = draw(st.sampled_from(["end", "attempt_end"]))
            events.append(end(0, reason.value, attempt, draw(st.floats(0, 20)), kind))
    return events


def test_the_outcome_depends_neither_on_order_nor_on_repetition(tmp_path: Path) -> None:
    numbers = itertools.count()

    @settings(max_examples=100, deadline=None)
    @given(history=histories(), seed=st.integers(0, 1000))
    def check(history: list[Event], seed: int) -> None:
        number = next(numbers)
        history = [event | {"number": number} for event in history]
        rng = random.Random(seed)
        shuffled = [*history, *rng.sample(history, len(history) // 2)]
        rng.shuffle(shuffled)
        for ledger, events in ((one, history), (other, shuffled)):
            for event in events:
                ledger.apply(event)
        assert one.trial(number) == other.trial(number)

    with Ledger(tmp_path / "a.db") as one, Ledger(tmp_path / "b.db") as other:
        check()
