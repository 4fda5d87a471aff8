"""Ray, started for one study and stopped after it; or an existing cluster where one is named."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any

import psutil

from experiments.errors import ClusterError, RecsweepError, lines_of
from experiments.machine.machine import Machine
from experiments.machine.ray_environment import (
    WORKER_ENVIRONMENT,
    environment,
    imported_beside,
    job_of_installed_code,
    only_devices,
    ray_folder,
    set_environment,
)
from experiments.machine.ray_head import RayHead, agents_of_ray
from experiments.machine.resources import Resources
from experiments.machine.scratch import remove_old_sessions
from experiments.resting import collector_resting

OBJECT_STORE_BYTES = 1 << 30
"""Room for the encoded arrays, which all workers share; Ray would take a third of the memory."""
_NODE_AWAITED_S = 20.0

_heads: list[RayHead] = []
"""Of the Ray that this process started, while it runs."""
_stops: list[threading.Thread] = []
"""Each ends the processes of a Ray that this process has left."""


@contextlib.contextmanager
def ray_cluster(resources: Resources, machine: Machine) -> Iterator[RayHead]:
    """A connected Ray for the time of the block. Loopback only, no dashboard, no usage reports.

    Raises:
        ClusterError: Ray did not start, or the address named cannot be reached.
    """
    set_environment(resources)
    import ray

    await_ends()
    if ray.is_initialized():  # a test's, a notebook's or an outer block's: used, and left running
        yield _heads[-1] if _heads else RayHead(())
        return
    imported_beside("ray.tune")  # what trials need of it; its start is mostly waiting
    options = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if resources.address is not None:
            _join(ray, resources, options)
        else:
            _start_local(ray, machine, resources, options)
    except Exception as error:
        if isinstance(error, RecsweepError):
            _leave(ray)
            raise
        raise ClusterError(_why_no_cluster(error, resources)) from error
    is_ours = resources.address is None
    head = RayHead.of_this_process() if is_ours else RayHead.of_a_cluster(ray)
    _heads.append(head)
    try:
        yield head
    finally:
        _heads.remove(head)
        head.processes, head.address = (), None
        _leave(ray)


@contextlib.contextmanager
def ray_beside(resources: Resources, machine: Machine) -> Iterator[AbstractContextManager[RayHead]]:
    """A `ray_cluster` that starts while the block does something else.

    What the block is given waits for the start when it is entered, and leaves Ray when it is left;
    the block's end does where nothing else did.
    """
    # The thread ends last: Linux kills what a thread started, when that ends.
    with ThreadPoolExecutor(1, "recsweep-ray") as pool, contextlib.ExitStack() as stack:
        start = pool.submit(stack.enter_context, ray_cluster(resources, machine))

        @contextlib.contextmanager
        def started() -> Iterator[RayHead]:
            with stack:
                yield start.result()

        try:
            yield started()
        finally:
            wait([start])


def _leave(ray: Any) -> None:
    """Disconnect; what this process started of Ray ends beside what it does next.

    The next `ray_cluster` waits for that, and so does the end of the process.
    """
    from ray._private import worker

    # Taken from Ray, whose `shutdown` would wait a second for the node's processes.
    node, worker._global_node = getattr(worker, "_global_node", None), None
    try:
        # Garbage that refers to Ray's objects would end this process, if another thread freed it
        # while Ray's core stops.
        with collector_resting():
            ray.shutdown()
    finally:
        if node is not None:
            _stops.append(threading.Thread(target=_end, args=(node,), name="recsweep-ray-ends"))
            _stops[-1].start()


def await_ends() -> None:
    """Wait for what ends of Rays that this process has left, a second at most as a rule."""
    while _stops:
        _stops.pop().join()


def _end(node: Any) -> None:
    if node.is_head():
        node.destroy_external_storage()
    agents = agents_of_ray()
    node.kill_all_processes(check_alive=False, allow_graceful=True)
    for agent in agents:
        with contextlib.suppress(psutil.Error):
            agent.kill()
    if node.is_head():
        remove_old_sessions(ray_folder(os.environ) / "ray")


@contextlib.contextmanager
def ready_workers() -> Iterator[None]:
    """Has Tune use the processes that our own Ray keeps ready, which takes half a second less.

    Tune gives its workers environment variables, so that Ray has to start others for them; those of
    a Ray of ours have inherited them all.
    """
    from ray.tune.execution import class_cache

    if not (_heads and _heads[-1].is_ours):
        yield
        return
    kept = class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = {}, set()
    try:
        yield
    finally:
        class_cache.DEFAULT_ENV_VARS, class_cache.ENV_VARS_TO_PROPAGATE = kept


def _join(ray: Any, resources: Resources, options: Mapping[str, Any]) -> None:
    """Connect to somebody's cluster, whose workers get their environment from Ray's agents."""
    with tempfile.TemporaryDirectory(prefix="recsweep-ray-") as empty:
        # A working_dir of ours keeps the driver's current folder off the workers' path.
        environment = {"working_dir": empty, "env_vars": WORKER_ENVIRONMENT}
        ray.init(address=resources.address, runtime_env=environment, **options)


def _start_local(
    ray: Any, machine: Machine, resources: Resources, options: Mapping[str, Any]
) -> None:
    """Start a Ray whose workers inherit this process's environment: to have agents make one for
    them takes another second and a half."""
    folder = ray_folder(os.environ)
    workers, cpus = resources.workers or 1, resources.cpus
    local = {
        "address": "local",
        "job_config": job_of_installed_code(),
        # More workers than cores is the user's wish: Ray counts cores, it does not bind them.
        "num_cpus": max(machine.n_cpus, int(-(-workers * cpus // 1))),
        "num_gpus": machine.n_gpus,
        "include_dashboard": False,
        "_temp_dir": str(folder / "ray"),
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    variables = WORKER_ENVIRONMENT | only_devices(resources, machine)
    with environment(variables), _node_awaited():
        try:
            ray.init(**local, **options)
        except Exception as first:
            # A loaded machine can miss Ray's 30 s for its start; a second try finds it quieter.
            ray.shutdown()
            try:
                ray.init(**local, **options)
            except Exception as second:
                raise ClusterError(_why_no_cluster(second, resources)) from first


@contextlib.contextmanager
def _node_awaited() -> Iterator[None]:
    """Has Ray ask for the node it starts when that is there: it asks too early, and once a second.

    A start takes up to 1.5 s less. The functions are Ray's own; where they fail Ray asks as ever.
    """
    from ray._private import services
    from ray._private.state import GlobalState

    ask = services.get_node

    def await_and_ask(gcs_address: str, node_id: str) -> Any:
        with contextlib.suppress(Exception):
            state = GlobalState()
            state._initialize_global_state(services._get_gcs_client_options(gcs_address))
            until = time.monotonic() + _NODE_AWAITED_S
            while time.monotonic() < until:
                if any(node["NodeID"] == node_id for node in state.node_table()):
                    break
                time.sleep(0.02)
        return ask(gcs_address, node_id)

    services.get_node = await_and_ask
    try:
        yield
    finally:
        services.get_node = ask


def _why_no_cluster(error: Exception, resources: Resources) -> str:
    line = lines_of(error)[0]
    if resources.address is not None:
        return f"Ray at {resources.address} cannot be used: {line}"
    logs = ray_folder(os.environ) / "ray" / "session_latest" / "logs"
    return (
        f"Ray did not start, twice: {line}\n"
        f"Its logs are in {logs}; `recsweep doctor` looks for the cause."
    )
