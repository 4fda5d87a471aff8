"""Ray's start and the resources asked for, without starting Ray."""

from __future__ import annotations

import errno
import gc
import math
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments.errors import ClusterError, RequestError, SweepFileError
from experiments.machine import cluster, ray_environment, ray_head
from experiments.machine.machine import Gpu, Machine
from experiments.machine.ray_environment import WORKER_ENVIRONMENT
from experiments.machine.ray_head import RayHead
from experiments.machine.resources import Resources
from experiments.study import run_study
from experiments.watcher import Silent
from tests.integration.test_sweeps import small_sweep

ROOT = Path(__file__).parents[3]
NO_GPU = Machine(n_cpus=2, cpu="a", memory_gb=8)
ONE_GPU = Machine(n_cpus=4, cpu="a", memory_gb=8, gpus=(Gpu(0, "GPU-0", "a", 16, 16),))


class FakeRay:
    """Refuses to start so many times."""

    def __init__(self, n_refusals: int) -> None:
        self.n_refusals = n_refusals
        self.options: list[dict[str, Any]] = []

    def init(self, **options: Any) -> None:
        self.options.append(options)
        if len(self.options) <= self.n_refusals:
            raise RuntimeError("The current node timed out during startup.\nmore")

    def shutdown(self) -> None: ...


def test_a_start_that_fails_is_tried_once_more() -> None:
    ray = FakeRay(1)
    cluster._start_local(ray, NO_GPU, Resources(workers=2), {})
    assert len(ray.options) == 2
    assert ray.options[0] == ray.options[1]


def test_a_start_that_fails_twice_names_the_logs_and_exits_with_7() -> None:
    with pytest.raises(ClusterError, match=r"did not start, twice: The current node.*\n.*logs"):
        cluster._start_local(FakeRay(2), NO_GPU, Resources(workers=2), {})
    assert ClusterError.exit_code == 7


