"""Finalists, frozen, trained again under fresh shared seeds.

What the evidence says is worked out in `reports.judging.judgement`; this module only gathers it. A
verdict that was stopped or killed goes on like a sweep, and one that is done is read, not trained
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from experiments.board.board_check import record_board_check
from experiments.board.hparams import FOLDER as BOARD_FOLDER
from experiments.board.hparams import BoardWriter, write_board
from experiments.data.study_data import read_data
from experiments.errors import StateError
from experiments.files import write_json
from experiments.folder.folders import refuse_changed_data
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import StudyLock
from experiments.machine.cluster import ray_cluster
from experiments.machine.crew import dismiss_crew
from experiments.machine.ray_environment import import_ray
from experiments.machine.resources import Resources
from experiments.machine.room import within_memory
from experiments.machine.taking import take_machine
from experiments.records import (
    DRIVER_JOURNAL,
    FIRST_NUMBER_BESIDE,
    LEDGER_NAME,
    Purpose,
    StudyRecord,
    TrialRecord,
    TrialState,
    read_study,
)
from experiments.records.finalists import lost_to_the_machine
from experiments.records.verdict_records import (
    VERDICT_NAME,
    VerdictRecord,
    VerdictResults,
)
from experiments.request.frozen import frozen_sweep
from experiments.running.conductor import Conductor
from experiments.running.driver import Driver, run_trials
from experiments.running.orders import order_of
from experiments.running.replicas import Replicas
from experiments.running.resume import bring_up_to_date, next_attempt, reopen_failed
from experiments.running.segments import segments_of, write_segments
from experiments.running.sessions import record_changes
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import one_at_a_time
from experiments.search.search_protocol import NoSearch
from experiments.verdict.crossings import crossings_of, write_crossings
from experiments.verdict.evidence import Evidence, judged, read_evidence
from experiments.verdict.frozen_finalists import frozen_or_chosen
from experiments.verdict.size_control import trained_as, with_sized_control
from experiments.waiting import waiting
from experiments.watcher import StudyWatcher
from recommender.datasets.confirming import load_with_confirm
from recommender.datasets.description import LoadedDataset


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one run of a verdict ended."""

    study: StudyRecord
    frozen: VerdictRecord
    evidence: Evidence | None
    """None where it was stopped before every replicate had ended."""
    stopped_by: StopCause | None = None
    """With evidence only where a signal came with the last training."""


