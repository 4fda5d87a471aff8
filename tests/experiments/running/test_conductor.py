from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.errors import ClusterError, StateError
from experiments.ledger.ledger import Ledger
from experiments.records import StopReason, TrialRecord, TrialState, Value
from experiments.running.conductor import LOST_WORKER_RETRIES, STILLBORN_TRIALS
from experiments.sweep import SearchConfig, SweepConfig
from experiments.watcher import Silent
from recommender.config import TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from tests.fake_workers import FakeStudy, Fuse, Killed
from tests.made_up_spaces import CONDITIONAL


def a_sweep(n_trials: int = 8, sampler: str = "tpe", pruner: str = "median") -> SweepConfig:
    return SweepConfig(
        name="made-up",
        seed=3,
        dataset=DatasetConfig(name="movielens-small"),
        split=SplitConfig(),
        space=CONDITIONAL,
        compare="architecture",
        training=TrainingConfig(max_epochs=6, patience=3, seed=3),
        search=SearchConfig(
            trials=n_trials,
            max_epochs=6,
            patience=3,
            sampler=sampler,
            sampler_args={"n_startup_trials": 2} if sampler == "tpe" else {},
            pruner=pruner,
            pruner_args={"n_warmup_epochs": 1, "n_startup_trials": 1} if pruner == "median" else {},
        ),
    )


def bumpy(values: Mapping[str, Value], epoch: int) -> float:
    """Different for every configuration; a third of them diverge, some stop improving early."""
    rate = math.log10(float(values["learning_rate"]))
    if float(values["dropout"]) > 0.55 and epoch == 2:
        return math.nan
    best_epoch = 2 + int(values["n_layers"])
    return 1.0 + 0.05 * (rate + 2) ** 2 + 0.01 * abs(epoch - best_epoch)


def trials_of(folder: Path) -> tuple[TrialRecord, ...]:
    with Ledger.reading(folder / "study.db") as ledger:
        return ledger.trials()


def outcome(trial: TrialRecord) -> object:
    return (
        trial.number,
        trial.arm,
        trial.values,
        trial.seed,
        trial.state,
        trial.stop_reason,
        trial.best_rmse,
        trial.best_epoch,
        [(e.epoch, None if math.isnan(e.val_rmse) else e.val_rmse) for e in trial.epochs],
    )


def run_alone(folder: Path, sweep: SweepConfig) -> tuple[list[object], int]:
    fuse = Fuse()
    FakeStudy(folder, sweep, bumpy).run(fuse)
    return [outcome(trial) for trial in trials_of(folder)], fuse.n_writes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner"), [("tpe", "median"), ("random", "hyperband"), ("random", "none")]
)
def test_a_study_killed_at_any_write_ends_as_one_left_alone(
    tmp_path: Path, sampler: str, pruner: str
) -> None:
    sweep = a_sweep(6, sampler, pruner)
    expected, n_writes = run_alone(tmp_path / "alone", sweep)
    assert n_writes > 60
    for blows_at in range(1, n_writes + 1, 5):
        study = FakeStudy(tmp_path / f"killed-{blows_at}", sweep, bumpy)
        with pytest.raises(Killed):
            study.run(Fuse(blows_at))
        study.run(Fuse())
        assert [outcome(trial) for trial in trials_of(study.folder)] == expected, blows_at
        assert len(study.finished) == len(set(study.finished)), "a finished trial ran again"


def test_a_study_killed_many_times_loses_no_trial_and_runs_none_twice(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(8), bumpy, n_workers=2)
    for blows_at in (3, 11, 7, 19, 5, 23):
        try:
            study.run(Fuse(blows_at))
        except Killed:
            continue
        break
    study.run(Fuse())
    trials = trials_of(study.folder)
    assert [trial.number for trial in trials] == list(range(8))
    assert all(trial.state.is_finished for trial in trials)
    assert len(study.finished) == len(set(study.finished))


def test_each_trial_has_a_seed_that_follows_from_the_sweep_and_its_number(tmp_path: Path) -> None:
    for name in ("once", "again"):
        run_alone(tmp_path / name, a_sweep())
    run_alone(tmp_path / "other", replace(a_sweep(), seed=7))
    once, again, other = (
        [trial.seed for trial in trials_of(tmp_path / name)] for name in ("once", "again", "other")
    )
    assert once == again and len({*once, *other}) == 2 * len(once) == 16


def test_an_interrupted_trial_goes_on_from_its_checkpoint_under_its_number(tmp_path: Path) -> None:
    sweep = a_sweep(2, pruner="none", sampler="random")
    study = FakeStudy(tmp_path / "study", sweep, bumpy, checkpoint_every=1)
    with pytest.raises(Killed):
        study.run(Fuse(9))
    (unfinished,) = (t for t in trials_of(study.folder) if not t.state.is_finished)
    study.run(Fuse())
    trial = next(t for t in trials_of(study.folder) if t.number == unfinished.number)
    assert [attempt.attempt for attempt in trial.attempts] == [1, 2]
    assert trial.attempts[1].first_epoch == len(unfinished.epochs) + 1 > 1


@pytest.mark.parametrize("is_begun_anew", [False, True])
def test_a_study_that_is_taken_away_while_it_runs_ends_its_driver(
    is_begun_anew: bool, tmp_path: Path
) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(2), bumpy)
    with study.opened(Fuse()) as conductor:
        assert conductor.next_order() is not None
        study.folder.rename(tmp_path / "moved")
        if is_begun_anew:
            (study.folder / "journal").mkdir(parents=True)
            (study.folder / "journal" / "driver.jsonl").touch()
        with pytest.raises(StateError, match="study was deleted or moved while it was being run"):
            conductor.pump()


