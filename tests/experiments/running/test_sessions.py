"""Changed ground under a resumed study, retries, and the ends of jobs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.errors import RequestError, StateError, SweepFileError
from experiments.files import read_json, write_json
from experiments.folder.folders import begun_study, extend, refuse_changed_data
from experiments.ledger.journal import Journal
from experiments.ledger.ledger import Ledger
from experiments.machine.gpu_memory import Gpu
from experiments.machine.machine import read_machine
from experiments.machine.resources import Resources
from experiments.records import DRIVER_JOURNAL, LEDGER_NAME, StopReason, TrialState, read_study
from experiments.records.conditions import conditions
from experiments.records.openings import record_opening
from experiments.request.config import sweep_to_toml
from experiments.request.frozen import frozen_sweep, refuse_changed_sweep
from experiments.running import sessions
from experiments.running.resume import checkpoint_epoch, reopen_failed
from experiments.running.sessions import (
    begin_session,
    deadline_of,
    end_session,
    job_end_s,
    record_changes,
)
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import supervise
from experiments.sharing.bundle_checks import check_sweep
from experiments.study import Outcome, _time_left, resume_study
from experiments.sweep import SweepConfig
from experiments.watcher import Silent
from recommender.checkpoints import write_checkpoint
from recommender.datasets.config import DatasetConfig, UsersConfig
from tests.experiments.running.test_conductor import a_sweep, bumpy, outcome, run_alone, trials_of
from tests.fake_workers import FakeStudy, Fuse
from tests.synthetic_study import make_study


def begun(folder: Path, sweep: SweepConfig) -> Path:
    """A folder as the first session of a driver leaves it."""
    folder.mkdir(parents=True)
    (folder / "sweep.toml").write_text(sweep_to_toml(sweep))
    now = sessions.versions_now()
    versions = {name: now[name] for name in ("tensorflow", "optuna")}
    resources = asdict(Resources(1))
    about = {"versions": versions, "machine": read_machine().to_json(), "resources": resources}
    write_json(folder / "provenance.json", about)
    with Journal(folder / DRIVER_JOURNAL) as journal:
        begin_session(folder, journal, read_machine(), Resources(1))
    return folder


def test_a_frozen_sweep_that_was_edited_is_refused_with_the_difference(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    refuse_changed_sweep(folder)
    assert frozen_sweep(folder).training.patience == 3
    text = (folder / "sweep.toml").read_text()
    (folder / "sweep.toml").write_text(text.replace("patience = 3", "patience = 5"))
    with pytest.raises(StateError) as refusal:
        frozen_sweep(folder)
    assert "  -patience = 3\n  +patience = 5" in str(refusal.value)
    assert "--set name=mine-changed" in str(refusal.value)
    assert refusal.value.exit_code == 4


def test_a_study_goes_on_where_its_data_lie_elsewhere(tmp_path: Path) -> None:
    """As on another machine: a path may be changed, and nothing else with it."""
    tables = {name: tmp_path / name / "ratings.csv" for name in ("there", "here")}
    for table in tables.values():
        table.parent.mkdir()
        table.write_text("user,item,rating,time\n")
        table.with_name("people.csv").write_text("user,age\n")
    columns = {role: role for role in ("user", "item", "rating", "time")}
    people = UsersConfig(tables["there"].with_name("people.csv"), "user", number=("age",))
    dataset = DatasetConfig(path=tables["there"], columns=columns, users=people)
    folder = begun(tmp_path / "mine", replace(a_sweep(), dataset=dataset))
    people.path.unlink()
    with pytest.raises(SweepFileError, match="write their path into this file"):
        frozen_sweep(folder)
    text = (folder / "sweep.toml").read_text()
    moved = text.replace(str(tmp_path / "there"), str(tmp_path / "here"))
    (folder / "sweep.toml").write_text(moved)
    dataset = frozen_sweep(folder).dataset
    assert dataset.path == tables["here"]
    assert dataset.users is not None and dataset.users.path.parent == tmp_path / "here"
    study = read_study(make_study(tmp_path / "any", n_trials=1))
    assert check_sweep(replace(study, folder=folder)).problems == ()
    (folder / "sweep.toml").write_text(moved.replace("patience = 3", "patience = 5"))
    with pytest.raises(StateError, match="is not the sweep that mine began with"):
        frozen_sweep(folder)


def test_changed_versions_are_said_once_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    as_begun = (read_machine(), Resources(1))
    assert record_changes(folder, *as_begun) == []
    before = sessions.versions_now()
    monkeypatch.setattr(sessions, "versions_now", lambda: before | {"optuna": "5.9"})
    (text,) = record_changes(folder, *as_begun)
    assert text == f"optuna {before['optuna']} -> 5.9"
    (change,) = read_json(folder / "provenance.json")["changes"]
    assert change["versions"] == {"optuna": [before["optuna"], "5.9"]}
    assert record_changes(folder, *as_begun) == []


def test_uncommitted_changes_of_a_later_run_are_said_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    clean = {"commit": "abc", "dirty": False}
    write_json(folder / "provenance.json", read_json(folder / "provenance.json") | {"git": clean})
    monkeypatch.setattr(sessions, "git_state", lambda _: clean | {"dirty": True})
    (text,) = record_changes(folder, read_machine(), Resources(1))
    assert text == "uncommitted changes no -> yes"
    assert record_changes(folder, read_machine(), Resources(1)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Resources(8, gpus=0.0), []),
        (Resources(2, gpus=1.0), ["--workers 8 -> 2", "--gpu-share 0 -> 1"]),
        (Resources(8, cpus=0.5, gpus=0.0), ["--cpus-per-trial 1 -> 0.5"]),
        (Resources(8, gpus=0.0, address="a:1"), ["--ray-address none -> a:1"]),
        # A probe is still to choose how many trials share a GPU; that they have one is new.
        (Resources(1, gpus=1.0, pack_up_to=8), ["--gpu-share 0 -> 1"]),
    ],
)
def test_what_trials_have_otherwise_than_before_is_said_once_and_recorded(
    tmp_path: Path, now: Resources, said: list[str]
) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    provenance = read_json(folder / "provenance.json")
    write_json(folder / "provenance.json", provenance | {"resources": asdict(Resources(8, gpus=0))})
    machine = read_machine()
    assert sorted(record_changes(folder, machine, now)) == sorted(said)
    assert record_changes(folder, machine, now) == []
    assert conditions(read_json(folder / "provenance.json"))[-1].resources["gpus"] == (
        now.gpus if said else 0.0
    )


def test_another_machine_is_said_and_recorded_and_a_study_that_tells_none_has_not_changed(
    tmp_path: Path,
) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    larger = replace(read_machine(), n_cpus=64, gpus=(Gpu(0, "GPU-0", "NVIDIA X", 80.0, 80.0),))
    (cores, gpus) = record_changes(folder, larger, Resources(1))
    assert cores.startswith("cores ") and cores.endswith(" -> 64")
    assert gpus == "GPUs none -> NVIDIA X"
    first, later = conditions(read_json(folder / "provenance.json"))
    assert (first.hardware["GPUs"], later.hardware["GPUs"]) == ("", "NVIDIA X")
    of_old = {
        name: value
        for name, value in read_json(folder / "provenance.json").items()
        if name not in ("changes", "machine", "resources", "git")
    }
    write_json(folder / "provenance.json", of_old)
    assert record_changes(folder, larger, Resources(2)) == []


@pytest.mark.parametrize(
    ("studies", "goes_on"),
    [
        ({}, None),
        ({"made-up": "unfinished"}, "made-up"),
        ({"made-up": "finished", "made-up-2": "unfinished"}, "made-up-2"),
        ({"made-up-2": "unfinished"}, "made-up-2"),  # the first was deleted
        ({"made-up-2": "finished", "made-up": "unfinished"}, "made-up"),
        ({"made-up-2": "finished", "made-up": "finished"}, "made-up"),
        (
            {"made-up": "finished", "made-up-10": "finished", "made-up-b": "unfinished"},
            "made-up-10",
        ),
        ({"made-up-2": "another's"}, None),
    ],
)
def test_run_resume_finds_the_unfinished_study_of_a_sweep_else_the_last_begun(
    studies: dict[str, str], goes_on: str | None, tmp_path: Path
) -> None:
    """Studies in the order in which they were begun."""
    for began_at, (name, kind) in enumerate(studies.items(), start=1):
        sweep = replace(a_sweep(), name=name) if kind == "another's" else a_sweep()
        folder = begun(tmp_path / name, sweep)
        provenance = read_json(folder / "provenance.json")
        write_json(folder / "provenance.json", provenance | {"started_at": began_at})
        with Journal(folder / DRIVER_JOURNAL) as journal:
            end_session(journal, is_finished=kind == "finished")
        with Ledger(folder / "study.db") as ledger:
            ledger.catch_up(folder / "journal")
    assert begun_study(tmp_path, a_sweep()) == (goes_on and tmp_path / goes_on)


def test_run_resume_of_a_changed_sweep_is_refused_with_the_difference(tmp_path: Path) -> None:
    begun(tmp_path / "made-up", a_sweep())
    with pytest.raises(StateError) as refusal:
        begun_study(tmp_path, replace(a_sweep(), seed=9))
    assert "-seed = 3" in str(refusal.value)
    assert "+seed = 9" in str(refusal.value)
    assert "recsweep resume made-up" in str(refusal.value)


def test_run_resume_of_more_trials_says_how_and_takes_what_was_extended(tmp_path: Path) -> None:
    sweep = a_sweep(4)
    assert sweep.search is not None
    folder = begun(tmp_path / "made-up", sweep)
    write_json(folder / "provenance.json", {})
    more = replace(sweep, search=replace(sweep.search, trials=6))
    with Ledger(folder / "study.db") as ledger:
        ledger.catch_up(folder / "journal")
        with pytest.raises(StateError, match="recsweep resume made-up --trials 6;"):
            begun_study(tmp_path, more)
        fewer = replace(sweep, search=replace(sweep.search, trials=3))
        with pytest.raises(StateError, match="recsweep resume made-up;"):
            begun_study(tmp_path, fewer)
        with Journal(folder / DRIVER_JOURNAL) as journal:
            extend(read_study(folder), sweep, 6, journal)
        ledger.catch_up(folder / "journal")
    assert begun_study(tmp_path, more) == folder


def test_failed_trials_are_tried_again_and_the_others_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    study = FakeStudy(folder, a_sweep(4, sampler="random", pruner="none"), bumpy)
    with study.opened(Fuse()) as conductor:
        failing = conductor.next_order()
        assert failing is not None
        with Journal(folder / "journal" / "worker-9.jsonl") as worker:
            fields = {"number": failing.number, "attempt": 1, "at": time.time()}
            worker.append("start", worker="9", first_epoch=1, n_parameters=7, **fields)
            worker.append("end", stop_reason="error", error="no such file", **fields)
        conductor.pump()
    study.run(Fuse())
    before = trials_of(folder)
    assert before[0].state is TrialState.FAIL
    last = folder / "trials" / before[0].name / "last"  # as a worker leaves it after an error
    write_checkpoint(last, {"weight": np.zeros(2)}, {"epoch": 2})
    with Journal(folder / DRIVER_JOURNAL) as journal:
        assert reopen_failed(folder, before, journal) == 1
    assert checkpoint_epoch(folder, before[0]) == 0
    study.run(Fuse())
    after = trials_of(folder)
    assert after[0].state is not TrialState.FAIL
    assert after[0].state.is_finished
    assert after[0].attempts[0].stop_reason is StopReason.ERROR
    assert [outcome(t) for t in after[1:]] == [outcome(t) for t in before[1:]]
    alone, _ = run_alone(tmp_path / "alone", study.sweep)
    assert outcome(after[0]) == alone[0]


def test_what_must_outlive_the_machine_is_synced_before_anybody_acts_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_synced: dict[str, set[bool]] = {}
    append = Journal.append

    def noting(self: Journal, kind: str, sync: bool = False, **fields: Any) -> None:
        is_synced.setdefault(kind, set()).add(sync)
        append(self, kind, sync, **fields)

    monkeypatch.setattr(Journal, "append", noting)
    folder = begun(tmp_path / "made-up", a_sweep())
    study = FakeStudy(folder, a_sweep(1), bumpy)
    with study.opened(Fuse()) as conductor:
        assert conductor.next_order() is not None
        conductor._end_trial(conductor._live[0], StopReason.STALLED)
    with Journal(folder / DRIVER_JOURNAL) as journal:
        extend(read_study(folder), a_sweep(), 10, journal)
        assert reopen_failed(folder, trials_of(folder), journal) == 1
        end_session(journal, is_finished=False)
    record_opening(folder, "split", "why")
    must = ("session", "end", "extend", "attempt_end", "session_end", "opening")
    assert {kind: is_synced[kind] for kind in must} == {kind: {True} for kind in must}


def test_a_slurm_job_is_left_two_minutes_before_its_end() -> None:
    assert job_end_s({}, 1000.0) is None
    assert job_end_s({"SLURM_JOB_END_TIME": "4600"}, 1000.0) == 3480.0
    assert job_end_s({"SLURM_JOB_END_TIME": "1001"}, 1000.0) == 1.0
    assert job_end_s({"SLURM_JOB_END_TIME": "999"}, 1000.0) is None


def test_a_time_to_stop_at_counts_from_now_and_the_end_of_the_job_holds_where_it_is_earlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 4600))
    of_job, asked = deadline_of(None), deadline_of("30m")
    assert of_job is not None and asked is not None
    assert deadline_of("2h") == pytest.approx(of_job, abs=5)
    assert 4400 < of_job - time.monotonic() < 4500 and 1790 < asked - time.monotonic() <= 1800
    with pytest.raises(RequestError, match="the time to stop at must be above 0"):
        deadline_of("noon")


@pytest.mark.parametrize(
    ("cause", "exit_code"), [(StopCause.DEADLINE, 143), (StopCause.TIMEOUT, 0)]
)
def test_a_job_that_ends_asks_for_a_stop_that_requeues_and_spent_time_for_one_that_does_not(
    tmp_path: Path, cause: StopCause, exit_code: int
) -> None:
    switch, heard = StopSwitch(tmp_path), list[StopCause]()

    def work() -> None:
        while not switch.path.exists():
            time.sleep(0.02)
        time.sleep(0.5)  # trials are checkpointed

    near, far = 0.1, 3600.0
    supervise(
        work,
        switch,
        on_stop=heard.append,
        time_left_s=near if cause is StopCause.TIMEOUT else far,
        deadline=time.monotonic() + (near if cause is StopCause.DEADLINE else far),
    )
    assert heard == [cause] == [switch.cause]
    assert cause.exit_code == exit_code


def test_what_ends_the_trials_ends_the_run_and_another_can_follow(tmp_path: Path) -> None:
    def broken() -> None:
        raise KeyError("rating")

    heard = list[StopCause]()
    for _ in range(2):
        with pytest.raises(KeyError, match="rating"):
            supervise(broken, StopSwitch(tmp_path), on_stop=heard.append)
    supervise(lambda: None, StopSwitch(tmp_path), on_stop=heard.append)
    assert heard == []


@pytest.mark.parametrize(
    ("limit_s", "spent_s", "more_s", "left_s"),
    [
        (None, 50.0, None, None),
        (60.0, 50.0, None, 10.0),
        (60.0, 70.0, None, 0.0),
        (60.0, 70.0, 5.0, 5.0),
        (None, 70.0, 5.0, 5.0),
    ],
)
def test_the_time_of_a_search_is_that_of_all_its_runs_unless_more_is_given(
    limit_s: float | None, spent_s: float, more_s: float | None, left_s: float | None
) -> None:
    assert _time_left(limit_s, spent_s, more_s) == left_s


@dataclass
class Described:
    """Of a data set, what a resume compares."""

    n_ratings: int = 1000
    n_users: int = 10
    n_items: int = 20
    fingerprint: str = "a"
    items_fingerprint: str = "b"
    split_fingerprint: str = "c"
    rating_unit: float = 1.0


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Described(n_ratings=999, fingerprint="x"), "ratings: 1000 then, 999 now"),
        (Described(fingerprint="x"), "the same counts, other rows"),
        (Described(items_fingerprint="x"), "the same counts, other rows"),
        (Described(split_fingerprint="x"), "the same counts, other rows"),
        (Described(rating_unit=4.0), "models of mine counted ratings in 1, and do in 4 now"),
    ],
)
def test_changed_data_are_refused_with_what_changed(
    tmp_path: Path, now: Described, said: str
) -> None:
    study = read_study(make_study(tmp_path / "my studies" / "mine", n_trials=2))
    before = asdict(Described())
    del before["rating_unit"]  # on record only where it is not 1
    study = replace(study, provenance={"dataset": before})
    refuse_changed_data(study, Described())  # type: ignore[arg-type]
    with pytest.raises(StateError, match=said) as refusal:
        refuse_changed_data(study, now)  # type: ignore[arg-type]
    assert "/my studies/mine/sweep.toml' --set name=mine-new-data" in str(refusal.value)


def test_more_trials_that_nobody_can_train_are_not_asked_for(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    before = (folder / DRIVER_JOURNAL).read_bytes()
    with pytest.raises(SweepFileError, match="--workers: must be at least 1"):
        resume_study(folder, watcher=Silent(), n_trials=99, resources=Resources(workers=0))
    assert (folder / DRIVER_JOURNAL).read_bytes() == before


def test_more_trials_that_have_no_time_are_not_asked_for(tmp_path: Path) -> None:
    sweep = a_sweep()
    assert sweep.search is not None
    folder = begun(tmp_path / "mine", replace(sweep, search=replace(sweep.search, timeout_s=0.001)))
    with Journal(folder / DRIVER_JOURNAL) as journal:
        time.sleep(0.01)
        end_session(journal, is_finished=True)
    before = (folder / DRIVER_JOURNAL).read_bytes()
    with pytest.raises(RequestError, match="recsweep resume mine --trials 99 --timeout 1h"):
        resume_study(folder, watcher=Silent(), n_trials=99)
    assert (folder / DRIVER_JOURNAL).read_bytes() == before


@pytest.mark.parametrize(("n_failed", "is_strict"), [(0, False), (1, False), (1, True), (3, False)])
def test_too_many_failures_are_a_problem_and_no_result_is_one(
    tmp_path: Path, n_failed: int, is_strict: bool
) -> None:
    study = read_study(make_study(tmp_path / "mine", n_trials=4))
    state = [TrialState.FAIL] * n_failed + [TrialState.COMPLETE] * (4 - n_failed)
    trials = tuple(
        replace(t, state=s, error="its error") for t, s in zip(study.trials, state, strict=True)
    )
    problem = Outcome(replace(study, trials=trials)).problem(is_strict)
    assert (problem is None) == (n_failed == 0 or (n_failed == 1 and not is_strict))
    assert problem is None or f"{n_failed} of 4 trials failed; the first: #0 its error" in problem
    for reason, told in {
        StopReason.DIVERGED: "no finite RMSE in 4 trials: no trial is complete; the first: #0 its",
        StopReason.PRUNER: "no trial is complete: the pruner stopped 4 of 4",
    }.items():
        nothing = tuple(replace(t, state=TrialState.PRUNED, stop_reason=reason) for t in trials)
        assert told in (Outcome(replace(study, trials=nothing)).problem() or "")


def test_a_clock_that_was_set_back_changes_no_order_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(tmp_path / "mine", a_sweep())
    with Journal(folder / DRIVER_JOURNAL) as journal:
        end_session(journal, is_finished=True)
    past = time.time() - 7200
    monkeypatch.setattr(time, "time", lambda: past)
    with Journal(folder / DRIVER_JOURNAL) as journal:
        begin_session(folder, journal, read_machine(), Resources(1))
        end_session(journal, is_finished=False)
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.catch_up(folder / "journal")
        assert not ledger.is_said_to_be_finished