@one_at_a_time()
def gather_evidence(
    folder: Path,
    *,
    top: int | None = None,
    n_seeds: int | None = None,
    retry_failed: bool = False,
    watcher: StudyWatcher,
    resources: Resources | None = None,
    deadline: float | None = None,
) -> Verdict:
    """Freeze the finalists (once), train what is missing of their replicates, read predictions.

    Args:
        retry_failed: try those once more that failed of the machine, under their seeds.
        deadline: monotonic time before which the job that this runs in must be left; running
            trials are checkpointed then, and the next verdict goes on with them.

    Raises:
        As `frozen_or_chosen`.
        StateError: another driver runs the study, its data changed, or its test split was opened
            with what is to be tried again.
    """
    frozen = frozen_or_chosen(read_study(folder), top, n_seeds)
    with StudyLock(folder, watcher.message):
        switch = StopSwitch(folder)
        switch.clear()
        dismiss_crew(folder)
        bring_up_to_date(folder)
        machine, settled = take_machine(resources)
        sweep = frozen_sweep(folder)
        study = read_study(folder)
        if retry_failed and study.test is not None:
            raise StateError(
                f"the test split of {study.name} was opened: its verdict stays as it is, without "
                "--retry-failed"
            )

        def freeze(loaded: LoadedDataset) -> None:
            nonlocal frozen
            refuse_changed_data(study, loaded.description)
            if study.verdict is not None:  # perhaps another driver's, since we looked
                frozen = frozen_or_chosen(study, top, n_seeds)
            else:
                frozen = with_sized_control(frozen, study, sweep, loaded.encoded)
                write_verdict(folder, frozen)

        loaded, confirm = read_data(sweep, partial(load_with_confirm, before=freeze))
        resources = within_memory(resources, settled, machine, loaded.encoded, watcher.message)
        if confirm is not None:
            loaded = replace(loaded, encoded=confirm.to_predict_in(loaded.encoded))
        with Journal(folder / DRIVER_JOURNAL) as journal, Ledger(folder / LEDGER_NAME) as ledger:
            _ask(study, frozen, journal)
            if retry_failed and reopen_failed(folder, lost_to_the_machine(study), journal):
                write_verdict(folder, frozen)  # until they are judged with the others
            ledger.catch_up(journal.path.parent)
            left = [t for t in judged(ledger.trials()) if not t.state.is_finished]
            if left:
                import_ray(resources)
                cluster = ray_cluster(resources, machine)
                driver = Driver(
                    folder,
                    sweep,
                    loaded,
                    resources,
                    machine,
                    cluster,
                    watcher,
                    deadline,
                    command="verdict",
                )
                _train(driver, left, ledger, journal)
        cause = switch.cause
        switch.clear()
        study = read_study(folder)
        if left:
            write_board(study)
            record_board_check(study, watcher)
        if any(not trial.state.is_finished for trial in judged(study.trials)):
            over = StopCause.COMMAND if deadline is None else StopCause.DEADLINE
            return Verdict(study, frozen, None, cause or over)
        replicas = Replicas(folder, sweep, loaded.encoded, watcher.message)
        with waiting("looking where the finalists err"):
            evidence = read_evidence(study, frozen, loaded, confirm, replicas, watcher)
            rows = loaded.encoded if confirm is None else confirm.judged_in(loaded.encoded)
            write_segments(folder, segments_of(rows, evidence.predicted))
            write_crossings(folder, crossings_of(study, frozen, sweep, replicas))
    return Verdict(study, frozen, evidence, cause if cause and cause.is_signal else None)


def write_verdict(
    folder: Path, frozen: VerdictRecord, results: VerdictResults | None = None
) -> None:
    """Write `verdict.json`, whole or not at all."""
    plain = asdict(frozen) | {"results": None if results is None else asdict(results)}
    write_json(folder / VERDICT_NAME, plain)


def _ask(study: StudyRecord, frozen: VerdictRecord, journal: Journal) -> None:
    """Journal the replicates that nobody has asked for yet, seed by seed."""
    there = {trial.name for trial in study.trials}
    wanted = [
        (finalist, index, seed)
        for index, seed in enumerate(frozen.seeds)
        for finalist in frozen.finalists
        if not finalist.is_baseline and finalist.replicate(index) not in there
    ]
    free = max(FIRST_NUMBER_BESIDE, *(trial.number + 1 for trial in study.trials))
    for number, (finalist, index, seed) in enumerate(wanted, start=free):
        assert finalist.number is not None
        trial = study.trial(finalist.number)
        assert trial is not None, finalist
        trial = trained_as(finalist, trial)
        journal.append(
            "ask",
            sync=True,
            number=number,
            name=finalist.replicate(index),
            purpose=Purpose.VERDICT.value,
            arm=trial.arm,
            arm_number=trial.arm_number,
            values=dict(trial.values),
            seed=seed,
            is_default=trial.is_default,
        )


def _train(driver: Driver, left: Sequence[TrialRecord], ledger: Ledger, journal: Journal) -> None:
    folder, sweep, watcher = driver.folder, driver.sweep, driver.watcher
    for change in record_changes(folder, driver.machine, driver.resources):
        watcher.message(f"changed since the last run: {change}")
    study = read_study(folder)
    conductor = Conductor(
        folder,
        sweep=sweep,
        search=NoSearch(),
        ledger=ledger,
        journal=journal,
        board=BoardWriter(folder / BOARD_FOLDER, study.columns, study.metrics),
        watcher=watcher,
        n_trials=0,
        interrupted=[
            order_of(
                trial,
                1 if trial.state is TrialState.WAITING else next_attempt(trial),
                folder,
                sweep,
            )
            for trial in left
        ],
        deadline=driver.deadline,
    )
    # The words of sessions are about the search: its end and its time.
    try:
        run_trials(driver, conductor)
    finally:
        ledger.catch_up(journal.path.parent)
