"""A researcher's own models on the workers of a real Ray."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.board.board_check import check_board
from experiments.errors import StateError
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources
from experiments.records import StopReason, TrialRecord, TrialState
from experiments.request.config import load_sweep
from experiments.running.bridge import SCRATCH_PREFIX
from experiments.running.stopping import StopCause, StopSwitch
from experiments.study import resume_study, run_study
from experiments.watcher import Silent
from recsweep import Choice, Float, Sweep, space
from tests.own_classes import write_classes
from tests.own_models import write_models
from tests.synthetic import ratings_table

pytestmark = pytest.mark.ray


def test_an_own_architecture_trains_beside_ours_and_one_that_fails_there_harms_nobody(
    cluster: Machine, ratings_csv: Path, tmp_path: Path
) -> None:
    models = write_models(tmp_path)
    (models / "asks.py").write_text(
        "import tempfile\n\n\ndef asks(inputs):\n    raise OSError(tempfile.gettempdir())\n"
    )
    own = [f"{models}/{name}.py:{name}" for name in ("gated", "late", "asks")]
    sweep = Sweep(
        name="own",
        dataset=ratings_table(ratings_csv),
        space=space(
            architecture=Choice(["plain", *own]),
            noise=Float(0.0, 0.5),
        ),
        compare="architecture",
        model={"embedding_size": 4, "batch_size": 128},
        trials=8,
        max_epochs=2,
        pruner="none",
    )
    assert sweep.arms == ("plain", "gated", "late", "asks")
    outcome = run_study(sweep, root=tmp_path, watcher=Silent(), resources=Resources(2, gpus=0))
    study = outcome.study
    by_arm = {arm: [t for t in study.trials if t.arm == arm] for arm in sweep.arms}
    for arm in ("plain", "gated"):
        assert [t.state for t in by_arm[arm]] == [TrialState.COMPLETE] * 2
    assert by_arm["gated"][0].best_rmse != by_arm["gated"][1].best_rmse
    told = "late.py:1: ModuleNotFoundError: No module named 'only_on_some_other_machine'"
    assert [t.stop_reason for t in by_arm["late"]] == [StopReason.ERROR] * 2
    assert all((t.error or "").startswith(told) for t in by_arm["late"])
    # Temporary files go with the run.
    places = [Path((t.error or "").rpartition(" ")[2]) for t in by_arm["asks"]]
    assert all(place.name.startswith(SCRATCH_PREFIX) and not place.exists() for place in places)
    assert check_board(study) == []
    again = run_study(
        replace(sweep, name="again"),
        root=tmp_path,
        watcher=Silent(),
        resources=Resources(1, gpus=0),
    ).study
    assert [t.best_rmse for t in again.trials] == [t.best_rmse for t in study.trials]


def test_four_kinds_of_own_models_are_swept_beside_plain_stopped_resumed_and_guarded(
    cluster: Machine, ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a researcher would: in a folder that holds an `experiments` and a `reports` of its own."""
    lab = write_classes(tmp_path / "lab")
    for mine in ("experiments", "reports"):
        (lab / mine).mkdir()
        (lab / mine / "__init__.py").write_text("raise ImportError('not the one you look for')\n")
    python, toml = readme_example()
    (lab / "mine.py").write_text(python)
    (lab / "mine.toml").write_text(toml)
    monkeypatch.chdir(lab)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kinds = ["plain", "mine.py:gated", "mine.py:Offsets", "tutorial.py:MovielensModel"]
    sweep = load_sweep(
        "mine.toml",
        [
            f'dataset={{ path = "{ratings_csv}", columns = {{ user = "user", item = "item", '
            'rating = "rating", time = "time" } }',
            f"space.architecture.choices={[*kinds, 'hyper.py:Towers']}",
            "model.batch_size=128",
            'search={ trials = 5, max_epochs = 2, pruner = "none" }',
        ],
    )
    resources = Resources(1, gpus=0)

    class StopsAfterTheFirst(Silent):
        def trial_ended(self, trial: TrialRecord) -> None:
            StopSwitch(lab / "studies" / "mine").ask(StopCause.COMMAND)

    root = lab / "studies"
    stopped = run_study(sweep, root=root, watcher=StopsAfterTheFirst(), resources=resources)
    assert stopped.stopped_by is StopCause.COMMAND
    folder = stopped.study.folder

    tutorial = (lab / "tutorial.py").read_text()
    (lab / "tutorial.py").write_text(tutorial.replace("l2=1e-4", "l2=1e-3"))
    with pytest.raises(StateError, match=r"tutorial.py changed since mine began") as caught:
        resume_study(folder, watcher=Silent(), resources=resources)
    assert "+    def __init__(self, data, *, embedding_dimension=4, l2=1e-3):" in str(caught.value)
    (lab / "tutorial.py").write_text(tutorial)

    study = resume_study(folder, watcher=Silent(), resources=resources).study
    assert [(t.arm, t.state, t.error) for t in study.trials] == [
        (arm, TrialState.COMPLETE, None)
        for arm in ("plain", "gated", "Offsets", "MovielensModel", "Towers")
    ]
    assert len({t.best_rmse for t in study.trials}) == 5
    assert all(t.metric("mae") for t in study.trials)
    assert check_board(study) == []


def readme_example() -> tuple[str, str]:
    """The code and the sweep of "Bring your own", as they stand there."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("## Bring your own\n")[2].partition("\n## ")[0]
    assert section.count("\n") < 40
    python = section.partition("```python\n")[2].partition("```")[0]
    toml = section.partition("```toml\n")[2].partition("```")[0]
    return python, toml
