"""What the driver says of GPU memory, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.machine.gpu_memory import (
    LEAST_MB,
    ask_nvidia_smi,
    memory_cap_mb,
    others_lines,
    parse_gpus,
)
from experiments.machine.machine import Machine, visible_gpus
from experiments.machine.resources import Resources

LISTING = """\
0, GPU-aaa1, NVIDIA H100, 81559, 81000
1, GPU-bbb2, NVIDIA H100, 81559, 500
2, GPU-ccc3, NVIDIA Orin, [N/A], [N/A]
no devices were found
"""


def test_a_gpu_has_what_it_holds_and_what_is_free() -> None:
    gpus = parse_gpus(LISTING)
    assert [gpu.index for gpu in gpus] == [0, 1, 2]
    assert gpus[1].used_gb == pytest.approx((81559 - 500) / 1024)
    assert (gpus[2].memory_gb, gpus[2].used_gb) == (0.0, 0.0)


def test_only_gpus_that_others_use_are_told_of() -> None:
    (line,) = others_lines(parse_gpus(LISTING))
    assert line.startswith("GPU 1 (NVIDIA H100): 79.2 of 79.6 GB are in use by others")


SLICES = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaa1)
  MIG 3g.40gb     Device  0: (UUID: MIG-1111)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbb2)
  MIG 1g.10gb     Device  0: (UUID: MIG-3333)
"""


def test_visible_slices_count_as_gpus_in_the_order_in_which_they_are_named() -> None:
    gpus = visible_gpus(LISTING + SLICES, "MIG-3333,MIG-1111,MIG-3333,MIG-2222")
    assert [(gpu.index, gpu.device, gpu.memory_gb) for gpu in gpus] == [
        (0, "MIG-3333", 10.0),
        (1, "MIG-1111", 40.0),
    ]
    assert visible_gpus(LISTING + SLICES, "MIG-9") == ()
    assert [gpu.device for gpu in visible_gpus(LISTING + SLICES, "1,MIG-2222")] == ["1", "MIG-2222"]


def test_slices_are_asked_for_only_where_they_are_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase $1 in -L) echo "  MIG 1g.5gb Device 0: (UUID: MIG-1)";; esac'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "MIG" not in ask_nvidia_smi()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    assert "MIG-1" in ask_nvidia_smi()


def test_a_machine_without_a_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert ask_nvidia_smi() == ""
    assert parse_gpus(ask_nvidia_smi()) == ()


def test_a_share_is_of_what_is_free_on_the_fullest_gpu_less_the_context() -> None:
    first, full, unknown = parse_gpus(LISTING)
    assert memory_cap_mb([first], 0.5) == 81000 // 2 - 512
    assert memory_cap_mb([first, unknown], 0.25) == 81000 // 4 - 512
    assert memory_cap_mb([first, full], 0.5) == 500 // 2 - 512
    assert memory_cap_mb([first], 1.0) is None
    assert memory_cap_mb([first], 0.0) is None
    assert memory_cap_mb([unknown], 0.5) is None
    assert memory_cap_mb([], 0.5) is None


def test_a_share_too_small_to_train_in_is_refused_with_the_cure() -> None:
    machine = Machine(n_cpus=8, cpu="", memory_gb=64, gpus=parse_gpus(LISTING)[:2])
    (problem,) = Resources(workers=2, gpus=0.5).problems(machine)
    assert f"leaves a trial -262 MB, and {LEAST_MB} MB are the least" in problem.message
    assert "with --gpus" in problem.message
    assert Resources(workers=2, gpus=0.5, devices=(0,)).problems(machine) == []
