"""The machine that a command trains on: this one, or the cluster that is named."""

from __future__ import annotations

from experiments.errors import RequestError
from experiments.machine.machine import Machine, read_machine
from experiments.machine.ray_environment import set_environment
from experiments.machine.resources import Resources
from experiments.machine.shared_cluster import nodes_at, settle_there


def take_machine(resources: Resources | None) -> tuple[Machine, Resources]:
    """The machine as far as it may be used here, and the resources settled on it, or on the
    cluster that they name.

    Raises:
        RequestError: they are no `Resources`, or the cluster has not so many.
        SweepFileError: they cannot be had on the machine.
        ClusterError: the cluster cannot be used from here.
    """
    if not isinstance(resources, Resources | None):
        raise RequestError(f"resources are Resources(workers=2, ...) or None, got {resources!r}")
    machine = read_machine()
    asked = resources or Resources()
    settled = asked.settle(machine)
    if settled.address is not None:
        set_environment(settled)
        return machine, settle_there(asked, nodes_at(settled.address))
    return settled.narrowed(machine), settled
