from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.cli.terminal import closing_lines
from experiments.cli.wording import header_lines
from experiments.data.study_data import load_data
from experiments.errors import StateError
from experiments.folder.folders import create, free_name, made
from experiments.ledger.journal import sound_events
from experiments.ledger.ledger import Ledger, LedgerError
from experiments.ledger.lock import StudyLock
from experiments.machine.crew import Crew, read_crew
from experiments.machine.machine import read_machine
from experiments.machine.resources import Resources
from experiments.records import StudyRecord, TrialRecord, TrialState, read_study
from experiments.request.config import sweep_to_toml
from experiments.running.conductor import Conductor
from experiments.running.driver import Driver
from experiments.running.resume import bring_up_to_date, checkpoint_epoch, next_attempt
from experiments.running.stopping import StopCause, StopSwitch
from experiments.study import resume_study, run_study
from experiments.sweep import SweepConfig
from experiments.verdict.frozen_finalists import frozen_or_chosen
from experiments.watcher import Silent
from recommender.checkpoints import write_checkpoint
from recommender.datasets.description import LoadedDataset
from recsweep import Choice, Float, space
from reports.sections.summary import next_command
from tests.experiments.facts import ask, end, epoch, start
from tests.in_process import Died, InProcess
from tests.small_studies import a_sweep
from tests.synthetic_study import make_study


