"""Values that a search tries right after its defaults."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.errors import SweepFileError
from experiments.ledger.ledger import Ledger
from experiments.records import read_study
from experiments.request.config import Sweep, load_sweep, sweep_to_toml
from experiments.request.enqueued_files import changes_by_hand, with_enqueued
from experiments.request.sweep_checks import build_sweep
from experiments.search.search import build_search
from experiments.sweep import SweepConfig, defaults_of, model_of
from experiments.sweep_files.sweep_file import read_sweep_file
from experiments.trials.best import trial_to_toml
from recsweep import Choice, Float, Int, space
from reports.exports import trials_frame
from reports.labels import label
from tests.experiments.running.test_conductor import bumpy, outcome, trials_of
from tests.fake_workers import FakeStudy, Fuse, Killed
from tests.synthetic_study import make_study

KEPT = Path(__file__).parents[2] / "kept" / "version-0.1"
SPACE = space(
    architecture=Choice(["plain", "dcn"]),
    learning_rate=Float(1e-4, 1e-1, log=True),
    dropout=Float(0.0, 0.6),
    n_layers=Int(1, 2),
    layer_size=Choice([8, 16]).each("n_layers"),
    cross_layers=Int(1, 2).when(architecture="dcn"),
)


def a_sweep(**search: Any) -> SweepConfig:
    return Sweep(
        name="made-up",
        space=SPACE,
        compare=search.pop("compare", "architecture"),
        model={"batch_size": 512},
        **{"trials": 8, "max_epochs": 6, "patience": 3, "sampler": "random", **search},
    )


def a_model(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "best.toml"
    file.write_text("\n".join(["[dataset]", 'name = "movielens-small"', "[model]", *lines]))
    return file


def asked(sweep: SweepConfig, n: int) -> list[Any]:
    assert sweep.space is not None and sweep.search is not None
    search = build_search(sweep.space, sweep.search, sweep.seed, sweep.compare, defaults_of(sweep))
    return [search.ask(number) for number in range(n)]


def test_an_enqueued_point_is_the_second_of_its_arm_and_projected_onto_the_space() -> None:
    point = {"architecture": "dcn", "learning_rate": 0.5, "cross_layers": 2, "layer_size_0": 16}
    proposals = asked(a_sweep(enqueue=[point]), 6)
    assert [p.is_default for p in proposals] == [True, True, False, False, False, False]
    assert [p.is_enqueued for p in proposals] == [False, False, False, True, False, False]
    enqueued = proposals[3]
    assert (enqueued.arm, enqueued.arm_number) == ("dcn", 1)
    assert enqueued.values == {**proposals[1].values, **point, "learning_rate": 0.1}


def test_without_arms_points_follow_the_default_in_order_and_none_is_tried_twice() -> None:
    points = [{"dropout": 0.5}, {"dropout": 0.5, "n_layers": 1}, {}, {"dropout": 0.5}]
    proposals = asked(a_sweep(compare=None, enqueue=points), 4)
    assert [p.is_enqueued for p in proposals] == [False, True, True, False]
    assert [p.values["n_layers"] for p in proposals[:3]] == [2, 2, 1]


def test_a_point_that_says_nothing_of_what_is_compared_is_tried_in_every_arm() -> None:
    proposals = asked(a_sweep(enqueue=[{"dropout": 0.5}]), 6)
    assert [p.is_enqueued for p in proposals] == [False, False, True, True, False, False]
    assert [(p.arm, p.values["dropout"]) for p in proposals[2:4]] == [("plain", 0.5), ("dcn", 0.5)]


def test_a_resolved_sweep_keeps_its_points(tmp_path: Path) -> None:
    sweep = a_sweep(enqueue=[{"architecture": "dcn", "dropout": 0.25}, {"dropout": 0.5}])
    file = tmp_path / "sweep.toml"
    file.write_text(sweep_to_toml(sweep))
    assert load_sweep(file) == sweep
    assert "enqueue" not in sweep_to_toml(a_sweep())


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"enqueue": [{"drop_out": 0.5}]}, r"search\.enqueue\[0\]\.drop_out.*'dropout'"),
        ({"enqueue": [{"dropout": [0.5]}]}, r"enqueue\[0\]\.dropout.*must be one value"),
        ({"enqueue": [{"architecture": ["dcn"]}]}, r"architecture.*must be one value"),
        ({"enqueue": [{"architecture": "dlrm"}]}, "unknown arm 'dlrm'"),
        ({"enqueue": [{"dropout": "high"}]}, "dropout.*must be a number, got 'high'"),
        ({"enqueue": [{"layer_size_0": 9}]}, "layer_size_0.*must be one of 8, 16, got 9"),
        ({"enqueue": [{"layer_size": 9}]}, "layer_size: must be one of 8, 16, got 9"),
        ({"enqueue": [{"dropout": 0.1 * i} for i in range(1, 5)]}, "need 10 trials.*there are 8"),
        ({"enqueue": {"dropout": 0.5}}, "must be a list"),
    ],
)
def test_points_that_cannot_be_tried_are_refused(search: dict[str, Any], message: str) -> None:
    tables = {"enqueue": search["enqueue"]}
    with pytest.raises(SweepFileError, match=message):
        if isinstance(tables["enqueue"], dict):
            load_sweep("quickstart", ["search.enqueue={dropout=0.5}"])
        a_sweep(**tables)


def test_points_and_defaults_may_take_every_trial_there_is() -> None:
    points = [{"dropout": 0.1 * i} for i in range(1, 4)]
    proposals = asked(a_sweep(enqueue=points), 8)
    assert [p.is_default or p.is_enqueued for p in proposals] == [True] * 8
    dcn_alone = [{"architecture": "dcn", "dropout": 0.1 * i} for i in range(1, 4)]
    assert a_sweep(enqueue=dcn_alone)
    with pytest.raises(SweepFileError, match="need 10 trials"):
        a_sweep(enqueue=[*dcn_alone, {"architecture": "dcn", "dropout": 0.4}])


def test_of_points_in_a_space_with_mistakes_nothing_is_told() -> None:
    with pytest.raises(SweepFileError) as caught:
        load_sweep("quickstart", ["space=3", "search.enqueue=[{dropout=0.5}]"])
    assert [problem.key for problem in caught.value.problems] == ["space"]


def test_a_grid_takes_no_points() -> None:
    with pytest.raises(SweepFileError, match="every point anyway"):
        load_sweep("article-grid", ['search.enqueue=[{optimizer="adam"}]'])


def test_the_winner_of_one_sweep_is_tried_first_in_another(tmp_path: Path) -> None:
    file = a_model(
        tmp_path, 'architecture = "dcn"', "learning_rate = 0.5", "batch_size = 256", "dropout = 0.5"
    )
    config, notes = with_enqueued(a_sweep(), [file])
    assert config.search is not None
    (point,) = config.search.enqueue
    assert point == {"architecture": "dcn", "learning_rate": 0.5, "dropout": 0.5}
    assert [note.removeprefix(f"{file}: ") for note in notes] == [
        "learning_rate is 0.1 here, not 0.5",
        "batch_size is 512 here, not 256",
        "layer_size_0 is 8 here, not 64",
        "layer_size_1 is 8 here, not 32",
    ]
    again, notes = with_enqueued(config, [file])
    assert notes[-1].endswith("it is tried once")
    assert len(asked(again, 8)) == 8


def test_one_width_for_all_layers_goes_before_the_default_of_each() -> None:
    points = [{"layer_size": 16}, {"layer_size": 16, "layer_size_1": 8}]
    proposals = asked(a_sweep(compare=None, enqueue=points), 3)
    widths = [[p.values[f"layer_size_{i}"] for i in (0, 1)] for p in proposals]
    assert widths == [[8, 8], [16, 16], [16, 8]]
    assert proposals[1].is_enqueued


def test_what_the_space_changes_in_points_is_told() -> None:
    points: list[dict[str, Any]] = [
        {"architecture": "plain", "learning_rate": 7.0, "cross_layers": 2},
        {"cross_layers": 2, "layer_size": 16},
        {"n_layers": 1, "layer_size_1": 16},
    ]
    assert changes_by_hand(a_sweep(enqueue=points)) == [
        "search.enqueue[0]: learning_rate is 0.1 here, not 7",
        "search.enqueue[0]: cross_layers is left out: it means nothing beside the other values",
        "search.enqueue[2]: layer_size_1 is left out: it means nothing beside the other values",
    ]
    assert changes_by_hand(a_sweep(enqueue=[{"layer_size": 16, "layer_size_1": 8}])) == []
    point = ["--set", "search.enqueue=[{learning_rate=7.0}]"]
    done = CliRunner().invoke(app, ["run", "quickstart", "--plan", *point])
    assert "search.enqueue[0]: learning_rate is 0.003 here, not 7" in done.output


@pytest.mark.parametrize(
    ("lines", "varied", "model", "widths", "told"),
    [
        (["layer_size = 16"], {"layer_size": Choice([8, 16]).each("n_layers")}, {}, (16, 16), []),
        (
            ["layer_size_0 = 16", "layer_size_1 = 16"],
            {"layer_size": Choice([8, 16])},
            {},
            (16, 16),
            [],
        ),
        (
            ["layer_size_0 = 16"],
            {},
            {"layer_size": 8},
            (8, 8),
            ["0 is 8 here, not 16", "1 is 8 here, not 32"],
        ),
        ([], {"layer_size": Choice([8, 64])}, {}, (64, 64), ["1 is 64 here, not 32"]),
        (
            ["layer_size = 24"],
            {"n_layers": Int(1, 3), "layer_size": Choice([8, 16]).each("n_layers")},
            {},
            (8, 8),
            ["0 is 8 here, not 24", "1 is 8 here, not 24"],
        ),
    ],
)
def test_widths_of_layers_are_those_of_the_file_however_either_says_them(
    tmp_path: Path,
    lines: list[str],
    varied: dict[str, Any],
    model: dict[str, Any],
    widths: tuple[int, ...],
    told: list[str],
) -> None:
    varied = {"n_layers": Int(1, 2), "dropout": Float(0.0, 0.6), **varied}
    sweep = Sweep("widths", space=space(**varied), model=model, trials=4)
    config, notes = with_enqueued(sweep, [a_model(tmp_path, "dropout = 0.5", *lines)])
    assert model_of(config, asked(config, 2)[1].values).layer_sizes == widths
    assert [note.partition("layer_size_")[2] for note in notes] == told


def test_a_choice_that_the_sweep_does_not_have_is_told_and_another_tried(tmp_path: Path) -> None:
    file = a_model(tmp_path, "n_layers = 1", "layer_size_0 = 24")
    config, notes = with_enqueued(a_sweep(), [file])
    assert f"{file}: layer_size_0 is 8 here, not 24" in notes
    frozen = tmp_path / "frozen.toml"
    frozen.write_text(sweep_to_toml(config))
    assert load_sweep(frozen).search == config.search
    # A study that tried what a later rule refuses goes on.
    source = read_sweep_file(frozen, environ={})
    source.table["search"]["enqueue"] = [{"layer_size_0": 24}]
    with pytest.raises(SweepFileError, match="must be one of"):
        build_sweep(source)
    assert build_sweep(replace(source, is_frozen=True)).search is not None


def test_best_writes_what_run_enqueues(tmp_path: Path) -> None:
    sweep = a_sweep()
    FakeStudy(tmp_path / "first", sweep, bumpy).run(Fuse())
    winner = trials_of(tmp_path / "first")[3]
    study = read_study(make_study(tmp_path / "made-up"))
    file = tmp_path / "best.toml"
    file.write_text(trial_to_toml(sweep, study, winner))
    config, notes = with_enqueued(sweep, [file])
    assert notes == []
    second = 2 if winner.arm == "plain" else 3
    assert asked(config, 4)[second].values == winner.values


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['architecture = "mlp"'], "mlp"),
        (["dropout = 0.1", 'architecture = "plain"'], "unknown arm 'plain'"),
        (["dropout = 0.1"], "unknown arm 'plain'"),  # its default
        (["batch_size = 64"], "nothing of what this sweep varies"),
    ],
)
def test_a_file_that_cannot_be_enqueued_is_named(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    file = a_model(tmp_path, *lines)
    sweep = a_sweep()
    if "arm" in message:
        only = space(architecture=Choice(["dcn", "dlrm"]), dropout=Float(0.0, 0.6))
        sweep = replace(sweep, space=only)
    with pytest.raises(SweepFileError, match=message) as caught:
        with_enqueued(sweep, [file])
    assert "best.toml" in caught.value.message


def test_a_sweep_is_no_model_to_enqueue(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["run", "quickstart", "--plan", "--enqueue", "dcn-vs-plain"])
    assert isinstance(done.exception, SweepFileError)
    assert "--enqueue dcn-vs-plain: is a sweep" in str(done.exception)


def test_a_study_killed_with_points_enqueued_ends_as_one_left_alone(tmp_path: Path) -> None:
    sweep = a_sweep(enqueue=[{"architecture": "dcn", "dropout": 0.25}])
    alone = FakeStudy(tmp_path / "alone", sweep, bumpy)
    alone.run(Fuse())
    expected = [(outcome(t), t.is_enqueued) for t in trials_of(alone.folder)]
    assert [is_enqueued for _, is_enqueued in expected].index(True) == 3
    study = FakeStudy(tmp_path / "killed", sweep, bumpy)
    for blows_at in (2, 9, 17, 30):
        with pytest.raises(Killed):
            study.run(Fuse(blows_at))
    study.run(Fuse())
    assert [(outcome(t), t.is_enqueued) for t in trials_of(study.folder)] == expected


def test_a_ledger_of_before_is_read_and_gone_on_with(tmp_path: Path) -> None:
    folder = shutil.copytree(KEPT, tmp_path / "kept")
    with Ledger.reading(folder / "study.db") as ledger:
        before = ledger.trials()
        assert "is_enqueued" not in ledger._columns_of("asks")
    assert not any(trial.is_enqueued for trial in before)
    with Ledger(folder / "study.db") as ledger:
        ledger.catch_up(folder / "journal")
        assert repr(ledger.trials()) == repr(before)  # there is a NaN in it
        assert "is_enqueued" in ledger._columns_of("asks")


def test_a_report_marks_what_was_enqueued(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "made-up"))
    trials = tuple(replace(t, is_enqueued=t.number == 2) for t in study.trials)
    study = replace(study, trials=trials)
    assert label(study, trials[2]).endswith("enqueued")
    assert list(trials_frame(study)["is_enqueued"]).count(True) == 1
