"""`--gpu-share` as it is typed, on a machine with a GPU that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli.main import app
from experiments.cli.wording import header_lines
from experiments.data.study_data import load_data
from experiments.folder import folders
from experiments.machine.machine import Gpu, Machine
from experiments.machine.packing import Measured, Packing
from experiments.machine.resources import Resources
from experiments.records import read_study
from experiments.running.sessions import record_packing
from tests.small_studies import a_sweep

MACHINE = Machine(4, "a", 8.0, (Gpu(0, "GPU-0", "NVIDIA X", 16.0, 16.0),))


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("experiments.machine.machine", "experiments.machine.taking"):
        monkeypatch.setattr(f"{module}.read_machine", lambda *_: MACHINE)


def test_a_plan_says_that_a_probe_will_choose_the_share() -> None:
    run = ["run", "quickstart", "--plan", "--gpu-share"]
    said = CliRunner().invoke(app, [*run, "auto"])
    assert said.exit_code == 0, said.output
    assert "with 1 worker; a first guess" in said.stdout
    line = "one trial a GPU; a probe before the first one chooses how many share it, at most 4 at"
    assert line in said.stdout
    assert "at most 2 at once" in CliRunner().invoke(app, [*run, "auto", "-j", "2"]).stdout
    assert "probe" not in CliRunner().invoke(app, [*run, "0.5"]).stdout


def test_a_plan_of_a_verdict_says_so_too(study: Path) -> None:
    command = ["verdict", study.name, "--studies", str(study.parent), "--plan", "--gpu-share"]
    said = CliRunner().invoke(app, [*command, "auto"])
    assert said.exit_code == 0, said.output
    assert "machine  one trial a GPU; a probe" in said.stdout
    assert "probe" not in CliRunner().invoke(app, [*command, "1"]).stdout


def test_a_share_that_is_neither_a_number_nor_auto_is_refused() -> None:
    said = CliRunner().invoke(app, ["run", "quickstart", "--plan", "--gpu-share", "half"])
    assert "--gpu-share must be a number from 0 to 1, or auto; got 'half'" in str(said.exception)


@pytest.mark.parametrize(
    ("resources", "said", "repeats"),
    [
        (Resources(gpus=1.0, workers=1), None, True),
        (Resources(gpus=1.0, workers=1), "0", False),
        (Resources(gpus=0.0, workers=1), "0", None),
        (Resources(gpus=1.0, workers=1, address="10.0.0.1:6379"), "0", None),
    ],
)
def test_a_study_records_whether_its_gpus_add_up_in_one_order(
    ratings_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resources: Resources,
    said: str | None,
    repeats: bool | None,
) -> None:
    monkeypatch.delenv("TF_DETERMINISTIC_OPS", raising=False)
    if said is not None:
        monkeypatch.setenv("TF_DETERMINISTIC_OPS", said)
    sweep = a_sweep(ratings_csv)
    description = load_data(sweep).description
    folder = folders.create(tmp_path / "made", sweep, description, MACHINE, resources, ())
    assert read_study(folder).provenance["gpu_repeats"] is repeats


def test_a_study_begins_with_one_trial_a_gpu_until_the_probe_has_chosen(
    ratings_csv: Path, tmp_path: Path
) -> None:
    sweep = a_sweep(ratings_csv)
    settled = Resources(gpus="auto").settle(MACHINE)
    description = load_data(sweep).description
    folder = folders.create(tmp_path / "made", sweep, description, MACHINE, settled, ())

    def machine_line() -> str:
        return next(line for line in header_lines(read_study(folder)) if "NVIDIA X" in line)

    assert machine_line().endswith("1 worker, more where a probe finds room")
    for n, why in ((3, "first"), (2, "then")):
        packing = Packing(n, why, {1: Measured(2.0, 100.0)})
        record_packing(folder, packing, settled.packed(n, 1))
    provenance = read_study(folder).provenance
    assert [(p["trials_per_gpu"], p["why"]) for p in provenance["packing"]] == [
        (3, "first"),
        (2, "then"),
    ]
    # As with all that may change from run to run: the study tells what it began with.
    assert machine_line().endswith("3 workers")
    assert provenance["resources"]["gpus"] == 0.3333
    assert provenance["packing"][0]["measured"]["1"] == {"epochs_per_s": 2.0, "memory_mb": 100.0}
