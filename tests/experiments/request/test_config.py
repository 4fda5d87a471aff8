from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recsweep as rs
from experiments.errors import SweepFileError, SweepProblem
from experiments.own.own_code import OwnCode
from experiments.request.config import Sweep, checked, load_sweep, sweep_to_toml
from experiments.request.sweep_checks import build_sweep
from experiments.sweep import (
    SearchConfig,
    SweepConfig,
    defaults_of,
    model_of,
    ranking_values,
)
from experiments.sweep_files.sweep_file import SWEEPS, SweepSource
from recommender.config import RankingConfig, ranking_config
from recommender.datasets.config import UsersConfig
from search_spaces import Choice, Float, Int, SearchSpace, space

SMALL = """\
name = "mine"
[dataset]
name = "ml-100k"
path = "data"
[space.dropout]
low = 0
high = 0.5
[search]
trials = 4
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound sweep file with its data beside it."""
    for name in ("u.data", "u.item"):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    file = tmp_path / "mine.toml"
    file.write_text(SMALL)
    return file


def _problems(source: Path, *overrides: str, **environ: str) -> dict[str, str]:
    with pytest.raises(SweepFileError) as caught:
        load_sweep(source, overrides, environ)
    assert caught.value.exit_code == 2
    return {problem.key: problem.message for problem in caught.value.problems}


def test_a_file_says_little_and_the_rest_is_default(file: Path) -> None:
    sweep = load_sweep(file)
    assert sweep.name == "mine"
    assert sweep.dataset.path == file.parent / "data"
    assert sweep.search is not None
    assert (sweep.search.trials, sweep.search.sampler, sweep.search.pruner) == (4, "tpe", "median")
    assert (sweep.training.max_epochs, sweep.training.patience, sweep.training.seed) == (30, 4, 42)


def test_whole_ends_of_a_number_make_no_whole_number_of_it(file: Path) -> None:
    sweep = load_sweep(
        file, ["space.dropout={low = 0, high = 0.5}", "space.embedding_l2={low=0, high=1}"]
    )
    assert sweep.space is not None
    assert [column.kind for column in sweep.space.columns] == ["float", "float"]


EIGHT_MISTAKES = """\
# recsweep run eight
name = "eight"

[dataset]
name = "ml-10k"
path = "nowhere"

[space.optimizer]
choices = ["adam", "adamm"]

[[space.learning_rate]]
when = { optimizer = "adam" }
low = 5e-3
high = 3e-4
log = true
[[space.learning_rate]]
when = { optimizer = "adamm" }
low = 1e-4
high = 1e-3

[[space.dropout]]
when = { n_layers = [1, 2] }
low = 0.0
high = 0.3
[[space.dropout]]
when = { n_layers = [2, 3] }
low = 0.1
high = 0.5

[space.n_layers]
choices = [1, 2, 3]

[[space.embedding_size]]
when = { n_layers = 1 }
choices = [8, 16]
[[space.embedding_size]]
when = { n_layers = 2 }
choices = [16, 32]

[space.cross_layers]
low = 1
high = 3
when = { architectur = "dcn" }

[search]
trials = 60
max_epoch = 30

[model]
architecture = "dcn"
"""


def test_a_file_with_eight_mistakes_gets_eight_messages(tmp_path: Path) -> None:
    file = tmp_path / "eight.toml"
    file.write_text(EIGHT_MISTAKES)
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file)
    told = {problem.key: (problem.line, problem.message) for problem in caught.value.problems}
    expected = {
        "dataset.name": (5, "unknown data set 'ml-10k'; did you mean 'ml-100k'?"),
        "dataset.path": (6, f"{tmp_path / 'nowhere'} is not there"),
        "space.optimizer.choices": (9, "got 'adamm'"),
        "space.learning_rate[0].low": (13, "must not exceed high"),
        "space.dropout[1]": (25, "holds at the same time as dropout[0] where n_layers=2"),
        "space.embedding_size": (33, "has no case where n_layers=3"),
        "space.cross_layers.when.architectur": (43, "unknown dimension 'architectur'"),
        "search.max_epoch": (47, "unknown key 'max_epoch'; did you mean 'max_epochs'?"),
    }
    assert len(caught.value.problems) == 8, caught.value.message
    for key, (line, message) in expected.items():
        assert key in told, caught.value.message
        assert told[key][0] == line
        assert message in told[key][1]


def test_problems_found_elsewhere_are_told_with_those_of_the_file(file: Path) -> None:
    also = [SweepProblem("", "3 GPUs are asked for, there are none", "--gpu-share")]
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file, ["search.trials=0"], also=also)
    assert [problem.origin for problem in caught.value.problems] == [
        "--set search.trials=0",
        "--gpu-share",
    ]


