"""What the driver has, and its trials on Ray, from the start of the workers to the end or a stop.

Search and verdict both end here. Ray is imported in the thread that runs them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from experiments.ledger.lock import LOCK_NAME
from experiments.machine.cores import cores_of_worker
from experiments.machine.gpu_memory import memory_cap_mb, others_lines
from experiments.machine.machine import Machine
from experiments.machine.ray_head import RayHead
from experiments.machine.resources import Resources
from experiments.machine.room import SHARE_OF_MEMORY
from experiments.running.conductor import Conductor
from experiments.running.orders import WorkerSettings
from experiments.running.stopping import StopCause, StopSwitch
from experiments.running.supervision import GRACE_S, supervise
from experiments.stages import stage_over
from experiments.sweep import SweepConfig
from experiments.waiting import waiting, waits_told
from experiments.watcher import StudyWatcher
from recommender.datasets.description import LoadedDataset
from recommender.epochs import CHUNK_ROWS


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver of a study has in hand, from the load of its data to its last trial."""

    folder: Path
    """The study's."""
    sweep: SweepConfig
    loaded: LoadedDataset
    resources: Resources
    """Settled, but for the share of a GPU where a probe is to choose that."""
    machine: Machine
    """With the GPUs that were asked for."""
    cluster: AbstractContextManager[RayHead]
    """Entered where Ray is needed, and left when the trials are over."""
    watcher: StudyWatcher
    deadline: float | None = None
    """Monotonic time before which the job that this runs in must be left; None: no job."""
    command: str = "resume"
    """The one that goes on after a stop."""

    @property
    def switch(self) -> StopSwitch:
        return StopSwitch(self.folder, self.command)


def run_trials(
    driver: Driver,
    conductor: Conductor,
    time_left_s: float | None = None,
) -> None:
    """Have the conductor's trials trained on Ray, until none is left or a stop is asked for.

    Args:
        time_left_s: after so many seconds a stop is asked for; None: never.
    """
    resources, machine, encoded = driver.resources, driver.machine, driver.loaded.encoded
    switch, tell = driver.switch, driver.watcher.message
    way_on = switch.way_on  # as this thread, whose process may be a guest's, has it
    for line in others_lines(machine.gpus) if resources.gpus else ():
        tell(line)

    def on_stop(cause: StopCause) -> None:
        conductor.stop()
        how = how_trials_stop(len(encoded.train))
        tell(f"{cause.value}: {how}, and go on with: {switch.way_out}")

    def settings_of(settled: Resources) -> WorkerSettings:
        return worker_settings(settled, machine, switch.path)

    heads: list[RayHead] = []

    def trials() -> None:
        from experiments.running.bridge import run_on_ray

        with ExitStack() as stack:
            with waits_told(tell), waiting("starting Ray"):
                heads.append(stack.enter_context(driver.cluster))
            stage_over("Ray imported and started")
            if resources.address is not None:
                import ray

                from experiments.machine.shared_cluster import compare_nodes, wait_line

                compare_nodes(ray.nodes(), tell)
                if line := wait_line(ray.available_resources(), resources):
                    tell(line)
                stage_over("nodes compared")
            settled = resources
            if resources.pack_up_to is not None:
                from experiments.running.probe import Stopped, settle_by_probe

                try:
                    settled = settle_by_probe(
                        resources,
                        machine,
                        encoded,
                        conductor.n_left,
                        settings_of,
                        tell,
                    )
                except Stopped:
                    return
                stage_over("trials a GPU probed")
            run_on_ray(conductor, encoded, settled, settings_of(settled), way_on)

    def look_around() -> str | None:
        for line in conductor.liveness.check():
            tell(line)
        return heads[0].loss() if heads else None

    def end_late_workers() -> None:
        for number in conductor.liveness.end_all():
            tell(f"#{number} did not come to rest in {GRACE_S:.0f} s; its worker is ended")

    supervise(
        trials,
        switch,
        on_stop=on_stop,
        on_poll=look_around,
        on_late=end_late_workers,
        time_left_s=time_left_s,
        deadline=driver.deadline,
    )


def how_trials_stop(n_train_rows: int) -> str:
    """What a stop makes of the trials that run."""
    told = "running trials are checkpointed at the end of their epoch"
    # Of what lies between two checkpoints nothing is kept.
    return told if n_train_rows <= CHUNK_ROWS else f"{told}, or begin it anew"


def worker_settings(resources: Resources, machine: Machine, stop_file: Path) -> WorkerSettings:
    assert resources.workers is not None
    is_ours = resources.address is None
    if is_ours:
        memory_mb = machine.memory_gb * 1024 / resources.workers
    else:
        import ray

        from experiments.machine.shared_cluster import memory_of_worker_mb

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
