"""Own data sets, splits, samplers and pruners in a sweep and in its study."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

import recsweep as rs
from experiments.cli.wording import search_text
from experiments.errors import DataProblem, RequestError, StateError, SweepFileError
from experiments.request.config import load_sweep, sweep_to_toml
from experiments.study import resume_study, run_study
from experiments.watcher import Silent
from recommender.own_functions import read_function
from tests.in_process import InProcess
from tests.own_helpers import write_helpers

pytestmark = pytest.mark.slow

SWEEP = """
dataset = { name = "mine.py:load", features = ["user_id", "item_id", "price"] }
split = { method = "mine.py:latest_last" }
model = { embedding_size = 2, n_layers = 1, layer_size_0 = 4, batch_size = 64 }
[space]
learning_rate = { low = 1e-3, high = 1e-1, log = true }
[search]
trials = 3
max_epochs = 2
sampler = { name = "mine.py:warm_random", n_random = 2 }
pruner = { name = "mine.py:strict", percent = 25 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_helpers(tmp_path)
    (tmp_path / "own.toml").write_text(SWEEP)
    return tmp_path / "own.toml"


def test_a_sweep_of_own_functions_is_frozen_resumed_and_guarded(
    file: Path, workers: InProcess
) -> None:
    sweep = load_sweep(file)
    assert sweep.search is not None and sweep.search.sampler == "mine.py: warm_random"
    root = file.parent / "studies"
    whole = run_study(sweep, root=root, watcher=Silent()).study
    assert whole.state == "finished" and len(whole.trials) == 3
    assert {p.name for p in (whole.folder / "code").iterdir()} == {"mine.py", "more.py"}
    names = {"the dataset", "the split", "the sampler", "the pruner"}
    assert whole.provenance["code"].keys() == names
    frozen = (whole.folder / "sweep.toml").read_text()
    for line in (
        'name = "code/mine.py:load"',
        'method = "code/mine.py:latest_last"',
        'sampler = { name = "code/mine.py:warm_random", n_random = 2 }',
        'pruner = { name = "code/mine.py:strict", percent = 25 }',
    ):
        assert line in frozen
    again = load_sweep(whole.folder / "sweep.toml")
    assert "· mine.py:warm_random, mine.py:strict ·" in search_text(whole)
    assert again == sweep and sweep_to_toml(again).count(str(whole.folder / "code/mine.py")) == 4
    more = run_study(load_sweep(file, ["search.trials=5"]), root=root, watcher=Silent()).study
    extended = resume_study(whole.folder, watcher=Silent(), n_trials=5).study
    assert [t.values for t in extended.trials] == [t.values for t in more.trials]

    path = file.parent / "more.py"
    path.write_text(path.read_text().replace("n=900", "n=901"))
    said = r"(?s)more.py changed since own began \(the dataset\).*\+def ratings"
    with pytest.raises(StateError, match=said):
        resume_study(whole.folder, watcher=Silent(), n_trials=6)


def test_what_a_process_imported_stays_what_it_is(
    file: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.delitem(sys.modules, "more", raising=False)
    more = importlib.import_module("more")
    path = [*sys.path]
    study = rs.run(file, studies=file.parent / "studies", quiet=True)
    study = rs.resume(study, quiet=True)
    study.predictions(0)
    assert sys.modules["more"] is more
    assert sys.path == path
    monkeypatch.delitem(sys.modules, "more")


def test_functions_may_be_given_as_objects(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    import mine  # type: ignore[import-not-found]

    try:
        sweep = rs.Sweep(
            "own",
            dataset=mine.load,
            split=mine.latest_last,
            space=rs.space(learning_rate=rs.Float(1e-3, 1e-1, log=True)),
            sampler={"name": mine.warm_random, "n_random": 2},
            pruner=mine.strict,
            trials=3,
        )
    finally:
        for name in ("mine", "more"):
            sys.modules.pop(name, None)
    assert sweep.dataset.own == load_sweep(file).dataset.own
    assert sweep.search is not None and sweep.search.pruner == "mine.py: strict"


def test_every_mistake_in_the_references_is_told_at_once(file: Path) -> None:
    file.write_text(
        SWEEP.replace("mine.py:load", "mine.py:lode")
        .replace("mine.py:latest_last", "none.py:split")
        .replace("n_random", "n_randon")
        .replace("percent = 25", 'percent = "many"')
    )
    with pytest.raises(SweepFileError) as caught:
        load_sweep(file)
    assert [problem.key for problem in caught.value.problems] == [
        "dataset.name",
        "split.method",
        "search.sampler.n_randon",
        "search.pruner.percent",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unseeded", "bad.py: unseeded proposes other values under the same seed"),
        ("counting", r"bad.py: counting proposes other values once a sweep was resumed \(\{.*QMC"),
        ("no_sampler", "bad.py: no_sampler must give an Optuna sampler, got 'tpe'"),
        ("raises", r'(?s)bad.py", line \d+, in raises.*ValueError: not \d+$'),
        ("late", r"(?s)bad.py.*No module named 'only_elsewhere'; install it, or, where it is"),
    ],
)
def test_a_sampler_that_cannot_work_is_refused_before_anything_is_written(
    file: Path, name: str, said: str
) -> None:
    sweep = load_sweep(file, [f'search.sampler="{file.parent}/bad.py:{name}"'])
    with pytest.raises(RequestError, match=said):
        run_study(sweep, root=file.parent / "studies", watcher=Silent())
    assert not (file.parent / "studies").exists()


def test_data_that_differ_each_time_are_refused_before_anything_is_written(file: Path) -> None:
    sweep = load_sweep(file, [f'dataset.name="{file.parent}/bad.py:sampled"'])
    with pytest.raises(
        DataProblem, match=r"bad\.py: sampled gives other data when it is called aga"
    ):
        run_study(sweep, root=file.parent / "studies", watcher=Silent())
    assert not (file.parent / "studies").exists()


@pytest.fixture
def table(file: Path) -> Path:
    path = file.parent / "ratings.csv"
    path.write_text(
        "user,item,rating,time\n" + "".join(f"{n % 9},{n},{n % 5},{n}\n" for n in range(99))
    )
    return path


def test_data_that_lie_beside_the_code_are_refused_before_anything_is_written(
    file: Path, table: Path
) -> None:
    own = [f'dataset={{ name = "{table.parent}/bad.py:beside" }}', 'split.method="random"']
    sweep = load_sweep(file, own)
    with pytest.raises(DataProblem, match=r"(?s)bad\.py: beside gives data in .*by its whole path"):
        run_study(sweep, root=file.parent / "studies", watcher=Silent())
    assert not (file.parent / "studies").exists()


@pytest.mark.parametrize("place", ["beside", "somewhere"])
def test_a_model_whose_files_lie_beside_its_code_is_told_that_they_stay_there(
    file: Path, table: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (file.parent / "empty").mkdir()
    monkeypatch.chdir(file.parent / "empty")
    file.write_text(f"""
        [dataset]
        path = "{table}"
        columns = {{ user = "user", item = "item", rating = "rating" }}
        [split]
        method = "random"
        [model]
        architecture = "bad.py:Vocabulary"
        place = "{place}"
        [space.size]
        choices = [8]
        [search]
        trials = 1
    """)
    (trial,) = run_study(
        load_sweep(file), root=file.parent / "studies", watcher=Silent()
    ).study.trials
    assert re.match(r"bad\.py:\d+: FileNotFoundError: .*by its whole path$", trial.error or "")


@pytest.fixture
def namesakes(tmp_path: Path) -> dict[str, str]:
    """A data set and a split, each beside a `common.py` of its own."""
    for folder, text in (("data", "N = 40"), (".", "N = 30")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "common.py").write_text(f"{text}\n")
    (tmp_path / "data" / "load.py").write_text(
        "from common import N\nimport pandas as pd\n\n\ndef load():\n"
        "    rows = [(u, i, 1.0 + (u * i) % 5) for u in range(9) for i in range(N)]\n"
        "    return pd.DataFrame(rows, columns=['user', 'item', 'rating'])\n"
    )
    (tmp_path / "cut.py").write_text(
        "from common import N\nimport numpy as np\n\n\ndef cut(ratings):\n"
        "    parts = np.array(['train', 'validation', 'test'])\n"
        "    return parts[(ratings['item'].astype(int) >= N).to_numpy() * 1 + "
        "(ratings['item'].astype(int) >= N + 5)]\n"
    )
    return {"name": f"{tmp_path}/data/load.py:load", "method": f"{tmp_path}/cut.py:cut"}


def test_each_folders_code_has_its_own_modules_of_a_name(namesakes: dict[str, str]) -> None:
    load = read_function(namesakes["name"], Path("/"), ())
    cut = read_function(namesakes["method"], Path("/"), ("frame",))
    dataset, split = rs.DatasetConfig(load.where, own=load), rs.SplitConfig("own", own=cut)
    data = rs.load_dataset(dataset, split)
    assert len(data.encoded.train) == 9 * 30


def test_files_that_would_overwrite_each_other_in_a_study_are_refused(
    namesakes: dict[str, str],
) -> None:
    with pytest.raises(SweepFileError, match=r"would be one file in the study's code/; rename one"):
        rs.Sweep("two", dataset={"name": namesakes["name"]}, split={"method": namesakes["method"]})
