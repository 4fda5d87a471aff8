from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli.models import train
from experiments.errors import RequestError, StateError, SweepFileError
from experiments.folder.folders import begun_study
from experiments.records import StopReason, TrialState
from experiments.request.config import Sweep, load_sweep, sweep_to_toml
from experiments.request.sweep_checks import build_sweep
from experiments.study import resume_study, run_study
from experiments.sweep import SweepConfig, defaults_of, model_of
from experiments.sweep_files.sweep_file import read_sweep_file
from experiments.trials.best import single_model
from experiments.watcher import Silent
from recsweep import Choice, Int, space
from tests.in_process import InProcess
from tests.own_models import write_models

pytestmark = pytest.mark.slow

SWEEP = """\
name = "mine"
[dataset]
path = "ratings.csv"
columns = { user = "user", item = "item", rating = "rating", time = "time" }
[compare]
dimension = "architecture"
[space.architecture]
choices = ["plain", "gated.py:gated"]
[space.n_heads]
low = 1
high = 4
[space.noise]
low = 0
high = 1
[model]
gate_l2 = 0.01
[search]
trials = 4
"""


@pytest.fixture
def file(tmp_path: Path, ratings_csv: Path) -> Path:
    write_models(tmp_path)
    (tmp_path / "ratings.csv").symlink_to(ratings_csv)
    (tmp_path / "mine.toml").write_text(SWEEP)
    return tmp_path / "mine.toml"


def _problems(file: Path, **edits: str) -> dict[str, str]:
    text = file.read_text()
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file)
    return {f"{p.key}:{p.line}": p.message for p in caught.value.problems}


@pytest.mark.parametrize("name", ["modèle", "a_name_of_" + "many_" * 9 + "letters"])
def test_any_name_that_python_takes_is_one_that_a_study_opens_with(file: Path, name: str) -> None:
    code = file.with_name("gated.py")
    code.write_text(code.read_text().replace("def gated(", f"def {name}("))
    file.write_text(file.read_text().replace("gated.py:gated", f"gated.py:{name}"))
    sweep = load_sweep(file)
    assert sweep.arms == ("plain", name)
    frozen = file.with_name("frozen.toml")
    frozen.write_text(sweep_to_toml(sweep))
    assert load_sweep(frozen) == sweep


def test_a_reference_becomes_a_name_and_its_parameters_dimensions_of_its_arm(file: Path) -> None:
    sweep = load_sweep(file)
    assert sweep.arms == ("plain", "gated")
    assert sweep.space is not None
    heads, noise = sweep.space.dimensions[1:]
    assert heads.cases[0].conditions == noise.cases[0].conditions == {"architecture": ("gated",)}
    assert sweep.space.columns[2].kind == "float"
    assert defaults_of(sweep).values["noise"] == 0.1
    assert model_of(sweep, {"architecture": "gated", "n_heads": 3}).own_arguments == (
        ("n_heads", 3),
        ("gate_l2", 0.01),
    )
    assert model_of(sweep, {"architecture": "plain"}).own is None


def test_what_makes_our_layers_does_not_vary_for_a_function_in_their_place(file: Path) -> None:
    layers = """
        [space.n_layers]
        low = 1
        high = 2
        [space.layer_size]
        choices = [8, 16]
        each = "n_layers"
        [space.embedding_size]
        choices = [4, 8]
        [model]"""
    text = SWEEP.replace("[model]", layers)
    file.write_text(text)
    sweep = load_sweep(file)
    assert sweep.space is not None
    names = {
        arm: [d.name for d in sweep.space.restrict("architecture", arm).dimensions[1:]]
        for arm in sweep.arms
    }
    assert names == {
        "plain": ["n_layers", "layer_size", "embedding_size"],
        "gated": ["n_heads", "noise", "embedding_size"],
    }
    # A study that was begun when they varied for it goes on so.
    lines = sweep_to_toml(sweep).splitlines()
    file.write_text(
        "\n".join(line for line in lines if line != 'when = { architecture = "plain" }')
    )
    frozen = build_sweep(replace(read_sweep_file(file), is_frozen=True))
    assert frozen.space is not None
    gated = frozen.space.restrict("architecture", "gated")
    assert {"n_layers", "layer_size"} <= {d.name for d in gated.dimensions}