def test_a_folder_too_long_for_sockets_is_said_before_a_study_is_begun(
    ratings_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/scratch/" + "x" * 60)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # nothing leaks into other tests
    sweep = small_sweep(ratings_csv, "begun-too-early")
    with pytest.raises(ClusterError, match="TMPDIR"):
        run_study(sweep, root=tmp_path, watcher=Silent())
    assert not list(tmp_path.iterdir())


def test_rays_folder_is_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(ray_environment, "_LONGEST_SOCKET_PATH", 1000)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # nothing leaks into other tests
    folder = ray_environment.ray_folder(os.environ)
    ray_environment.set_environment(Resources(workers=1))
    ray = FakeRay(0)
    cluster._start_local(ray, NO_GPU, Resources(workers=1), {})
    assert ray.options[0]["_temp_dir"] == str(folder / "ray")
    assert (folder.stat().st_mode & 0o777, str(os.getuid()) in folder.name) == (0o700, True)
    folder.rmdir()
    folder.symlink_to(tmp_path)  # as another user may have put it there
    with pytest.raises(ClusterError, match="not this user's"):
        ray_environment.set_environment(Resources(workers=1))


def test_ray_is_told_what_this_process_may_use_and_shows_no_dashboard() -> None:
    ray = FakeRay(0)
    cluster._start_local(ray, ONE_GPU, Resources(workers=8, cpus=1), {})
    (options,) = ray.options
    assert (options["address"], options["num_cpus"], options["num_gpus"]) == ("local", 8, 1)
    assert options["include_dashboard"] is False


def test_the_gpus_asked_for_are_all_that_ray_and_its_workers_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpus = tuple(Gpu(i, f"GPU-{i}", "a", 16, 16) for i in range(3))
    machine = Machine(n_cpus=4, cpu="a", memory_gb=8, gpus=gpus)
    seen = []

    class SeeingRay(FakeRay):
        def init(self, **options: Any) -> None:
            seen.append((os.environ["CUDA_VISIBLE_DEVICES"], os.environ["CUDA_DEVICE_ORDER"]))
            super().init(**options)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    resources = Resources(gpus=0.5, devices=(2, 0)).settle(machine)
    assert resources.workers == 4
    narrowed = resources.narrowed(machine)
    assert [gpu.index for gpu in narrowed.gpus] == [2, 0]
    ray = SeeingRay(0)
    cluster._start_local(ray, narrowed, resources, {})
    assert (seen, ray.options[0]["num_gpus"]) == ([("2,0", "PCI_BUS_ID")], 2)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    assert "CUDA_DEVICE_ORDER" not in os.environ


@pytest.mark.parametrize(
    ("resources", "machine", "message"),
    [
        (Resources(gpus=1), NO_GPU, "shows no GPU"),
        (Resources(workers=3, gpus=0.5), ONE_GPU, "do not fit on 1 GPU"),
        (Resources(workers=3), ONE_GPU, "3 workers of 1 GPU do not fit"),
        (Resources(gpus=2), ONE_GPU, "on several is still to come"),
        (Resources(gpus="auto"), NO_GPU, "auto was asked for and this machine shows no GPU"),
        (Resources(gpus="auto", address="a:1"), ONE_GPU, "say the share as a number"),
        (Resources(gpus="half"), ONE_GPU, "must be a number from 0 to 1, or auto; got 'half'"),  # type: ignore[arg-type]
        (Resources(gpus="auto", workers=0), ONE_GPU, "at least 1"),
        (Resources(devices=(1,)), ONE_GPU, "no GPU 1 that this process may use; there are: 0"),
        (Resources(devices=(0,)), NO_GPU, "there are: none"),
        (Resources(devices=(0,), gpus=0), ONE_GPU, "leave out one of the two"),
        (Resources(devices=(0, 0)), ONE_GPU, "names a GPU twice: 0, 0"),
        (Resources(devices=(0,), address="a:1"), ONE_GPU, "assigns its own"),
        (Resources(cpus=16), NO_GPU, "more than the 2 cores"),
        (Resources(cpus=0), NO_GPU, "above 0"),
        (Resources(workers=0), NO_GPU, "at least 1"),
        (Resources(workers="2"), NO_GPU, "--workers: must be a whole number, got '2'"),  # type: ignore[arg-type]
        (Resources(workers=1.5), NO_GPU, "must be a whole number, got 1.5"),  # type: ignore[arg-type]
        (Resources(cpus=math.nan), NO_GPU, "--cpus-per-trial: must be a number, got nan"),
        (Resources(cpus=None), NO_GPU, "--cpus-per-trial: must be a number, got None"),  # type: ignore[arg-type]
        (Resources(address=3), NO_GPU, "--ray-address: must be text, got 3"),  # type: ignore[arg-type]
        (Resources(devices=0), ONE_GPU, r"the numbers of GPUs, as in \(0, 1\), got 0"),  # type: ignore[arg-type]
    ],
)
def test_what_the_machine_cannot_give_is_refused_before_ray_starts(
    resources: Resources, machine: Machine, message: str
) -> None:
    with pytest.raises(SweepFileError, match=message) as refusal:
        resources.settle(machine)
    assert refusal.value.exit_code == 2


def test_what_is_left_to_the_machine_is_settled() -> None:
    assert Resources().settle(NO_GPU) == Resources(workers=2, cpus=1.0, gpus=0.0)
    assert Resources(gpus=0.25).settle(ONE_GPU).workers == 4


def test_ray_asks_for_a_token_reports_nothing_and_workers_get_the_old_keras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(os.environ):
        if name.startswith(("RAY_", "TUNE_")):
            monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "environ", dict(os.environ))  # nothing leaks into other tests
    ray_environment.set_environment(Resources(workers=1))
    environment = os.environ
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(environment["RAY_AUTH_TOKEN"]) == 64
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not list(tmp_path.iterdir())  # no token file to protect
    assert WORKER_ENVIRONMENT["TF_USE_LEGACY_KERAS"] == "1"


