"""Trains on one GPU what a sweep will, for a few seconds, to see how many trials a GPU holds.

The processes are Ray actors of their own and not Tune's: what they train is no trial of the study,
and nothing of it is in journal, ledger or board.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import RayError

from experiments.machine.cores import keep_to_cores
from experiments.machine.machine import Machine
from experiments.machine.packing import (
    Measured,
    ProbeFailed,
    choose_packing,
    models_to_probe,
    most_packed,
)
from experiments.machine.resources import Resources
from experiments.records.values import plural
from experiments.request.frozen import frozen_sweep
from experiments.running.orders import WorkerSettings
from experiments.running.sessions import record_packing
from experiments.running.worker import configure
from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.errors import raised
from recommender.own_loading import is_out_of_memory
from recommender.runs import Trainer

TRAIN_S = 5.0
"""That all train together, once all are ready; at least one epoch of each model."""
LIMIT_S = 300.0
"""For one number of trials at once, from the start of its processes: then it is too many."""
_POLL_S = 0.1
_GONE_S = 15.0
"""Until a killed process has given back its memory and its cores."""

PeakReader = Callable[[], int | None]


class Stopped(Exception):
    """The study is to stop."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What every process of a probe trains, and where."""

    models: tuple[RankingConfig, ...]
    training: TrainingConfig
    device: str
    """As CUDA_VISIBLE_DEVICES has it."""
    settings: WorkerSettings
    read_peak: PeakReader


class Prober:
    """One process of a probe: it does as a worker would, and tells how fast and how much."""

    def pid(self) -> int:
        return os.getpid()

    def prepare(self, encoded: EncodedDataset, errand: Errand) -> str | None:
        """Build every model and train it for an epoch; gives what went wrong."""
        with contextlib.suppress(OSError):
            keep_to_cores(errand.settings.n_cores)
        # This process asked Ray for no GPU, and so sees all of them.
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = errand.device
        self._errand = errand
        self._trainer = Trainer(encoded, lambda: configure(errand.settings))
        try:
            self._runs = [self._trainer.begin(m, errand.training) for m in errand.models]
            self._train_all()
        except Exception as error:  # handed to the driver, which may not have its class
            return _told(error)
        return None

    def train(self, seconds: float) -> Measured | str:
        """Train whole epochs for about so long; gives what was seen, or what went wrong."""
        began, n_epochs, spent_s = time.monotonic(), 0, 0.0
        try:
            while spent_s < seconds or not n_epochs:
                self._train_all()
                n_epochs += len(self._runs)
                spent_s = time.monotonic() - began
            return Measured(n_epochs / spent_s, self._memory_mb())
        except Exception as error:
            return _told(error)

    def _train_all(self) -> None:
        """An epoch of each model, as a worker has one after the other."""
        for i, model in enumerate(self._errand.models):
            if self._runs[i].stop_reason is not None:  # diverged, which is no matter here
                self._runs[i] = self._trainer.begin(model, self._errand.training)
            self._runs[i].step()

    def _memory_mb(self) -> float | None:
        """What tensors held at their most, and what graphs kept for other shapes may add."""
        own = [model.own for model in self._errand.models if model.own is not None]
        if any(o.is_whole and not o.uses_tensorflow for o in own):
            return None
        peak = self._errand.read_peak()
        return None if peak is None else (peak + self._trainer.most_kept_bytes()) / 2**20