def test_the_default_of_each_function_is_its_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    for name, default in (("one", 0.2), ("two", 0.4)):
        (file.parent / f"{name}.py").write_text(f"def {name}(x, *, dropout={default}): ...")
    choices = 'space.architecture.choices=["plain", "one.py:one", "two.py:two", "gated.py:gated"]'
    sweep = load_sweep(file, [choices, "space.dropout.low=0.0", "space.dropout.high=0.5"])
    assert sweep.space is not None
    points = {
        arm: defaults_of(sweep).on(sweep.space.restrict("architecture", arm))
        for arm in ("plain", "one", "two")
    }
    assert {arm: point["dropout"] for arm, point in points.items()} == {
        "plain": 0.3,
        "one": 0.2,
        "two": 0.4,
    }


def test_what_varies_has_a_default_that_can_be_read(file: Path) -> None:
    source = (file.parent / "gated.py").read_text()
    (file.parent / "gated.py").write_text(source.replace("n_heads=2", "n_heads=len('ab')"))
    assert _problems(file) == {
        "space.n_heads:9": "its default in gated.py: gated cannot be read without running it, and "
        "is the first trial; write it there as a plain value"
    }
    (file.parent / "gated.py").write_text(source.replace("n_heads=2", "n_heads=WIDTH - 1"))
    sweep = load_sweep(file)
    assert sweep.space is not None
    arm = sweep.space.restrict("architecture", "gated")
    assert defaults_of(sweep).on(arm)["n_heads"] == 2
    (file.parent / "gated.py").write_text(source.replace("width=WIDTH", "width=len('abc')"))
    assert load_sweep(file) != sweep  # it does not vary


def test_what_a_model_needs_is_there_in_every_trial(file: Path) -> None:
    (file.parent / "gated.py").write_text(
        "def gated(inputs, *, n_heads, noise=0.1, gate_l2=1.0): ..."
    )
    assert load_sweep(file)
    rarely = 'space.n_heads.when={optimizer="sgd"}'
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file, ["space.optimizer.choices=['adam', 'sgd']", rarely])
    assert caught.value.problems[0].message == (
        "a trial with architecture = gated, optimizer = adam would be no model: gated needs "
        "n_heads: give it in [space] or [model]"
    )


def test_one_name_is_a_whole_number_to_one_function_and_none_to_another(file: Path) -> None:
    (file.parent / "other.py").write_text("def other(inputs, *, n_heads=0.5): ...\n")
    both = {'"plain", "gated.py:gated"]': '"gated.py:gated", "other.py:other"]'}
    (message,) = _problems(file, **both).values()
    assert message.startswith("a trial with architecture = gated would be no model: n_heads must")
    one = "[space.n_heads]\nlow = 1\nhigh = 4\n"
    case = "[[space.n_heads]]\nwhen = {{ architecture = '{}' }}\nlow = {}\nhigh = 4\n"
    cases = case.format("gated.py:gated", 1) + case.format("other.py:other", 1)
    (message,) = _problems(file, **{one: cases}).values()
    assert message.startswith("all cases of a dimension must be of one kind")


def test_a_condition_on_a_model_to_which_a_dimension_means_nothing_is_refused(file: Path) -> None:
    low = "[space.n_heads]\nlow = 1"
    assert _problems(file, **{low: f'{low}\nwhen = {{ architecture = "plain" }}'}) == {
        "space.n_heads.when.architecture:11": "n_heads means nothing to plain, but to gated"
    }


