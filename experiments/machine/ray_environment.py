"""What Ray and its workers are told before they start: environment, folder, code, devices."""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.errors import ClusterError
from experiments.machine.machine import Machine
from experiments.machine.resources import Resources

WORKER_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

_ROOM_BYTES = 4 << 20
"""Of Ray's logs and sockets, with a margin; where it is not there, Ray waits for its own start."""
_LONGEST_SOCKET_PATH = 107
"""Linux's limit for the path of a Unix socket, such as Ray's."""
_RAY_SOCKET = "ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"


def import_ray(resources: Resources) -> threading.Thread:
    """Set Ray's environment, then import what its start needs beside whatever the caller does."""
    set_environment(resources)
    # Requests silences it, too, but not for long where another thread puts filters back meanwhile.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
    return imported_beside("ray")


def imported_beside(module: str) -> threading.Thread:
    thread = threading.Thread(
        target=importlib.import_module, args=(module,), name="recsweep-import", daemon=True
    )
    thread.start()
    return thread


def set_environment(resources: Resources) -> None:
    """What Ray reads when it is imported and started, and the folder of a Ray of ours. The user's
    own settings win.

    Raises:
        ClusterError: the temporary folder is none for Ray.
    """
    for name, value in {
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": str(10**9),
        "RAY_AIR_NEW_OUTPUT": "0",
        # 15 by default: beside other people's work trials would come to a halt.
        "RAY_worker_niceness": "0",
        # It would say so on standard output, beside our own line that says which trial it was.
        "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed",
    }.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if resources.address is not None:
        return
    folder = ray_folder(os.environ)
    if problem := socket_path_problem(folder):
        raise ClusterError(problem)
    make_private(folder)
    # Ray's servers bind to the node's address; this makes that the loopback one.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    is_early = "ray" not in sys.modules
    if not is_early:  # a notebook's own import, which has read the line above already
        # Or one of `import_ray` that is under way: a part of Ray must not come before the whole.
        importlib.import_module("ray")
        from ray._private import ray_constants

        ray_constants.ENABLE_RAY_CLUSTER = False
    if not any(name.startswith("RAY_AUTH") for name in os.environ):
        if is_early:
            # A token that lives in this process and its children only: no file to protect.
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        else:  # too late to say so: it will use its file
            _keep_token_private(Path.home() / ".ray" / "auth_token")


def _keep_token_private(path: Path) -> None:
    """Ray would write its token's file readable for everybody."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    path.chmod(0o600)


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These for the time of the block, and for the processes that start in it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def only_devices(resources: Resources, machine: Machine) -> dict[str, str]:
    """What has a Ray that is started, and its workers, see the GPUs that were asked for."""
    if resources.devices is None:
        return {}
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(gpu.device for gpu in machine.gpus),
        # CUDA counts the fastest first, unless told to count as the driver does.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def job_of_installed_code() -> Any:
    """A job whose workers import what is installed, and nothing from the driver's folders.

    Ray puts the driver's current folder and its script's on the workers' path, unless a working_dir
    took their place.
    """
    from ray.job_config import JobConfig

    class InstalledCode(JobConfig):  # type: ignore[misc]  # Ray has no types here
        def _runtime_env_has_working_dir(self) -> bool:
            return True

    return InstalledCode()


def temporary_folder(environ: Mapping[str, str]) -> Path:
    """Where Ray by itself would make a folder `ray`, the same for all who use the machine."""
    named = environ.get("RAY_TMPDIR") or environ.get("TMPDIR") or "/tmp"  # noqa: S108  # Ray's
    return Path(named).absolute()


def ray_folder(environ: Mapping[str, str]) -> Path:
    """Where our Ray's folder `ray` is, with its sockets and logs: this user's alone."""
    return temporary_folder(environ) / f"recsweep-{os.getuid()}"


def make_private(folder: Path) -> None:
    """Ray makes all below this folder readable and writable for everybody.

    Raises:
        ClusterError: the folder is somebody else's, or cannot be made, or its disk is full.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = folder.lstat()
        if stat.S_ISDIR(there.st_mode) and there.st_uid == os.getuid():
            folder.chmod(0o700)
            with tempfile.TemporaryFile(dir=folder) as file:
                os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)
            return
        why = "it is not this user's folder"
    except OSError as error:
        why = error.strerror or str(error)
    raise ClusterError(
        f"{folder}: cannot hold Ray's sockets and logs: {why}; set TMPDIR to another folder"
    )


def socket_path_problem(temporary: Path) -> str | None:
    """What is wrong with a temporary folder for Ray's sockets; None: nothing."""
    if not str(temporary).isascii():
        return (
            f"{temporary}: the paths of Ray's sockets must be ASCII; set TMPDIR to another folder"
        )
    length = len(str(temporary / _RAY_SOCKET).encode())
    if length <= _LONGEST_SOCKET_PATH:
        return None
    return (
        f"{temporary}: too long for the paths of Ray's sockets ({length} bytes, at most "
        f"{_LONGEST_SOCKET_PATH}); set TMPDIR to a shorter folder"
    )