class Probe:
    """Measures how so many trials do at once on the fullest GPU.

    Args:
        errand_of: what each of so many processes is to do.
        cpus: that Ray gives each.
        stop_file: its appearance ends the probe.
    """

    def __init__(
        self,
        encoded: EncodedDataset,
        errand_of: Callable[[int], Errand],
        cpus: float,
        stop_file: Path,
    ) -> None:
        self._encoded = ray.put(encoded)
        self._errand_of = errand_of
        self._cpus = cpus
        self._stop_file = stop_file

    def measure(self, n: int) -> Measured:
        """What so many at once trained a second, and the most that one of them took.

        Raises:
            ProbeFailed: one of them did not come to its end.
            Stopped: the study is to stop.
        """
        ends_at = time.monotonic() + LIMIT_S
        actors = [ray.remote(Prober).options(num_cpus=self._cpus).remote() for _ in range(n)]
        pids: list[int] = []
        try:
            pids += self._answers([actor.pid.remote() for actor in actors], ends_at)
            errand = self._errand_of(n)
            self._answers([a.prepare.remote(self._encoded, errand) for a in actors], ends_at)
            seen: list[Measured] = self._answers([a.train.remote(TRAIN_S) for a in actors], ends_at)
        finally:
            _end(actors, pids)
        memory = [one.memory_mb for one in seen if one.memory_mb is not None]
        return Measured(
            epochs_per_s=sum(one.epochs_per_s for one in seen),
            memory_mb=max(memory) if len(memory) == n else None,
        )

    def _answers(self, asked: Sequence[Any], ends_at: float) -> list[Any]:
        waiting = list(asked)
        try:
            while waiting:
                if self._stop_file.exists():
                    raise Stopped
                if time.monotonic() >= ends_at:
                    raise ProbeFailed(f"it was not over after {LIMIT_S:.0f} s")
                ready, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=_POLL_S)
                for answer in ray.get(ready):
                    if isinstance(answer, str):
                        raise ProbeFailed(answer)
            return list(ray.get(list(asked)))
        except RayError as error:
            raise ProbeFailed(f"a process was lost ({type(error).__name__})") from error


def read_peak() -> int | None:
    """Bytes of the GPU that tensors of this process held at their most; None: no GPU is used."""
    from recommender.device import peak_gpu_bytes

    return peak_gpu_bytes()


def settle_by_probe(
    resources: Resources,
    machine: Machine,
    encoded: EncodedDataset,
    n_trials: int,
    settings_of: Callable[[Resources], WorkerSettings],
    tell: Callable[[str], None],
) -> Resources:
    """The resources with the share of a GPU that a probe chose; told, and put on the record.

    Whatever the probe meets, trials can run after it: at the worst one a GPU.

    Args:
        n_trials: that are left to train.
        settings_of: of a worker under settled resources.

    Raises:
        Stopped: the study is to stop.
    """
    stop_file = settings_of(resources).stop_file
    folder = stop_file.parent
    sweep = frozen_sweep(folder)
    fullest = min(machine.gpus, key=lambda gpu: gpu.free_gb)
    models = models_to_probe(sweep, encoded)
    training = replace(sweep.training, max_epochs=10**9, patience=0)

    def errand_of(n: int) -> Errand:
        settings = settings_of(resources.packed(n, machine.n_gpus))
        return Errand(models, training, fullest.device, settings, read_peak)

    most, limit = most_packed(resources, machine, n_trials)
    if most > 1:
        tell(f"--gpu-share auto: a probe on GPU {fullest.index} looks how many trials it holds")
    probe = Probe(encoded, errand_of, resources.cpus, stop_file)
    packing = choose_packing(probe.measure, machine.gpus, most, limit)
    packed = resources.packed(packing.trials_per_gpu, machine.n_gpus)
    record_packing(folder, packing, packed)
    n = packing.trials_per_gpu
    tell(f"--gpu-share auto: {plural(n, 'trial')} a GPU, {packed.workers} at once; {packing.why}")
    return packed


def _end(actors: Sequence[Any], pids: Sequence[int]) -> None:
    """Kill the processes, and wait until they have let go of GPU and cores."""
    processes = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    with contextlib.suppress(RayError):
        for actor in actors:
            ray.kill(actor)
    psutil.wait_procs(processes, timeout=_GONE_S)


def _told(error: Exception) -> str:
    return "memory ran out" if is_out_of_memory(error) else raised(error)