def test_a_condition_on_what_is_no_name_is_refused(file: Path) -> None:
    low = "[space.n_heads]\nlow = 1"
    assert _problems(file, **{low: f'{low}\nwhen = {{ architecture = [["gated"]] }}'}) == {
        "space.n_heads.when.architecture:11": "no dimension can have the value ['gated']"
    }


def test_a_value_is_not_fixed_for_a_model_to_which_it_means_nothing(file: Path) -> None:
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file, ["space.n_layers.low=1", "space.n_layers.high=2", "model.n_layers=2"])
    (problem,) = caught.value.problems
    assert problem.key == "space.n_layers"
    assert problem.message == "varied here, but [model] fixes 'n_layers': drop one of them"


def test_two_functions_may_have_a_range_each_beside_a_model_to_which_it_means_nothing(
    file: Path,
) -> None:
    (file.parent / "other.py").write_text("def other(inputs, *, n_heads=2): ...\n")
    text = file.read_text().replace('"gated.py:gated"]', '"gated.py:gated", "other.py:other"]')
    one = "[space.n_heads]\nlow = 1\nhigh = 4\n"
    each = "[[space.n_heads]]\nwhen = {{ architecture = '{}' }}\nlow = {}\nhigh = 9\n"
    cases = each.format("gated.py:gated", 1) + each.format("other.py:other", 5)
    file.write_text(text.replace(one, cases).replace("trials = 4", "trials = 6"))
    sweep = load_sweep(file)
    assert sweep.space is not None
    spaces = [sweep.space.restrict("architecture", arm) for arm in sweep.arms]
    assert [space.project({"n_heads": 2}).get("n_heads") for space in spaces] == [None, 2, 5]
    resolved = file.with_name("resolved.toml")
    resolved.write_text(sweep_to_toml(sweep))
    assert load_sweep(resolved) == sweep
    third = '"other.py:other", "third.py:third"]'
    (file.parent / "third.py").write_text("def third(inputs, *, n_heads=2): ...\n")
    assert _problems(file, **{'"other.py:other"]': third, "trials = 6": "trials = 8"}) == {
        "space.n_heads:9": "has no case where architecture=third; add one, or give 'n_heads' a "
        "fixed value for the rest in [model]"
    }


def test_a_resolved_sweep_reads_as_the_same_sweep(file: Path) -> None:
    sweep = load_sweep(file)
    other = file.with_name("resolved.toml")
    other.write_text(sweep_to_toml(sweep))
    assert load_sweep(other) == sweep
    (file.parent / "parts.py").write_text("changed = True\n")
    assert load_sweep(other) != sweep


def test_a_name_of_the_researchers_own_stands_for_the_function(file: Path) -> None:
    text = file.read_text().replace("gated.py:gated", "attention")
    file.write_text(text + '[architectures]\nattention = "gated.py:gated"\n')
    assert load_sweep(file).arms == ("plain", "attention")


