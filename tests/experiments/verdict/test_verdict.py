from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import recsweep
from experiments.board.board_check import check_board
from experiments.cli.judged import verdict_lines
from experiments.errors import RequestError, StateError
from experiments.ledger.journal import Journal, ended
from experiments.ledger.lock import StudyLock
from experiments.machine.resources import Resources
from experiments.records import (
    DRIVER_JOURNAL,
    FIRST_NUMBER_BESIDE,
    Purpose,
    StopReason,
    StudyRecord,
    TrialState,
    read_study,
)
from experiments.records.derived_records import BoardCheck
from experiments.records.finalists import chosen_trials, verdict_cost
from experiments.running import sessions
from experiments.study import resume_study, run_study
from experiments.verdict.frozen_finalists import choose_finalists, fresh_seeds, frozen_or_chosen
from experiments.verdict.verdict import gather_evidence, write_verdict
from experiments.watcher import Silent
from tests.in_process import Died, InProcess
from tests.small_studies import a_sweep, decide
from tests.synthetic_study import make_study

pytestmark = pytest.mark.slow


class Heard(Silent):
    """Keeps what the flow says to its user."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def test_the_list_holds_the_best_the_best_of_each_arm_the_default_and_a_baseline(
    made_up: StudyRecord,
) -> None:
    finalists = choose_finalists(made_up, top=2)
    reasons = {finalist.name: finalist.reasons for finalist in finalists}
    assert len(reasons) == len(finalists)
    best = made_up.ranked[0]
    assert reasons[best.name][:2] == ("place 1", f"best {best.arm}")
    other = next(trial for trial in made_up.ranked if trial.arm != best.arm)
    assert f"best {other.arm}" in reasons[other.name]
    default = next(trial for trial in made_up.ranked if trial.is_default)
    assert "default" in reasons[default.name]
    assert reasons["matrix_factorisation"] == ("best baseline",)


def test_the_default_of_another_arm_stands_for_one_that_failed(made_up: StudyRecord) -> None:
    plain, dcn, *others = made_up.trials
    assert plain.is_default and dcn.is_default and dcn.is_ranked
    study = replace(made_up, trials=(replace(plain, state=TrialState.FAIL), dcn, *others))
    reasons = {trial.number: told for trial, told in chosen_trials(study, top=1)}
    assert "default" in reasons[dcn.number]


def test_trials_with_the_same_values_are_one_finalist(made_up: StudyRecord) -> None:
    first, second, third, *others = made_up.ranked
    same = replace(second, values=first.values, arm=first.arm)
    study = replace(made_up, trials=(first, same, third, *others))
    reasons = {trial.number: told for trial, told in chosen_trials(study, top=2)}
    assert second.number not in reasons
    assert reasons[first.number][0] == "place 1"
    assert reasons[first.number][-1] == f"same as #{second.number}"
    assert reasons[third.number][0] == "place 3"


def test_a_verdict_of_more_than_there_is_takes_what_there_is(made_up: StudyRecord) -> None:
    finalists = choose_finalists(made_up, top=1000)
    assert sum(not finalist.is_control for finalist in finalists) == len(made_up.ranked) + 1


def test_seeds_are_fresh_different_and_the_same_every_time(made_up: StudyRecord) -> None:
    seeds = fresh_seeds(made_up, 5)
    assert len({*seeds, *(trial.seed for trial in made_up.trials)}) == 5 + 1
    assert fresh_seeds(made_up, 7)[:5] == seeds
    other = replace(made_up, provenance={**made_up.provenance, "seed": 1})
    assert not {*fresh_seeds(other, 5)} & {*seeds}
    taken = tuple(replace(trial, seed=seeds[0]) for trial in made_up.trials)
    assert fresh_seeds(replace(made_up, trials=taken), 5) != seeds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "--top"),
        ({"n_seeds": 1}, "one seed decides nothing"),
        ({"top": "3"}, "--top must be a whole number, got '3'"),
        ({"n_seeds": 2.5}, "--seeds must be a whole number, got 2.5"),
    ],
)
def test_impossible_verdicts_are_refused(
    made_up: StudyRecord, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        frozen_or_chosen(made_up, **options)


def test_an_unfinished_study_is_not_judged(tmp_path: Path) -> None:
    unfinished = read_study(make_study(tmp_path / "made-up", is_finished=False))
    with pytest.raises(StateError, match="recsweep resume made-up"):
        frozen_or_chosen(unfinished)
    with pytest.raises(StateError, match="recsweep show made-up --watch"):
        frozen_or_chosen(replace(unfinished, state="running"))


@pytest.mark.parametrize("part", ["validation", "confirm"])
def test_ratings_of_one_user_judge_nothing(made_up: StudyRecord, part: str) -> None:
    data = {**made_up.provenance["dataset"], part: {"n_rows": 40, "n_users": 1}}
    of_one = replace(made_up, provenance={**made_up.provenance, "dataset": data})
    assert verdict_cost(of_one) is None
    with pytest.raises(RequestError, match=r"are all of one user.*split.method=random"):
        frozen_or_chosen(of_one)


def test_a_study_without_a_complete_trial_is_not_judged(made_up: StudyRecord) -> None:
    failed = tuple(replace(trial, state=TrialState.FAIL) for trial in made_up.trials)
    with pytest.raises(RequestError, match="no complete trial"):
        frozen_or_chosen(replace(made_up, trials=failed))


def test_finalists_are_trained_under_shared_seeds_and_judged(
    study: Path, workers: InProcess
) -> None:
    results = decide(study, top=1, n_seeds=2)
    record = read_study(study)
    assert record.verdict is not None and record.verdict.results == results
    replicates = [trial for trial in record.trials if trial.purpose is Purpose.VERDICT]
    finalists = [f for f in record.verdict.finalists if not f.is_baseline]
    assert [t.name for t in replicates] == [f.replicate(i) for i in (0, 1) for f in finalists]
    assert [t.number for t in replicates] == [
        FIRST_NUMBER_BESIDE + i for i in range(len(replicates))
    ]
    assert {t.seed for t in replicates if t.name.endswith("v1")} == {record.verdict.seeds[0]}
    # The search is as it was: its trials, its ranking, its end.
    assert len(record.search_trials) == 4 and record.state == "finished"
    assert all(trial.purpose is Purpose.SEARCH for trial in record.ranked)
    assert check_board(record) == []
    # The comparison on the report knows the verdict's trials, too.
    assert record.board_check == BoardCheck(len(record.trials), len(record.columns), ())
    found = results.finalist(finalists[0].name)
    assert found is not None and found.mean is not None
    assert found.mean == pytest.approx(
        np.mean([t.best_rmse for t in replicates[:: len(finalists)]])
    )
    assert len(results.pairs) == len(results.finalists) * (len(results.finalists) - 1) // 2


def test_a_verdict_that_is_done_is_read_and_not_trained_again(
    study: Path, workers: InProcess
) -> None:
    first = decide(study, top=1, n_seeds=2)
    text = (study / "verdict.json").read_text()
    workers.trained.clear()
    assert decide(study) == first
    assert workers.trained == []
    assert (study / "verdict.json").read_text() == text
    with pytest.raises(RequestError, match="--seeds 2"):
        gather_evidence(study, n_seeds=3, watcher=Silent())


def test_a_verdict_of_a_study_without_its_errors_keeps_what_it_said_of_the_choice(
    study: Path, workers: InProcess
) -> None:
    before = decide(study, top=1, n_seeds=2)
    assert before.n_choosable > 0
    for place in (study / "trials").glob("*/errors"):
        shutil.rmtree(place)
    for place in (study / "predictions" / "validation").glob("[0-9][0-9][0-9][0-9]"):
        shutil.rmtree(place)
    assert decide(study) == before


def test_a_list_that_another_driver_froze_just_before_is_the_one_to_go_on_with(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = frozen_or_chosen(read_study(study), top=1, n_seeds=2)

    class After(StudyLock):
        def __enter__(self) -> StudyLock:
            write_verdict(study, theirs)
            return super().__enter__()

    monkeypatch.setattr("experiments.verdict.verdict.StudyLock", After)
    ours = gather_evidence(study, watcher=Silent()).frozen
    assert (ours.top, ours.seeds, ours.frozen_at) == (1, theirs.seeds, theirs.frozen_at)


def test_what_changed_before_the_verdict_is_said_and_recorded(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sessions.versions_now()
    monkeypatch.setattr(sessions, "versions_now", lambda: before | {"optuna": "5.9"})
    said = Heard()
    begun = read_study(study).provenance["resources"]
    other = Resources(begun["workers"], cpus=begun["cpus"] + 1)
    gather_evidence(study, top=1, n_seeds=2, watcher=said, resources=other)
    assert f"changed since the last run: optuna {before['optuna']} -> 5.9" in said.messages
    assert any("last run: --cpus-per-trial" in message for message in said.messages)
    assert len(read_study(study).provenance["changes"]) == 1


def test_a_driver_that_dies_goes_on_to_the_same_verdict(
    study: Path, workers: InProcess, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(study, alone)
    expected = decide(alone, top=1, n_seeds=2)
    workers.trained.clear()
    workers.dies_after = 2
    with pytest.raises(Died):
        gather_evidence(study, top=1, n_seeds=2, watcher=Silent())
    assert read_study(study).state == "finished"  # of the search
    said = Heard()
    resume_study(study, watcher=said)
    assert said.messages == ["small is finished but for its verdict: recsweep verdict small"]
    workers.dies_after = None
    assert decide(study) == expected
    assert len(workers.trained) == len(set(workers.trained))


def test_a_killed_verdict_leaves_a_search_without_proposals_finished(
    study: Path, workers: InProcess
) -> None:
    with Journal(study / DRIVER_JOURNAL) as journal:
        journal.append("extend", trials=9)
        journal.append("session_end", state="finished")
    workers.trained.clear()
    workers.dies_after = 2
    with pytest.raises(Died):
        gather_evidence(study, top=1, n_seeds=2, watcher=Silent())
    assert read_study(study).state == "finished"


def test_a_verdict_does_not_finish_a_search_that_was_extended_before_it_went_on(
    study: Path, workers: InProcess
) -> None:
    workers.trained.clear()
    workers.dies_after = 2
    with pytest.raises(Died):
        gather_evidence(study, top=1, n_seeds=2, watcher=Silent())
    with pytest.raises(Died):
        resume_study(study, watcher=Silent(), n_trials=6)
    workers.dies_after = None
    decide(study)
    assert read_study(study).state == "interrupted"
    assert resume_study(study, watcher=Silent()).study.state == "finished"


def test_a_damaged_prediction_file_is_made_again_from_the_weights(
    study: Path, workers: InProcess
) -> None:
    expected = decide(study, top=1, n_seeds=2)
    damaged = next((study / "predictions" / "validation").glob("*-v1/*.npz"))
    name = damaged.parent.name
    damaged.write_bytes(damaged.read_bytes()[:-9] + b"\0" * 9)
    said = Heard()
    gather_evidence(study, watcher=said)
    (message,) = said.messages
    assert name in message and "SHA-256" in message
    assert decide(study) == expected
    # Without the weights it is trained again, to the same numbers.
    shutil.rmtree(study / "predictions")
    shutil.rmtree(study / "trials" / name)
    assert decide(study) == expected


@pytest.mark.parametrize("reason", [StopReason.WORKER_LOST, StopReason.TRIAL_TIMEOUT])
def test_what_failed_of_the_machine_is_tried_again_under_its_seed_and_nothing_else_is(
    study: Path, workers: InProcess, tmp_path: Path, reason: StopReason
) -> None:
    expected = decide(shutil.copytree(study, tmp_path / "alone"), n_seeds=2)
    workers.dies_after = 0
    workers.trained.clear()
    with pytest.raises(Died):
        decide(study, n_seeds=2)
    lost, broken, *_ = (t for t in read_study(study).trials if t.purpose is Purpose.VERDICT)
    with Journal(study / DRIVER_JOURNAL) as journal:
        journal.append("end", **ended(lost.number, 1, reason.value, "it was killed"))
        journal.append("end", **ended(broken.number, 1, "error", "no such file"))
    workers.dies_after = None
    first = decide(study)
    assert {f.name for f in first.finalists if f.mean is None} == {lost.name[:4], broken.name[:4]}
    assert verdict_lines(read_study(study))[-2:] == [
        f"failed   {lost.name} {reason}",
        "again    recsweep verdict small --retry-failed",
    ]
    workers.trained.clear()
    again = decide(study, retry_failed=True)
    assert workers.trained == [lost.name]
    assert {f.name for f in again.finalists if f.mean is None} == {broken.name[:4]}
    found, wanted = again.finalist(lost.name[:4]), expected.finalist(lost.name[:4])
    assert found is not None and wanted is not None
    assert found.rmse_by_seed == wanted.rmse_by_seed
    record = read_study(study)
    (tried,) = (trial for trial in record.trials if trial.name == lost.name)
    assert tried.attempts[0].stop_reason is reason  # on record
    assert verdict_lines(record)[-1].startswith(" ")


def test_a_judged_study_can_still_be_extended(study: Path, workers: InProcess) -> None:
    first = decide(study, top=1, n_seeds=2)
    extended = resume_study(study, watcher=Silent(), n_trials=6).study
    assert [trial.number for trial in extended.search_trials] == list(range(6))
    assert extended.state == "finished"
    # What is said of the list stays: it was frozen from four trials.
    assert [trial.number for trial in extended.late_trials] == [4, 5]
    assert decide(study) == first
    assert first.n_choosable == 4
    (study / "verdict.json").unlink()
    assert {"0004", "0005"} <= {found.name for found in decide(study, top=6, n_seeds=2).finalists}


def test_nothing_handed_to_a_worker_holds_a_test_label(
    ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    """The test rows' stars are all 4.5, which no other row has: where it is, a label leaked."""
    marked = tmp_path / "marked.csv"
    frame = pd.read_csv(ratings_csv)
    first, last = frame["time"].min(), frame["time"].max()
    is_test = frame["time"] > first + 0.8 * (last - first)
    frame.loc[is_test, "rating"] = 4.5
    frame.to_csv(marked, index=False)
    folder = run_study(a_sweep(marked), root=tmp_path, watcher=Silent()).study.folder
    decide(folder, top=1, n_seeds=2)
    purposes = {trial.purpose for trial in read_study(folder).trials}
    assert purposes == {Purpose.SEARCH, Purpose.VERDICT}
    arrays = arrays_in(workers.handed)
    assert sum(array.size for array in arrays) > 3 * int((~is_test).sum())
    assert not any((array == 4.5).any() for array in arrays if array.dtype.kind == "f")
    kept = [*folder.glob("trials/*/*/*.npz"), *folder.glob("predictions/**/*.npz")]
    assert kept
    for path in kept:
        with np.load(path, allow_pickle=False) as file:
            assert not any((file[name] == 4.5).any() for name in file.files)


