"""The options of the machine, which every command that trains many trials has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from experiments.errors import RequestError
from experiments.machine.resources import Resources


def on_the_machine(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the machine in the place of its parameter `resources`."""
    own = inspect.signature(command, eval_str=True)
    options = inspect.signature(_resources, eval_str=True).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        taken = {name: given.pop(name) for name in options}
        command(**given, resources=_resources(**taken))

    parameters = [
        shown
        for parameter in own.parameters.values()
        for shown in (options.values() if parameter.name == "resources" else [parameter])
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer reads
    return run


def _resources(
    *,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-j",
            help="Trials at once; default: what the machine, or the cluster, can hold.",
        ),
    ] = None,
    cpus_per_trial: Annotated[
        float, typer.Option("--cpus-per-trial", help="Cores of one trial.")
    ] = 1.0,
    gpus: Annotated[
        str | None,
        typer.Option("--gpus", help="GPUs to use, by nvidia-smi's numbers: 1,3. Default: all."),
    ] = None,
    gpu_share: Annotated[
        str | None,
        typer.Option(
            "--gpu-share",
            metavar="SHARE|auto",
            help="Share of a GPU of one trial, such as 0.5; 0: none; auto: as many trials share "
            "one as a probe finds room and speed for.",
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", envvar="RAY_ADDRESS", help="An existing Ray cluster to use."),
    ] = None,
) -> Resources:
    share = _share(gpu_share)
    return Resources(workers, cpus_per_trial, share, ray_address, _devices(gpus))


def _share(text: str | None) -> float | Literal["auto"] | None:
    """`0.5` as a number, `auto` as it stands; RequestError where it is anything else."""
    if text is None:
        return None
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise RequestError(
            f"--gpu-share must be a number from 0 to 1, or auto; got {text!r}"
        ) from None


def _devices(text: str | None) -> tuple[int, ...] | None:
    """`1,3` as numbers; RequestError where it is anything else."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() and len(part) < 5 for part in parts):
        raise RequestError(
            f"--gpus takes the numbers of GPUs as nvidia-smi counts them, such as 1,3; got {text!r}"
        )
    return tuple(map(int, parts))
