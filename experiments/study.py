"""A study from a sweep: the whole flow, top to bottom.

`run_study` prepares a folder and `resume_study` opens one; what follows is the same for both, so
that a fresh study is nothing but a resumed one without a past.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments.board.board_check import record_board_check
from experiments.board.hparams import FOLDER as BOARD_FOLDER
from experiments.board.hparams import BoardWriter, write_board
from experiments.data.study_data import load_repeatable_data, load_same_data
from experiments.errors import RequestError
from experiments.folder import folders
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import StudyLock
from experiments.machine.cluster import ray_beside
from experiments.machine.crew import dismiss_crew
from experiments.machine.gpu_memory import others_lines
from experiments.machine.machine import Machine
from experiments.machine.ray_environment import import_ray
from experiments.machine.resources import Resources, probe_line
from experiments.machine.room import within_memory
from experiments.machine.taking import take_machine
from experiments.own.kept_code import origins, refuse_changed_code
from experiments.records import (
    DRIVER_JOURNAL,
    LEDGER_NAME,
    StopReason,
    StudyRecord,
    TrialState,
    read_study,
)
from experiments.records.values import plural
from experiments.request.frozen import frozen_sweep, is_elsewhere, relocate
from experiments.request.plan import Plan, few_points, plan_sweep, with_data
from experiments.running.conductor import Conductor
from experiments.running.driver import Driver, run_trials
from experiments.running.errors_by_user import write_noise
from experiments.running.resume import (
    bring_up_to_date,
    pick_up,
    refuse_gaps,
    reopen_failed,
)
from experiments.running.segments import write_best_segments
from experiments.running.sessions import (
    begin_session,
    end_session,
    record_changes,
)
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import left_at_once, one_at_a_time
from experiments.search.importance import N_RESAMPLES, importance
from experiments.search.search import build_search
from experiments.stages import stage_over
from experiments.sweep import SweepConfig, defaults_of
from experiments.typed import typed
from experiments.waiting import waiting
from experiments.watcher import StudyWatcher
from recommender.baselines import fit_baselines
from recommender.datasets.description import LoadedDataset


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of the driver ended."""

    study: StudyRecord
    stopped_by: StopCause | None = None
    """None: every trial that was asked for is done."""

    def problem(self, is_strict: bool = False) -> str | None:
        """What makes a study that is done, or out of time, a failed one: no finite result, or too
        many failures."""
        trials = self.study.search_trials
        failed = [trial for trial in trials if trial.state is TrialState.FAIL]
        told = failed or [trial for trial in trials if trial.error]  # what diverged says where
        first = f"; the first: #{told[0].number} {told[0].error}" if told else ""
        if trials and not self.study.ranked:
            if n := sum(trial.stop_reason is StopReason.PRUNER for trial in trials):
                return f"no trial is complete: the pruner stopped {n} of {len(trials)}{first}"
            if n := sum(not trial.state.is_finished for trial in trials):
                return f"no trial is complete: the time was over for {n} of {len(trials)}{first}"
            return f"no finite RMSE in {plural(len(trials), 'trial')}: no trial is complete{first}"
        if len(failed) * 3 > len(trials) or (failed and is_strict):
            return f"{len(failed)} of {len(trials)} trials failed{first}"
        return None


@one_at_a_time()
def run_study(
    sweep: SweepConfig,
    *,
    root: Path,
    watcher: StudyWatcher,
    resources: Resources | None = None,
    command: Sequence[str] = (),
    deadline: float | None = None,
) -> Outcome:
    """Run a sweep in a new folder under `root`. Nothing is written before all checks have passed.

    Args:
        deadline: monotonic time before which the job that this runs in must be left; running
            trials are checkpointed then, and wait for resume.

    Raises:
        RequestError: the machine cannot give the resources.
        DataProblem: the data cannot be used.
        StateError: an unfinished study has the same name, or this process trains another one.
        ClusterError: Ray cannot be started.
    """
    machine, settled = take_machine(resources)
    name, notice = folders.free_name(root, sweep.name)
    import_ray(settled)
    _try_own_search(sweep)
    loaded = load_repeatable_data(sweep)
    resources = within_memory(resources, settled, machine, loaded.encoded, watcher.message)
    folder = folders.made(root / name)
    with (
        StudyLock(folder, watcher.message) as lock,
        ray_beside(resources, machine) as cluster,
        left_at_once(folder, lock.release),
    ):
        StopSwitch(folder).clear()
        folders.create(folder, sweep, loaded.description, machine, resources, command)
        if notice:
            watcher.message(notice)
        cause = _conduct(
            Driver(folder, sweep, loaded, resources, machine, cluster, watcher, deadline)
        )
    return _outcome(folder, cause, watcher)