@pytest.mark.parametrize("is_there", [True, False])
def test_the_token_of_a_ray_that_was_imported_first_is_this_users_alone(
    is_there: bool, tmp_path: Path
) -> None:
    path = tmp_path / ".ray" / "auth_token"
    if is_there:
        path.parent.mkdir()
        path.write_text("f" * 64)
        path.chmod(0o644)
    ray_environment._keep_token_private(path)
    assert path.stat().st_mode & 0o777 == 0o600
    token = path.read_text()
    assert len(bytes.fromhex(token)) == 32
    assert (token == "f" * 64) is is_there


def test_the_folder_of_rays_sockets_is_this_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recsweep-1" / "deeper"
    ray_environment.make_private(folder)
    folder.chmod(0o777)
    ray_environment.make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(ClusterError, match="not this user's folder"):
        ray_environment.make_private(tmp_path / "link")
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(ClusterError, match="not this user's folder"):
        ray_environment.make_private(folder)


def test_a_head_that_lost_a_process_is_lost() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    head = RayHead((psutil.Process(child.pid),))
    assert head.loss() is None
    child.kill()
    deadline = time.monotonic() + 10
    while head.loss() is None:
        assert time.monotonic() < deadline
    child.wait()
    assert head.loss() is not None
    head.processes = ()
    assert head.loss() is None


def test_a_lost_cluster_ends_the_driver_with_7_and_the_command_to_go_on(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from experiments.running.stopping import StopSwitch\n"
        "from experiments.running.supervision import supervise\n"
        "switch = StopSwitch(Path(sys.argv[1]))\n"
        "supervise(lambda: time.sleep(60), switch, on_stop=print, on_poll=lambda: 'Ray is lost')\n"
    )
    folder = tmp_path / "mine"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 7
    assert "Ray is lost; go on with: recsweep resume mine" in done.stderr