def test_a_lost_ledger_is_rebuilt_from_the_journals(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    before = read_study(folder)
    (folder / "study.db").unlink()
    bring_up_to_date(folder)
    assert repr(read_study(folder)) == repr(before)


def test_the_board_is_compared_before_another_driver_may_write_to_it(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = []

    def compared(record: StudyRecord, _: object) -> None:
        with pytest.raises(StateError, match="run"):
            StudyLock(record.folder)
        locked.append(record.name)

    monkeypatch.setattr("experiments.study.record_board_check", compared)
    resume_study(study, watcher=Silent(), n_trials=6)
    assert locked == [study.name]


def test_a_ledger_that_is_up_to_date_stays_as_it_is(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    before = (folder / "study.db").read_bytes()
    bring_up_to_date(folder)
    bring_up_to_date(folder)
    assert len((folder / "study.db").read_bytes()) == len(before)


def test_a_damaged_ledger_is_not_overwritten(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "mine")
    (folder / "study.db").write_bytes(b"x" * 5000)
    with pytest.raises(LedgerError, match="recsweep repair mine"):
        bring_up_to_date(folder)
    assert (folder / "study.db").read_bytes() == b"x" * 5000


def trials(folder: Path) -> tuple[TrialRecord, ...]:
    with Ledger(folder / "study.db") as ledger:
        for event in (
            ask(0), start(0), epoch(0), end(0),
            ask(1), start(1), epoch(1), end(1, "interrupted"),
            ask(2),
            ask(3), start(3), end(3, "worker_lost", kind="attempt_end"), start(3, 2, at=9.0),
            ask(4), end(4, "error"),
        ):  # fmt: skip
            ledger.apply(event)
        return ledger.trials()


def unfinished(folder: Path) -> list[TrialRecord]:
    return [trial for trial in trials(folder) if not trial.state.is_finished]


def test_what_was_interrupted_goes_on_and_what_waited_begins(tmp_path: Path) -> None:
    left = unfinished(tmp_path)
    assert [(t.number, t.state) for t in left] == [
        (1, TrialState.RUNNING),
        (2, TrialState.WAITING),
        (3, TrialState.RUNNING),
    ]


def test_the_next_attempt_fences_off_every_earlier_one(tmp_path: Path) -> None:
    # Trial 2 has no attempt on record, but its worker may be about to write the first.
    assert [next_attempt(t) for t in unfinished(tmp_path)] == [2, 2, 3]


def test_the_checkpoint_says_after_which_epoch_it_was_written(tmp_path: Path) -> None:
    trial = trials(tmp_path)[1]
    assert checkpoint_epoch(tmp_path, trial) == 0
    last = tmp_path / "trials" / "0001" / "last"
    write_checkpoint(last, {"weight": np.zeros(2)}, {"epoch": 3})
    assert checkpoint_epoch(tmp_path, trial) == 3
    (arrays,) = last.glob("*.npz")
    arrays.write_bytes(arrays.read_bytes()[:-1])
    assert checkpoint_epoch(tmp_path, trial) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}'])
def test_a_checkpoint_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    last = tmp_path / "trials" / "0001" / "last"
    last.mkdir(parents=True)
    (last / "metadata.json").write_text(content)
    assert checkpoint_epoch(tmp_path, trials(tmp_path)[1]) == 0


class Heard(Silent):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.mark.slow
def test_a_sweep_whose_time_is_over_says_how_to_give_it_more(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    sweep = a_sweep(ratings_csv)
    assert sweep.search is not None
    workers.dies_after = 1
    with pytest.raises(Died):
        run_study(
            replace(sweep, search=replace(sweep.search, timeout_s=0.001)),
            root=tmp_path,
            watcher=Silent(),
        )
    folder = tmp_path / sweep.name
    told = Heard()
    outcome = resume_study(folder, watcher=told)
    assert outcome.stopped_by is StopCause.TIMEOUT
    assert told.messages[-1].endswith("give it more with: recsweep resume small --timeout 1h")
    go_on, judge, _ = closing_lines(outcome.study)[-3:]
    assert go_on == (
        "go on    recsweep resume small --timeout 1h        (3 trials left, and no time)"
    )
    assert judge.startswith("next     recsweep verdict small ")
    assert next_command(outcome.study).lines == ("recsweep verdict small",)
    assert len(workers.trained) == 1
    assert frozen_or_chosen(outcome.study).finalists[0].name == workers.trained[0]
    judging = StudyLock(folder)  # nothing but a verdict would train now
    stopped = CliRunner().invoke(app, ["stop", "small", "--studies", str(tmp_path)])
    assert stopped.output.splitlines()[-1] == "go on later with: recsweep verdict small"
    judging.release()
    workers.dies_after = None
    assert resume_study(folder, watcher=told, more_s=60.0).study.is_finished
    assert workers.times_left_s == [0.001, 60.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_s", "cause"), [(3600.0, StopCause.TIMEOUT), (0.0, StopCause.DEADLINE)]
)
def test_time_that_is_over_within_a_job_is_not_the_end_of_the_job(
    workers: InProcess,
    ratings_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left_s: float,
    cause: StopCause,
) -> None:
    def ask_and_die(driver: Driver, conductor: Conductor, *_: object) -> None:
        assert conductor.next_order() is not None
        raise Died

    sweep = a_sweep(ratings_csv)
    assert sweep.search is not None
    sweep = replace(sweep, search=replace(sweep.search, timeout_s=0.001))
    monkeypatch.setattr("experiments.study.run_trials", ask_and_die)
    with pytest.raises(Died):
        run_study(sweep, root=tmp_path, watcher=Silent())
    monkeypatch.setattr("experiments.study.run_trials", workers)
    deadline = time.monotonic() + left_s
    outcome = resume_study(tmp_path / sweep.name, watcher=Silent(), deadline=deadline)
    assert outcome.stopped_by is cause
    assert len(workers.trained) == (1 if cause is StopCause.TIMEOUT else 0)


@pytest.mark.slow
def test_a_run_names_an_arm_with_fewer_points_than_trials(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    one_point = space(
        architecture=Choice(["plain", "dcn"]),
        learning_rate=Float(1e-3, 1e-1, log=True).when(architecture="dcn"),
    )
    told = Heard()
    workers.dies_after = 0
    with pytest.raises(Died):
        run_study(replace(a_sweep(ratings_csv), space=one_point), root=tmp_path, watcher=told)
    assert "plain has 1 point for 2 trials: points are tried again" in told.messages


@pytest.mark.slow
def test_a_resume_tells_and_records_the_machine_and_the_workers_that_it_has(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    class Header(Silent):
        def started(self, study: StudyRecord, estimate_s: float | None = None) -> None:
            (self.machine,) = [li for li in header_lines(study) if li.startswith("machine")]

        def message(self, text: str) -> None:
            self.said = text

    workers.dies_after = 1
    header = Header()
    with pytest.raises(Died):
        run_study(a_sweep(ratings_csv), root=tmp_path, watcher=header, resources=Resources(2))
    assert header.machine.endswith("2 workers")
    folder = tmp_path / "small"
    workers.dies_after = None
    resume_study(folder, watcher=header, resources=Resources(1))
    assert header.machine.endswith("1 worker")
    assert header.said == "changed since the last run: --workers 2 -> 1"
    assert read_study(folder).provenance["n_workers"] == 2  # as it was begun
    events = sound_events(folder / "journal" / "driver.jsonl")
    sessions = [event for event in events if event["kind"] == "session"]
    assert [session["resources"]["workers"] for session in sessions] == [2, 1]
    assert [session["machine"]["cpu_count"] for session in sessions] == [read_machine().n_cpus] * 2


def test_who_comes_second_to_a_name_writes_nothing(ratings_csv: Path, tmp_path: Path) -> None:
    folder = make_study(tmp_path / "small")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    sweep = a_sweep(ratings_csv)
    description = load_data(sweep).description
    with pytest.raises(StateError, match="was begun just now"):
        create(folder, sweep, description, read_machine(), Resources(1), ())
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_in_which_nothing_was_begun_is_free(tmp_path: Path) -> None:
    StudyLock(made(tmp_path / "mine")).release()
    (tmp_path / "mine" / "columns.json").touch()
    assert free_name(tmp_path, "mine") == ("mine", None)


@pytest.mark.slow
def test_a_stop_that_is_asked_for_while_the_data_load_is_heard(
    workers: InProcess, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.dies_after = 1
    with pytest.raises(Died):
        run_study(a_sweep(ratings_csv), root=tmp_path, watcher=Silent())
    folder = tmp_path / "small"

    Crew(folder, 2, 2)  # of the driver that died

    def load_and_ask(sweep: SweepConfig) -> LoadedDataset:
        assert read_crew(folder) is None
        StopSwitch(folder).ask(StopCause.COMMAND)
        return load_data(sweep)

    monkeypatch.setattr("experiments.data.study_data.load_data", load_and_ask)
    workers.dies_after = None
    assert resume_study(folder, watcher=Silent()).stopped_by is StopCause.COMMAND


@pytest.mark.slow
def test_resuming_what_is_finished_gives_a_finished_study(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    folder = run_study(a_sweep(ratings_csv), root=tmp_path, watcher=Silent()).study.folder
    assert resume_study(folder, watcher=Silent()).study.state == "finished"


@pytest.mark.slow
def test_a_resume_that_is_refused_leaves_the_study_as_it_was(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    ratings = tmp_path / "mine.csv"
    ratings.write_bytes(ratings_csv.read_bytes())
    folder = run_study(a_sweep(ratings), root=tmp_path, watcher=Silent()).study.folder
    ratings.write_text("".join(ratings.read_text().splitlines(keepends=True)[:-1]))
    for refused in ({"n_trials": 6}, {"retry_failed": True}):
        with pytest.raises(StateError, match="changed since"):
            resume_study(folder, watcher=Silent(), **refused)  # type: ignore[arg-type]
    assert read_study(folder).state == "finished"


@pytest.mark.slow
def test_a_job_that_is_queued_again_finds_its_data_where_they_are_now(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    """As where each job copies them to a folder of its own."""

    def job(number: int, ratings: str) -> Result:
        table = tmp_path / f"job-{number}" / "ratings.csv"
        table.parent.mkdir()
        table.write_text(ratings)
        (tmp_path / "sweep.toml").write_text(sweep_to_toml(a_sweep(table)))
        sweep = ["run", str(tmp_path / "sweep.toml"), "--resume", "--studies", str(tmp_path)]
        try:
            return CliRunner().invoke(app, sweep)
        finally:
            table.unlink()

    ratings, folder = ratings_csv.read_text(), tmp_path / "small"
    workers.dies_after = 1
    with pytest.raises(Died):
        job(1, ratings)
    workers.dies_after = None
    before = (folder / "sweep.toml").read_text()
    other = job(2, ratings.rpartition("\n")[0].rpartition("\n")[0])
    assert "the data of small changed" in str(other.exception)
    assert (folder / "sweep.toml").read_text() == before
    assert job(3, ratings).exit_code == 0
    assert read_study(folder).is_finished
    assert (folder / "sweep.toml").read_text() == before.replace("job-1", "job-3")
    # A verdict comes next, which goes by that file.
    other = job(4, ratings.rpartition("\n")[0].rpartition("\n")[0])
    assert "the data of small changed" in str(other.exception)
    assert job(5, ratings).exit_code == 0
    assert (folder / "sweep.toml").read_text() == before.replace("job-1", "job-5")


@pytest.mark.slow
def test_a_signal_that_comes_with_the_last_trial_is_kept_and_a_stop_is_not(
    workers: InProcess, ratings_csv: Path, tmp_path: Path
) -> None:
    class Stopping(Silent):
        def __init__(self, folder: Path, cause: StopCause) -> None:
            self._switch, self._cause = StopSwitch(folder), cause

        def trial_ended(self, trial: TrialRecord) -> None:
            if trial.number == 3:
                self._switch.ask(self._cause)

    for cause, kept in ((StopCause.SIGINT, StopCause.SIGINT), (StopCause.COMMAND, None)):
        root = tmp_path / cause.name
        watcher = Stopping(root / "small", cause)
        outcome = run_study(a_sweep(ratings_csv), root=root, watcher=watcher)
        assert (outcome.study.is_finished, outcome.stopped_by) == (True, kept)