@pytest.mark.parametrize(
    ("override", "key", "said"),
    [
        ("seed=-1", "seed", "must be at least 0, got -1"),
        ("seed=4294967296", "seed", "must be below 4,294,967,296"),
        ("seed=true", "seed", "must be a whole number, got true"),
        ("note=3", "note", "must be text, got 3"),
        ("name=-x", "name", "1 to 64 of A-Z a-z 0-9 . _ -"),
        ("name=../x", "name", "1 to 64 of A-Z a-z 0-9 . _ -"),
        ("name=", "name", "1 to 64 of A-Z a-z 0-9 . _ -"),
        ("dataset=3", "dataset", "must be a table, got 3"),
        ("dataset.nmae=x", "dataset.nmae", "did you mean 'name'?"),
        ("dataset.path=3", "dataset.path", "must be text"),
        ("dataset.rating_range=[1]", "dataset.rating_range", "must have exactly 2 entries"),
        ("dataset.features=genres", "dataset.features", "must be a list"),
        (
            'dataset.features=["user_id", "item_id", "genre"]',
            "dataset.features",
            "unknown feature 'genre'",
        ),
        ("dataset.columns={user='u', rating='r'}", "dataset.columns.item", "is missing"),
        ("split.method=random-ish", "split.method", "unknown method 'random-ish'; did you mean"),
        ("split.seed=3", "split.seed", "means nothing to method 'time-range'"),
        ("split.fold=3", "split.fold", "means nothing to method 'time-range'"),
        ("split.train=0.9", "split.validation", "test"),
        ("split.train=high", "split.train", "must be a number, got 'high'"),
        ("compare.dimension=dropout", "compare.dimension", "must be a choice that every trial"),
        ("compare.dimension=dropout", "compare.dimension", "'dropout' is a range or not always"),
        ("compare={}", "compare.dimension", "is missing"),
        ("space=3", "space", "must be a table"),
        ("space.dropuot={low=0, high=1}", "space.dropuot", "did you mean 'dropout'?"),
        ("space.dropout.high=1.5", "space.dropout.high", "dropout must be at most 0.95"),
        ("space.dropout.low=a", "space.dropout.low", "number"),
        ("model.batch_size=1048580", "model.batch_size", "must be at most 1,048,576, got 1048580"),
        ("space.n_layers={choices=[1, 2.5]}", "space.n_layers.choices", "whole number, got 2.5"),
        (
            "space.architecture={choices=[['plain'], 'dcn']}",
            "space.architecture.choices",
            "a choice must be text",
        ),
        ("space.n_layers={low=1, high=3, step=0.5}", "space", "n_layers must be a whole number"),
        (
            "space.batch_size={low=256, high=1024, type='float'}",
            "space",
            "a trial would be no model: batch_size must be a whole number",
        ),
        ("space.layer_size={choices=[0, 8]}", "space.layer_size.choices", "1 to 65,536, got 0"),
        (
            "space={n_layers={low=1, high=2}, activation={choices=['relu'], each='n_layers'}}",
            "space.activation.each",
            "only layer_size",
        ),
        ("model.optimizer=adamm", "model.optimizer", "must be one of adam"),
        ("model.optimiser=adam", "model.optimiser", "did you mean 'optimizer'?"),
        ("model.architecture=['plain']", "model.architecture", "did you mean 'plain'?"),
        ("model.dropout=0.1", "model.dropout", ""),
        ("model=adam", "model", "must be a table"),
        ("search.trials=0", "search.trials", "must be at least 1, got 0"),
        ("search.trials=1.5", "search.trials", "must be a whole number"),
        ("search.patience=-1", "search.patience", "must be at least 0"),
        ("search.sampler=tpee", "search.sampler", "unknown sampler 'tpee'"),
        ("search.sampler=3", "search.sampler", "must be a name or a table with one"),
        ("search.sampler={n_startup_trials=3}", "search.sampler", "must be a name or a table"),
        ("search.sampler={name='tpe', n_start=3}", "search.sampler.n_start", "n_startup_trials"),
        ("search.sampler=grid", "search.sampler", "grid"),
        (
            "search.pruner={name='median', n_warmup_epochs=0}",
            "search.pruner.n_warmup_epochs",
            "at least 1",
        ),
        ("search.timeout=soon", "search.timeout", "'2h'"),
        ("search.timeout=[1]", "search.timeout", "'2h'"),
        ("training.max_epochs=3", "training", "leave [training] out"),
        ("resources.workers=3", "resources", "options of run"),
        ("serach.trials=3", "serach", "did you mean 'search'?"),
    ],
)
def test_a_mistake_is_told_once_at_its_key_and_by_its_override(
    file: Path, override: str, key: str, said: str
) -> None:
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file, [override])
    (problem,) = caught.value.problems
    assert problem.key == key or key == "model.dropout"
    assert said in problem.message
    assert problem.origin == f"--set {override}" or key in ("split.validation", "model.dropout")


