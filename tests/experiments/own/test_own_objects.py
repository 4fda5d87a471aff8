from __future__ import annotations

import functools
import importlib.util
import math
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import recsweep as rs
from experiments.errors import RequestError, StateError, StudyError, SweepFileError
from experiments.files import write_json
from experiments.own.kept_code import code_record, keep_code
from experiments.own.own_objects import _home, reference_of, refuse_changed_objects
from experiments.request.config import load_sweep, sweep_to_toml
from experiments.sweep import SweepConfig
from search_spaces import SpaceError
from tests.own_models import write_models

CELLS = [
    "import tensorflow as tf",
    "import math\nfrom collections import OrderedDict as Ordered",
    "Dense = tf.keras.layers.Dense\nWIDTH = 3",
    "table = sorted([3, 1, 2])",
    "def scaled(x, by=WIDTH):\n    return x * math.sqrt(by)",
    "def gated(inputs):\n    return inputs",
    """
x = 5
@staticmethod
def helper(): ...

def gated(inputs, *, n_heads=2, gate_l2=1e-4):
    x = scaled(Dense(n_heads)(inputs))
    return Dense(1)(x)
""",
    "class Model:\n    def fit_epoch(self): return table\n    def predict(self, rows): ...",
    "this is no Python",
]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A `__main__` as IPython keeps it, with all cells run but those of TensorFlow."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    main.__dict__.update(
        In=[*CELLS], get_ipython=lambda: None, tf=ModuleType("tensorflow"), Dense=1
    )
    main.__dict__["WIDTH"] = 3
    for cell in (CELLS[1], CELLS[3], CELLS[4], *CELLS[6:8]):
        exec(compile(cell, "<cell>", "exec"), main.__dict__)
    return main