@one_at_a_time()
def resume_study(
    folder: Path,
    *,
    now: SweepConfig | None = None,
    watcher: StudyWatcher,
    resources: Resources | None = None,
    n_trials: int | None = None,
    more_s: float | None = None,
    retry_failed: bool = False,
    deadline: float | None = None,
) -> Outcome:
    """Go on where a study was stopped or killed, to as many trials as it is to have in all.

    Args:
        now: its sweep as it is asked for now, whose data may lie elsewhere by now.
        n_trials: more trials than were asked for so far.
        more_s: another so many seconds; without them no new trial is asked for once the sweep's
            time is over.
        retry_failed: try the failed trials once more, from their start.
        deadline: as of `run_study`.

    Raises:
        RequestError: more trials are asked for than there is time for, or no more than there are.
        StateError: another driver runs it, or its data, its sweep or the researcher's own code have
            changed since it began.
    """
    with StudyLock(folder, watcher.message) as lock:
        StopSwitch(folder).clear()  # an earlier driver's; whoever asks from now on means this one
        dismiss_crew(folder)
        bring_up_to_date(folder)
        sweep = frozen_sweep(folder, now)
        study = read_study(folder)
        refuse_gaps(study.name, study.search_trials)
        if n_trials is not None and more_s is None and study.is_out_of_time:
            raise RequestError(
                f"the time of {study.name} is over (search.timeout), and more trials would not "
                f"begin; give them time, too: recsweep resume {typed(folder)} --trials {n_trials} "
                "--timeout 1h"
            )
        asks_for_more = n_trials is not None or retry_failed
        if asks_for_more or not study.is_finished:
            refuse_changed_code(folder, origins(study.provenance))
        # Before anything is written: what is refused changes nothing.
        taken = take_machine(resources) if asks_for_more else None
        is_moved = now is not None and is_elsewhere(folder, now)
        loaded = load_same_data(study, sweep) if asks_for_more or is_moved else None
        if now is not None:
            relocate(folder, now)
        n_retried = 0
        with Journal(folder / DRIVER_JOURNAL) as journal:
            if n_trials is not None:
                folders.extend(study, sweep, n_trials, journal)
            if retry_failed:
                n_retried = reopen_failed(folder, study.search_trials, journal)
        if study.is_finished and n_trials is None and not n_retried:
            verdict = study.verdict
            watcher.message(
                f"{study.name} is finished; nothing to resume"
                if verdict is None or verdict.results is not None
                else f"{study.name} is finished but for its verdict: "
                f"recsweep verdict {typed(folder)}"
            )
            # It was read under our own lock, as if it ran.
            return Outcome(replace(study, state="finished"))
        if more_s is None and not n_retried and study.is_ended_by_time:
            watcher.message(
                f"the time of {study.name} is over (search.timeout); have it judged: "
                f"recsweep verdict {typed(folder)}; or give it more with: "
                f"recsweep resume {typed(folder)} --timeout 1h"
            )
            return Outcome(replace(study, state="interrupted"), StopCause.TIMEOUT)
        machine, settled = taken or take_machine(resources)
        import_ray(settled)
        if loaded is None:
            loaded = load_same_data(study, sweep)
        resources = within_memory(resources, settled, machine, loaded.encoded, watcher.message)
        for change in record_changes(folder, machine, resources):
            watcher.message(f"changed since the last run: {change}")
        with ray_beside(resources, machine) as cluster, left_at_once(folder, lock.release):
            cause = _conduct(
                Driver(folder, sweep, loaded, resources, machine, cluster, watcher, deadline),
                more_s,
            )
    return _outcome(folder, cause, watcher)


def plan_study(sweep: SweepConfig, resources: Resources | None = None) -> Plan:
    """Check everything that `run_study` would, and count; nothing is written.

    Raises:
        As `run_study`, but for what other studies there are and for Ray.
    """
    machine, settled = take_machine(resources)
    _try_own_search(sweep)
    began = time.monotonic()
    loaded = load_repeatable_data(sweep)
    read_s = time.monotonic() - began
    told: list[str] = []
    resources = within_memory(resources, settled, machine, loaded.encoded, told.append)
    plan = with_data(_plan(sweep, loaded, resources, machine), loaded.description, read_s)
    told += others_lines(machine.gpus) if resources.gpus else []
    if resources.pack_up_to is not None:
        told.insert(0, probe_line(resources))
    return replace(plan, assumptions=(*plan.assumptions, *told))