def test_resuming_a_finished_study_asks_for_nothing(tmp_path: Path) -> None:
    expected, _ = run_alone(tmp_path / "study", a_sweep(4))
    fuse = Fuse()
    FakeStudy(tmp_path / "study", a_sweep(4), bumpy).run(fuse)
    assert fuse.n_writes == 0
    assert [outcome(trial) for trial in trials_of(tmp_path / "study")] == expected


def test_the_ledger_holds_exactly_the_epochs_that_optuna_heard_of(tmp_path: Path) -> None:
    """For every way to end: complete, patience, pruned, diverged; the last epoch included."""
    heard: dict[int, list[int]] = {}
    study = FakeStudy(tmp_path / "study", a_sweep(12), bumpy)
    original = study.new_search

    def listening() -> object:
        search = original()
        report = search.report

        def told(number: int, epoch: int, value: float) -> bool:
            heard.setdefault(number, []).append(epoch)
            return report(number, epoch, value)

        search.report = told  # type: ignore[method-assign]
        return search

    study.new_search = listening  # type: ignore[method-assign,assignment]
    study.run(Fuse())
    trials = trials_of(study.folder)
    reasons = {trial.stop_reason for trial in trials}
    assert {StopReason.PRUNER, StopReason.DIVERGED} <= reasons
    assert reasons & {StopReason.MAX_EPOCHS, StopReason.PATIENCE}
    for trial in trials:
        finite = [e.epoch for e in trial.epochs if math.isfinite(e.val_rmse)]
        assert heard.get(trial.number, []) == finite


def test_a_worker_that_is_lost_too_often_fails_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Silent, "message", lambda _, text: told.append(text))
    study = FakeStudy(tmp_path / "study", a_sweep(2), bumpy)
    with study.opened(Fuse()) as conductor:
        order = conductor.next_order()
        assert order is not None
        for attempt in range(2, LOST_WORKER_RETRIES + 2):
            again = conductor.lose(order.number)
            (order.folder / "last").mkdir(parents=True, exist_ok=True)
            assert again is not None
            assert (again.attempt, again.give_up) == (attempt, None)
        last = conductor.lose(order.number)
        assert last is not None
        assert last.give_up == f"its worker was lost {LOST_WORKER_RETRIES + 1} times"
        # The worker that was to write this down is lost too: the driver does it.
        assert conductor.lose(order.number) is None
    assert told == [
        "#0 lost its worker; beginning anew",
        "#0 lost its worker; going on from its last checkpoint",
        "#0 lost its worker; given up: its worker was lost 3 times",
    ]
    (trial,) = trials_of(study.folder)
    assert (trial.state, trial.stop_reason) == (TrialState.FAIL, StopReason.WORKER_LOST)
    assert trial.error is not None
    assert "lost 3 times" in trial.error


def test_what_a_pruned_trial_s_worker_saves_late_is_removed_and_an_interrupted_one_keeps_it(
    tmp_path: Path,
) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(2), bumpy)
    with study.opened(Fuse()) as conductor:
        pruned, interrupted = conductor.next_order(), conductor.next_order()
        assert pruned is not None and interrupted is not None
        conductor._end_trial(conductor._live[pruned.number], StopReason.PRUNER)
        for order in (pruned, interrupted):
            (order.folder / "last").mkdir(parents=True)
            conductor.leave(order.number)
            conductor.leave(order.number)
    assert not (pruned.folder / "last").exists() and (interrupted.folder / "last").exists()


def test_workers_that_never_begin_end_the_run(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path / "study", a_sweep(8), bumpy)
    with study.opened(Fuse()) as conductor:
        for n_stillborn in range(1, STILLBORN_TRIALS + 1):
            order = conductor.next_order()
            assert order is not None
            for _ in range(LOST_WORKER_RETRIES + 1):
                assert conductor.lose(order.number) is not None
            if n_stillborn < STILLBORN_TRIALS:
                assert conductor.lose(order.number) is None
            else:
                with pytest.raises(ClusterError, match="no worker could begin"):
                    conductor.lose(order.number)


def test_a_trial_that_ray_gives_up_with_its_worker_is_handed_out_anew(tmp_path: Path) -> None:
    """As where a worker dies between two trials; what comes twice for one death counts once."""
    study = FakeStudy(tmp_path / "study", a_sweep(2, pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        order = conductor.next_order()
        attempts = []
        for _ in range(LOST_WORKER_RETRIES + 1):
            assert order is not None
            assert order.number == 0
            attempts.append(order.attempt)
            assert conductor.lose(0, order.attempt) is not None
            conductor.leave(0, is_lost=True)
            order, given_up = conductor.next_order(), order
            assert conductor.lose(0, given_up.attempt) is None
        assert attempts == sorted(set(attempts))
        assert order is not None
        assert order.give_up == f"its worker was lost {LOST_WORKER_RETRIES + 1} times"
        assert not conductor.is_finished


def test_what_is_left_are_trials_that_wait_and_those_still_to_be_asked_for(tmp_path: Path) -> None:
    study = FakeStudy(tmp_path, a_sweep(4, sampler="random", pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        assert conductor.n_left == 4
        assert conductor.next_order() is not None
        assert conductor.n_left == 3
    with study.opened(Fuse()) as conductor:
        assert conductor.n_left == 4  # the one that was handed out is to be gone on with