@pytest.fixture
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python runs in `tmp_path` and imports from there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("sweep", [5, None, {"name": "a"}])
def test_what_is_no_sweep_is_not_run(sweep: Any, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="a sweep is a Sweep"):
        rs.run(sweep, studies=tmp_path)
    with pytest.raises(RequestError, match="has no space"):
        rs.run(rs.Sweep("one"), studies=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_callable_without_a_name_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be found again on a worker"):
        rs.Choice([functools.partial(print)])


def a_sweep(*choices: Any, **more: Any) -> SweepConfig:
    return rs.Sweep(
        "objects",
        space=rs.space(architecture=rs.Choice(choices), **more),
        compare="architecture",
        trials=len(choices),
    )


def test_an_object_of_a_module_goes_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_models(tmp_path)
    spec = importlib.util.spec_from_file_location("late", tmp_path / "late.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "late", module)

    def late(inputs: object) -> None: ...

    late.__module__, late.__qualname__ = "late", "late"
    module.late = late  # type: ignore[attr-defined]
    assert reference_of(late) == f"{tmp_path / 'late.py'}:late"
    sweep = a_sweep("plain", late)
    assert sweep.arms == ("plain", "late")
    assert sweep.architectures["late"].root == tmp_path


def test_a_cell_is_saved_with_what_it_uses_and_nothing_else(notebook: ModuleType) -> None:
    text = Path(reference_of(notebook.gated).rpartition(":")[0]).read_text()
    assert text == (
        "import tensorflow as tf\nimport math\n\n"
        "Dense = tf.keras.layers.Dense\n\n"
        "WIDTH = 3\n\n"
        "def scaled(x, by=WIDTH):\n    return x * math.sqrt(by)\n\n"
        "def gated(inputs, *, n_heads=2, gate_l2=1e-4):\n"
        "    x = scaled(Dense(n_heads)(inputs))\n    return Dense(1)(x)\n"
    )


def test_a_sweep_of_objects_is_one_of_names_and_frozen_by_the_saved_file(
    notebook: ModuleType, tmp_path: Path
) -> None:
    sweep = a_sweep("plain", notebook.gated, n_heads=rs.Int(1, 3).when(architecture=notebook.gated))
    assert sweep.arms == ("plain", "gated")
    own = sweep.architectures["gated"]
    assert (own.file, [p.name for p in own.parameters]) == (
        "notebook_gated.py",
        ["n_heads", "gate_l2"],
    )
    one = rs.Sweep("one", model={"architecture": notebook.gated, "n_heads": 1})
    assert one.model["architecture"] == "gated"
    keep_code(tmp_path, sweep)
    (tmp_path / "sweep.toml").write_text(
        sweep_to_toml(sweep).replace(str(own.root), str(tmp_path / "code"))
    )
    assert load_sweep(tmp_path / "sweep.toml") == sweep


def test_a_metric_may_be_a_function_of_the_notebook(notebook: ModuleType) -> None:
    notebook.In.append("def worst(actual, predicted):\n    return abs(actual - predicted).max()")
    exec(notebook.In[-1], notebook.__dict__)
    sweep = rs.Sweep(
        "objects",
        space=rs.space(learning_rate=rs.Float(1e-3, 1e-2)),
        trials=1,
        metrics=["mae", notebook.worst],
    )
    assert list(sweep.metrics) == ["mae", "worst"]
    assert sweep.metrics["worst"] and sweep.metrics["worst"].file == "notebook_worst.py"


def test_what_cannot_be_found_again_is_refused(notebook: ModuleType) -> None:
    def inner(inputs: object) -> None: ...

    for thing, said in (
        (lambda inputs: inputs, "top level of a module"),
        (inner, "top level of a module"),
        (notebook.Model, "uses table, which the notebook computes"),
    ):
        with pytest.raises(RequestError, match=said):
            reference_of(thing)
    before = notebook.gated
    exec("def gated(inputs): return 2 * inputs", notebook.__dict__)
    with pytest.raises(RequestError, match="no cell that was run defines it"):
        reference_of(before)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["N = 1", "N += 1"], "uses N, which is 2 now and not what 'N = 1' made it"),
        (["N = [1]", "for _ in 'a': N.append(2)"], r"uses N, which is \[1, 2\] now"),
        (["N = {}", "N['a'] = 1"], "uses N, which is {'a': 1} now and not what 'N = {}' made it"),
        (["N = 10 ** -1", "N *= 50"], r"uses N, which is 5\.0 now and not what 'N = 10 \*\* -1'"),
        (["M, N = 1, 2", "N += 5"], "uses N, which is 7 now and not what 'M, N = 1, 2' made it"),
        (["B = 1", "N = B * 2", "B = 10"], "uses N, which is 2 now"),
        (["N = {'k': 10 ** 3}", "for _ in 'a': N.update(k=16)"], "uses N, which is {'k': 16} now"),
    ],
)
def test_what_a_cell_said_of_a_value_must_still_hold(
    notebook: ModuleType, cells: list[str], said: str
) -> None:
    for cell in (*cells, "def mine(inputs): return N * inputs"):
        notebook.In.append(cell)
        exec(cell, notebook.__dict__)
    with pytest.raises(RequestError, match=said):
        reference_of(notebook.mine)


