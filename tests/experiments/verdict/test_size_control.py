"""The control beside the best DCN, and what the DCNs cross: both frozen with the verdict."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.records import StudyRecord, read_study
from experiments.records.finalists import left_to_train, training_s
from experiments.request.frozen import frozen_sweep
from experiments.sharing.bundle_checks import check_verdict
from experiments.trials.best import trial_to_toml
from experiments.verdict.frozen_finalists import frozen_or_chosen
from experiments.verdict.size_control import size_control
from recommender.checkpoints import read_checkpoint, write_checkpoint
from tests.in_process import InProcess
from tests.small_studies import decide
from tests.synthetic_study import make_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def test_the_control_belongs_to_the_best_dcn_and_the_cost_counts_it(made_up: StudyRecord) -> None:
    best = next(trial for trial in made_up.ranked if trial.arm == "dcn")
    frozen = frozen_or_chosen(made_up)
    (control,) = (finalist for finalist in frozen.finalists if finalist.is_control)
    assert (control.name, control.number) == (f"control-{best.name}", best.number)
    assert control.reasons == ("size control",)
    without = replace(frozen, finalists=tuple(f for f in frozen.finalists if f is not control))
    with_it, alone = left_to_train(made_up, frozen), left_to_train(made_up, without)
    assert len(with_it) == len(alone) + 5
    assert training_s(with_it, 1) == pytest.approx(training_s(alone, 1) + 5 * best.seconds)


def test_only_plain_against_dcn_has_a_control(made_up: StudyRecord) -> None:
    no_comparison = replace(made_up, sweep={**made_up.sweep, "compare": {}})
    another = replace(made_up, sweep={**made_up.sweep, "compare": {"dimension": "optimizer"}})
    own = replace(
        made_up,
        trials=tuple(replace(t, arm="gated.py" if t.arm == "plain" else t.arm)
                     for t in made_up.trials),
    )  # fmt: skip
    no_dcn = replace(made_up, trials=tuple(t for t in made_up.trials if t.arm == "plain"))
    for study in (no_comparison, another, own, no_dcn):
        assert size_control(study) is None


def test_a_dcn_without_dense_layers_has_none_to_widen(made_up: StudyRecord) -> None:
    trials = tuple(replace(t, values={**t.values, "n_layers": 0}) for t in made_up.trials)
    assert size_control(replace(made_up, trials=trials)) is None
    fixed = {**made_up.sweep, "model": {"n_layers": 0}}
    trials = tuple(
        replace(t, values={n: v for n, v in t.values.items() if n != "n_layers"})
        for t in made_up.trials
    )
    assert size_control(replace(made_up, trials=trials, sweep=fixed)) is None


def test_a_verdict_trains_the_control_and_keeps_what_the_dcns_cross(
    study: Path, workers: InProcess
) -> None:
    results = decide(study, top=1, n_seeds=2)
    record = read_study(study)
    assert record.verdict is not None
    (control,) = (f for f in record.verdict.finalists if f.is_control)
    assert control.values is not None and control.number is not None
    assert control.values["architecture"] == "plain" and control.values["layer_size_0"] > 4
    dcn = record.trial(control.number)
    replicate = next(t for t in record.trials if t.name == control.replicate(0))
    assert dcn is not None and dcn.n_parameters and replicate.n_parameters
    assert replicate.arm == "plain" and replicate.values == control.values
    assert abs(replicate.n_parameters - dcn.n_parameters) <= 10
    found = results.finalist(control.name)
    assert found is not None and found.mean is not None
    assert found.search_rmse is None and found.shrinkage is None
    assert check_verdict(record).problems == ()
    again = tomllib.loads(trial_to_toml(frozen_sweep(study), record, replicate))
    assert again["seed"] == replicate.seed == record.verdict.seeds[0]
    assert again["model"]["layer_size_0"] == control.values["layer_size_0"]
    n = sum(finalist.mean is not None for finalist in results.finalists)
    assert sum(control.name in (p.first, p.second) for p in results.pairs) == n - 1

    dcns = [f.name for f in record.verdict.finalists if _arm(record, f.number) == "dcn"]
    assert list(record.crossings) == [name for name in dcns if name != control.name] != []
    crossing = record.crossings[dcn.name]
    assert (crossing.features, crossing.widths) == (("user_id", "item_id"), (4, 4))
    assert np.shape(crossing.trained) == np.shape(crossing.start) == (2, 1, 2, 2)
    assert np.min(crossing.moved) > 0

    # Predictions of a version that did not look at the kernels: read again from the weights.
    place = study / "predictions" / "validation" / f"{dcn.name}-v2"
    arrays, metadata = read_checkpoint(place)
    del metadata["crossing"], metadata["format"], metadata["arrays"]
    write_checkpoint(place, arrays, metadata)
    (study / "crossing.json").unlink()
    workers.trained.clear()
    assert decide(study) == results
    assert read_study(study).crossings == record.crossings
    assert workers.trained == []


def test_a_damaged_file_is_named_and_left_out(tmp_path: Path) -> None:
    study = make_study(tmp_path / "made-up")
    (study / "crossing.json").write_text(json.dumps({"0001": {"features": []}}))
    record = read_study(study)
    assert record.crossings == {}
    (said,) = record.unreadable
    assert said.startswith("crossing.json: holds no crossings of recsweep's")


def _arm(record: StudyRecord, number: int | None) -> str | None:
    trial = None if number is None else record.trial(number)
    return trial.arm if trial else None
