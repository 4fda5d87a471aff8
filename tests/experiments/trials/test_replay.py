"""A trial trained once more, held against its record."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.data.study_data import load_data
from experiments.errors import RequestError, StateError
from experiments.files import read_json, write_json
from experiments.records import StudyRecord, TrialRecord, read_study
from experiments.request.frozen import frozen_sweep
from experiments.running.replicas import Replicas
from experiments.trials.replay import replay_trial
from recommender.checkpoints import CheckpointError
from recommender.epochs import Run
from recommender.errors import OwnCodeError
from tests.in_process import InProcess

pytestmark = pytest.mark.slow


def _replayed(study: StudyRecord, trial: TrialRecord) -> list[str]:
    return list(replay_trial(study, trial))


def test_a_trial_comes_back_to_the_bit_and_nothing_is_written(
    study: Path, workers: InProcess
) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["replay", f"{study.name}:1", "--studies", str(study.parent)])
    assert done.exit_code == 0, done.output
    trial = read_study(study).trials[1]
    assert f"trial    small:1, {len(trial.epochs)} epochs, seed {trial.seed}" in done.stdout
    assert done.stdout.count("as before") == len(trial.epochs)
    assert f"{len(trial.epochs)} epochs came back to the bit; best validation" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*") if path.is_file()} == before


def test_another_number_is_told_with_what_is_other_here(study: Path, workers: InProcess) -> None:
    record = read_study(study)
    trial = record.trials[0]
    last = replace(trial.epochs[-1], val_rmse=trial.epochs[-1].val_rmse + 1e-12)
    other = replace(trial, epochs=(*trial.epochs[:-1], last))
    with pytest.raises(StateError, match=r"did not come back: epoch \d+ of small:0 has .* as they"):
        _replayed(record, other)
    versions = record.provenance["versions"] | {"tensorflow": "2.1"}
    elsewhere = record.provenance | {"versions": versions, "python": "3.1"}
    upgrade = {"at": trial.attempts[-1].started_at + 1, "versions": {"tensorflow": ["2.1", "2.2"]}}
    elsewhere |= {"changes": [upgrade]}  # after the trial
    with pytest.raises(
        StateError, match=r"What is other now: python .*, then 3\.1; tensorflow .*, then 2\.1"
    ):
        _replayed(replace(record, provenance=elsewhere), other)


def test_a_trial_without_an_epoch_has_nothing_to_compare(study: Path, workers: InProcess) -> None:
    record = read_study(study)
    with pytest.raises(RequestError, match="ended before its first epoch"):
        _replayed(record, replace(record.trials[0], epochs=()))


def test_a_model_of_ones_own_that_trains_to_other_numbers_is_not_taken_for_the_trial(
    study: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = next(t for t in read_study(study).trials if t.best_rmse is not None)
    shutil.rmtree(study / "trials" / trial.name / "best", ignore_errors=True)
    sweep = frozen_sweep(study)
    encoded = load_data(sweep).encoded
    said: list[str] = []
    replicas = Replicas(study, sweep, encoded, said.append)
    new_run = Replicas.new_run

    def of_ones_own(self: Replicas, *of: Any) -> Run:
        run = new_run(self, *of)
        run.config = replace(run.config)
        object.__setattr__(run.config, "own", SimpleNamespace(is_whole=True))
        return run

    assert trial.best_rmse is not None
    assert replicas.run_of(trial).best_rmse == pytest.approx(trial.best_rmse)
    assert not said
    other = replace(trial, best_rmse=trial.best_rmse + 0.01)
    assert replicas.run_of(other).best_rmse == pytest.approx(trial.best_rmse)
    assert re.search(r"again, its validation RMSE is 1\.\d+ .* \(versions, processor and", said[0])

    monkeypatch.setattr(Replicas, "new_run", of_ones_own)
    with pytest.raises(OwnCodeError, match=r"RMSE is 1\.\d+ and the record says .* its seed alone"):
        replicas.run_of(other)
    provenance = read_json(study / "provenance.json")
    machine = provenance["machine"] | {"cpu": "Another 9000"}
    write_json(study / "provenance.json", provenance | {"machine": machine})
    Replicas(study, sweep, encoded, said.append).run_of(other)
    assert said[1].endswith(", then Another 9000)")

    class Restless:
        """Comes out otherwise each time."""

        stop_reason = "max_epochs"
        config = SimpleNamespace(own=SimpleNamespace(is_whole=True))

        def __init__(self) -> None:
            self.best_rmse = next(rmses)

        def load_saved_best(self, folder: Path) -> None:
            raise CheckpointError("none is kept")

    rmses = iter((1.1, 1.2))
    monkeypatch.setattr(Replicas, "new_run", lambda *_: Restless())
    with pytest.raises(OwnCodeError, match="must follow its seed alone"):
        Replicas(study, sweep, encoded, said.append).run_of(other)
    assert next(rmses, None) is None and len(said) == 2


def test_other_data_are_refused(study: Path, workers: InProcess) -> None:
    record = read_study(study)
    data = record.provenance["dataset"] | {"fingerprint": "another"}
    changed = replace(record, provenance=record.provenance | {"dataset": data})
    with pytest.raises(StateError, match="the data of small changed"):
        _replayed(changed, record.trials[0])


@pytest.mark.parametrize(
    ("gpus", "cpus", "expected"), [(0.0, 2.5, (False, 2)), (0.25, 0.5, (True, 1))]
)
def test_it_trains_on_what_the_study_was_trained_on(
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: float,
    cpus: float,
    expected: tuple[bool, int],
) -> None:
    provenance = read_json(study / "provenance.json")
    provenance["resources"] |= {"gpus": gpus, "cpus": cpus}
    write_json(study / "provenance.json", provenance)
    seen = []

    def configure(gpu: bool, threads: int) -> None:
        seen.append((gpu, threads))

    monkeypatch.setattr("recommender.runtime.configure_devices", configure)
    sweep = frozen_sweep(study)
    replicas = Replicas(study, sweep, load_data(sweep).encoded)
    replicas.new_run(read_study(study).trials[0], 1)
    assert seen == [expected]