@pytest.mark.parametrize(
    "given", [{"architecture": {"choices": ["plain", "dcn"]}}, {"use": "smoke"}]
)
def test_cross_layers_are_only_where_there_is_a_cross_network(given: dict[str, Any]) -> None:
    given = {**given, "cross_layers": {"low": 1, "high": 2}}
    sweep = Sweep("n", space=given, trials=2)
    assert sweep.space is not None
    crossing = next(d for d in sweep.space.dimensions if d.name == "cross_layers")
    assert [dict(case.conditions) for case in crossing.cases] == [{"architecture": ("dcn",)}]


def test_an_architecture_that_is_added_has_no_cross_layers() -> None:
    assert OwnCode(choices=("plain", "gated", "dcn")).takers("cross_layers") == ["dcn"]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (space(cross_rank=Int(0, 4)), "space.cross_rank"),
        (
            space(
                architecture=Choice(["plain", "dcn"]),
                cross_rank=Int(0, 4).when(architecture=["plain", "dcn"]),
            ),
            "space.cross_rank.when.architecture",
        ),
    ],
)
def test_no_cross_network_is_varied_in_plain_trials(given: SearchSpace, key: str) -> None:
    with pytest.raises(SweepFileError, match="means nothing to plain") as told:
        Sweep("n", space=given, trials=2)
    assert [problem.key for problem in told.value.problems] == [key]


@pytest.mark.parametrize(
    "given", [{"optimizer": {"choices": ["adam", "adamw"]}}, {"use": "ranking"}]
)
def test_weight_decay_is_only_where_the_optimizer_knows_it(given: dict[str, Any]) -> None:
    given = {**given, "weight_decay": {"low": 1e-4, "high": 1e-2, "log": True}}
    sweep = Sweep("n", space=given, trials=2)
    assert sweep.space is not None
    decay = next(d for d in sweep.space.dimensions if d.name == "weight_decay")
    assert [dict(case.conditions) for case in decay.cases] == [{"optimizer": ("adamw",)}]


@pytest.mark.parametrize(
    ("model", "optimizers"), [({}, None), ({"optimizer": "sgd"}, None), ({}, ["adam", "adagrad"])]
)
def test_a_weight_decay_that_no_optimizer_knows_is_refused(
    model: dict[str, Any], optimizers: list[str] | None
) -> None:
    given: dict[str, Any] = {"weight_decay": {"low": 0.0, "high": 0.1}}
    if optimizers is not None:
        given["optimizer"] = {"choices": optimizers}
    with pytest.raises(SweepFileError, match="means nothing without the optimizer adamw") as told:
        Sweep("n", space=given, model=model, trials=2)
    assert [problem.key for problem in told.value.problems] == ["space.weight_decay"]
    assert Sweep("n", space=given | {"optimizer": {"choices": ["adamw"]}}, trials=2).space


def test_a_choice_that_no_architecture_can_be_is_told() -> None:
    given = {"architecture": {"choices": [["plain"], "dcn"]}, "dropout": {"low": 0.1, "high": 0.2}}
    with pytest.raises(SweepFileError, match=r"space.architecture.choices: .*got \['plain'\]"):
        Sweep("n", space=given, trials=2)


def test_a_mistake_of_shape_does_not_hide_the_others_of_its_table(file: Path) -> None:
    problems = _problems(
        file, "search.trails=3", "search.trials=many", "search.sampler=tpee", "search.timeout=soon"
    )
    assert set(problems) == {"search.trails", "search.trials", "search.sampler", "search.timeout"}


def test_a_mistake_of_the_split_does_not_hide_those_of_the_data_and_makes_none(file: Path) -> None:
    wrong = ("split.method=random-ish", 'dataset.features=["user_id", "item_id", "genre"]')
    assert set(_problems(file, *wrong)) == {"split.method", "dataset.features"}
    (file.parent / "timeless.csv").write_text("u,i,r\n1,2,3\n")
    columns = "{ user = 'u', item = 'i', rating = 'r' }"
    table = f"dataset={{ path = '{file.parent / 'timeless.csv'}', columns = {columns} }}"
    assert set(_problems(file, table, "split.train=high")) == {"split.train"}


def test_of_data_that_nobody_knows_the_files_are_looked_at_too(file: Path) -> None:
    assert set(_problems(file, "dataset.name=ml-10k")) == {"dataset.name"}
    items = "dataset.items={path='nowhere.csv', key='sku', category=['brand']}"
    told = _problems(file, "dataset.name=ml-10k", items)
    assert set(told) == {"dataset.name", "dataset.items.path"}
    assert told["dataset.items.path"].endswith("nowhere.csv is not there")


def test_a_missing_table_is_told_with_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("[space]\nuse = 'ranking'\n")
    assert set(_problems(file)) == {"dataset", "search"}
    file.write_text("[search]\ntrials = 3\n[compare]\ndimension = 'architecture'\n")
    assert set(_problems(file)) == {"dataset", "search", "compare"}


