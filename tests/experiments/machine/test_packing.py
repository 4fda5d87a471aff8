"""How many trials share a GPU, on GPUs that are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.machine.gpu_memory import CONTEXT_GB, Gpu, memory_cap_mb
from experiments.machine.machine import Machine
from experiments.machine.packing import (
    LEAST_GAIN,
    SAFETY,
    Measured,
    Packing,
    ProbeFailed,
    choose_packing,
    models_to_probe,
    most_packed,
)
from experiments.machine.resources import Resources, n_on_a_gpu, share_of
from experiments.request.config import load_sweep
from recommender.footprint import least_bytes
from tests.synthetic import synthetic_encoded

GB = 1024.0


class MadeUpGpu:
    """Trials that all take the same memory; `speed` says how much n of them train."""

    def __init__(
        self,
        speed: Callable[[int], float],
        memory_gb: float | None = 1.0,
        fails_from: int | None = None,
    ) -> None:
        self.asked: list[int] = []
        self._speed = speed
        self._memory_mb = None if memory_gb is None else memory_gb * GB
        self._fails_from = fails_from

    def measure(self, n: int) -> Measured:
        self.asked.append(n)
        if self._fails_from is not None and n >= self._fails_from:
            raise ProbeFailed("memory ran out")
        return Measured(self._speed(n), self._memory_mb)

    def chosen(self, free_gb: float = 80.0, most: int = 16) -> Packing:
        gpus = (Gpu(0, "GPU-0", "a", 80.0, 80.0), Gpu(1, "GPU-1", "a", 80.0, free_gb))
        return choose_packing(self.measure, gpus, most, "16 cores hold no more")


def freely(n: int) -> float:
    return 10.0 * n


def test_trials_that_do_not_slow_each_other_are_packed_up_to_the_bound() -> None:
    gpu = MadeUpGpu(freely)
    packing = gpu.chosen(most=12)
    assert (packing.trials_per_gpu, gpu.asked) == (12, [1, 2, 4, 8, 12])
    assert packing.why == "they train 12.0 times the epochs of one alone; 16 cores hold no more"
    assert packing.measured[4] == Measured(40.0, GB)


def test_memory_bounds_the_trials_with_their_contexts_and_a_margin() -> None:
    """7 GB are free on the fullest: 4 trials get 1.75 less .5 GB, and 1.2 are needed; 5 do not."""
    gpu = MadeUpGpu(freely)
    packing = gpu.chosen(free_gb=7.0)
    assert (packing.trials_per_gpu, gpu.asked) == (4, [1, 2, 4])
    assert packing.why.endswith("; one takes up to 1.0 of 7.0 GB that are free")
    least_gb = 4 * (SAFETY + CONTEXT_GB)
    assert MadeUpGpu(freely).chosen(free_gb=least_gb + 0.01).trials_per_gpu == 4
    assert MadeUpGpu(freely).chosen(free_gb=least_gb - 0.01).trials_per_gpu == 3


def test_a_number_between_two_doublings_is_tried_where_memory_ends() -> None:
    gpu = MadeUpGpu(freely)
    assert gpu.chosen(free_gb=5 * 1.75).trials_per_gpu == 5
    assert gpu.asked == [1, 2, 4, 5]


def test_a_gpu_that_one_trial_fills_with_memory_keeps_one() -> None:
    gpu = MadeUpGpu(freely, memory_gb=40.0)
    packing = gpu.chosen()
    assert (packing.trials_per_gpu, gpu.asked) == (1, [1])
    assert packing.why == "one takes up to 40.0 of 80.0 GB that are free"


def test_a_gpu_that_one_trial_keeps_busy_keeps_one() -> None:
    gpu = MadeUpGpu(lambda n: 10.0 + 0.2 * n)
    packing = gpu.chosen()
    assert (packing.trials_per_gpu, gpu.asked) == (1, [1, 2])
    assert packing.why == "2 at once train only 1.02 times the epochs of one alone"


def test_packing_ends_where_more_trials_do_not_train_more() -> None:
    gpu = MadeUpGpu(lambda n: 10.0 * min(n, 4.2))
    packing = gpu.chosen()
    assert (packing.trials_per_gpu, gpu.asked) == (4, [1, 2, 4, 8])
    assert packing.why == (
        "they train 4.0 times the epochs of one alone; 8 at once train only 1.05 times the epochs "
        "of 4"
    )


@pytest.mark.parametrize(("gain", "n"), [(LEAST_GAIN + 0.001, 2), (LEAST_GAIN - 0.001, 1)])
def test_a_gain_counts_from_a_tenth(gain: float, n: int) -> None:
    assert MadeUpGpu(lambda n: 1.0 + gain * (n > 1)).chosen(most=2).trials_per_gpu == n


def test_what_fails_at_once_is_too_many() -> None:
    gpu = MadeUpGpu(freely, fails_from=8)
    packing = gpu.chosen()
    assert (packing.trials_per_gpu, gpu.asked) == (4, [1, 2, 4, 8])
    assert packing.why.endswith("; 8 at once failed: memory ran out")
    assert MadeUpGpu(freely, fails_from=2).chosen().trials_per_gpu == 1


def test_one_that_cannot_be_probed_has_a_gpu_of_its_own() -> None:
    packing = MadeUpGpu(freely, fails_from=1).chosen()
    assert packing == Packing(1, "one alone could not be probed: memory ran out", {})


def test_nothing_is_packed_on_memory_that_nobody_can_read() -> None:
    gpu = MadeUpGpu(freely, memory_gb=None)
    packing = gpu.chosen()
    assert (packing.trials_per_gpu, gpu.asked) == (1, [1])
    assert "cannot be read" in packing.why


def test_where_one_is_all_there_can_be_nothing_is_probed() -> None:
    gpu = MadeUpGpu(freely)
    assert gpu.chosen(most=1) == Packing(1, "16 cores hold no more", {})
    assert gpu.asked == []


def test_speed_alone_decides_where_the_driver_says_nothing_of_memory() -> None:
    gpu = MadeUpGpu(freely)
    packing = choose_packing(gpu.measure, [Gpu(0, "GPU-0", "Orin", 0.0, 0.0)], 4, "no more")
    assert packing.trials_per_gpu == 4


@pytest.mark.parametrize("n", range(1, 65))
def test_so_many_shares_are_no_more_than_a_gpu(n: int) -> None:
    assert round(share_of(n) * 10_000) * n <= 10_000
    assert n_on_a_gpu(share_of(n)) == n
    assert (memory_cap_mb([Gpu(0, "GPU-0", "a", 80.0, 80.0)], share_of(n)) is None) == (n == 1)


def _machine(n_cpus: int, n_gpus: int) -> Machine:
    return Machine(
        n_cpus, "a", 64.0, tuple(Gpu(i, f"GPU-{i}", "a", 80.0, 80.0) for i in range(n_gpus))
    )


@pytest.mark.parametrize(
    ("machine", "asked", "n_trials", "most", "why"),
    [
        (_machine(16, 2), Resources(gpus="auto"), 60, 8, "16 cores at 1 a trial hold no more"),
        (_machine(16, 2), Resources(gpus="auto", cpus=3), 60, 3, "16 cores at 3 a trial hold"),
        (_machine(16, 2), Resources(5, gpus="auto"), 60, 3, "--workers 5 allows no more"),
        (_machine(16, 2), Resources(99, gpus="auto"), 60, 8, "16 cores at 1 a trial hold no more"),
        (_machine(16, 2), Resources(gpus="auto"), 1, 1, "no more than 1 is left"),
        (_machine(16, 2), Resources(gpus="auto"), 3, 2, "no more than 3 are left"),
        (_machine(2, 4), Resources(gpus="auto"), 60, 1, "2 cores at 1 a trial hold no more"),
        (_machine(4, 2), Resources(gpus="auto", devices=(1,)), 60, 4, "4 cores at 1 a trial hold"),
    ],
)
def test_cores_workers_and_trials_bound_what_is_probed(
    machine: Machine, asked: Resources, n_trials: int, most: int, why: str
) -> None:
    settled = asked.settle(machine)
    n, said = most_packed(settled, settled.narrowed(machine), n_trials)
    assert n == most
    assert why in said


def test_until_the_probe_each_trial_has_a_gpu_and_after_it_a_share() -> None:
    machine = _machine(16, 2)
    settled = Resources(gpus="auto").settle(machine)
    assert (settled.workers, settled.share, settled.pack_up_to) == (2, 1.0, 16)
    assert settled.settle(machine) == settled  # a command settles, and the study once more
    assert settled.packed(3, 2) == Resources(workers=6, gpus=0.3333)
    assert Resources(5, gpus="auto").settle(machine).packed(3, 2).workers == 5
    assert Resources(1, gpus="auto").settle(machine).workers == 1
    assert settled.packed(1, 2) == Resources(gpus=1.0).settle(machine)


SWEEP = """
name = "sizes"
[dataset]
name = "movielens-small"
[space.architecture]
choices = ["plain", "dcn"{own}]
[space.embedding_size]
choices = [4, 8, 64]
[model]
layer_size = 16
n_layers = 2
[search]
trials = 4
"""


def test_the_largest_model_of_the_space_is_probed(tmp_path: Path) -> None:
    path = tmp_path / "sizes.toml"
    path.write_text(SWEEP.format(own=""))
    sweep, encoded = load_sweep(path, [], {}), synthetic_encoded()
    (model,) = models_to_probe(sweep, encoded)
    assert (model.architecture, model.embedding_size) == ("dcn", 64)
    assert models_to_probe(sweep, encoded) == (model,)
    assert least_bytes(model, encoded) > 0


def test_an_architecture_of_ones_own_is_probed_beside_it(tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text("def gated(inputs, *, n_heads=4):\n    return inputs\n")
    path = tmp_path / "sizes.toml"
    path.write_text(SWEEP.format(own=', "gated.py:gated"'))
    models = models_to_probe(load_sweep(path, [], {}), synthetic_encoded())
    assert [model.architecture for model in models] == ["dcn", "gated"]
