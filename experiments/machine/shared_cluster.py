"""A cluster that is there already: what it holds, and whether all of it can train for this driver.

Ray itself would try for minutes to reach what is not there, wait for ever for room that there is
not, and have a node train what nobody will read.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.errors import ClusterError, RequestError, lines_of
from experiments.machine.resources import Resources, n_on_a_gpu
from experiments.machine.versions import current_versions

Node = Mapping[str, Any]
"""As `ray.nodes()` gives it."""
_REACHED_IN_S = 5.0
_ANSWERED_IN_S = 60.0
_CODE = "recsweep's code"
_PACKAGES = ("experiments", "recommender", "search_spaces")


def nodes_at(address: str) -> list[Node]:
    """The nodes of the cluster at HOST:PORT, or `auto`, that are there; nothing is joined.

    Ray's environment must be set (see `set_environment`).

    Raises:
        ClusterError: it cannot be used from here; says why and what to do.
    """
    import ray
    from ray._private import services
    from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
    from ray._private.state import GlobalState

    def refusal(why: str) -> ClusterError:
        return ClusterError(f"--ray-address {address}: {why}")

    try:
        where = services.canonicalize_bootstrap_address_or_die(address)
    except (ConnectionError, OSError, ValueError) as error:
        raise refusal(_first_line(error)) from error
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_IN_S).close()
    except OSError as error:
        raise refusal(
            f"nothing answers there ({error.strerror or error}); `ray start --head` prints the "
            "HOST:PORT of a cluster, and `ray status` says whether it lives"
        ) from error
    state = GlobalState()
    try:
        ensure_token_if_auth_enabled(create_token_if_missing=False)
        state._initialize_global_state(services._get_gcs_client_options(where))
        nodes = [node for node in state.node_table() if node["Alive"]]
    except Exception as error:  # Ray's, of several kinds
        raise refusal(
            f"what listens there lets nobody in: {_first_line(error)}\n"
            "A cluster that asks for a token needs its own: set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN). "
            f"It must be a Ray {ray.__version__}, as here."
        ) from error
    finally:
        state.disconnect()
    if not {node["NodeID"] for node in nodes} & set(services.find_node_ids()):
        raise refusal(
            "this machine is none of its nodes, which are "
            f"{', '.join(node['NodeManagerAddress'] for node in nodes)}; start recsweep on one of "
            f"them, or have this machine join: ray start --address={where}"
        )
    return nodes


def settle_there(asked: Resources, nodes: Sequence[Node]) -> Resources:
    """With numbers for what was left to the cluster: a GPU a trial where any node has one, and as
    many trials at once as it holds.

    Raises:
        RequestError: as `refuse_too_small`.
    """
    gpus = asked.gpus
    if gpus is None:
        gpus = 1.0 if any(_whole(nodes, "GPU")) else 0.0
    asked = replace(asked, gpus=gpus)
    settled = replace(asked, workers=asked.workers or max(1, n_that_fit(nodes, asked)))
    refuse_too_small(nodes, settled)
    return settled


def refuse_too_small(nodes: Sequence[Node], resources: Resources) -> None:
    """A cluster that cannot hold so many trials at once: Ray would wait for ever, without a word.

    Raises:
        RequestError: how many it can hold.
    """
    gpus, workers = resources.share, resources.workers or 1
    room = n_that_fit(nodes, resources)
    if room >= workers:
        return
    n_cpus, n_gpus = (sum(_whole(nodes, kind)) for kind in ("CPU", "GPU"))
    each = f"{resources.cpus:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
    raise RequestError(
        f"--workers: {workers} trials at once, each with {each}, were asked for; the cluster at "
        f"{resources.address} has {n_cpus} CPU and {n_gpus} GPU, room for {room}. "
        + (f"Go on with --workers {room}" if room else "Ask for less a trial, or add nodes")
    )


def n_that_fit(nodes: Sequence[Node], resources: Resources) -> int:
    """How many trials a cluster holds at once, each whole on one node."""
    return sum(_fit_on_each(nodes, resources))


def memory_of_worker_mb(nodes: Sequence[Node], resources: Resources) -> float:
    """What a worker has of its node's memory where that is least; inf where no node says."""
    n_workers = resources.workers or 1
    return min(
        (
            node["Resources"].get("memory", float("inf")) / min(fit, n_workers) / 1e6
            for node, fit in zip(nodes, _fit_on_each(nodes, resources), strict=True)
            if fit
        ),
        default=float("inf"),
    )