def arrays_in(value: object) -> list[np.ndarray]:
    """All arrays anywhere in a value made of dataclasses, mappings and sequences."""
    if isinstance(value, np.ndarray):
        return [value]
    if dataclasses.is_dataclass(value):
        return [
            a for field in dataclasses.fields(value) for a in arrays_in(getattr(value, field.name))
        ]
    if isinstance(value, dict):
        return [a for part in value.values() for a in arrays_in(part)]
    if isinstance(value, list | tuple):
        return [a for part in value for a in arrays_in(part)]
    return []


def test_a_damaged_verdict_file_is_named_with_what_writes_it_anew(tmp_path: Path) -> None:
    study = make_study(tmp_path / "other studies" / "small", n_trials=2)
    (study / "verdict.json").write_text(json.dumps({"seeds": []}))
    with pytest.raises(
        StateError, match=r"verdict\.json: .*`recsweep verdict '.*/other studies/small'`"
    ):
        read_study(study)


def test_python_leads_to_the_same_verdict(
    study: Path, workers: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = recsweep.verdict(study, top=1, seeds=2)
    n = len(workers.trained)
    assert f"{n}/{n} " in capsys.readouterr().err
    assert judged.record.verdict is not None
    assert judged.record.verdict.results == decide(study)
    assert (study / "report" / "verdict.csv").exists()
