"""A conductor's trials on Ray, from the start of the workers to the end or a stop.

Search and verdict both end here. Ray is imported in the thread that runs them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from experiments.conductor import Conductor
from experiments.cores import cores_of_worker
from experiments.gpu_memory import memory_cap_mb, others_lines
from experiments.lock import LOCK_NAME
from experiments.machine import Machine
from experiments.orders import WorkerSettings
from experiments.ray_head import RayHead
from experiments.resources import Resources
from experiments.stages import stage_over
from experiments.supervision import StopCause, StopSwitch, supervise, way_on
from experiments.watcher import StudyWatcher
from recommender.datasets.base import LoadedDataset

SHARE_OF_MEMORY = 0.8
"""Of the machine's memory that all workers together may hold before they are recycled."""


def run_trials(
    conductor: Conductor,
    loaded: LoadedDataset,
    cluster: AbstractContextManager[RayHead],
    resources: Resources,
    machine: Machine,
    switch: StopSwitch,
    watcher: StudyWatcher,
    time_left_s: float | None = None,
    deadline: float | None = None,
    *,
    command: str = "resume",
) -> None:
    """Have the conductor's trials trained on Ray, until none is left or a stop is asked for.

    Args:
        cluster: entered where Ray is needed, and left when the trials are over.
        command: the one that goes on after a stop.
    """
    for line in others_lines(machine.gpus) if resources.gpus else ():
        watcher.message(line)

    def on_stop(cause: StopCause) -> None:
        conductor.stop()
        watcher.message(
            f"{cause.value}: running trials are checkpointed at the end of their epoch, and go on "
            f"with: {way_on(switch, command)}"
        )

    def settings_of(settled: Resources) -> WorkerSettings:
        return worker_settings(settled, machine, switch.path)

    heads: list[RayHead] = []

    def trials() -> None:
        from experiments.bridge import run_on_ray

        with cluster as head:
            heads.append(head)
            stage_over("Ray imported and started")
            if resources.address is not None:
                import ray

                from experiments.shared_cluster import compare_nodes, wait_line

                compare_nodes(ray.nodes(), watcher.message)
                if line := wait_line(ray.available_resources(), resources):
                    watcher.message(line)
                stage_over("nodes compared")
            settled = resources
            if resources.pack_up_to is not None:
                from experiments.probe import Stopped, settle_by_probe

                try:
                    settled = settle_by_probe(
                        resources,
                        machine,
                        loaded.encoded,
                        conductor.n_left,
                        settings_of,
                        watcher.message,
                    )
                except Stopped:
                    return
                stage_over("trials a GPU probed")
            run_on_ray(conductor, loaded.encoded, settled, settings_of(settled))

    def look_around() -> str | None:
        for line in conductor.liveness.check():
            watcher.message(line)
        return heads[0].loss() if heads else None

    supervise(
        trials,
        switch,
        on_stop=on_stop,
        on_poll=look_around,
        time_left_s=time_left_s,
        deadline=deadline,
    )


def worker_settings(resources: Resources, machine: Machine, stop_file: Path) -> WorkerSettings:
    assert resources.workers is not None
    is_ours = resources.address is None
    if is_ours:
        memory_mb = machine.memory_gb * 1024 / resources.workers
    else:
        import ray

        from experiments.shared_cluster import memory_of_worker_mb

        memory_mb = memory_of_worker_mb(ray.nodes(), resources)
    return WorkerSettings(
        cpus=resources.cpus,
        gpus=resources.share,
        recycle_above_mb=SHARE_OF_MEMORY * memory_mb,
        stop_file=stop_file,
        n_cores=cores_of_worker(machine, resources),
        gpu_memory_mb=memory_cap_mb(machine.gpus, resources.share) if is_ours else None,
        driver="" if is_ours else (stop_file.parent / LOCK_NAME).read_text(encoding="ascii"),
    )