def test_a_sweep_in_python_takes_references_too(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    sweep = Sweep(
        "mine",
        space=space(
            architecture=Choice(["plain", "gated:gated"]),
            n_heads=Int(1, 4).when(architecture="gated:gated"),
        ),
        trials=2,
    )
    assert sweep.architectures["gated"].file == "gated.py"


def test_mistakes_are_told_at_the_lines_that_make_them(file: Path) -> None:
    problems = _problems(file, **{'"gated.py:gated"': '"gated.py:gate", "dnc"'})
    assert problems.keys() == {"space.architecture.choices:8"}
    wrong = {
        '"gated.py:gate", "dnc"': '"gated.py:gated"',
        "low = 0\n": 'low = "a"\n',
        "gate_l2 = 0.01": "gate_12 = true",
    }
    problems = _problems(file, **wrong)
    assert problems.keys() == {"space.noise.low:13", "model.gate_12:16"}
    assert "did you mean 'gate_l2'" in problems["model.gate_12:16"]
    problems = _problems(file, **{'low = "a"': "low = 0", "gate_12": "gate_l2"})
    assert "gate_l2 must be a number, as its default 0.0001" in problems["model.gate_l2:16"]


def test_two_functions_of_one_name_or_with_one_of_ours_are_told_apart(file: Path) -> None:
    other = file.parent / "other"
    other.mkdir()
    (other / "mine.py").write_text("def gated(x): ...\ndef plain(x): ...")
    wrong = {
        '"gated.py:gated"': '"gated.py:gated", "other/mine.py:gated"',
        "trials = 4": "trials = 6",
    }
    (told,) = _problems(file, **wrong).values()
    assert "have one name; tell them apart under [architectures]" in told
    (told,) = _problems(file, **{"other/mine.py:gated": "other/mine.py:plain"}).values()
    assert "has the name of an architecture of recsweep" in told


def _small(file: Path) -> SweepConfig:
    overrides = [
        "search.trials=3",
        "search.max_epochs=2",
        "model.batch_size=256",
        "model.embedding_size=4",
        'space.architecture.choices=["plain", "gated.py:gated", "late.py:late"]',
    ]
    return load_sweep(file, overrides)


def test_a_study_keeps_the_code_and_refuses_to_go_on_when_it_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    InProcess().use(monkeypatch)
    root = file.parent / "studies"
    study = run_study(_small(file), root=root, watcher=Silent()).study
    plain, gated, late = study.trials
    assert begun_study(root, _small(file)) == study.folder
    assert (plain.state, gated.state) == (TrialState.COMPLETE, TrialState.COMPLETE)
    assert late.stop_reason is StopReason.ERROR
    assert late.error == (
        "late.py:1: ModuleNotFoundError: No module named 'only_on_some_other_machine'; install it, "
        "or, where it is your own and not installed, keep it in the same package (of folders with "
        "an __init__.py) or, if that file is in none, beside it"
    )
    assert "late.py" in (study.folder / "trials" / late.name / "error.log").read_text()

    frozen = load_sweep(study.folder / "sweep.toml")
    model = single_model(frozen, study, gated)
    assert model.architectures.keys() == {"gated"}
    assert single_model(frozen, study, plain).model.keys() == {
        "architecture",
        "batch_size",
        "embedding_size",
    }

    (file.parent / "parts.py").write_text("def mixed(heads):\n    return heads[0]\n")
    with pytest.raises(StateError, match=r"parts.py changed since mine began") as caught:
        resume_study(study.folder, watcher=Silent(), n_trials=6)
    assert "-    return tf.concat(heads, axis=1)" in str(caught.value)
    assert "+    return heads[0]" in str(caught.value)
    with pytest.raises(StateError, match=r"parts.py changed since mine began"):
        begun_study(root, _small(file))

    (file.parent / "parts.py").unlink()
    (file.parent / "gated.py").unlink()
    study = resume_study(study.folder, watcher=Silent(), n_trials=6).study
    assert [t.state for t in study.trials].count(TrialState.COMPLETE) == 4

    (study.folder / "code" / "gated.py").write_text("def gated(x): ...")
    with pytest.raises(StateError, match=r"code changed since mine began"):
        resume_study(study.folder, watcher=Silent(), n_trials=9)


def test_train_tells_a_mistake_in_own_code_without_our_stack(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    InProcess().use(monkeypatch)
    monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
    head = file.read_text().split("[compare]")[0]
    file.write_text(f'{head}[model]\narchitecture = "bad.py:raises"\n')
    with pytest.raises(RequestError) as caught:
        train(str(file))
    first, *_, last = caught.value.message.splitlines()
    assert first.startswith("Traceback")
    assert last == "ValueError: rate 0.1 is not for me"
    assert "recommender" not in caught.value.message
    (file.parent / "must.py").write_text("def must(inputs, *, n): ...")
    file.write_text(file.read_text().replace("bad.py:raises", "must.py:must"))
    with pytest.raises(SweepFileError, match="must needs n: give it in"):
        train(str(file))
