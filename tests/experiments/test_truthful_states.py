"""Sixteen trials, of which some crash, some diverge, some are stopped early and some complete.

Sampler, ledger, board and report must say of each what really became of it, and the same.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace

import optuna
import pytest

from experiments.board.board_check import check_board
from experiments.board.hparams import write_board
from experiments.files import write_json
from experiments.folder.folders import columns_of
from experiments.ledger.journal import journal_files, read_journal
from experiments.records import StopReason, StudyRecord, TrialState, Value, read_study
from experiments.request.config import sweep_to_toml
from experiments.search.optuna_search import OptunaSearch
from reports.render import write_report
from tests.experiments.running.test_conductor import a_sweep
from tests.fake_workers import FakeStudy, Fuse

N_TRIALS = 16
OPTUNAS = {
    TrialState.COMPLETE: optuna.trial.TrialState.COMPLETE,
    TrialState.PRUNED: optuna.trial.TrialState.PRUNED,
    TrialState.FAIL: optuna.trial.TrialState.FAIL,
}


def fate(values: Mapping[str, Value]) -> int:
    return zlib.crc32(repr(sorted(values.items())).encode()) % 4


def objective(values: Mapping[str, Value], epoch: int) -> float:
    """One of four fates: crash, diverge, be hopeless, or do well."""
    kind = fate(values)
    if kind == 0 and epoch == 2:
        raise RuntimeError("its own fault")
    if kind == 1 and epoch == 2:
        return math.nan
    return (9.0 if kind == 2 else 1.0) - 0.01 * epoch


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyRecord, OptunaSearch]:
    """The study as its folder has it, and the search that lived through it."""
    folder = tmp_path_factory.mktemp("truth") / "study"
    sweep = replace(a_sweep(N_TRIALS, "random"), compare=None)
    assert sweep.space is not None
    study = FakeStudy(folder, sweep, objective)
    search = study.new_search()
    assert isinstance(search, OptunaSearch)
    study.new_search = lambda: search  # type: ignore[method-assign]
    study.run(Fuse())
    (folder / "sweep.toml").write_text(sweep_to_toml(sweep))
    write_json(folder / "provenance.json", {})
    write_json(folder / "columns.json", [asdict(column) for column in columns_of(sweep.space)])
    return read_study(folder), search


def test_every_kind_of_end_is_there_and_is_what_it_is(
    told: tuple[StudyRecord, OptunaSearch],
) -> None:
    study, _ = told
    expected = {
        0: (TrialState.FAIL, {StopReason.ERROR}),
        1: (TrialState.PRUNED, {StopReason.DIVERGED}),
        2: (TrialState.PRUNED, {StopReason.PRUNER}),
        3: (TrialState.COMPLETE, {StopReason.MAX_EPOCHS}),
    }
    assert {fate(trial.values) for trial in study.trials} == {0, 1, 2, 3}
    seen = set()
    for trial in study.trials:
        state, reasons = expected[fate(trial.values)]
        if trial.stop_reason is StopReason.MAX_EPOCHS and fate(trial.values) == 2:
            continue  # hopeless, but before the pruner had anything to compare it with
        assert (trial.state, {trial.stop_reason}) == (state, reasons), trial
        seen.add(trial.stop_reason)
    assert len(seen) == 4


def test_the_sampler_was_told_the_same(told: tuple[StudyRecord, OptunaSearch]) -> None:
    study, search = told
    frozen = search._frozen_trials()
    assert len(frozen) == N_TRIALS
    for theirs, ours in zip(frozen, study.trials, strict=True):
        assert theirs.state is OPTUNAS[ours.state]
        finite = {e.epoch: e.val_rmse for e in ours.epochs if math.isfinite(e.val_rmse)}
        assert theirs.intermediate_values == finite  # the last one before a stop, too
        if ours.state is TrialState.COMPLETE:
            assert theirs.value == ours.best_rmse
    best = min((t.value, t.number) for t in frozen if t.state is OPTUNAS[TrialState.COMPLETE])
    assert study.ranked[0].number == best[1]


def test_the_journals_hold_one_end_a_trial(told: tuple[StudyRecord, OptunaSearch]) -> None:
    study, _ = told
    ends = [
        event
        for path in journal_files(study.folder / "journal")
        for event in read_journal(path)[0]
        if event["kind"] == "end"
    ]
    assert sorted(event["number"] for event in ends) == list(range(N_TRIALS))


def test_the_board_shows_the_same(told: tuple[StudyRecord, OptunaSearch]) -> None:
    study, _ = told
    write_board(study)
    assert check_board(study) == []


def test_the_report_says_the_same_and_ranks_the_complete_alone(
    told: tuple[StudyRecord, OptunaSearch],
) -> None:
    study, _ = told
    with write_report(study).csv.open(newline="", encoding="utf-8") as file:
        rows = {int(row["number"]): row for row in csv.DictReader(file)}
    for trial in study.trials:
        assert rows[trial.number]["state"] == trial.state.value
        assert rows[trial.number]["stop_reason"] == (trial.stop_reason or "")
        assert bool(rows[trial.number]["rank"]) == (trial.state is TrialState.COMPLETE)
