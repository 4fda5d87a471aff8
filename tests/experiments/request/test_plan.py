from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.machine.packing import models_to_probe
from experiments.request.config import Sweep, load_sweep
from experiments.request.plan import Plan, few_points, plan_sweep, with_data
from experiments.sweep import SweepConfig
from recommender.config import Value
from recommender.datasets.description import DatasetDescription, LongTail, PartDescription
from recsweep import Choice, Float, space
from tests.synthetic import synthetic_encoded


def _data(n_train: int = 65_395, n_users: int = 100) -> DatasetDescription:
    part = PartDescription(n_train, n_users, 100, 0.0, 0.0, 1.0, None, None)
    tail = LongTail(1, 1.0, 1, 0.1)
    return DatasetDescription(
        name="made-up",
        n_ratings=3 * n_train,
        n_users=100,
        n_items=100,
        rating_range=(1.0, 5.0),
        step=1.0,
        split={"method": "random"},
        train=part,
        validation=part,
        test=part,
        rating_counts=(),
        user_tail=tail,
        item_tail=tail,
        features=(),
        fingerprint="",
        items_fingerprint="",
        split_fingerprint="",
        notes=("r.csv: times are read as milliseconds",),
    )


def _plan(sweep: SweepConfig, n_workers: int = 2, n_train: int = 65_395, **rest: Any) -> Plan:
    return plan_sweep(sweep, _data(n_train), n_workers=n_workers, **rest)


def test_trials_are_counted_by_arm_and_epochs_to_the_last() -> None:
    plan = _plan(load_sweep("dcn-vs-plain"))
    assert plan.n_trials == 60
    assert plan.most_epochs == 1800
    assert plan.expected_epochs < plan.most_epochs
    assert "         r.csv: times are read as milliseconds" in plan.lines
    assert plan.n_grid_points is None
    assert plan.lines[0] == "trials   60 trials · architecture: 30 plain, 30 dcn"


def test_large_data_have_to_be_read_and_baselines_fitted_before_the_first_trial() -> None:
    plan = _plan(load_sweep("dcn-vs-plain"), n_train=20_000_000)
    whole = with_data(plan, _data(20_000_000), read_s=45.0)
    assert whole.seconds == pytest.approx(plan.seconds + 45 + 50)
    assert whole.assumptions[-1] == (
        "45 s to read the data, as here just now, and 50 s to fit the baselines"
    )
    small = _plan(load_sweep("dcn-vs-plain"))
    assert with_data(small, _data(), read_s=0.4) == small


def test_a_grid_without_pruning_or_patience_spends_every_epoch() -> None:
    plan = _plan(load_sweep("article-grid"))
    assert plan.n_grid_points == 6
    assert plan.expected_epochs == plan.most_epochs == 180
    assert plan.lines[0] == "trials   6 trials · the space has 6 points"
    search = replace(load_sweep("article-grid").search, sampler="tpe", trials=20)  # type: ignore[type-var]  # it has one
    lines = _plan(replace(load_sweep("article-grid"), search=search)).lines
    assert lines[:2] == (
        "trials   20 trials · the space has 6 points",
        "         the space has 6 points for 20 trials: points are tried again; "
        'sampler = "grid" tries each once',
    )
    assert "no early stopping" in "\n".join(plan.lines)


def test_a_pruner_that_can_stop_nothing_saves_no_epochs() -> None:
    whole = Sweep("few", space=space(dropout=Float(0, 0.5)), trials=2, max_epochs=2, patience=0)
    assert _plan(whole).expected_epochs == 4
    few_trials, few_epochs = (
        Sweep("few", space=space(dropout=Float(0, 0.5)), trials=n, max_epochs=m, patience=0)
        for n, m in ((5, 20), (20, 3))
    )
    assert _plan(few_trials).expected_epochs == 100
    assert _plan(few_epochs).expected_epochs == 60


def test_an_arm_with_fewer_points_than_trials_is_named_beside_a_continuous_one() -> None:
    arms = Sweep(
        "arms",
        compare="architecture",
        space=space(
            architecture=Choice(["plain", "dcn"]),
            embedding_size=Choice([8, 16]),
            dropout=Float(0, 0.5).when(architecture="dcn"),
        ),
        trials=6,
    )
    assert few_points(arms, 6) == "plain has 2 points for 3 trials: points are tried again"
    assert f"         {few_points(arms, 6)}" in _plan(arms).lines
    assert few_points(arms, 4) is None


def test_the_quickstart_is_planned_at_under_three_minutes_on_two_cores() -> None:
    assert _plan(load_sweep("quickstart")).seconds < 180


