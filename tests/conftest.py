"""Fixtures that several packages' tests share."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from matplotlib.figure import Figure
from playwright.sync_api import Browser, sync_playwright

from experiments.machine.cluster import ray_cluster
from experiments.machine.gpu_memory import ask_nvidia_smi, parse_gpus
from experiments.machine.machine import Gpu, Machine
from experiments.machine.resources import Resources
from reports.drawing import canvas
from tests.synthetic import synthetic_ratings

# Ray reads these when it is imported, which some tests do before the cluster starts.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

# A run must not fail because of its seed or of a busy machine; `--hypothesis-profile default` looks
# for new examples.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

TWO_GPUS = Machine(
    n_cpus=4,
    cpu="logical",
    memory_gb=8.0,
    gpus=tuple(Gpu(i, f"GPU-{i}", "logical", 16.0, 16.0) for i in range(2)),
)


@pytest.fixture(scope="session", autouse=True)
def paint_prints() -> Iterator[Callable[..., dict[str, bytes]]]:
    """What paints a report's PNG and PDF files, over half of its work; reports of the tests do
    without unless a test puts it back."""
    with pytest.MonkeyPatch.context() as patch:
        real = canvas.paint_prints
        patch.setattr(
            canvas,
            "paint_prints",
            lambda _, name, __: {f"{name}.png": b"not painted in the tests"},
        )
        yield real


@pytest.fixture
def undrawn(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[tuple[Figure, Figure], str, str]]:
    """Reports without what matplotlib draws, most of their work; gives what draws it."""
    real = canvas.draw
    blank = '<svg viewBox="0 0 1 1"></svg>'
    monkeypatch.setattr(canvas, "draw", lambda paint: ((Figure(), Figure()), blank, blank))
    return real


@pytest.fixture(scope="session")
def ml100k_path() -> Path:
    """The folder of the real MovieLens 100K; the test is skipped where there is none."""
    beside_the_project = Path(__file__).parents[2] / "shared" / "data" / "ml-100k"
    folder = Path(os.environ.get("RECSWEEP_ML100K", beside_the_project))
    if not (folder / "u.data").is_file():
        pytest.skip("MovieLens 100K is not here; set RECSWEEP_ML100K to its folder")
    return folder


@pytest.fixture(scope="session")
def real_gpu() -> None:
    """Skips where the driver shows no GPU, or TensorFlow comes without NVIDIA's libraries."""
    if not parse_gpus(ask_nvidia_smi()):
        pytest.skip("there is no GPU here")
    count = "from recommender.runtime import tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
    if int(done.stdout) == 0:
        pytest.skip("TensorFlow sees no GPU; install recsweep[gpu]")


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user as containers make them up: neither a name nor a home folder."""

    def getpwuid(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", getpwuid)
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks as Lustre's where it is mounted without them."""

    def lockf(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.lockf", lockf)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Machine]:
    """One Ray for the whole run: two logical GPUs and four logical cores, whatever there is."""
    with pytest.MonkeyPatch.context() as patch:
        # A worker's code that a test ran in this process hides them all.
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        with ray_cluster(Resources(workers=4), TWO_GPUS):
            yield TWO_GPUS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, the one that is installed; where there is none the test is skipped."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium; Debian's package is `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def ratings_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    synthetic_ratings(60, 40, 1500).to_csv(path, index=False)
    return path
