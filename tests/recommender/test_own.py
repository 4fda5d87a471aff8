from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recommender.config import config_to_json, ranking_config
from recommender.errors import ModelError, OwnCodeError
from recommender.own import read_own
from recommender.own_loading import blamed_on, load
from tests.own_models import write_models


def test_keyword_parameters_are_read_without_running_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "raise SystemExit\ndef mine(x, *, n=4, rate=1e-4, name='a', wide=True, size=N, must): ..."
    )
    own = read_own("mine.py:mine", tmp_path)
    assert own.defaults() == {"n": 4, "rate": 1e-4, "name": "a", "wide": True}
    assert [p.name for p in own.parameters if p.is_required] == ["must"]


def test_constants_of_the_file_and_arithmetic_are_read_as_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\nHEADS = 4\nWIDTH: int = 8 * HEADS\nTWICE = 1\nTWICE = 2\n"
        "def mine(x, *, n=HEADS, rate=1 / 4, width=WIDTH - -1, name='a' * 3, size=N, late=LATE, "
        "cores=os.cpu_count(), twice=TWICE, over=1 / 0, none=None, pair=(1, 2)): ...\nLATE = 1\n"
        "class Mine:\n"
        "    HEADS = 3\n"
        "    def __init__(self, data, *, n=HEADS, width=2**4): ...\n"
        "    def fit_epoch(self): ...\n"
        "    def predict(self, rows): ...\n"
    )
    own = read_own("mine.py:mine", tmp_path)
    assert own.defaults() == {"rate": 0.25}
    unread = [p.name for p in own.parameters if not p.is_readable]
    assert unread == ["n", "width", "name", "size", "late", "cores", "twice", "over"]
    source = (tmp_path / "mine.py").read_text().replace("    HEADS = 3\n", "")
    (tmp_path / "mine.py").write_text(source)
    own = read_own("mine.py:mine", tmp_path)
    assert own.defaults() == {"n": 4, "rate": 0.25, "width": 33}
    assert read_own("mine.py:Mine", tmp_path).defaults() == {"n": 4, "width": 16}
    (tmp_path / "mine.py").write_text(f"{source}\nfrom os import *\n")
    assert read_own("mine.py:Mine", tmp_path).defaults() == {"width": 16}


def test_what_a_file_imports_from_its_folder_belongs_to_it(tmp_path: Path) -> None:
    own = read_own("gated.py:gated", write_models(tmp_path))
    assert own.files == ("gated.py", "parts.py")
    (tmp_path / "parts.py").write_text("changed = True\n")
    assert read_own("gated.py:gated", tmp_path).digest != own.digest


def test_of_a_package_its_own_modules_come_along_and_nothing_runs(tmp_path: Path) -> None:
    for name, text in {
        "__init__.py": "raise SystemExit",
        "models.py": "from .deep.layers import x\nimport numpy\ndef gated(inputs, *, n=1): ...",
        "deep/__init__.py": "",
        "deep/layers.py": "from .. import table",
        "table.py": "",
        "unused.py": "",
    }.items():
        path = tmp_path / "mypackage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = read_own("mypackage.models:gated", tmp_path)
    assert own.files == tuple(
        f"mypackage/{name}"
        for name in ("__init__.py", "deep/__init__.py", "deep/layers.py", "models.py", "table.py")
    )
    assert (own.root, own.module) == (tmp_path, "mypackage.models")
    assert "mypackage" not in sys.modules
    assert read_own("mypackage/models.py:gated", tmp_path) == own


@pytest.mark.parametrize(
    ("source", "reference", "told"),
    [
        ("", "other.py:mine", "there is no file"),
        ("", "~nobody-of-this-name/other.py:mine", "there is no file"),
        ("", "no.such.module:mine", "finds no module 'no'"),
        ("", "mi-ne:mine", "neither a Python file nor a module"),
        ("from other import mine", "mine.py:mine", "it imports it: name the file that defines it"),
        ("def yours(x): ...", "mine.py:mine", "has no function or class 'mine'; it has yours"),
        (
            "class mine: ...",
            "mine.py:mine",
            "mine.py:1: mine has no fit_epoch and no predict; a whole",
        ),
        ("async def mine(x): ...", "mine.py:mine", "mine.py:1: mine is no plain function"),
        ("def mine(x):\n  return x +", "mine.py:mine", "mine.py:2: invalid syntax"),
        ("def mine(*, n=1): ...", "mine.py:mine", "must take the embeddings first"),
        ("def mine(x, n=1): ...", "mine.py:mine", "write def mine(x, *, n, ...)"),
    ],
)
def test_a_reference_that_cannot_be_an_architecture_is_told(
    tmp_path: Path, source: str, reference: str, told: str
) -> None:
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(ModelError) as caught:
        read_own(reference, tmp_path)
    assert told in str(caught.value)