@pytest.mark.parametrize(
    "cells",
    [
        ["class N:\n    by = 2", "N.by = 3"],
        ["class N:\n    by = 2", "N.by += 3"],
        ["class N:\n    by = 2", "N.by, N.of = 3, 4"],
        ["class N:\n    by = [2]", "N.by[0] = 3"],
        ["def N(): return 2", "N.by = 3"],
        ["import string as N", "N.mine = 3"],
        ["from os import environ as N", "N['RECSWEEP_MINE'] = '3'"],
    ],
)
def test_what_a_cell_changed_of_what_no_assignment_made_is_refused(
    notebook: ModuleType, cells: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSWEEP_MINE", "2")
    for cell in (*cells, "def mine(inputs): return (N, inputs)"):
        notebook.In.append(cell)
        exec(cell, notebook.__dict__)
    with pytest.raises(RequestError, match=r"uses N, which .N.* changed, and workers do not"):
        reference_of(notebook.mine)
    notebook.In.append(cells[0])
    exec(cells[0], notebook.__dict__)
    assert reference_of(notebook.mine)


@pytest.mark.parametrize(
    "cells",
    [
        ["N = 2", "class Of:\n    n = N", "N = 3", "def mine(inputs): return Of.n * inputs"],
        ["N = 2", "def mine(inputs, n=N): return n * inputs", "N = 3"],
        ["N = 2", "class Of:\n    def n(self, by=N): ...", "N = 3", "def mine(x): return Of"],
        ["class N: ...", "class Of(N): ...", "class N: x = 1", "def mine(x): return Of"],
    ],
)
def test_what_a_definition_took_when_it_was_run_must_still_hold(
    notebook: ModuleType, cells: list[str]
) -> None:
    def run(*cells: str) -> None:
        for cell in cells:
            notebook.In.append(cell)
            exec(cell, notebook.__dict__)

    run(*cells)
    with pytest.raises(RequestError, match=r"uses N, which was .* define it again"):
        reference_of(notebook.mine)
    run(cells[0])
    assert reference_of(notebook.mine)  # as it was
    run("def late(x, n=2): return n * N * x", "N = 4")
    assert reference_of(notebook.late)  # what a call looks up is as it is now


def test_a_value_that_still_holds_is_saved_however_it_was_made(notebook: ModuleType) -> None:
    cells = ["M, N = 1, 10 ** 2", "seen = [0] * 200", "seen[N] = 3", "P: int", "ACT = lambda x: x"]
    for cell in (*cells, "def mine(inputs): return ACT(N * inputs)"):
        notebook.In.append(cell)
        exec(cell, notebook.__dict__)
    text = Path(reference_of(notebook.mine).rpartition(":")[0]).read_text()
    assert "M, N = 1, 10 ** 2" in text and "ACT = lambda x: x" in text


@pytest.mark.parametrize("choices", [3, None, "plain", {"plain", "dcn"}])
def test_choices_are_a_list_in_an_order(choices: Any) -> None:
    with pytest.raises(SpaceError, match="choices: must be a list of values, got "):
        rs.Choice(choices)


def test_a_module_is_no_metric() -> None:
    with pytest.raises(RequestError, match=r"math.* cannot be found again .* give a function"):
        rs.Sweep("m", space=rs.space(dropout=rs.Float(0, 0.5)), trials=2, metrics=[math])  # type: ignore[list-item]


@pytest.mark.parametrize("ask", [rs.load, rs.resume, rs.verdict])
def test_what_is_no_study_is_told_so(ask: Callable[[Any], Any], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"a study is what rs\.run gave or its folder, got None"):
        ask(None)
    with pytest.raises(StudyError, match="this is no study"):
        ask(tmp_path)


def test_two_models_of_one_name_are_refused(notebook: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text("def gated(inputs): return inputs")
    with pytest.raises(SweepFileError, match="have one name"):
        a_sweep(notebook.gated, f"{tmp_path}/gated.py:gated")


def test_what_a_cell_imports_from_beside_the_notebook_goes_along(
    notebook: ModuleType, tmp_path: Path, in_its_folder: None
) -> None:
    (tmp_path / "beside_it.py").write_text("from further.on import by\n")
    (tmp_path / "further").mkdir()
    (tmp_path / "further" / "__init__.py").touch()
    (tmp_path / "further" / "on.py").write_text("by = 2\n")
    notebook.In.append("from beside_it import by\ndef doubled(actual, predicted):\n    return by")
    exec(notebook.In[-1], notebook.__dict__)
    reference = reference_of(notebook.doubled)
    own = rs.Sweep("kept", metrics=["mae", notebook.doubled]).metrics["doubled"]
    assert own is not None
    files = ("beside_it.py", "further/__init__.py", "further/on.py", "notebook_doubled.py")
    assert own.files == files and own.root != tmp_path
    assert reference_of(notebook.doubled) == reference
    sweep = rs.Sweep("kept", metrics=["mae", notebook.doubled])
    keep_code(tmp_path / "study", sweep)
    record = code_record(sweep)
    write_json(tmp_path / "study" / "provenance.json", {"code": record})
    refuse_changed_objects(tmp_path / "study", [notebook.doubled])
    (tmp_path / "further" / "on.py").write_text("by = 3\n")
    assert reference_of(notebook.doubled) != reference
    with pytest.raises(StateError, match=r"(?s)on.py changed since study began.*-by = 2.*by = 3"):
        refuse_changed_objects(tmp_path / "study", [notebook.doubled])


def test_a_notebook_is_asked_again_on_resume(notebook: ModuleType, tmp_path: Path) -> None:
    sweep = a_sweep("plain", notebook.gated)
    keep_code(tmp_path, sweep)
    record = code_record(sweep)
    write_json(tmp_path / "provenance.json", {"code": record})
    source = tmp_path / record["gated"]["source"]  # which stays when this process is gone
    assert source.read_bytes() == Path(reference_of(notebook.gated).rpartition(":")[0]).read_bytes()
    refuse_changed_objects(tmp_path, None)
    gated = notebook.gated
    del notebook.gated
    with pytest.raises(StateError, match=r"run its cell again, or pass it: .*own=\[gated\]"):
        refuse_changed_objects(tmp_path, None)
    refuse_changed_objects(tmp_path, "saved")
    for mistake in ("save", gated, ["gated"]):
        with pytest.raises(RequestError, match='or "saved"; got'):
            refuse_changed_objects(tmp_path, mistake)
    notebook.gated = gated
    notebook.In.append("def scaled(x, by=WIDTH):\n    return x / by")
    exec(notebook.In[-1], notebook.__dict__)
    with pytest.raises(StateError, match=r"(?s)changed since .*\n  -.*math.sqrt.*\n  \+.*x / by"):
        refuse_changed_objects(tmp_path, [gated])


def test_a_helper_may_be_named_as_saved_source_is(
    notebook: ModuleType, tmp_path: Path, in_its_folder: None
) -> None:
    (tmp_path / "notebook_utils.py").write_text("by = 2\n")
    notebook.In.append(
        "from notebook_utils import by\ndef twice(actual, predicted):\n    return by"
    )
    exec(notebook.In[-1], notebook.__dict__)
    sweep = rs.Sweep("kept", metrics=["mae", notebook.twice])
    keep_code(tmp_path / "study", sweep)
    write_json(tmp_path / "study" / "provenance.json", {"code": code_record(sweep)})
    refuse_changed_objects(tmp_path / "study", None)
    (tmp_path / "notebook_utils.py").rename(tmp_path / "notebook_twice.py")
    notebook.In.append(
        "from notebook_twice import by\ndef twice(actual, predicted):\n    return by"
    )
    exec(notebook.In[-1], notebook.__dict__)
    with pytest.raises(RequestError, match=r"notebook_twice.py has the name .* rename that file"):
        reference_of(notebook.twice)


@pytest.mark.parametrize(
    ("file", "name", "place"),
    [
        (None, None, ""),
        ("lab/train.py", None, "lab"),
        ("lab/train.py", "train", "lab"),
        ("lab/train.py", "lab.train", ""),
        ("lab/runs/__main__.py", "lab.runs.__main__", ""),
    ],
)
def test_what_a_script_imports_is_sought_where_python_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, name: str | None, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    main = ModuleType("__main__")
    main.__file__ = file and str(tmp_path / file)
    main.__spec__ = name and ModuleSpec(name, None)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert _home() == tmp_path / place


def test_models_of_one_name_are_told_apart_by_names_that_the_sweep_gives(
    notebook: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "gated.py").write_text("def gated(inputs): return inputs")
    spec = importlib.util.spec_from_file_location("gated", tmp_path / "gated.py")
    assert spec is not None and spec.loader is not None
    other = importlib.util.module_from_spec(spec)
    sys.modules["gated"] = other
    try:
        spec.loader.exec_module(other)
        with pytest.raises(RequestError, match=r"two models are called gated: .*architectures=\{"):
            rs.Choice(["plain", notebook.gated, other.gated])
        space = rs.space(architecture=rs.Choice(["plain", notebook.gated, "gated_2"]))
        sweep = rs.Sweep(
            "two", space=space, trials=3, architectures={"gated_2": other.gated},
            compare="architecture",
        )  # fmt: skip
        with pytest.raises(RequestError, match=r"two models are called gated: .*gated_2"):
            rs.Sweep("two", space=space, trials=3, architectures={"gated": other.gated})
    finally:
        del sys.modules["gated"]
    assert sweep.arms == ("plain", "gated", "gated_2")
    assert sweep.architectures["gated_2"].root == tmp_path


def test_errors_can_be_caught_by_the_names_that_the_docstrings_have() -> None:
    with pytest.raises(rs.SweepFileError):
        rs.Sweep("a b")
    with pytest.raises(rs.SpaceError):
        rs.space(a=rs.Int(2, 1))
    assert issubclass(rs.SweepFileError, rs.RecsweepError)
    assert issubclass(rs.StudyError, rs.StateError)
