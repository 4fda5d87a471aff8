"""What cannot work, tried for real as a user would type it: refused at once, with a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli.main import main
from experiments.request.config import sweep_to_toml
from tests.integration.test_sweeps import small_sweep

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def recsweep(
    *arguments: str, cwd: Path, environ: dict[str, str] | None = None, within: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*within, sys.executable, "-m", "experiments.cli.main", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environ or {}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def sweep_file(ratings_csv: Path, tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(sweep_to_toml(small_sweep(ratings_csv)))
    return file


Refused = Callable[..., tuple[object, str]]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """`refused("run", ...)` in this process: the exit code and what it says of the reason."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr("sys.argv", ["recsweep", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    return run


def test_studies_below_a_file_or_in_a_place_that_takes_none_are_refused(
    sweep_file: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "taken").write_text("")
    for place, why in (
        ("taken", "taken is a file; --studies must name a folder"),
        ("taken/deeper", "taken is a file; --studies must name a folder"),
        ("/proc/studies", "/proc/studies cannot be written to: No such file or directory"),
    ):
        code, said = refused("run", str(sweep_file), "--studies", place)
        assert (code, why in said) == (2, True), said


def test_a_study_whose_name_a_file_or_a_folder_of_others_has_is_refused(
    sweep_file: Path, tmp_path: Path, refused: Refused
) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "small").write_text("mine")
    (studies / "other").mkdir()
    (studies / "other" / "thesis.txt").write_text("mine")
    for name in ("small", "other"):
        code, said = refused("run", str(sweep_file), "--set", f"name={name}")
        assert code == 4, said
        assert f"{name} is there and is no study; choose another name" in said
    assert (studies / "small").read_text() == (studies / "other" / "thesis.txt").read_text()


def test_a_read_only_disk_is_refused_before_ray_starts(sweep_file: Path, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    mount = f"mount --bind {studies} {studies} && mount -o remount,ro,bind {studies}"
    own_mounts = ("unshare", "--mount", "sh", "-c")
    if shutil.which("unshare") is None or subprocess.run([*own_mounts, mount]).returncode:
        pytest.skip("this user may not mount a disk read-only")
    done = recsweep(
        "run",
        str(sweep_file),
        "--studies",
        str(studies),
        cwd=tmp_path,
        within=(*own_mounts, f'{mount} && exec "$@"', "sh"),
    )
    assert done.returncode == 2, done.stderr
    assert f"{studies} cannot be written to: Read-only file system; name another" in done.stderr


def test_a_ray_that_does_not_start_is_tried_twice_and_its_logs_are_named(
    sweep_file: Path, tmp_path: Path
) -> None:
    """Its head has no time at all to say where it listens."""
    environ = {"RAY_gcs_server_port_wait_time_s": "0"}
    done = recsweep("run", str(sweep_file), cwd=tmp_path, environ=environ)
    assert done.returncode == 7, done.stderr
    assert "Ray did not start, twice: Timed out" in done.stderr
    logs = done.stderr.rpartition("Its logs are in ")[2].partition(";")[0]
    assert Path(logs).is_dir()


KERAS_3 = """
import tensorflow as tf
assert tf.keras.__version__.startswith("3")
import experiments.study, reports.render  # a notebook's sweep and report do without
import recsweep
try:
    recsweep.train_ranking
except ImportError as error:
    print(error)
"""


def test_keras_3_is_refused_by_name_where_training_runs_and_only_there() -> None:
    environ = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", KERAS_3], env=environ, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "TensorFlow was imported with Keras 3" in done.stdout
    assert "set the environment variable TF_USE_LEGACY_KERAS=1 before the first" in done.stdout


def test_a_tensorflow_whose_keras_nobody_touched_is_not_refused() -> None:
    environ = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    script = "import tensorflow as tf; tf.Module; import recsweep; recsweep.train_ranking"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