def _try_own_search(sweep: SweepConfig) -> None:
    """The researcher's own sampler and pruner must work before anything is written."""
    search = sweep.search
    if search is not None and (search.sampler_own or search.pruner_own):
        from experiments.search.own_search import check_own_search

        check_own_search(sweep)


def _conduct(driver: Driver, more_s: float | None = None) -> StopCause | None:
    """Rebuild the search from the ledger, run what is left on Ray, close the books."""
    folder, sweep, encoded = driver.folder, driver.sweep, driver.loaded.encoded
    assert sweep.space is not None and sweep.search is not None
    with waiting("fitting the baselines"):
        baselines = fit_baselines(encoded)
    folders.write_baselines(folder, baselines)
    stage_over("baselines")
    with Journal(folder / DRIVER_JOURNAL) as journal, Ledger(folder / LEDGER_NAME) as ledger:
        ledger.catch_up(journal.path.parent)
        spent_s = ledger.elapsed_s()
        begin_session(folder, journal, driver.machine, driver.resources)
        search = build_search(
            sweep.space,
            sweep.search,
            sweep.search_seed,
            sweep.compare,
            defaults_of(sweep),
        )
        orders = pick_up(folder, search, ledger, journal, sweep)
        time_left_s = _time_left(sweep.search.timeout_s, spent_s, more_s)
        study = read_study(folder)
        driver.watcher.started(_as_run_now(study, driver), _estimate_s(study, driver))
        if few := few_points(sweep, study.n_trials_asked_for):
            driver.watcher.message(few)
        write_board(study)
        board = BoardWriter(folder / BOARD_FOLDER, study.columns, study.metrics)
        conductor = Conductor(
            folder,
            sweep=sweep,
            search=search,
            ledger=ledger,
            journal=journal,
            board=board,
            watcher=driver.watcher,
            n_trials=study.n_trials_asked_for,
            asks_for_new=time_left_s != 0,
            interrupted=orders,
            deadline=driver.deadline,
        )
        try:
            run_trials(driver, conductor, time_left_s or None)
        finally:
            is_finished = conductor.is_finished
            end_session(journal, is_finished=is_finished)
            ledger.catch_up(journal.path.parent)
            n_resamples = N_RESAMPLES if is_finished else 0  # who stops it wants it over
            shares = importance(sweep.space, ledger.trials(), n_resamples)
            if journal.is_in_place:
                folders.write_importance(folder, shares)
    is_job_over = driver.deadline is not None and conductor.n_left > 0
    over = StopCause.DEADLINE if is_job_over else StopCause.TIMEOUT
    cause = driver.switch.cause
    if is_finished:
        cause = cause if cause is not None and cause.is_signal else None
    else:
        cause = cause or over
    driver.switch.clear()
    study = read_study(folder)
    if not is_finished:
        write_board(study)
    with waiting("looking where the best models err"):
        write_best_segments(study, encoded, baselines, driver.watcher)
        write_noise(study, encoded, baselines)
    record_board_check(study, driver.watcher)
    return cause


def _outcome(folder: Path, cause: StopCause | None, watcher: StudyWatcher) -> Outcome:
    """Read back what the driver leaves, when its lock is gone."""
    study = read_study(folder)
    watcher.finished(study)
    return Outcome(study, cause)


def _as_run_now(study: StudyRecord, driver: Driver) -> StudyRecord:
    """With the machine and the resources of this run: its provenance tells those of the first."""
    now = {
        "machine": driver.machine.to_json(),
        "n_workers": driver.resources.workers,
        "resources": asdict(driver.resources),
    }
    return replace(study, provenance={**study.provenance, **now})


def _estimate_s(study: StudyRecord, driver: Driver) -> float | None:
    """The plan's guess, scaled to the trials that are left."""
    plan = _plan(driver.sweep, driver.loaded, driver.resources, driver.machine)
    if plan.seconds is None:
        return None
    n_left = study.n_trials_asked_for - study.n_done
    return plan.seconds * n_left / plan.n_trials


def _plan(
    sweep: SweepConfig, loaded: LoadedDataset, resources: Resources, machine: Machine
) -> Plan:
    return plan_sweep(
        sweep,
        loaded.description,
        n_workers=resources.workers or 1,
        n_gpus=machine.n_gpus if resources.gpus else 0,
    )


def _time_left(limit_s: float | None, spent_s: float, more_s: float | None) -> float | None:
    """Seconds until the driver stops; 0: interrupted trials only; None: no limit."""
    if more_s is not None:
        return more_s
    return None if limit_s is None else max(0.0, limit_s - spent_s)
