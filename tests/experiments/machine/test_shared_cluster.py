"""A cluster that is there already: reached, counted and compared, without starting Ray."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.errors import ClusterError, RequestError, SweepFileError
from experiments.ledger.lock import LOCK_NAME, StudyLock
from experiments.machine import shared_cluster
from experiments.machine.resources import Resources
from experiments.machine.taking import take_machine
from experiments.running.orders import TrialOrder, WorkerSettings
from experiments.running.worker import Workbench, is_elsewhere
from recommender.config import TrainingConfig
from tests.synthetic import synthetic_encoded


def _node(cpus: float, gpus: float = 0.0, is_alive: bool = True) -> dict[str, object]:
    resources = {"CPU": cpus, "GPU": gpus, "memory": 8e9}
    return {"Alive": is_alive, "Resources": resources}


def test_a_cluster_that_cannot_hold_the_trials_is_refused_with_what_it_can() -> None:
    nodes = [_node(1), _node(8, 1), _node(8, 8, is_alive=False)]
    shared_cluster.refuse_too_small(nodes, Resources(9, address="a:1"))
    shared_cluster.refuse_too_small(nodes, Resources(2, gpus=0.5, address="a:1"))
    with pytest.raises(RequestError, match=r"4 trials at once.* has 9 CPU and 1 GPU, room for 1"):
        shared_cluster.refuse_too_small(nodes, Resources(4, gpus=1, address="a:1"))
    # What no node has room for is not there, however many nodes there are.
    with pytest.raises(RequestError, match=r"room for 0\. Ask for less"):
        shared_cluster.refuse_too_small(nodes, Resources(1, cpus=9, address="a:1"))


def test_what_is_left_to_a_cluster_is_what_it_holds_and_not_what_the_drivers_machine_does() -> None:
    cores = [_node(2), _node(8), _node(64, is_alive=False)]
    assert shared_cluster.settle_there(Resources(address="a:1"), cores).workers == 10
    gpus = shared_cluster.settle_there(Resources(address="a:1"), [*cores, _node(8, 4)])
    assert (gpus.workers, gpus.gpus) == (4, 1.0)
    said = Resources(3, gpus=0.0, address="a:1")
    assert shared_cluster.settle_there(said, [*cores, _node(8, 4)]) == said
    with pytest.raises(RequestError, match=r"1 trials at once, each with 16 CPU"):
        shared_cluster.settle_there(Resources(cpus=16, address="a:1"), cores)


def test_a_worker_may_hold_its_part_of_the_memory_of_its_node() -> None:
    nodes = [_node(0), _node(2), _node(8), _node(64, is_alive=False)]
    assert shared_cluster.memory_of_worker_mb(nodes, Resources(10, address="a:1")) == 1000
    assert shared_cluster.memory_of_worker_mb(nodes, Resources(1, address="a:1")) == 8000
    nodes = [{"Alive": True, "Resources": {"CPU": 2}}]
    assert shared_cluster.memory_of_worker_mb(nodes, Resources(2, address="a:1")) == float("inf")


def test_a_cluster_that_others_use_is_told_and_one_with_room_is_not() -> None:
    mine = Resources(3, gpus=0.5, address="a:1")
    assert shared_cluster.wait_line({"CPU": 3.0, "GPU": 1.5}, mine) is None
    assert shared_cluster.wait_line({"CPU": 3.0}, replace(mine, gpus=0.0)) is None
    assert shared_cluster.wait_line({"CPU": 2.0, "GPU": 8.0}, mine) == (
        "the cluster has 2 CPU free, and 3 trials at once take 1 each: trials wait until others "
        "leave it"
    )
    assert "0 CPU free" in (told := shared_cluster.wait_line({}, mine) or "")
    assert "0 GPU free, and 3 trials at once take 0.5 each" in told


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(
        ClusterError, match=rf"127.0.0.1:{port}: nothing answers there \(Connection"
    ):
        take_machine(Resources(address=f"127.0.0.1:{port}"))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("address", ["", "nonsense", "ray://a:10001", "local", "http://a:8265"])
def test_what_is_no_address_of_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(SweepFileError, match=r"--ray-address: must be HOST:PORT, as"):
        take_machine(Resources(address=address))


def test_nodes_with_another_recsweep_are_refused_and_with_other_packages_told() -> None:
    ours = shared_cluster.installed_here()
    said: list[str] = []
    shared_cluster._compare("a", dict(ours), ours, said.append)
    assert not said
    shared_cluster._compare("a", ours | {"numpy": "1.0"}, ours, said.append)
    assert said == [
        f"node a has numpy 1.0 (here {ours['numpy']}): its numbers may differ from those here"
    ]
    with pytest.raises(ClusterError, match="node a has another recsweep"):
        shared_cluster._compare("a", ours | {shared_cluster._CODE: "0"}, ours, said.append)


def test_a_worker_that_sees_another_folder_trains_nothing_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    with StudyLock(here):
        driver = (here / LOCK_NAME).read_text(encoding="ascii")
        assert not is_elsewhere(here, driver)
        assert not is_elsewhere(there, "")  # on the driver's own machine nobody asks
        settings = WorkerSettings(1, 0, 1e9, here / "stop", driver=driver)
        bench = Workbench(synthetic_encoded(), settings)
        order = TrialOrder(3, "0003", 1, {}, {}, TrainingConfig(), there)
        told = bench.step(order)
        assert (told["number"], told["done"]) == (3, True)
        assert told["elsewhere"].startswith(f"{there}: on {socket.gethostname()} this is not the")
        assert not there.exists()
        there.mkdir()
        (there / LOCK_NAME).touch()  # of an earlier study of that name, on another disk
        assert "elsewhere" in bench.step(order)