def _fit_on_each(nodes: Sequence[Node], resources: Resources) -> list[int]:
    fits = []
    for n_cpus, n_gpus in zip(_whole(nodes, "CPU"), _whole(nodes, "GPU"), strict=True):
        fit = int(n_cpus / resources.cpus + 1e-9)
        fits.append(min(fit, n_on_a_gpu(resources.share) * n_gpus) if resources.share else fit)
    return fits


def _whole(nodes: Sequence[Node], kind: str) -> list[int]:
    """The whole CPUs or GPUs of each node; a lost one has none."""
    return [int(node["Resources"].get(kind, 0.0)) if node["Alive"] else 0 for node in nodes]


def wait_line(free: Mapping[str, float], resources: Resources) -> str | None:
    """What a user should know where others hold what the trials take; None: there is room.

    Args:
        free: as `ray.available_resources()` gives it.
    """
    n_workers = resources.workers or 1
    lacking = [
        f"{free.get(kind, 0.0):g} {kind} free, and {n_workers} trials at once take {each:g} each"
        for kind, each in (("CPU", resources.cpus), ("GPU", resources.share))
        if free.get(kind, 0.0) < n_workers * each - 1e-6
    ]
    if not lacking:
        return None
    return f"the cluster has {'; '.join(lacking)}: trials wait until others leave it"


def compare_nodes(nodes: Sequence[Node], say: Callable[[str], None]) -> None:
    """Ask every node that trains what is installed there; this process has joined them.

    Args:
        say: hears of other versions of packages, which may change numbers, and of silent nodes.

    Raises:
        ClusterError: a node cannot import recsweep, or has another one than the driver.
    """
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(num_cpus=0, max_retries=0)(installed_here)
    asked = {
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(): node["NodeManagerAddress"]
        for node in nodes
        if node["Alive"] and node["Resources"].get("CPU")
    }
    ours = installed_here()
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWERED_IN_S)
    for answer, address in asked.items():
        if answer not in answered:
            say(f"node {address} has not said within {_ANSWERED_IN_S:.0f} s what it has installed")
            continue
        try:
            theirs = ray.get(answer)
        except RayTaskError as error:
            raise ClusterError(
                f"node {address} cannot import this recsweep: {lines_of(error)[-1]}. Install it "
                "there as it is here, for the Python that `ray start` used"
            ) from error
        except RayError as error:  # the node itself, which others may stand in for
            say(f"node {address} cannot be asked what it has installed: {_first_line(error)}")
            continue
        _compare(address, theirs, ours, say)


def _compare(
    address: str,
    theirs: Mapping[str, str | None],
    ours: Mapping[str, str | None],
    say: Callable[[str], None],
) -> None:
    if theirs[_CODE] != ours[_CODE]:
        raise ClusterError(
            f"node {address} has another recsweep than this one, or a changed one: install the "
            "same on all nodes, and start Ray there anew"
        )
    other = [
        f"{name} {theirs[name] or 'none'} (here {ours[name] or 'none'})"
        for name in ours
        if theirs[name] != ours[name]
    ]
    if other:
        say(f"node {address} has {', '.join(other)}: its numbers may differ from those here")


def installed_here() -> dict[str, str | None]:
    """The versions of what can change a number, and a hash of recsweep's own code."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in _PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return current_versions() | {_CODE: digest.hexdigest()}


def _first_line(error: Exception) -> str:
    return lines_of(error)[0].partition(". Ensure that")[0]