def test_a_head_that_does_not_answer_any_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_head, "HEAD_ASKED_EVERY_S", 0.0)
    monkeypatch.setattr(ray_head, "HEAD_PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        head = RayHead(address=listening.getsockname())
        time.sleep(0.3)
        assert head.loss() is None
    assert head.loss() is None  # a moment is nothing
    time.sleep(0.3)
    assert "has not answered" in (head.loss() or "")
    head.address = None
    assert head.loss() is None


def test_ray_asks_for_its_node_when_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import services, state

    tables: list[list[dict[str, str]]] = [[], [{"NodeID": "other"}], [{"NodeID": "ours"}]]
    asked: list[int] = []

    class FakeState:
        def _initialize_global_state(self, options: object) -> None: ...

        def node_table(self) -> list[dict[str, str]]:
            return tables.pop(0)

    def ask(address: str, node_id: str) -> str:
        asked.append(len(tables))
        return node_id

    monkeypatch.setattr(services, "get_node", ask)
    monkeypatch.setattr(services, "_get_gcs_client_options", lambda address: None)
    monkeypatch.setattr(state, "GlobalState", FakeState)
    with cluster._node_awaited():
        assert services.get_node("127.0.0.1:1", "ours") == "ours"
        assert services.get_node("127.0.0.1:1", "no table is left") == "no table is left"
    assert asked == [0, 0]
    assert services.get_node is ask


@pytest.mark.parametrize("is_ours", [True, False])
def test_tune_asks_no_environment_of_our_own_ray(
    is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.tune.execution import class_cache

    def environment() -> dict[str, Any]:
        remote = class_cache._ActorClassCache().get(type("Trainable", (), {}))
        found: dict[str, Any] = remote._default_options.get("runtime_env") or {}
        return found

    monkeypatch.setattr(cluster, "_heads", [RayHead((), is_ours=is_ours)])
    before = environment()
    with cluster.ready_workers():
        assert environment() == ({} if is_ours else before)
    assert environment() == before != {}


class FakeNode:
    """Ray's processes on this machine, which take their time to end."""

    def __init__(self, events: list[str], may_end: threading.Event) -> None:
        self._events, self._may_end = events, may_end

    def is_head(self) -> bool:
        return True

    def destroy_external_storage(self) -> None:
        self._events.append("spilled objects gone")

    def kill_all_processes(self, **_: bool) -> None:
        self._may_end.wait(10)
        self._events.append("processes gone")


def test_ray_ends_beside_what_follows_and_the_next_start_waits_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    may_end = threading.Event()

    def start(*_: object) -> None:
        events.append("started")
        monkeypatch.setattr("ray._private.worker._global_node", FakeNode(events, may_end))

    def shutdown() -> None:
        assert not gc.isenabled()  # what is freed meanwhile would end the process
        events.append("left")

    monkeypatch.setattr(cluster, "set_environment", lambda _: None)
    monkeypatch.setattr(cluster, "imported_beside", lambda _: None)
    monkeypatch.setattr(cluster, "_start_local", start)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.shutdown", shutdown)
    with cluster.ray_beside(Resources(workers=1), NO_GPU) as ray, ray:
        events.append("trials")
    assert gc.isenabled()
    events.append("report")
    may_end.set()
    with cluster.ray_beside(Resources(workers=1), NO_GPU) as ray, ray:
        events.append("trials")
    for stop in cluster._stops:
        stop.join()
    gone = ["spilled objects gone", "processes gone"]
    assert events[:3] == ["started", "trials", "left"]
    assert events.index("report") < events.index("processes gone") < events.index("started", 1)
    assert events[-4:] == ["trials", "left", *gone]


def test_a_start_that_nobody_waits_for_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(cluster, "set_environment", lambda _: None)
    monkeypatch.setattr(cluster, "imported_beside", lambda _: None)
    starters: list[threading.Thread] = []

    def start(*_: object) -> None:
        time.sleep(0.2)
        events.append("started")
        starters.append(threading.current_thread())

    def leave() -> None:
        # Linux ends what a thread started, such as Ray's processes, with that thread.
        events.append("left" if starters[0].is_alive() else "left too late")

    monkeypatch.setattr(cluster, "_start_local", start)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.shutdown", leave)
    with (
        pytest.raises(RequestError),
        cluster.ray_beside(Resources(workers=1), NO_GPU),
    ):
        raise RequestError("no")
    assert events == ["started", "left"]


def test_nothing_of_ray_is_imported_while_another_thread_imports_it(tmp_path: Path) -> None:
    parts = tmp_path / "ray" / "_private"
    parts.mkdir(parents=True)
    (parts / "__init__.py").touch()
    (parts / "ray_constants.py").write_text(
        "import sys\nprint(hasattr(sys.modules['ray'], 'is_whole'))\n"
    )
    (tmp_path / "ray" / "__init__.py").write_text("import time\ntime.sleep(0.5)\nis_whole = True")
    code = (
        "import sys, time\n"
        "from experiments.machine.ray_environment import import_ray, set_environment\n"
        "from experiments.machine.resources import Resources\n"
        "thread = import_ray(Resources(workers=1))\n"
        "while 'ray' not in sys.modules: time.sleep(0.01)\n"
        "set_environment(Resources(workers=1))\n"
    )
    paths = f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"
    told = subprocess.check_output(
        [sys.executable, "-c", code], text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert told == "True\n"


def test_a_package_that_only_proxies_need_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_environment, "set_environment", lambda resources: None)
    monkeypatch.setattr(ray_environment, "imported_beside", lambda module: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ray_environment.import_ray(Resources())
        with warnings.catch_warnings():
            warnings.warn("SOCKS support in urllib3 requires the installation of", stacklevel=1)


def test_a_full_temporary_folder_is_refused_before_ray_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fallocate(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ray_environment.make_private(tmp_path / "recsweep")
    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    with pytest.raises(ClusterError, match=r"recsweep: .* No space left on device; set TMPDIR to"):
        ray_environment.make_private(tmp_path / "recsweep")
    assert list((tmp_path / "recsweep").iterdir()) == []