@pytest.mark.parametrize("name", ["quickstart", "dcn-vs-plain", "article-grid"])
def test_more_rows_take_longer_and_more_workers_less_long(name: str) -> None:
    sweep = load_sweep(name)
    plan = _plan(sweep)
    assert _plan(sweep, n_train=10 * 65_395).seconds > 2 * plan.seconds
    assert _plan(sweep, n_workers=1).seconds > plan.seconds > _plan(sweep, n_workers=60).seconds
    assert _plan(sweep).seconds == plan.seconds


def test_many_users_take_longer_where_each_step_moves_all_of_them() -> None:
    def seconds(n_users: int, **model: Value) -> float:
        sweep = Sweep("many", space=space(dropout=Float(0, 0.5)), model=model, trials=2)
        return plan_sweep(sweep, _data(10_000_000, n_users), n_workers=1).seconds

    few, many = (seconds(n_users, jit_compile=True) for n_users in (100, 160_000))
    # 9,766 steps an epoch, each over 160,000 × 17 numbers.
    assert 4 < many / few < 5
    assert seconds(100) == pytest.approx(few, rel=0.01)
    assert few < seconds(160_000) < many / 2


def test_rows_of_strangers_are_told_before_anything_is_trained() -> None:
    sweep, data = load_sweep("quickstart"), _data()
    assert not any("strangers" in line for line in plan_sweep(sweep, data, n_workers=1).lines)
    cold = replace(data, validation=replace(data.validation, unseen_users=0.994))
    told = "99 % of the validation rows belong to users never seen in training: models are ranked"
    (line,) = (x for x in plan_sweep(sweep, cold, n_workers=1).lines if told in x)
    assert "leave-last-out" not in line
    by_time = replace(cold, split={"method": "time-range"})
    (line,) = (x for x in plan_sweep(sweep, by_time, n_workers=1).lines if told in x)
    assert line.endswith("; split.method leave-last-out, or random, asks about known users")


def test_an_epoch_of_minutes_is_told_in_minutes() -> None:
    plan = plan_sweep(load_sweep("dcn-vs-plain"), _data(33_000_000, 160_000), n_workers=2)
    assert "0.5 s to build a model and 3 min an epoch" in plan.assumptions[0]


def test_a_time_on_a_gpu_is_said_not_to_be_measured() -> None:
    sweep = load_sweep("quickstart")
    assert not any("GPU" in line and "nothing was measured" in line for line in _plan(sweep).lines)
    assert any("nothing was measured" in line for line in _plan(sweep, n_gpus=1).lines)
    assert not any("jit_compile" in line for line in _plan(sweep, n_gpus=1).lines)
    million = _plan(sweep, n_gpus=1, n_train=1_000_000).lines
    assert any("jit_compile = true under [model]" in line for line in million)
    assert not any("jit_compile" in line for line in _plan(sweep, n_train=1_000_000).lines)
    compiled = replace(sweep, model={**sweep.model, "jit_compile": True})
    million = _plan(compiled, n_gpus=1, n_train=1_000_000).lines
    assert not any("jit_compile" in line for line in million)
    assert any("2 s to build a model" in line for line in million)


def test_own_parameters_that_are_called_like_ours_keep_their_own_defaults(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "class Own:\n    def __init__(self, data, *, jit_compile='fast', n_layers=0.5): ...\n"
        "    def fit_epoch(self): ...\n    def predict(self, rows): ...\n"
    )
    sweep = Sweep(
        "own",
        space=space(
            architecture=Choice(["plain", f"{tmp_path}/own.py:Own"]), dropout=Float(0, 0.5)
        ),
        trials=2,
    )
    plan = _plan(sweep)
    assert plan.seconds is None and with_data(plan, _data(20_000_000), 45.0) == plan
    assert (
        plan.lines[-1]
        == "time     not known with 2 workers: of a model of your own nothing was measured"
    )
    own = models_to_probe(sweep, synthetic_encoded())[-1]
    assert (own.architecture, own.own_arguments) == ("Own", ())


def test_dense_layers_of_ones_own_are_said_not_to_be_measured(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def gated(inputs): return inputs\n")
    told = "         dense layers of your own cost what ours do: they were not measured"
    for architecture, is_told in ((f"{tmp_path}/own.py:gated", True), ("dcn", False)):
        choices = Choice(["plain", architecture])
        sweep = Sweep("own", space=space(architecture=choices), trials=2)
        assert (told in _plan(sweep).lines) is is_told