def test_a_trials_values_become_arguments_of_the_types_of_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def mine(x, *, n=4, rate=0.5, dropout=0.1, must): ...")
    architectures = {"mine": read_own("mine.py:mine", tmp_path)}
    values = {"architecture": "mine", "rate": 1, "dropout": 0.2, "must": "a", "n_layers": 3}
    config = ranking_config(values, architectures)
    assert config.own_arguments == (("rate", 1.0), ("dropout", 0.2), ("must", "a"))
    assert type(config.own_arguments[0][1]) is float
    assert ranking_config(values | {"architecture": "plain"}, architectures).own is None
    with pytest.raises(ModelError, match=r"mine needs must.*n must be a whole number.*got 1.5"):
        ranking_config({"architecture": "mine", "n": 1.5}, architectures)


def test_defaults_of_theirs_for_what_recsweep_applies_are_what_is_trained(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import tensorflow as tf\n\n\n"
        "def mine(x, *, embedding_size=8, batch_size=64, n_layers=7, activation='mish'): ...\n\n\n"
        "class Net(tf.keras.Model):\n"
        "    def __init__(self, data, *, learning_rate=0.05, units=4): super().__init__()\n"
        "    def call(self, inputs): ...\n"
    )
    own = {name: read_own(f"mine.py:{name}", tmp_path) for name in ("mine", "Net")}
    mine = ranking_config({"architecture": "mine"}, own)
    assert (mine.embedding_size, mine.batch_size, mine.n_layers) == (8, 64, 2)
    assert ranking_config({"architecture": "mine", "batch_size": 32}, own).batch_size == 32
    assert ranking_config({"architecture": "Net"}, own).learning_rate == 0.05
    assert ranking_config({"architecture": "plain"}, own).learning_rate == 1e-3


def test_a_checkpoint_knows_the_source_and_not_its_place(tmp_path: Path) -> None:
    first = read_own("gated.py:gated", write_models(tmp_path))
    (tmp_path / "moved").mkdir()
    second = read_own("gated.py:gated", write_models(tmp_path / "moved"))
    configs = [ranking_config({"architecture": "g"}, {"g": own}) for own in (first, second)]
    assert configs[0] == configs[1]
    assert config_to_json(configs[0]) == config_to_json(configs[1])
    assert str(tmp_path) not in str(config_to_json(configs[0]))


def test_importing_leaves_nothing_beside_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "kept_clean.py").write_text("import kept_clean_part\ndef mine(x, *, n=1): ...\n")
    (tmp_path / "kept_clean_part.py").write_text("")
    load(read_own("kept_clean.py:mine", tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept_clean.py", "kept_clean_part.py"]
    assert sys.dont_write_bytecode is False


def test_a_file_of_theirs_never_takes_the_place_of_a_package_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def gated(inputs):\n    return inputs\n")
    for name in ("reports", "search_spaces"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not the one you look for')\n")
    code = (
        "from pathlib import Path; from recommender.own import read_own; "
        "from recommender.own_loading import load; "
        f"load(read_own('mine.py:gated', Path({str(tmp_path)!r}))); "
        "import search_spaces, reports; print(reports.__file__, search_spaces.__file__)"
    )
    done = subprocess.run(  # our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize(
    "error", ["asyncio.CancelledError()", "Unusual('so it is')", "SystemExit(3)"]
)
def test_whatever_own_code_raises_is_told_by_its_line(error: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import asyncio\n\n\nclass Unusual(BaseException): ...\n\n\n"
        f"def mine(inputs):\n    raise {error}\n"
    )
    own = read_own("mine.py:mine", tmp_path)
    function = load(own)
    with pytest.raises(OwnCodeError, match=r"mine\.py:8: "), blamed_on(own):
        function(None)


def test_what_saved_source_raises_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "notebook_gated.py").write_text("def gated(x):\n    return x / 0\n")
    own = read_own("notebook_gated.py:gated", tmp_path)
    told = r"^notebook_gated\.py:2 \(return x / 0\): ZeroDivisionError: "
    with pytest.raises(OwnCodeError, match=told), blamed_on(own):
        load(own)(1)


def test_ctrl_c_in_own_code_is_no_error_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def mine(inputs): ...\n")
    with pytest.raises(KeyboardInterrupt), blamed_on(read_own("mine.py:mine", tmp_path)):
        raise KeyboardInterrupt