def test_mistakes_in_both_tables_of_features_are_told_together(file: Path) -> None:
    (file.parent / "ratings.csv").write_text("user,item,rating,time\n1,2,3,4\n")
    (file.parent / "people.csv").write_text("who,age\n1,50\n")
    columns = "{ user = 'user', item = 'item', rating = 'rating', time = 'time' }"
    ratings, people, films = (file.parent / f"{n}.csv" for n in ("ratings", "people", "films"))
    users = f"{{ path = '{people}', key = 'who', number = ['agee'] }}"
    items = f"{{ path = '{films}', key = 'item' }}"
    sides = f"users = {users}, items = {items}"
    table = f"dataset={{ path = '{ratings}', columns = {columns}, {sides} }}"
    problems = _problems(file, table)
    assert "did you mean 'age'?" in problems["dataset.users"]
    assert "films.csv is not there" in problems["dataset.items"]


def test_a_missing_column_is_told_with_those_that_are_there(file: Path) -> None:
    (file.parent / "ratings.csv").write_text("user,item,stars,ts\n1,2,3,4\n")
    columns = "{ user = 'user', item = 'sku', rating = 'stars', time = 'ts' }"
    table = f"dataset={{ path = '{file.parent / 'ratings.csv'}', columns = {columns} }}"
    ((key, message),) = _problems(file, table).items()
    assert key.startswith("dataset.")
    assert "unknown column 'sku'" in message
    assert "known: item, stars, ts, user" in message


def test_arms_get_the_same_number_of_trials(file: Path) -> None:
    arms = ["space.architecture.choices=['plain', 'dcn']", "compare.dimension=architecture"]
    assert load_sweep(file, arms).arms == ("plain", "dcn")
    assert "ask for 4 or 6" in _problems(file, *arms, "search.trials=5")["search.trials"]
    assert "ask for 2" in _problems(file, *arms, "search.trials=1")["search.trials"]
    assert load_sweep(file, [arms[1], "space.architecture.choices=['dcn']"]).arms == ("dcn",)


def test_only_choices_that_every_trial_makes_are_offered_for_comparison(file: Path) -> None:
    varied = [
        "space.architecture.choices=['plain', 'dcn']",
        "space.optimizer.choices=['adam', 'sgd']",
        "space.activation={choices=['relu', 'gelu'], when={architecture='dcn'}}",
        "space.n_layers={low=1, high=2}",
        "space.layer_size={choices=[8, 16], each='n_layers'}",
    ]
    for name in ("dropout", "activation", "layer_size"):
        message = _problems(file, *varied, f"compare.dimension={name}")["compare.dimension"]
        assert message.endswith("known: architecture, optimizer")


@pytest.mark.parametrize(
    ("each", "more", "message"),
    [
        ("3", [], "must be 2, the number of layers, got 3; for another say n_layers in [model]"),
        ("2", ["model.n_layers=3"], "must be 3, the number of layers, got 2"),
        ("3", ["space.n_layers={low=1, high=3}"], 'must be "n_layers", which varies, got 3'),
        ("'embedding_size'", ["space.embedding_size.choices=[1, 2]"], "got 'embedding_size'"),
    ],
)
def test_there_are_as_many_layer_sizes_as_layers(
    file: Path, each: str, more: list[str], message: str
) -> None:
    sizes = f"space.layer_size={{choices=[8, 16], each={each}}}"
    assert message in _problems(file, sizes, *more)["space.layer_size.each"]


def test_a_fixed_number_of_layers_may_be_said_as_such(file: Path) -> None:
    for each, n_layers in (("2", 2), ("3", 3), ("'n_layers'", 3)):
        sizes = f"space.layer_size={{choices=[8, 16], each={each}}}"
        sweep = load_sweep(file, [sizes, f"model.n_layers={n_layers}"])
        assert sweep.space is not None
        assert len(sweep.space.columns) == 1 + n_layers
        file.with_name("resolved.toml").write_text(sweep_to_toml(sweep))
        assert load_sweep(file.with_name("resolved.toml")) == sweep


def test_a_grid_counts_its_own_trials(file: Path) -> None:
    grid = ["search={sampler='grid'}", "space={dropout={choices=[0.1, 0.3, 0.5]}}"]
    sweep = load_sweep(file, grid)
    assert sweep.search is not None
    assert sweep.search.trials == 3
    some = load_sweep(file, [*grid, "search.trials=2"])
    assert some.search is not None and some.search.trials == 2
    assert "3 points" in _problems(file, *grid, "search.trials=4")["search.trials"]


def test_a_file_without_space_and_search_is_one_model(file: Path) -> None:
    file.write_text(
        '[dataset]\nname = "ml-100k"\npath = "data"\n[training]\nmax_epochs = 3\npatience = 0\n'
    )
    sweep = load_sweep(file)
    assert sweep.search is None
    assert (sweep.name, sweep.training.max_epochs, sweep.training.patience) == ("mine", 3, 0)


