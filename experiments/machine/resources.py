"""What trials take of the machine: settled before Ray starts, and refused where it is not there.

Standard library only: the command line reads its options into this before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from experiments.errors import SweepFileError, SweepProblem
from experiments.machine.gpu_memory import LEAST_MB, memory_cap_mb
from experiments.machine.machine import Machine
from experiments.records.values import plural

_ADDRESS = re.compile(r"auto|[^\s/]+:[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one trial takes and how many run at once; None leaves it to the machine."""

    workers: int | None = None
    cpus: float = 1.0
    gpus: float | Literal["auto"] | None = None
    """Share of a GPU a trial; None: one where the machine has any, else 0; auto: as a probe finds
    room and speed before the first trial, and `workers` is then the most that it may choose."""
    address: str | None = None
    """An existing Ray cluster; None starts one that lives as long as the study runs."""
    devices: tuple[int, ...] | None = None
    """The GPUs to use, by the driver's numbers; None: every one that this process may use."""
    pack_up_to: int | None = None
    """Set by `settle` where a probe is still to choose the share: the most trials at once. Until
    then each has a GPU of its own."""

    @property
    def share(self) -> float:
        """Share of a GPU a trial, of settled resources."""
        assert not isinstance(self.gpus, str), "auto is settled first"
        return self.gpus or 0.0

    def problems(self, machine: Machine) -> list[SweepProblem]:
        """What cannot be had on this machine, by option, each with its cure."""
        problems = []

        def wrong(option: str, message: str) -> None:
            problems.append(SweepProblem("", message, origin=option))

        for option, value, kind, rule in (
            ("--workers", self.workers, int | None, "a whole number"),
            ("--cpus-per-trial", self.cpus, int | float, "a number"),
            ("--gpu-share", self.gpus, int | float | str | None, "a number from 0 to 1, or auto"),
            ("--gpus", self.devices, tuple | list | None, "the numbers of GPUs, as in (0, 1)"),
            ("--ray-address", self.address, str | None, "text"),
        ):
            is_odd = isinstance(value, bool) or value != value  # NaN
            if is_odd or not isinstance(value, kind):
                wrong(option, f"must be {rule}, got {value!r}")
        if problems:
            return problems
        is_local = self.address is None
        if self.address is not None and not _ADDRESS.fullmatch(self.address):
            wrong(
                "--ray-address",
                "must be HOST:PORT, as `ray start --head` prints it, or auto; got "
                f"{self.address!r}",
            )
        if self.workers is not None and self.workers < 1:
            wrong("--workers", f"must be at least 1, got {self.workers}")
        if self.cpus <= 0:
            wrong("--cpus-per-trial", f"must be above 0, got {self.cpus:g}")
        elif is_local and self.cpus > machine.n_cpus:
            wrong(
                "--cpus-per-trial",
                f"{self.cpus:g} is more than the {machine.n_cpus} cores that this process may use; "
                "ask for fewer",
            )
        if self.devices is not None and (message := self._wrong_devices(machine)):
            wrong("--gpus", message)
            return problems
        n_gpus = self.narrowed(machine).n_gpus
        if isinstance(self.gpus, str):
            if message := self._wrong_word(n_gpus):
                wrong("--gpu-share", message)
            return problems
        gpus = (1.0 if n_gpus else 0.0) if self.gpus is None else self.gpus
        if not 0 <= gpus <= 1:
            wrong(
                "--gpu-share",
                f"must be from 0 to 1, got {gpus:g}: a trial trains on one GPU or a share of one; "
                "for more GPUs run more trials at once, since training one model on several is "
                "still to come",
            )
        elif gpus and is_local and not n_gpus:
            wrong(
                "--gpu-share",
                f"{gpus:g} was asked for and this machine shows no GPU; leave the option out to "
                "train on its cores",
            )
        elif gpus and is_local and self.workers and self.workers > n_on_a_gpu(gpus) * n_gpus:
            wrong(
                "--workers",
                f"{self.workers} workers of {gpus:g} GPU do not fit on "
                f"{plural(n_gpus, 'GPU')}; ask for a smaller --gpu-share or fewer workers",
            )
        elif is_local:
            cap_mb = memory_cap_mb(self.narrowed(machine).gpus, gpus)
            if cap_mb is not None and cap_mb < LEAST_MB:
                wrong(
                    "--gpu-share",
                    f"{gpus:g} of what is free on the fullest GPU leaves a trial {cap_mb} MB, and "
                    f"{LEAST_MB} MB are the least; ask for a larger share, or for other GPUs with "
                    "--gpus",
                )
        return problems

    def _wrong_word(self, n_gpus: int) -> str | None:
        if self.gpus != "auto":
            return f"must be a number from 0 to 1, or auto; got {self.gpus!r}"
        if self.address is not None:
            return (
                "auto probes a GPU of this machine, and those of an existing Ray cluster may be "
                "elsewhere; say the share as a number, such as 0.5"
            )
        if not n_gpus:
            return (
                "auto was asked for and this machine shows no GPU; leave the option out to train "
                "on its cores"
            )
        return None

    def _wrong_devices(self, machine: Machine) -> str | None:
        if self.address is not None:
            return "an existing Ray cluster assigns its own GPUs; leave the option out"
        devices = self.devices or ()
        if self.gpus == 0:
            return "names GPUs, and --gpu-share 0 uses none; leave out one of the two"
        if len(set(devices)) < len(devices):
            return f"names a GPU twice: {_listed(devices)}"
        there = [gpu.index for gpu in machine.gpus]
        if missing := [device for device in devices if device not in there]:
            are = _listed(there) if there else "none"
            return f"there is no GPU {_listed(missing)} that this process may use; there are: {are}"
        return None

    def narrowed(self, machine: Machine) -> Machine:
        """The machine with the GPUs that were asked for."""
        if self.devices is None:
            return machine
        by_index = {gpu.index: gpu for gpu in machine.gpus}
        return replace(machine, gpus=tuple(by_index[device] for device in self.devices))

    def settle(self, machine: Machine) -> Resources:
        """The same with numbers for what was left to the machine.

        Raises:
            SweepFileError: `problems` finds any.
        """
        problems = self.problems(machine)
        if problems:
            raise SweepFileError(problems)
        machine = self.narrowed(machine)
        on_cores = int(machine.n_cpus / self.cpus + 1e-9)
        if isinstance(self.gpus, str):
            most = max(machine.n_gpus, on_cores)
            most = min(most, self.workers or most)
            return replace(self, workers=min(most, machine.n_gpus), gpus=1.0, pack_up_to=most)
        gpus = self.gpus if self.gpus is not None else (1.0 if machine.n_gpus else 0.0)
        fit = n_on_a_gpu(gpus) * machine.n_gpus if gpus else on_cores
        return replace(self, workers=self.workers or max(1, fit), gpus=gpus)

    def packed(self, n: int, n_gpus: int) -> Resources:
        """With `n` trials on each of so many GPUs, as far as so many may train at once."""
        assert self.pack_up_to is not None, "the share is settled already"
        workers = min(self.pack_up_to, n * n_gpus)
        return replace(self, gpus=share_of(n), workers=workers, pack_up_to=None)


def n_on_a_gpu(share: float) -> int:
    """How many trials one GPU holds, each with such a share of it."""
    return int(1 / share + 1e-9)


def share_of(n: int) -> float:
    """The share of a GPU that holds `n` of them; Ray counts in ten-thousandths."""
    return 10_000 // n / 10_000


def probe_line(resources: Resources) -> str:
    """What a plan says where the share of a GPU is still to be chosen."""
    return (
        "one trial a GPU; a probe before the first one chooses how many share it, at most "
        f"{resources.pack_up_to} at once (--gpu-share auto)"
    )


def _listed(devices: Sequence[int]) -> str:
    return ", ".join(map(str, devices))