def test_the_environment_goes_between_file_and_command_line(file: Path) -> None:
    environ = {"RECSWEEP_SEARCH__TRIALS": "100", "RECSWEEP_SEED": "7"}
    sweep = load_sweep(file, ["seed=8"], environ)
    assert sweep.search is not None
    assert (sweep.search.trials, sweep.seed) == (100, 8)
    with pytest.raises(SweepFileError, match=r"^RECSWEEP_SEARCH__TRIALS=many search\.trials: must"):
        load_sweep(file, environ={"RECSWEEP_SEARCH__TRIALS": "many"})


def test_default_values_are_the_models_defaults_width_by_width(file: Path) -> None:
    sweep = load_sweep(
        file,
        ["space.layer_size={choices=[32, 64], each='n_layers'}", "space.n_layers={low=2, high=3}"],
    )
    assert sweep.space is not None
    point = defaults_of(sweep).on(sweep.space)
    assert point == {"dropout": 0.3, "n_layers": 2, "layer_size_0": 64, "layer_size_1": 32}
    assert ranking_config(ranking_values(sweep, point)) == RankingConfig()


def test_a_value_fixed_for_one_case_is_no_default_of_another(file: Path) -> None:
    rate = "{low=5e-4, high=3e-3, when={optimizer='adam'}}"
    options = ["space.optimizer.choices=['adam', 'sgd']", f"space.learning_rate={rate}"]
    sweep = load_sweep(file, [*options, "model.learning_rate=0.1"])
    assert sweep.space is not None
    default = defaults_of(sweep).on(sweep.space)
    assert (default["optimizer"], default["learning_rate"]) == ("adam", 1e-3)
    sgd = defaults_of(sweep).on(sweep.space, {"optimizer": "sgd"})
    assert "learning_rate" not in sgd
    assert model_of(sweep, sgd).learning_rate == 0.1


def test_a_trials_values_lie_over_those_of_the_model_table(file: Path) -> None:
    sweep = load_sweep(file, ["model.batch_size=512"])
    values = ranking_values(sweep, {"dropout": 0.25})
    assert values == {"batch_size": 512, "dropout": 0.25}


@pytest.mark.parametrize("name", sorted(SWEEPS))
def test_a_shipped_sweep_is_sound_and_its_resolved_form_equal(name: str, tmp_path: Path) -> None:
    sweep = load_sweep(name)
    assert sweep.name == name
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(sweep_to_toml(sweep))
    assert load_sweep(resolved) == sweep
    assert (
        SWEEPS[name].read_text().startswith(("# recsweep run " + name, "# recsweep train " + name))
    )


@pytest.mark.parametrize("name", sorted(set(SWEEPS) - {"quickstart"}))
def test_a_shipped_sweep_can_be_pointed_at_movielens_100k(name: str, file: Path) -> None:
    data = file.parent / "data"
    sweep = load_sweep(name, ["dataset.name=ml-100k", f"dataset.path={data}"])
    assert (sweep.dataset.name, sweep.dataset.path) == ("ml-100k", data)


def test_the_quickstart_compares_both_architectures_in_at_least_twelve_trials() -> None:
    sweep = load_sweep("quickstart")
    assert sweep.search is not None
    assert sweep.search.trials >= 12
    assert sweep.arms == ("plain", "dcn")


def test_the_articles_grid_is_its_six_rates_trained_to_the_end() -> None:
    sweep = load_sweep("article-grid")
    assert sweep.space is not None
    assert sweep.search is not None
    assert sweep.search.trials == 6
    assert (sweep.search.pruner, sweep.training.max_epochs, sweep.training.patience) == (
        "none",
        30,
        0,
    )
    rates = {point["learning_rate"] for point in sweep.space.points()}
    assert rates == {0.001, 0.01, 0.1, 1.0, 0.05, 0.15}
    model = ranking_config(ranking_values(sweep, {"learning_rate": 0.1}))
    assert model == RankingConfig(
        embedding_size=32, n_layers=2, layer_sizes=(256, 64), dropout=0.0, input_dropout=0.0,
        embedding_l2=0.0, dense_l2=0.01, user_oov_rate=0.0, item_oov_rate=0.0, biases=False,
        side_features=False, optimizer="adagrad", learning_rate=0.1, batch_size=8192,
        kernel_initializer="glorot_uniform",
    )  # fmt: skip


_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", fullmatch=True)


@st.composite
def _sweeps(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of a sound `Sweep(...)`."""
    spaces = [
        space(
            dropout=Float(draw(st.floats(0, 0.4)), 0.5), n_layers=Int(1, draw(st.integers(1, 8)))
        ),
        space(
            architecture=Choice(["plain", "dcn"]),
            optimizer=Choice(["adam", "sgd"]),
            learning_rate=[
                Float(1e-4, draw(st.floats(1e-3, 1)), log=True).when(optimizer="adam"),
                Float(0.1, 1.0, step=0.1).when(optimizer="sgd"),
            ],
            cross_layers=Int(1, 3).when(architecture="dcn"),
        ),
        space(n_layers=Int(1, 3), layer_size=Choice([32, 64]).each("n_layers")),
    ]
    return {
        "name": draw(_names),
        "note": draw(st.text(st.characters(codec="utf-8"))),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "space": draw(st.sampled_from(spaces)),
        "split": draw(
            st.sampled_from(
                [
                    "time-fraction",
                    {"method": "random", "seed": 3, "train": 0.5, "validation": 0.25},
                    {"method": "folds", "folds": 10, "fold": 4},
                ]
            )
        ),
        "model": {"batch_size": draw(st.integers(1, 4096)), "biases": draw(st.booleans())},
        "trials": draw(st.integers(1, 10**6)),
        "max_epochs": draw(st.integers(1, 1000)),
        "patience": draw(st.integers(0, 1000)),
        "sampler": draw(st.sampled_from(["random", {"name": "tpe", "n_startup_trials": 5}])),
        "pruner": draw(st.sampled_from(["none", {"name": "hyperband", "reduction_factor": 4}])),
        "timeout": draw(st.none() | st.sampled_from(["2h", 45]) | st.floats(1e-3, 1e9)),
    }


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(_sweeps())
def test_a_resolved_sweep_read_again_is_equal(tmp_path: Path, arguments: dict[str, Any]) -> None:
    sweep = Sweep(**arguments)
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(sweep_to_toml(sweep), encoding="utf-8")
    again = load_sweep(resolved)
    assert again == sweep
    assert sweep_to_toml(again) == sweep_to_toml(sweep)


def test_a_changed_copy_trains_as_its_file_says(tmp_path: Path) -> None:
    sweep = Sweep("n", space=space(dropout=Float(0.1, 0.5)), trials=2)
    assert sweep.search is not None
    other = replace(sweep, seed=7, search=replace(sweep.search, max_epochs=9, patience=2))
    assert (other.training.max_epochs, other.training.patience, other.training.seed) == (9, 2, 7)
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(sweep_to_toml(other), encoding="utf-8")
    assert load_sweep(resolved) == other


def test_a_resolved_sweep_names_no_features_where_all_are_taken() -> None:
    every = Sweep("n", space=space(dropout=Float(0.1, 0.5)), trials=2)
    assert "features =" not in sweep_to_toml(every)
    assert "# names none, and keys of [model]: they are at their" in sweep_to_toml(every)
    two = replace(every, dataset=replace(every.dataset, features=("user_id", "item_id")))
    assert 'features = ["user_id", "item_id"]' in sweep_to_toml(two)


def test_no_wish_of_a_search_is_lost(tmp_path: Path) -> None:
    sweep = Sweep(
        "n",
        space=space(dropout=Float(0.1, 0.5)),
        trials=7,
        max_epochs=9,
        patience=2,
        sampler="random",
        pruner={"name": "hyperband", "reduction_factor": 4},
        enqueue=[{"dropout": 0.2}],
        timeout="2h",
        trial_timeout=90,
        stall_timeout="5m",
    )
    assert sweep.search == SearchConfig(
        trials=7,
        max_epochs=9,
        patience=2,
        sampler="random",
        pruner="hyperband",
        pruner_args={"reduction_factor": 4},
        enqueue=({"dropout": 0.2},),
        timeout_s=7200.0,
        trial_timeout_s=90.0,
        stall_timeout_s=300.0,
    )
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(sweep_to_toml(sweep), encoding="utf-8")
    assert load_sweep(resolved) == sweep


def test_a_table_of_ones_own_survives_the_round_trip(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("u,i,r,t\n1,2,3,4\n")
    (tmp_path / "items.csv").write_text("sku,brand,tags,price\n2,x,a|b,3\n")
    (tmp_path / "users.csv").write_text("who,age\n1,50\n")
    sweep = Sweep(
        "own",
        dataset={
            "path": tmp_path / "ratings.csv",
            "columns": {"user": "u", "item": "i", "rating": "r", "time": "t"},
            "rating_range": (1, 5),
            "duplicates": "latest",
            "items": {
                "path": tmp_path / "items.csv",
                "key": "sku",
                "category": ["brand"],
                "list": ["tags"],
                "number": ["price"],
            },
            "users": {"path": tmp_path / "users.csv", "key": "who", "number": ["age"]},
            "features": ("user_id", "item_id", "brand", "price", "age"),
        },
        model={"n_layers": 1},
        max_epochs=3,
        metrics=["mae"],
    )
    assert (sweep.dataset.duplicates, dict(sweep.metrics)) == ("latest", {"mae": None})
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(sweep_to_toml(sweep))
    assert load_sweep(resolved) == sweep
    assert sweep.dataset.users == UsersConfig(tmp_path / "users.csv", "who", number=("age",))
    assert tomllib.loads(resolved.read_text())["dataset"]["path"] == str(tmp_path / "ratings.csv")


def test_python_and_file_lead_to_the_same_sweep() -> None:
    from_python = Sweep(
        "dcn-vs-plain",
        note="DCN v2 against a plain dense stack",
        dataset={
            "name": "movielens-small",
            "features": ["user_id", "item_id", "genres", "year"],
        },
        space={"use": "ranking", "architecture": {"choices": ["plain", "dcn"]}},
        compare="architecture",
        model={"batch_size": 1024},
        trials=60,
        pruner={"name": "median", "n_warmup_epochs": 8, "n_startup_trials": 10},
    )
    assert from_python == load_sweep("dcn-vs-plain")


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    def sweep(number: Any, whole: Any) -> SweepConfig:
        return Sweep(
            "n",
            space=space(learning_rate=Choice([number, 1e-2])),
            model={"batch_size": whole},
            trials=whole,
            enqueue=[{"learning_rate": number}],
        )

    assert sweep_to_toml(sweep(np.float64(1e-3), np.int64(8))) == sweep_to_toml(sweep(1e-3, 8))


def test_what_is_no_table_is_told_with_the_other_mistakes() -> None:
    with pytest.raises(SweepFileError) as caught:
        Sweep("n", dataset=5, split=None, space=space(dropout=Float(0, 1)), trials=-1)  # type: ignore[arg-type]
    keys = [problem.key for problem in caught.value.problems]
    assert {"dataset", "split", "search.trials"} <= set(keys)
    assert "such as" in str(caught.value) and "movielens-small" not in str(caught.value)


def test_none_in_python_is_no_silent_default() -> None:
    given: dict[str, Any] = dict.fromkeys(("pruner", "sampler", "max_epochs", "seed"))
    with pytest.raises(SweepFileError) as told:
        Sweep("n", space=space(dropout=Float(0, 0.5)), trials=2, model={"biases": None}, **given)
    keys = {problem.key for problem in told.value.problems}
    assert keys == {*(f"search.{k}" for k in given if k != "seed"), "seed", "model.biases"}
    assert '"none" to stop no trial early' in str(told.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": None}, "name: is missing"),
        ({"enqueue": pd.DataFrame({"dropout": [0.1]})}, "search.enqueue: must be a list, got "),
        ({"dataset": {1: 2}}, "Keys should be strings, got 1"),
        ({"model": {1: 2}}, "model.1: unknown hyperparameter 1"),
        ({"space": {1: {"low": 0, "high": 1}}}, "space: the name of a dimension is text, got 1"),
        ({"space": {"dropout": Float(0, 0.5)}}, "a space written in Python: space(dropout=...)"),
    ],
)
def test_what_only_python_gets_wrong_is_told_by_its_key(wrong: dict[str, Any], told: str) -> None:
    sound: dict[str, Any] = {"name": "n", "space": space(dropout=Float(0, 0.5)), "trials": 2}
    with pytest.raises(SweepFileError, match=re.escape(told)):
        Sweep(**{**sound, **wrong})


def test_python_hears_of_every_mistake_too() -> None:
    with pytest.raises(SweepFileError) as caught:
        Sweep("-", dataset="ml-10k", space="rankng", sampler="tpee", timeout="soon")
    told = {problem.key for problem in caught.value.problems}
    assert told == {
        "name", "dataset.name", "space.use", "search.sampler", "search.trials", "search.timeout",
    }  # fmt: skip
    assert caught.value.message.startswith("Sweep(...) name: ")


_KEYS = """
    name seed note dataset split compare space model search training
    dataset.name dataset.path dataset.columns dataset.items dataset.users dataset.features
    split.method split.train space.use space.without
    space.dropout space.dropout.low space.dropout.when space.layer_size.each
    space.optimizer.choices model.n_layers
    search.trials search.sampler search.pruner search.timeout
""".split()  # noqa: SIM905  # as readable as it gets

_nasty = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(_KEYS),
    _nasty,
)
def test_no_value_at_any_key_makes_anything_but_messages(key: str, value: Any) -> None:
    tables: dict[str, Any] = {
        "dataset": {"name": "movielens-small"},
        "space": {
            "use": "ranking",
            "dropout": {"low": 0.0, "high": 0.5},
            "optimizer": {"choices": ["adam"]},
            "layer_size": {"choices": [8], "each": "n_layers"},
        },
        "search": {"trials": 2},
        "name": "x",
    }
    place = tables
    *above, last = key.split(".")
    for part in above:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            return
    place[last] = value
    try:
        build_sweep(SweepSource(tables, "here"))
    except SweepFileError as error:
        assert error.problems


def test_loading_a_sweep_imports_no_heavy_library() -> None:
    code = (
        "import sys; from experiments.request.config import load_sweep\n"
        "load_sweep('dcn-vs-plain')\n"
        "heavy = {'pandas', 'tensorflow', 'ray', 'optuna', 'scipy', 'pyarrow', 'tensorboard'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_users_kept_for_the_verdict_stay_in_the_resolved_sweep() -> None:
    tables = {"space": {"use": "ranking"}, "trials": 4}
    kept = Sweep("kept", split={"method": "random", "seed": 3, "confirm": 0.25}, **tables)
    assert kept.split.confirm == 0.25
    assert "confirm = 0.25" in sweep_to_toml(kept)
    # Where nobody asks for it, sweeps are written as ever.
    assert "confirm" not in sweep_to_toml(Sweep("kept", **tables))


def test_a_share_of_users_that_is_none_is_told_by_its_key() -> None:
    with pytest.raises(SweepFileError, match=r"split\.confirm.* below 1.* got 1"):
        Sweep("kept", split={"confirm": 1.0}, space={"use": "ranking"}, trials=4)


def test_folds_and_random_splits_have_searches_of_their_own() -> None:
    def seed_of(**split: Any) -> int:
        sweep = load_sweep("quickstart")
        return replace(sweep, split=replace(sweep.split, **split)).search_seed

    assert seed_of() == load_sweep("quickstart").seed
    folds = [seed_of(method="folds", fold=fold) for fold in (1, 2, 3)]
    random = [seed_of(method="random", seed=seed) for seed in (0, 1)]
    assert len({seed_of(), *folds, *random}) == 6
    assert seed_of(method="folds", fold=2) == folds[1]


def a_sweep() -> SweepConfig:
    return rs.Sweep(
        "copied",
        space="ranking",
        compare="architecture",
        trials=4,
        metrics=["mae"],
        sampler="random",
    )


def test_a_sweep_that_is_checked_once_more_stays_the_same(file: Path) -> None:
    sweep = a_sweep()
    assert checked(sweep) == sweep
    assert checked(replace(sweep, seed=7, name="other")) == replace(sweep, seed=7, name="other")
    assert checked(load_sweep(file)) == load_sweep(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1_795_895_280_891}, "seed: must be below 4,294,967,296"),
        ({"seed": -1}, "seed: must be at least 0"),
        ({"note": None}, "note: must be text, got None"),
        ({"model": {"embedding_size": 8}}, "space.embedding_size: varied here, but"),
        ({"model": {"dropuot": 0.2}}, "model.dropuot: unknown hyperparameter"),
        ({"metrics": ["mae"]}, "metrics: must be what rs.Sweep(..., metrics=...) makes of it, got"),
        ({"dataset": "ml-100k"}, "dataset: must be what rs.Sweep(..., dataset=...) makes of it"),
        ({"search": {"trials": 3}}, "search.trials: 2 arms get the same number of trials each"),
        ({"search": {"sampler": "tpee"}}, "search.sampler: unknown sampler 'tpee'"),
        ({"search": {"pruner_args": 3}}, "search.pruner_args: must be a dict of arguments by name"),
    ],
)
def test_a_copy_of_a_sweep_is_held_to_the_rules_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    sweep = a_sweep()
    if "search" in change:
        change = {"search": replace(sweep.search, **change["search"])}  # type: ignore[type-var]
    with pytest.raises(SweepFileError) as caught:
        rs.run(replace(sweep, **change), studies=tmp_path / "studies")
    assert f"Sweep(...) {said}" in str(caught.value)
    assert not (tmp_path / "studies").exists()


class Size(IntEnum):
    SMALL = 8
    LARGE = 16


def test_members_of_an_enumeration_are_their_values() -> None:
    sweep = rs.Sweep(
        "sized",
        space=rs.space(embedding_size=rs.Choice([Size.SMALL, Size.LARGE])),
        model={"batch_size": Size.LARGE},
        trials=2,
    )
    text = sweep_to_toml(sweep)
    assert "choices = [8, 16]" in text and "batch_size = 16" in text
    assert checked(sweep) == sweep


def test_generators_and_views_are_lists() -> None:
    tried = {"a": {"dropout": 0.1}}
    sweep = rs.Sweep(
        "views",
        space="ranking",
        trials=4,
        metrics={"mae": 1}.keys(),  # type: ignore[arg-type]  # no sequence
        enqueue=(values for values in tried.values()),  # type: ignore[arg-type]
    )
    assert list(sweep.metrics) == ["mae"]
    assert sweep.search is not None and sweep.search.enqueue == ({"dropout": 0.1},)
    arrayed = rs.Sweep("one", space="ranking", trials=4, metrics=np.array(["mae"]))  # type: ignore[arg-type]
    assert arrayed.metrics


@pytest.mark.parametrize("key", ["trials", "max_epochs", "timeout", "stall_timeout"])
def test_numbers_of_hundreds_of_digits_are_refused(key: str) -> None:
    with pytest.raises(SweepFileError, match=f"search.{key}: .*must be "):
        rs.Sweep("long", **{"space": "ranking", "trials": 4} | {key: 10**400})
